"""Files as other people have them, made after reports of how such files went wrong: each gives its right answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.clicks.files import read
from workbench.errors import ClickError
from workbench.rule import Rule, judge

FIELD = Path(__file__).parents[2] / "data" / "field"
TALKING = {"session_id": ["ip", "device", "os"], "url": "channel", "label": "is_attributed"}
AVAZU = {"session_id": "device_ip", "url": "site_id", "ts": "hour"}
COMPACT = {"time_format": "%Y%m%d%H%M%S", "tz": "UTC"}

RIGHT: list[tuple[str, dict[str, Any], tuple[int, int, int, int]]] = [
    # name, mapping, (clicks, sessions, flagged, rejected)
    ("01-vhost/other_vhosts_access.log", {}, (3, 3, 0, 0)),
    ("03-xff-front/access.log", {}, (4, 1, 2, 0)),
    ("04-xff-tail/access.log", {}, (6, 6, 0, 0)),
    ("04-xff-tail/access.log", {"client": "last"}, (6, 1, 4, 0)),  # said by the user, who knows better
    ("06-ms-time/access.log", {}, (2, 1, 0, 2)),
    ("06-ms-time/access.log", {"tz": "Europe/Berlin"}, (3, 1, 1, 1)),
    ("07-extra-number/access.log", {}, (3, 1, 1, 0)),
    ("08-caddy/access.log", {}, (4, 1, 2, 0)),
    ("09-nginx-json/access.json", {}, (4, 1, 2, 0)),
    ("10-iis/u_ex140603.log", {}, (4, 1, 2, 0)),
    ("11-cloudfront/E2EXAMPLE.2019-12-04-21.abcd.gz", {}, (4, 1, 2, 0)),
    ("12-alb/alb.log", {}, (4, 1, 2, 0)),
    ("13-nul-head/access.log", {}, (4, 1, 2, 0)),
    ("13-nul-head/dcperf.log", {}, (12, 12, 0, 0)),
    ("13-nul-head/nul-ids.jsonl", {}, (5, 5, 0, 0)),
    ("13-nul-head/nul-three-visitors.log", {}, (3, 3, 0, 0)),
    ("13-nul-head/short-nuls.log", {}, (4, 1, 2, 0)),
    ("14-gclid/access.log", {}, (8, 1, 6, 0)),
    ("14-gclid/access.log", {"url_keep": "*"}, (8, 1, 0, 0)),
    ("15-talkingdata/train_sample.csv", {**TALKING, "tz": "UTC"}, (6, 2, 3, 0)),
    ("16-avazu/train.csv", {**AVAZU, "time_format": "%y%m%d%H", "tz": "UTC"}, (5, 1, 0, 0)),
    ("17-compact-time/clicks.csv", COMPACT, (4, 1, 2, 0)),
    ("18-bigquery/export.csv", {}, (4, 1, 2, 0)),
    ("20-appsflyer/clicks.csv", {"url": "Campaign", "tz": "UTC"}, (4, 1, 2, 0)),
    ("21-utf16/title-utf8.csv", {}, (4, 1, 2, 0)),
    ("21-utf16/utf16-noTitle.csv", {}, (4, 1, 2, 0)),
    ("21-utf16/utf16.csv", {}, (4, 1, 2, 0)),
    ("22-open-quote/min.csv", {}, (2, 1, 0, 1)),
    ("24-segment/events.jsonl", {}, (4, 1, 2, 0)),
    ("25-ga4/events.jsonl", {}, (4, 1, 2, 0)),
    ("25-ga4/events.jsonl", {"session_id": ["user_pseudo_id", "event_params[ga_session_id]"]}, (4, 1, 2, 0)),
    ("26-rotated/access.log.1.bz2", {}, (4, 1, 2, 0)),
    ("26-rotated/access.log.1.xz", {}, (4, 1, 2, 0)),
    ("26-rotated/access.log.1.zst", {}, (4, 1, 2, 0)),
    ("28-odd-lines/access.log", {}, (9, 4, 2, 2)),
    ("30-parquet/dict-berlin.parquet", {}, (4, 1, 2, 0)),
    ("30-parquet/epoch-ns.parquet", {}, (4, 1, 2, 0)),
    ("30-parquet/int96.parquet", {"tz": "UTC"}, (4, 1, 2, 0)),
    ("30-parquet/naive.parquet", {"tz": "Asia/Shanghai"}, (4, 1, 2, 0)),
    ("30-parquet/floatid.parquet", {}, (3, 1, 1, 0)),
    ("30-parquet/uuid.parquet", {}, (4, 1, 2, 0)),
    ("30-parquet/nested.parquet", {"session_id": "req.ip", "url": "req.url"}, (4, 1, 2, 0)),
    ("33-dup-header/a.csv", {}, (4, 1, 2, 0)),
    ("34-params/my log ünï 'x' #1.log", {}, (4, 1, 2, 0)),
    ("35-tz/z.csv", TALKING, (5, 5, 0, 0)),
    ("37-backslash/a.csv", {}, (4, 1, 2, 0)),
    ("37-backslash/bom.json", {}, (4, 1, 2, 0)),
    ("37-backslash/floatid.jsonl", {}, (4, 1, 2, 0)),
]
TOLD: list[tuple[str, dict[str, Any], str]] = [
    # name, mapping, the option that the error tells to write
    ("15-talkingdata/train_sample.csv", {}, "--map session_id=ip+device+os,url=channel,ts=click_time --tz UTC"),
    ("15-talkingdata/train_sample.csv", TALKING, "--tz UTC"),
    (
        "16-avazu/train.csv",
        {},
        "--map session_id=device_id,url=site_id,ts=hour --time-format %y%m%d%H --tz UTC",
    ),
    ("16-avazu/train.csv", AVAZU, "--time-format %y%m%d%H --tz UTC"),
    ("17-compact-time/clicks.csv", {}, "--time-format %Y%m%d%H%M%S --tz UTC"),
    ("20-appsflyer/clicks.csv", {"url": "Campaign"}, "--tz UTC"),
    ("30-parquet/naive.parquet", {}, "--tz UTC"),
    ("30-parquet/nested.parquet", {}, "--map session_id=req.ip,url=req.url,ts=ts"),
]


@pytest.mark.parametrize(("name", "mapping", "right"), RIGHT)
def test_a_file_gives_its_right_answer(name: str, mapping: dict[str, Any], right: tuple[int, ...]) -> None:
    found = read(FIELD / name, mapping)
    judged = judge(found.clicks, Rule())
    sessions = len(set(found.clicks["session_id"].to_list()))
    assert (len(found.clicks), sessions, int(judged["fraud"].sum()), len(found.rejected)) == right
    assert found.lines == len(found.clicks) + len(found.rejected) + sum(found.filtered.values())
    again = read(FIELD / name, found.mapping.to_toml())  # what was guessed, said: the same answer, and nothing to note
    assert again.clicks.equals(found.clicks)


@pytest.mark.parametrize(("name", "mapping", "option"), TOLD)
def test_what_cannot_be_told_is_told_with_the_option_to_write(name: str, mapping: dict[str, Any], option: str) -> None:
    with pytest.raises(ClickError) as error:
        read(FIELD / name, mapping)
    assert option in str(error.value)


def test_several_files_are_one_recording() -> None:
    parts = FIELD / "26-rotated"
    found = read([parts / "access.log.2", parts / "access.log.1"])
    assert (len(found.clicks), found.lines) == (6, 6)
    assert found.clicks["ts"].is_monotonic_increasing
    assert found.clicks["click_id"].is_unique
    twice = read([parts / "access.log.1", str(parts / "access.log.[1]")])
    assert len(twice.clicks) == 4
    assert any("more than once" in note for note in twice.notes)


def test_a_log_of_two_formats_says_first_how_many_lines_were_rejected_and_what_reads_them(tmp_path: Path) -> None:
    line = '203.0.113.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 5 "-" "Firefox"\n'
    path = tmp_path / "access.log"
    path.write_text(line * 60 + f"www.shop.example:443 {line}" * 40)
    found = read(path)
    assert (len(found.clicks), len(found.rejected)) == (60, 40)
    assert found.warnings[0] == (
        "40 of 100 lines are not in the format combined and were rejected; at least 40 are in vhost-combined: "
        "--log-format vhost-combined reads these"
    )
    other = read(path, {"log_format": "vhost-combined"})
    assert (len(other.clicks), set(other.clicks["url"])) == (40, {"www.shop.example/ad"})
    path.write_text(line * 1000 + f"www.shop.example:443 {line}" * 2)
    assert not any("format" in warning for warning in read(path).warnings)


@pytest.mark.parametrize("vhost", ["", "www.shop.example:443 "])
@pytest.mark.parametrize("since", [300, 500, 990])
def test_a_log_that_goes_on_behind_a_proxy_keeps_its_visitors_apart(tmp_path: Path, vhost: str, since: int) -> None:
    start = '[02/Jan/2026:{}:{:02}:{:02} +0000] "GET /ad HTTP/1.1" 200 5 "-" "Firefox"'
    lines = []
    for i in range(1000):
        line, visitor = start.format(f"{3 + i // 3600:02}", i // 60 % 60, i % 60), f"203.0.113.{i % 200}"
        lines.append(f'10.0.0.5 - - {line} "{visitor}"' if i >= since else f"{visitor} - - {line}")
    path = tmp_path / "access.log"
    path.write_text("".join(f"{vhost}{line}\n" for line in lines))
    found = read(path)
    assert len(set(found.clicks["ip"])) == 200
    assert not judge(found.clicks, Rule())["fraud"].any()
