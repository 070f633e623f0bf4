"""The examples of README and docs that need a broker and a detector, run as they stand but for shorter."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from doc_pages import ROOT, console, examples
from pyspark.sql import SparkSession

from workbench.broker.sender import Sending
from workbench.broker.topics import Connection, recreate_topics
from workbench.cli.parser import main
from workbench.clicks.files import SAMPLE_LOG
from workbench.detector.handle import Detector
from workbench.verdicts.feed import VerdictFeed

pytestmark = pytest.mark.java


@pytest.fixture
def used(connection: Connection, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's broker is the one that is configured, with the topics of everybody, and they are empty; Spark is up."""
    monkeypatch.setenv("WORKBENCH_BROKERS", connection.bootstrap)
    recreate_topics(connection)


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("name", examples(live=True))
def test_an_example_with_a_broker_runs(name: str) -> None:
    code = re.sub(r'duration="60s"|run\(60\)', lambda found: found[0].replace("60", "4"), examples(live=True)[name])
    code = code.replace("wait_until_caught_up()", 'wait_until_caught_up("300s")')  # on a busy machine
    made: dict[str, Any] = {"__name__": name}
    try:
        exec(compile(code, name, "exec"), made)
    finally:  # one that failed half-way leaves nothing running for the next
        for thing in made.values():
            if isinstance(thing, Detector | Sending | VerdictFeed):
                thing.stop()


@pytest.mark.usefixtures("used")
def test_a_recorded_log_is_judged_and_proven_by_the_commands_that_the_page_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "access.log").write_bytes(gzip.decompress(SAMPLE_LOG.read_bytes()))
    monkeypatch.chdir(tmp_path)
    commands = [line.split()[1:] for line, _ in console((ROOT / "docs" / "command.md").read_text("utf-8"))]
    assert [words[0] for words in commands] == ["topics", "replay", "detect", "audit"]
    assert [main(words) for words in commands] == [0, 0, 0, 0]
    assert "1,018 clicks" in capsys.readouterr().out
