"""The command as a user types it, and every way out. Its commands that need Spark are in `spark/test_commands`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from workbench import __version__
from workbench.broker.topics import Connection, Topics
from workbench.cli.parser import main
from workbench.clicks.files import SAMPLE_LOG, read
from workbench.clicks.traffic import Traffic
from workbench.tuning.grid import read_thresholds, read_windows
from workbench.tuning.surface import surface

Words = list[str]


def named(connection: Connection, topics: Topics) -> Words:
    """The options that lead to this test's topics."""
    clicks, verdicts, dead_letters = topics
    names = ["--clicks-topic", clicks, "--verdicts-topic", verdicts, "--dead-letter-topic", dead_letters]
    return ["--brokers", connection.bootstrap, *names]


def test_traffic_is_sent_with_the_mix_that_was_asked_for(
    connection: Connection, topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--rate", "400", "--duration", "500ms", "--mix", "burst_bots=0.5, drip_bots=0"]
    assert main(["traffic", *named(connection, topics), *words]) == 0
    assert capsys.readouterr().out.startswith(f"200 clicks sent to {topics.clicks} in ")
    assert main(["traffic", *named(connection, topics), "--mix", "people=most"]) == 1
    assert "--mix takes KIND=SHARE" in capsys.readouterr().err


def test_verdicts_are_followed_until_the_limit(
    connection: Connection, topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    where = named(connection, topics)
    assert main(["topics", *where]) == 0
    capsys.readouterr()
    verdict = {
        "fraudClick": "Yes", "click_id": "c1", "session_id": "s\x1b[2J", "url": "/ad", "ts": "2026-01-02T03:04:05Z",
        "clicks_in_window": 3, "window_ms": 10000, "threshold": 3, "rule_id": "3-in-10s", "revised": False,
    }  # fmt: skip
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": connection.bootstrap})
    stop = threading.Event()

    def keep_sending() -> None:  # the command says nothing of when it begins to listen
        number = 0
        while not stop.wait(0.1):
            number += 1
            producer.produce(topics.verdicts, json.dumps(verdict | {"click_id": f"c{number}"}))
            producer.flush(5)

    sending = threading.Thread(target=keep_sending)
    sending.start()
    try:
        assert main(["verdicts", *where, "--follow", "--limit", "3"]) == 0
    finally:
        stop.set()
        sending.join()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all("FRAUD" in line and "\\x1b[2J" in line for line in lines)  # a stranger's text steers no terminal


def test_tune_prints_the_best_rules_of_labelled_clicks_and_the_share_that_each_flags_of_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clicks = Traffic(rate=100, duration="60s", seed=1).clicks(datetime(2026, 1, 2, tzinfo=UTC))
    clicks.to_parquet(tmp_path / "clicks.parquet")
    assert main(["tune", str(tmp_path / "clicks.parquet"), "--top", "3"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["rule", "flagged", "sessions", "precision", "recall", "F1", "cost"]
    assert len(lines) == 4
    best = surface(clicks, read_windows("1s..60s"), read_thresholds("2..10")).best()
    assert lines[0].startswith(f"{best.rule_id} ")
    assert "best F1" in lines[0]
    assert lines[3].startswith("3-in-10s ")
    assert lines[3].endswith("the default")

    assert main(["tune", str(SAMPLE_LOG), "--windows", "5s,10s", "--thresholds", "2,3"]) == 0
    output = capsys.readouterr()
    assert "no labels" in output.err
    flagged = surface(read(SAMPLE_LOG).clicks, ["10s"], [3]).flagged_share[0, 0]
    assert output.out.splitlines()[2].split() == ["10s", "22.0%", f"{flagged:.1%}"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["detekt"], 2, "no command 'detekt'; did you mean 'detect'?"),
        ([], 2, "the following arguments are required: COMMAND"),
        (["detect", "--threshold", "three"], 2, "invalid int value: 'three'"),
        (["detect", "--window", "10"], 1, "not a duration: '10'; write a number and a unit"),
        (["replay", "no-such.log"], 1, "no-such.log"),
        (["replay", str(SAMPLE_LOG), "--map", "session_id"], 1, "columns are named FIELD=COLUMN"),
        (["tune", "no-such.log"], 1, "no-such.log"),
        (["tune", str(SAMPLE_LOG), "--windows", "9s..1s"], 1, "windows must rise: got '9s..1s'; write 1s..9s"),
        (["tune", str(SAMPLE_LOG), "--thresholds", "some"], 1, "threshold must be a whole number"),
        (["tune", str(SAMPLE_LOG), "--refused-good", "-1"], 1, "refused_good is -1.0"),
        (["broker", "status", "--brokers", "127.0.0.1:1"], 1, "127.0.0.1:1"),
        (["audit", "--brokers", "nonsense"], 1, "nonsense"),
        (["audit", "--brokers", ""], 2, "argument --brokers: it names no broker: give HOST:PORT"),
        (["doctor", "--brokers", " "], 2, "argument --brokers: it names no broker: give HOST:PORT"),
        (["run", "--out", "report.pdf"], 1, "give the name of an .html file"),
        (["click-app", "--session-clicks", "0"], 2, "0 is not a whole number from 1 up"),
        (["run", "--seconds", "0"], 2, "0 is not a whole number from 1 up"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    words: Words, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        got = main(words)
    except SystemExit as end:
        got = int(str(end.code))
    output = capsys.readouterr()
    assert got == status
    assert said in output.err
    assert output.out == ""
    if status == 1:
        assert len(output.err.splitlines()) == 1
    assert "Traceback" not in output.err


def test_every_command_explains_itself_and_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    commands = [
        "run",
        "lab",
        "prepare",
        "doctor",
        "broker",
        "topics",
        "traffic",
        "replay",
        "detect",
        "verdicts",
        "audit",
        "tune",
    ]
    commands += ["report", "click-app"]
    for name in commands:
        assert re.search(rf"^    {name}\s", told, re.MULTILINE)
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        assert end.value.code == 0
    ran = subprocess.run(
        [sys.executable, "-m", "workbench", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == f"workbench {__version__}\n"
