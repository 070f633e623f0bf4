"""The doctor sees what is wrong and names the fix."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

import workbench.cli.doctor
from workbench.broker.clients import CODECS, admin_client
from workbench.broker.topics import Connection, EmbeddedBroker, Topics, ensure_topics
from workbench.cli.doctor import Check, checks, doctor
from workbench.machine.jars import jar_lock


def only(name: str, environ: dict[str, str] | None = None) -> Check:
    """The one check of that name."""
    (found,) = [check for check in checks(environ or {"PATH": "/nowhere"}) if check.name == name]
    return found


@pytest.mark.java
def test_on_a_machine_that_is_set_up_all_is_well(
    connection: Connection, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setattr(
        workbench.cli.doctor, "MEMORY_GB", 0.1
    )  # Spark and the broker of other tests have theirs already
    found = list(checks({**os.environ, "WORKBENCH_BROKERS": connection.bootstrap}, None, topics))
    assert [check for check in found if not check.ok] == []
    assert [check.name for check in found] == [
        "Java",
        "jars of kafka",
        "jars of spark",
        "packages",
        "anywidget",
        "ipywidgets",
        "jupyterlab",
        "codecs",
        "broker",
        "disk",
        "memory",
    ]


def test_a_missing_java_is_told_with_what_to_install() -> None:
    check = only("Java")
    assert not check.ok
    assert "none in JAVA_HOME, PATH or CONDA_PREFIX" in check.detail
    assert check.fix.startswith("install one")


def test_missing_jars_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    check = only("jars of spark")
    assert (check.ok, check.detail) == (False, f"4 of 4 are missing in {tmp_path / 'jars' / 'spark'}")
    assert "make setup" in check.fix


def test_an_altered_jar_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    for jar in jar_lock("spark"):
        jar.path.parent.mkdir(parents=True, exist_ok=True)
        jar.path.write_bytes(b"PK")
    check = only("jars of spark")
    assert not check.ok
    assert "is not the locked" in check.detail
    assert "delete the file" in check.fix


def test_a_package_of_another_version_is_told_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "3.0.0" if name == "pandas" else version(name))
    check = only("packages")
    assert (check.ok, check.detail) == (False, f"pandas is 3.0.0, locked {version('pandas')}")
    assert "make setup" in check.fix


def test_without_a_source_tree_the_extras_that_are_not_installed_are_named_and_are_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = {"pandas": "", "flask": ' ; extra == "page"', "no-such-package": ' ; extra == "report"'}
    version = importlib.metadata.version
    required = [f"{name}=={'1.0' if name.startswith('no') else version(name)}{marker}" for name, marker in pins.items()]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: required)
    monkeypatch.setattr(workbench.cli.doctor, "_LOCK", tmp_path / "none.lock")
    check = only("packages")
    assert check.ok
    assert check.detail.endswith("all 2 packages as in the direct pins; without the extras report")

    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.0" if name == "flask" else version(name))
    assert only("packages").detail == f"flask is 1.0, locked {version('flask')}"


def test_a_widget_that_is_not_installed_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def lacking(name: str) -> str:
        if name == "anywidget":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", lacking)
    check = only("anywidget")
    assert (check.ok, check.detail) == (False, "is not installed")
    assert 'pip install "click-fraud-workbench[lab]"' in check.fix


def test_a_widget_without_its_front_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    check = only("anywidget")
    assert not check.ok
    assert "JupyterLab's extension anywidget is not at" in check.detail


def test_a_broker_of_the_environment_that_does_not_answer_is_told() -> None:
    check = only("broker", {"WORKBENCH_BROKERS": "127.0.0.1:1"})
    assert (check.ok, check.detail) == (False, "no broker answers (127.0.0.1:1: Connection refused).")
    assert "workbench broker up" in check.fix
    assert not only("broker", {"WORKBENCH_BROKERS": "nonsense"}).ok


def test_the_embedded_broker_is_asked_when_it_runs(
    embedded_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench.cli.doctor, "EmbeddedBroker", lambda: embedded_broker)
    check = only("broker")
    assert check.ok
    assert f"{embedded_broker.status().bootstrap} answers (the embedded one" in check.detail


def of_clicks(connection: Connection, topics: Topics) -> Check:
    environ = {"WORKBENCH_BROKERS": connection.bootstrap}
    (found,) = [check for check in checks(environ, None, topics) if check.name == "clicks"]
    return found


def test_a_topic_of_clicks_that_keeps_them_is_told_with_its_partitions(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, topics, partitions=3)
    assert of_clicks(connection, topics) == Check(
        "clicks", True, f"{topics.clicks} has 3 partitions, and keeps each click"
    )


def test_a_topic_that_deletes_clicks_by_their_session_is_told_with_the_command_that_mends_it(
    connection: Connection, topics: Topics
) -> None:
    with admin_client(connection) as admin:
        admin.create_topics({topics.clicks: {"num_partitions": 1, "configs": {"cleanup.policy": "compact,delete"}}})
    check = of_clicks(connection, topics)
    assert not check.ok
    assert "keeps the latest record of each key only (cleanup.policy=compact,delete)" in check.detail
    assert "earlier clicks are deleted" in check.detail
    assert f"--bootstrap-server {connection.bootstrap} --alter" in check.fix
    assert f"--entity-name {topics.clicks} --add-config cleanup.policy=delete" in check.fix


def test_a_topic_that_dates_its_records_itself_is_no_fault_and_told_with_what_a_replay_needs(
    connection: Connection, topics: Topics
) -> None:
    settings = {"message.timestamp.type": "LogAppendTime"}
    with admin_client(connection) as admin:
        admin.create_topics({topics.clicks: {"num_partitions": 1, "configs": settings}})
    check = of_clicks(connection, topics)
    assert check.ok
    assert "clicks of an old log are too late" in check.detail
    assert "--add-config message.timestamp.type=CreateTime" in check.detail


def test_a_codec_that_only_spark_could_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only("codecs").ok
    monkeypatch.setitem(CODECS, "zstd", lambda: False)
    check = only("codecs")
    assert (check.ok, check.detail) == (False, "records compressed by zstd are read by Spark only")
    assert "make setup" in check.fix


def test_a_port_that_something_else_has_is_told_with_its_process(
    embedded_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = embedded_broker.status().bootstrap
    assert bootstrap is not None
    port = int(bootstrap.rpartition(":")[2])
    monkeypatch.setattr(workbench.cli.doctor, "DEFAULT_PORT", port)
    check = only("ports")
    assert not check.ok
    assert f"{port} by java (pid {embedded_broker.status().pid})" in check.detail
    assert f"WORKBENCH_BROKERS=127.0.0.1:{port}" in check.fix


def test_too_little_disk_or_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench.cli.doctor, "DISK_GB", 1e9)
    monkeypatch.setattr(workbench.cli.doctor, "MEMORY_GB", 1e9)
    assert not only("disk").ok
    assert not only("memory").ok


def test_each_check_has_its_line_and_the_last_says_whether_all_is_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = Check("this", True, "is fine"), Check("that", False, "is broken", "mend it")
    monkeypatch.setattr(workbench.cli.doctor, "checks", lambda environ, brokers, topics: iter([good, bad]))
    assert not doctor()
    assert capsys.readouterr().out.splitlines() == [
        "ok      this: is fine",
        "not ok  that: is broken",
        "        fix: mend it",
        "1 not ok.",
    ]
    monkeypatch.setattr(workbench.cli.doctor, "checks", lambda environ, brokers, topics: iter([good]))
    assert doctor()
    assert capsys.readouterr().out == "ok      this: is fine\nAll is well.\n"
