"""The options that say how clicks are read, and the mapping they make."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

import pytest

from workbench.cli.mapping import add_mapping, mapping_of
from workbench.cli.parser import main
from workbench.clicks.mapping import Mapping
from workbench.errors import ClickError


def mapping(*words: str, topic: bool = False) -> Mapping:
    parser = argparse.ArgumentParser()
    add_mapping(parser, topic=topic)
    return mapping_of(parser.parse_args(words))


def test_without_options_nothing_is_mapped() -> None:
    assert mapping() == mapping(topic=True) == Mapping()


def test_pairs_and_options_make_a_mapping() -> None:
    assert mapping(
        *("--map", "session_id=ip+device+os,url=channel", "--map", "ts=click_time", "--carry", "campaign=utm.c"),
        *(
            "--carry",
            "cost",
            "--tz",
            "UTC",
            "--time-unit",
            "ms",
            "--client",
            "2",
            "--url-drop",
            "sid,x",
            "--url-keep",
            "cb",
        ),
        *("--exclude", "10.0.0.0/8", "--exclude", "/health", "--crawlers", "keep", "--merge-repeats", "2s", "--assets"),
        *("--where", "event=click,tap", "--where", "os!=13"),
        *("--idle-gap", "5m", "--log-format", "combined", "--format", "log", "--url-from", "ad"),
    ) == Mapping(
        session_id=["ip", "device", "os"],
        url="channel",
        ts="click_time",
        carry={"campaign": "utm.c", "cost": "cost"},
        tz="UTC",
        time_unit="ms",
        client=2,
        url_drop=["sid", "x"],
        url_keep=["cb"],
        url_from="ad",
        where=["event=click,tap", "os!=13"],
        exclude=["10.0.0.0/8", "/health"],
        crawlers="keep",
        merge_repeats=timedelta(seconds=2),
        assets=True,
        idle_gap="5m",
        log_format="combined",
        format="log",
    )


def test_a_single_option_wins_over_a_file_and_a_later_file_over_an_earlier(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text('url = "page"\ntz = "UTC"\nsession_id = "visitor"\n')
    two.write_text('url = "link"\n')
    found = mapping("--map", str(one), "--map", str(two), "--tz", "Asia/Tokyo")
    assert found == Mapping(url="link", tz="Asia/Tokyo", session_id="visitor")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--map", "nowhere.toml"], "No such file"),
        (["--map", "visitor"], "FIELD=COLUMN"),
        (["--client", "middle"], "trusted proxies"),
        (["--tz", "Mars"], "zone"),
    ],
)
def test_what_cannot_be_is_an_error_of_ours(words: list[str], said: str) -> None:
    with pytest.raises(ClickError, match=said):
        mapping(*words)


def test_a_command_tells_how_it_read_and_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agents = ["Firefox"] * 9 + ["Googlebot/2.1"]
    lines = [
        "userId,page,timestamp,agent",
        *(f"user{i % 3},/ad?id=7&gclid={i},2026-01-02T03:04:{i:02}Z,{agent}" for i, agent in enumerate(agents)),
        "(not set),/ad,2026-01-02T03:04:05Z,x",
        "oops",
    ]
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join(lines))
    assert main(["tune", str(path), "--windows", "10s", "--thresholds", "3"]) == 0
    told = capsys.readouterr().err.splitlines()
    when = "from 2026-01-02 03:04:00 to 2026-01-02 03:04:08 UTC"
    assert told[0] == f"{path}: 13 lines: 9 clicks of 3 sessions {when}; 3 left out, 1 rejected"
    said = "\n".join(told)
    for text in (
        "session_id is read from userId",
        "10 URLs without parameters that are new with each click",
        "left out: 1 known crawlers and health checks",
        "left out: 1 no visitor",
        "rejected line 13: 1 cells, not 4",
    ):
        assert text in said
