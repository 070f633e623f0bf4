"""The archive of Spark's classes: made by a real run, used by the next JVM, and no harm when it is of no use.

Short sibling: tests/spark/test_class_archive.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.cli.parser import main
from workbench.machine.java import find_java
from workbench.spark import class_archive
from workbench.spark.class_archive import archive_path, java_option, recording
from workbench.spark.session import spark_session, stop_spark

pytestmark = pytest.mark.java


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's archive lies."""
    path = tmp_path / "a folder" / "spark.jsa"
    monkeypatch.setattr(class_archive, "archive_path", lambda java: path)
    return path


@pytest.fixture
def no_session() -> Iterator[None]:
    """Begin without a session and leave none."""
    stop_spark()
    yield
    stop_spark()


def test_each_java_has_an_archive_of_its_own(tmp_path: Path) -> None:
    java = find_java()
    assert archive_path(java) == archive_path(replace(java))
    assert archive_path(java) != archive_path(replace(java, home=tmp_path))
    assert archive_path(java) != archive_path(replace(java, version=99))


@pytest.mark.long
@pytest.mark.usefixtures("no_session")
@pytest.mark.own_jvm
def test_prepare_makes_an_archive_that_the_next_jvm_loads_its_classes_from(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare"]) == 0
    assert re.fullmatch(r"The jars are there, and Spark's classes \(\d\d\d MB\)\.\n", capsys.readouterr().out)
    assert [path.name for path in archive.parent.iterdir() if path.suffix != ""] == ["spark.jsa"]
    made = archive.stat()
    assert main(["prepare"]) == 0
    assert archive.stat() == made

    loaded = tmp_path / "loaded.txt"
    spark_session(1, java_options=f"-XX:+UseSerialGC -Xlog:class+load:file={loaded}").range(3).count()
    stop_spark()
    from_archive = re.findall(r" (org\.apache\.\S+) source: shared objects file \(top\)", loaded.read_text())
    assert len(from_archive) > 3000


@pytest.mark.long
@pytest.mark.usefixtures("no_session")
@pytest.mark.own_jvm
def test_an_archive_that_is_none_does_no_harm(archive: Path) -> None:
    archive.parent.mkdir()
    archive.write_bytes(b"\0" * 100_000)
    assert str(archive) in java_option(find_java())
    assert spark_session(1).range(3).count() == 3


def test_what_was_not_recorded_to_its_end_leaves_no_archive(archive: Path) -> None:
    with pytest.raises(FileNotFoundError), recording(find_java()):
        assert "ArchiveClassesAtExit" in java_option(find_java())  # but no JVM is started
    assert list(archive.parent.iterdir()) == []
    assert java_option(find_java()) == ""
