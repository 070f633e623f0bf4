"""A detector on a topic of other people's records: each has the outcome that the same record in a file has.

Short sibling: tests/spark/test_foreign_detector.py
"""

from __future__ import annotations

import json
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import oracle
import pytest
from detecting import Start, send
from oracle import EPOCH, US, Record

from workbench.broker.recorded import read_topic
from workbench.broker.topics import Connection, Topics
from workbench.clicks.mapping import Mapping
from workbench.errors import CheckpointMismatch, ClickError
from workbench.rule import Rule, judge
from workbench.verdicts.audit import audit

pytestmark = pytest.mark.java

FRAME = b"\0" + struct.pack(">I", 7)


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcomes(connection: Connection, topics: Topics) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Place of the record → click_id, session_id, url and the last verdict of its click; or reason and detail."""
    found: dict[tuple[int, int], tuple[Any, ...]] = {}
    said: dict[str, tuple[int, int]] = {}
    for record in oracle.read(connection.bootstrap, topics.verdicts):
        verdict, headers = json.loads(record.value()), dict(record.headers())
        if "source" in headers:
            partition, offset = map(int, headers["source"].split(b":"))
            said[verdict["click_id"]] = partition, offset
            flags = found.get((partition, offset), ("", "", "", False))[3] or verdict["fraudClick"] == "Yes"
            found[partition, offset] = (verdict["click_id"], verdict["session_id"], verdict["url"], flags)
    for record in oracle.read(connection.bootstrap, topics.verdicts):
        verdict = json.loads(record.value())
        if verdict["revised"]:
            place = said[verdict["click_id"]]
            found[place] = (*found[place][:3], verdict["fraudClick"] == "Yes")
    for record in oracle.read(connection.bootstrap, topics.dead_letters):
        letter = json.loads(record.value())
        found[letter["partition"], letter["offset"]] = (letter["reason"], letter["detail"])
    return found


def kinds(now: float) -> dict[str, tuple[bytes | None, Any]]:
    """Each with its key, None for none, and its value: bytes, or what is written as JSON."""

    def click(number: int, **more: Any) -> dict[str, Any]:
        return {"click_id": f"mix-{number}", "session_id": "s-mix", "url": "/ad", "ts": iso(now), **more}

    without_id = {name: value for name, value in click(13).items() if name != "click_id"}
    twice = json.dumps(click(21))[:-1] + ',"session_id":"s-other"}'
    return {
        "good": (b"s-mix", click(1)),
        "no key": (None, click(2)),
        "empty": (b"s-mix", b""),
        "JSON behind a schema id": (b"s-mix", FRAME + json.dumps(click(3)).encode()),
        "Avro": (b"s-mix", FRAME + b"\x0amix-4\x0as-mix\x06/ad"),
        "mark of the byte order": (b"s-mix", b"\xef\xbb\xbf" + json.dumps(click(5)).encode()),
        "milliseconds": (b"s-mix", click(6, ts=int(now * 1000))),
        "milliseconds as text": (b"s-mix", click(7, ts=str(int(now * 1000)))),
        "milliseconds as a double of Java": (
            b"s-mix",
            json.dumps(click(8, ts=0)).replace(": 0}", f": {now * 1000:.12E}}}").encode(),
        ),
        "no offset": (b"s-mix", click(9, ts=iso(now).rstrip("Z"))),
        "+0000": (b"s-mix", click(10, ts=iso(now).replace("Z", "+0000"))),
        "number as session": (b"s-mix", click(11, session_id=12345)),
        "other names": (b"s-mix", {"clickId": "mix-12", "sessionId": "s-mix", "url": "/ad", "ts": iso(now)}),
        "no click_id": (b"s-mix", without_id),
        "envelope": (b"s-mix", {"specversion": "1.0", "data": click(14)}),
        "list": (b"s-mix", [click(15), click(16)]),
        "two lines": (b"s-mix", json.dumps(click(17)).encode() + b"\n" + json.dumps(click(18)).encode()),
        "further fields": (b"s-mix", click(19, context={"page": {"url": "/x"}}, campaign="lamp")),
        "end of the line": (b"s-mix", json.dumps(click(20)).encode() + b"\n"),
        "a name twice": (b"s-mix", twice.encode()),
        "NUL a": (b"s-mix", click(22, click_id="n\0a", session_id="v\0a", url="/nul")),
        "NUL b": (b"s-mix", click(22, click_id="n\0b", session_id="v\0b", url="/nul")),
        "NUL c": (b"s-mix", click(22, click_id="n\0c", session_id="v\0c", url="/nul")),
        "NaN beside": (b"s-mix", click(23, price=float("nan"))),
        "odd fields beside": (b"s-mix", click(24, user_agent=5, ip=None, label=True)),
        "nobody": (b"s-mix", click(25, session_id="(not set)")),
        "parameter of the network": (b"s-mix", click(26, url="/ad?gclid=abc")),
        "own network": (b"s-mix", click(27, ip="10.1.2.3:443")),
        "own network of version 6": (b"s-mix", click(28, ip="2001:DB8:0::7")),
        "monitor": (b"s-mix", click(29, user_agent="Mozilla/5.0 (UptimeRobot/2.0)")),
        "health check": (b"s-mix", click(30, url="/healthz?gclid=1")),
    }


NOT_ONE = "not one JSON object in UTF-8"
NO_TEXT = "is not text of 1 to 8192 characters"
OUTCOMES = {
    "empty": ("malformed", NOT_ONE),
    "Avro": (
        "malformed",
        "0 and the id of a schema, and then no JSON object: Avro and Protobuf are not read; send JSON",
    ),
    "number as session": ("mix-11", "12345", "/ad", False),
    "other names": ("no_visitor", "no visitor: the id is empty, (not set), -, null, 0 or the like"),
    "no click_id": ("malformed", f"click_id {NO_TEXT}"),
    "envelope": ("malformed", f"url {NO_TEXT}"),
    "list": ("malformed", "a JSON array: clicks must be sent one in a record"),
    "two lines": ("malformed", NOT_ONE),
    "a name twice": ("mix-21", "s-other", "/ad", False),
    "NUL a": ("n\0a", "v\0a", "/nul", False),
    "NUL b": ("n\0b", "v\0b", "/nul", False),
    "NUL c": ("n\0c", "v\0c", "/nul", False),
    "nobody": ("no_visitor", "no visitor: the id is empty, (not set), -, null, 0 or the like"),
    "own network": ("filtered", "excluded"),
    "own network of version 6": ("filtered", "excluded"),
    "monitor": ("filtered", "excluded"),
    "health check": ("filtered", "excluded"),
}
"""Of all others: a click of s-mix on /ad, which is flagged with the third one."""


def test_each_record_has_its_outcome(connection: Connection, topics: Topics, begin: Start) -> None:
    now = time.time()
    said = kinds(now)
    out = ["10.0.0.0/8", "2001:db8::/32", "uptimerobot", "/healthz"]
    carry = {"campaign": "campaign", "page": "context.page.url"}
    mapping = Mapping(click_id="click_id", time_unit="ms", tz="UTC", exclude=out, carry=carry)
    us = (datetime.now(UTC) - EPOCH) // US
    values = {
        name: value if isinstance(value, bytes) else json.dumps(value).encode() for name, (_, value) in said.items()
    }
    send(connection, topics, [Record(key, values[name], us, n % 2) for n, (name, (key, _)) in enumerate(said.items())])  # type: ignore[arg-type]
    with begin(Rule("10s", 3), mapping=mapping) as detector:
        detector.wait_until_started().wait_until_caught_up("120s")
        assert detector.progress.lag == 0
    found = outcomes(connection, topics)
    places = {name: (n % 2, n // 2) for n, name in enumerate(said)}
    for name in said:
        outcome = found[places[name]]
        assert outcome == OUTCOMES.get(name, (outcome[0], "s-mix", "/ad", True)), name
    assert len(found) == len(said)

    read = read_topic(connection, topics.clicks, mapping=mapping)
    assert read.filtered == {"no visitor: the id is empty, (not set), -, null, 0 or the like": 2, "excluded": 4}
    assert read.records == len(read.clicks) + read.invalid + 6 == len(said)
    assert read.notes[0].startswith("1 URLs without parameters that are new with each click: gclid (1)")
    carried = read.clicks.set_index("click_id")[["campaign", "page"]]
    assert (carried["campaign"].notna().sum(), *carried.loc["mix-19"]) == (1, "lamp", "/x")
    flagged = judge(read.clicks, Rule("10s", 3)).set_index("click_id")["fraud"].to_dict()
    assert flagged == {outcome[0]: outcome[3] for outcome in found.values() if len(outcome) == 4}
    audited = audit(connection, topics, mapping=mapping)
    assert audited.ok, audited
    assert audited.dead_letters == {"malformed": 6, "no_visitor": 2, "filtered": 4}
    assert not audit(connection, topics).ok


def segment(now: float, n: int) -> dict[str, Any]:
    page = {"url": f"https://shop.example/ad?id=7&fbclid=x{n}"}
    return {
        "anonymousId": "23adfd82",
        "messageId": f"m{n}",
        "timestamp": iso(now),
        "context": {"ip": "203.0.113.9", "page": page},
    }


def analytics(now: float, n: int) -> dict[str, Any]:
    page = {"key": "page_location", "value": {"string_value": f"https://shop.example/ad?id=7&gclid={n}"}}
    session = {"key": "ga_session_id", "value": {"int_value": str(1682944490)}}
    return {
        "event_timestamp": str(int(now * 1e6)),
        "user_pseudo_id": "1026454.4194677",
        "event_params": [page, session],
    }


def warehouse(now: float, n: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    return {"user_pseudo_id": "u1", "page_location": "https://shop.example/ad?id=7", "event_timestamp": at}


def app(now: float, n: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return {"ip": 87540, "app": 12, "device": 1, "os": 13, "channel": 497, "click_time": at, "is_attributed": n % 2}


def envelope(now: float, n: int) -> dict[str, Any]:
    return {"specversion": "1.0", "data": {"sessionId": "s", "url": "/ad", "at": now, "n": n}}


MADE = {
    "segment": (segment, "session_id=anonymousId,url=context.page.url,ts=timestamp,click_id=messageId"),
    "analytics": (
        analytics,
        {
            "session_id": ["user_pseudo_id", "event_params[ga_session_id]"],
            "url": "event_params[page_location]",
            "ts": "event_timestamp",
            "time_unit": "us",
        },
    ),
    "warehouse": (warehouse, "session_id=user_pseudo_id,url=page_location,ts=event_timestamp"),
    "app": (app, "session_id=ip+device+os,url=channel,ts=click_time"),
    "envelope": (envelope, {"session_id": "data.sessionId", "url": "data.url", "ts": "data.at", "time_unit": "s"}),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", MADE)
def test_events_of_the_field_are_flagged_across_partitions(
    connection: Connection, topics: Topics, begin: Start, kind: str
) -> None:
    make, mapping = MADE[kind]
    now = time.time()
    us = (datetime.now(UTC) - EPOCH) // US
    values = [json.dumps(make(now, n)).encode() for n in range(5)]
    send(connection, topics, [Record(b"", value, us, n % 2) for n, value in enumerate(values)])
    with begin(Rule("10s", 3), mapping=mapping) as detector:
        detector.wait_until_caught_up("120s")
    found = outcomes(connection, topics)
    assert sorted(found) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    read = read_topic(connection, topics.clicks, mapping=mapping)  # type: ignore[arg-type]
    clicks = read.clicks.set_index("click_id")[["session_id", "url"]]
    assert {outcome[:3] for outcome in found.values()} == set(clicks.itertuples(name=None))
    assert all(outcome[3] for outcome in found.values())
    assert clicks["session_id"].nunique() == clicks["url"].nunique() == 1
    audited = audit(connection, topics, mapping=mapping)  # type: ignore[arg-type]
    assert audited.ok, audited


def test_what_cannot_be_said_of_a_topic_is_refused_at_once(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    with pytest.raises(ClickError, match="one by one as they come, without merge_repeats"):
        begin(mapping={"merge_repeats": "10s"})
    with begin(checkpoint=tmp_path / "state", mapping="session_id=visitor") as detector:
        assert detector.state == "starting"
    with pytest.raises(CheckpointMismatch, match="mapping"):
        begin(checkpoint=tmp_path / "state")
