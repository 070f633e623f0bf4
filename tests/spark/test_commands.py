"""The commands that judge, as a user types them: a click's whole way from a log to an audit, and tuning on Spark.

Short sibling: tests/spark/test_tuning.py
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from detecting import SLOTS

from workbench.broker.topics import Connection, Topics
from workbench.cli.parser import main
from workbench.clicks.files import SAMPLE_LOG
from workbench.clicks.traffic import Traffic

pytestmark = pytest.mark.java


def named(connection: Connection, topics: Topics) -> list[str]:
    """The options that lead to this test's topics."""
    clicks, verdicts, dead_letters = topics
    names = ["--clicks-topic", clicks, "--verdicts-topic", verdicts, "--dead-letter-topic", dead_letters]
    return ["--brokers", connection.bootstrap, *names]


@pytest.mark.parametrize("partitions", ["2", pytest.param("3", marks=[pytest.mark.long, pytest.mark.own_jvm])])
def test_clicks_go_the_whole_way_from_a_log_to_an_audit(
    connection: Connection, topics: Topics, tmp_path: Path, capsys: pytest.CaptureFixture[str], partitions: str
) -> None:
    where = named(connection, topics)

    def run(*words: str) -> str:
        assert main([words[0], *where, *words[1:]]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    made = run("topics", "--partitions", partitions).splitlines()
    assert [line.split() for line in made] == [[name, partitions, "partitions"] for name in topics]
    assert "clicks sent to" in run("replay", str(SAMPLE_LOG), "--speed", "max")

    detect = ("detect", "--from", "earliest", "--until-caught-up", "--checkpoint", str(tmp_path / "state"))
    told = run(*detect)
    assert told.startswith("Caught up: ")
    assert " 0 dead letters" in told

    said = [json.loads(line) for line in run("verdicts", "--json").splitlines()]
    flagged = run("verdicts", "--fraud-only").splitlines()
    first = [verdict for verdict in said if not verdict["revised"]]  # a log's times are whole seconds: ties tip others
    assert len({verdict["click_id"] for verdict in first}) == len(first) > 1000
    assert 0 < sum(verdict["fraud"] for verdict in said) == len(flagged) < len(said)
    assert all("FRAUD" in line for line in flagged)
    assert len(run("verdicts", "--limit", "5").splitlines()) == 5

    table = run("audit").splitlines()
    assert table[-1] == "ok"
    # Held against another rule the same verdicts are wrong, and the exit status says so.
    assert main(["audit", *where, "--threshold", "2"]) == 1
    assert "NOT OK" in capsys.readouterr().out

    # The state in the checkpoint is this rule's: another one does not get it.
    assert main([*detect[:1], *where, *detect[1:], "--window", "20s"]) == 1
    assert "rule 3-in-10s there, 3-in-20s asked" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.own_jvm
def test_tune_with_spark_prints_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: SLOTS)  # as on a larger machine: tasks side by side
    clicks = Traffic(rate=100, duration="20s", seed=1).clicks(datetime(2026, 1, 2, tzinfo=UTC))
    clicks.to_parquet(tmp_path / "clicks.parquet")
    told = []
    for more in ([], ["--spark"]):
        assert main(["tune", str(tmp_path / "clicks.parquet"), *more]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
