"""The detector on a secured broker, and another client beside it. The password is seen nowhere, and all is loopback.

Spark shows and logs as much as it can here: its web pages are on, and its log tells everything from INFO on.

Short sibling: tests/unit/broker/test_redaction.py
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from polling import until
from pyspark.sql import SparkSession
from secured import CANARY, PASSWORD, USER, SecuredBroker

from workbench.broker import sender
from workbench.broker.connection import Connection
from workbench.broker.embedded import EmbeddedBroker
from workbench.broker.topics import Topics, ensure_topics
from workbench.clicks.traffic import Traffic
from workbench.detector import streaming
from workbench.detector.handle import Detector, detect
from workbench.machine.folders import state_dir
from workbench.reports.run import summary, write_report
from workbench.rule import Rule
from workbench.spark.session import spark_session, stop_spark
from workbench.verdicts import audit

pytestmark = [pytest.mark.java, pytest.mark.own_jvm, pytest.mark.long]

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_live_detection.ipynb"
needs_kcat = pytest.mark.skipif(shutil.which("kcat") is None, reason="needs kcat")


@pytest.fixture(scope="module")
def connection(secured: SecuredBroker, tmp_path_factory: pytest.TempPathFactory) -> Connection:
    """By SASL PLAIN: of the three the only one that sends the password itself."""
    found = Connection.from_env(secured.environment(tmp_path_factory.mktemp("login"), "PLAIN"))
    found.check()
    return found


@pytest.fixture(scope="module")
def running(connection: Connection) -> Iterator[Detector]:
    """A detector that has judged some traffic and goes on, in a Spark session of its own."""

    def talkative(slots: int, master: str | None, conf: dict[str, object]) -> Any:
        session = spark_session(slots, master, {**conf, "spark.ui.enabled": "true", "spark.ui.port": 0})
        session.sparkContext.setLogLevel("INFO")
        return session

    topics = Topics("secured-clicks", "secured-verdicts", "secured-dead-letters")
    ensure_topics(connection, topics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "spark_session", talkative)
        checkpoint = state_dir() / "secured-checkpoint"
        with detect(Rule(), connection, topics=topics, checkpoint=checkpoint, checkpoint_every="5s") as handle:
            clicks = Traffic(rate=300, duration="10s", seed=4).clicks(datetime.now(UTC) - timedelta(seconds=10))
            sender.send(clicks, connection, topic=topics.clicks, speed="max").wait()
            handle.wait_until_caught_up("120s")
            until(lambda: handle.progress.checkpoints >= 1)
            yield handle
    stop_spark()


def ours() -> list[psutil.Process]:
    """This process and all that it started: brokers, Spark, kernels, JupyterLab."""
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def arguments() -> set[str]:
    found = set()
    for process in ours():
        with contextlib.suppress(psutil.Error):
            found.update(process.cmdline())
    return found


def listening() -> set[tuple[str, str]]:
    """Where our processes wait for connections: an address and which process it is."""
    found: set[tuple[str, str]] = set()
    for process in ours():
        with contextlib.suppress(psutil.Error):
            waiting = [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
            name = " ".join(process.cmdline())
            found.update((c.laddr.ip.removeprefix("::ffff:"), f"port {c.laddr.port} of {name}") for c in waiting)
    return found


def open_to_others(found: set[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(where for where in found if where[0] not in ("127.0.0.1", "::1"))


def holding(folder: Path, needle: bytes) -> list[Path]:
    """The files below a folder that hold these bytes. Spark renames and deletes some meanwhile."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and needle in path.read_bytes():
                found.append(path)
    return found


def test_every_verdict_is_right_and_none_is_missing(running: Detector) -> None:
    found = audit.audit(running.connection, running.topics, progress=False)
    assert found.ok
    assert found.clicks >= 3000
    assert found.flagged > 0
    assert (found.missing, found.wrong) == (0, 0)


@needs_kcat
def test_a_client_that_nobody_here_wrote_sends_clicks_and_reads_verdicts(running: Detector, tmp_path: Path) -> None:
    settings = tmp_path / "kcat.conf"  # not in the arguments, where others could read the password
    settings.write_text("".join(f"{k}={v}\n" for k, v in running.connection.librdkafka().items()), "utf-8")
    settings.chmod(0o600)
    now = datetime.now(UTC) - timedelta(seconds=2)
    times = [(now + timedelta(milliseconds=100 * number)).isoformat() for number in range(4)]
    clicks = [{"click_id": f"kcat-{n}", "session_id": "kcat", "url": "/ad", "ts": ts} for n, ts in enumerate(times)]

    def kcat(*options: str, text: str | None = None) -> str:
        command = ["kcat", "-F", str(settings), *options]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True).stdout

    kcat("-P", "-t", running.topics.clicks, "-K", "\t", text="".join(f"kcat\t{json.dumps(c)}\n" for c in clicks))
    running.wait_until_caught_up()
    said = kcat("-C", "-t", running.topics.verdicts, "-o", "beginning", "-e", "-q", "-f", "%k\t%s\n")
    rows = [line.split("\t", 1) for line in said.splitlines()]
    verdicts = {v["click_id"]: v["fraudClick"] for v in (json.loads(value) for key, value in rows if key == "kcat")}
    assert verdicts == {"kcat-0": "No", "kcat-1": "No", "kcat-2": "Yes", "kcat-3": "Yes"}


def test_the_password_is_in_no_plan_page_log_state_or_argument(
    running: Detector, capsys: pytest.CaptureFixture[str]
) -> None:
    session = SparkSession.active()
    (query,) = session.streams.active
    capsys.readouterr()
    query.explain(extended=True)
    plan = capsys.readouterr().out
    assert "Kafka" in plan
    address = session.sparkContext.uiWebUrl
    assert address is not None
    application = f"/api/v1/applications/{session.sparkContext.applicationId}"
    paths = ["/jobs/", "/stages/", "/environment/", "/SQL/", "/SQL/execution/?id=0", "/StreamingQuery/"]
    paths += [f"{application}/environment", f"{application}/sql?details=true", f"{application}/jobs"]
    pages = {path: urllib.request.urlopen(address + path, timeout=30).read().decode() for path in paths}
    assert "secured-clicks" in "".join(pages.values()) or query.name is None
    log = next((state_dir() / "logs").glob(f"spark-{os.getpid()}.log")).read_text("utf-8")
    assert "sasl.jaas.config = [hidden]" in log  # it did tell the clients' settings
    shown = [plan, *pages.values(), log, *arguments(), repr(running), repr(running.connection)]
    shown += [f"{settings}" for settings in session.sparkContext.getConf().getAll()]
    assert [text[:80] for text in shown if CANARY in text] == []
    assert any(state_dir().rglob("offsets/*"))
    assert holding(state_dir(), CANARY.encode()) == []


def test_only_this_machine_can_connect(running: Detector, embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    pytest.importorskip("playwright")
    from browser import jupyter_lab

    assert running.state == "running"
    assert SparkSession.active().sparkContext.uiWebUrl
    assert embedded_broker.status().running
    found: set[tuple[str, str]] = set()
    passed = running.progress.checkpoints + 2  # the query opens its ports anew after each

    with jupyter_lab(tmp_path, tmp_path / "home", token="a-token") as lab:
        started = urllib.request.Request(
            f"{lab.url}/api/kernels", b"{}", {"Authorization": "token a-token", "Content-Type": "application/json"}
        )
        urllib.request.urlopen(started, timeout=60).close()
        until(lambda: any("ipykernel" in process for _, process in listening()))
        found |= listening()
        while running.progress.checkpoints < passed:
            found |= listening()
    assert open_to_others(found) == []
    told = "\n".join(process for _, process in found)
    assert all(name in told for name in ("kafka.Kafka", "pyspark-shell", "jupyterlab", "ipykernel")), told


def test_a_notebook_runs_on_it_and_its_report_does_not_tell_the_password(
    secured: SecuredBroker, running: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.stop()  # two Sparks at once are much for a small machine
    stop_spark()
    for name, value in secured.environment(tmp_path, "PLAIN").items():
        monkeypatch.setenv(name, value)
    (tmp_path / "out").mkdir()
    seen: set[str] = set()
    addresses: set[tuple[str, str]] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            seen.update(arguments())
            addresses.update(listening())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        out = write_report(NOTEBOOK, {"seconds": 10, "rate": 100.0}, tmp_path / "out" / "r.html", "t", progress=False)
    finally:
        done.set()
        looking.join()
    found = summary(out.with_suffix(".ipynb"))
    assert found["clicks"] == 1000
    assert found["missing"] == found["dead_letters"] == found["dropped_by_watermark"] == 0
    assert any("SparkSubmit" in argument for argument in seen)
    assert [argument for argument in seen if CANARY in argument] == []
    assert open_to_others(addresses) == []
    assert holding(tmp_path / "out", CANARY.encode()) == []
    if hasattr(os, "memfd_create"):  # elsewhere a kernel that is killed leaves the file behind
        assert [*Path(tempfile.gettempdir()).glob("workbench-login-*")] == []
    assert holding(state_dir(), CANARY.encode()) == []


def test_the_needle_is_a_good_one(secured: SecuredBroker) -> None:
    assert CANARY in PASSWORD
    assert holding(secured.home, CANARY.encode())  # where it may be: the settings of the broker itself
    assert f"user_{USER}" in (secured.home / "server.properties").read_text("utf-8")
    assert CANARY not in secured.log.read_text("utf-8", errors="replace")
