"""Bad data of every kind in one stream, half of its clicks flagged: each record has the outcome that it must have."""

from __future__ import annotations

import collections
import json
import random
import time
from collections.abc import Iterator
from typing import Any, Final

import oracle
import pytest
from detecting import Start, send
from fault_table import row
from oracle import Record, wire
from polling import until

from workbench.broker.topics import Connection, Topics
from workbench.clicks.record import parse
from workbench.detector.query import SPARE
from workbench.errors import ClickError
from workbench.rule import Rule
from workbench.text import LONGEST_TEXT
from workbench.verdicts.audit import audit

SEED = 20261124
SECOND = 1_000_000
HOT_CLICKS = 30_000  # of one session
COPIES = 40  # of one record
NEARLY_1_MB = 1_048_200  # with its key and the frame around it, the most that a broker takes by default is 1,048,588

GOOD: Final = {"click_id": "c", "session_id": "s", "url": "/", "ts": "2026-01-02T03:04:05.000006Z"}


def but(**changes: Any) -> bytes:
    """A good click, but for what changes; None leaves a field out."""
    return json.dumps({name: value for name, value in {**GOOD, **changes}.items() if value is not None}).encode()


def null(name: str) -> bytes:
    return json.dumps({**GOOD, name: None}).encode()


MALFORMED: Final[dict[str, bytes]] = {
    "nothing": b"",
    "blanks": b"   \n",
    "no JSON": b"GET /ad HTTP/1.1",
    "half a click": but()[:-9],
    "no quote at the end": but()[:-2],
    "comma at the end": but()[:-1] + b",}",
    "comment": but()[:-1] + b"/* */}",
    "single quotes": but().replace(b'"', b"'"),
    "bare names": b"{click_id:c,session_id:s,url:/,ts:2026}",
    "a click and more": but() + b" x",
    "two clicks": but() + but(),
    "array of clicks": b"[" + but() + b"]",
    "a click as text": json.dumps(but().decode()).encode(),
    "null": b"null",
    "NaN": b"NaN",
    "number": b"1e999",
    "deep": b"[" * 50_000,
    "deep inside": but()[:-1] + b',"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "NUL": b"\x00",
    "NULs": b"\x00" * 4096,
    "NUL in a text, bare": but(url="/a?b").replace(b"?", b"\x00"),
    "line in a text, bare": but(url="/a?b").replace(b"?", b"\n"),
    "UTF-16": but().decode().encode("utf-16"),
    "UTF-16 without a mark": but().decode().encode("utf-16-le"),
    "mark of the byte order": b"\xef\xbb\xbf" + but(),
    "bad UTF-8": b"\xff\xfe\xfd",
    "bad UTF-8 in a text": but(url="/a?b").replace(b"?", b"\xff"),
    "bad UTF-8 in an id": but(click_id="a?b").replace(b"?", b"\xc3"),
    "bad UTF-8 in what nobody reads": but(extra="a?b").replace(b"?", b"\xe2\x82"),
    "too long a way to spell a slash": but(url="?").replace(b"?", b"\xc0\xaf"),
    "half a pair as UTF-8": but(url="?").replace(b"?", b"\xed\xa0\x80"),
    "half a pair as an escape": but(url="?").replace(b"?", b"\\ud800"),
    "bad escape": but(url="?").replace(b"?", b"\\x41"),
    "1 MB of x": b"x" * NEARLY_1_MB,
    "1 MB of NUL": b"\x00" * NEARLY_1_MB,
    "1 MB of bad UTF-8": b"\xff" * NEARLY_1_MB,
    "1 MB in a URL": but(url="/" * (NEARLY_1_MB - len(but()))),
    "a little too long": but(click_id="c" * (LONGEST_TEXT + 1)),
    **{f"no {name}": but(**{name: None}) for name in GOOD},
    **{f"{name} is null": null(name) for name in GOOD},
    **{f"{name} is empty": but(**{name: ""}) for name in GOOD},
    **{
        f"{name} is {value!r}": but(**{name: value})
        for name in GOOD
        for value in (7, -0.0, 1e30, True, [], ["s"], {}, {"a": "s"})
    },
    **{
        f"ts is {ts!r}": but(ts=ts)
        for ts in (
            "2026-02-30T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-01-02T24:00:00Z",
            "2026-12-31T23:59:60Z",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05+25:00",
            "2026-01-02T03:04:05+02",
            "2026-01-02",
            "0000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
            "12026-01-01T00:00:00Z",
            "1e30",
            "1767323045",
            "NaN",
            "Infinity",
            "now",
            "epoch",
            "2026-01-02T03:04:05Z\x00",
            "2026-01-02T03:04:05Z ",
            "٢٠٢٦-01-02T03:04:05Z",
        )
    },
}
"""What is no click."""

TIMES_FAR_OFF: Final = {
    "0001-01-01T00:00:00Z": "too_late",
    "0001-01-01T00:00:00+18:00": "too_late",  # the year 0 in UTC
    "1582-10-10T00:00:00Z": "too_late",
    "1969-12-31T23:59:59.999999Z": "too_late",
    "2099-01-01T00:00:00Z": "in_the_future",
    "9999-12-31T23:59:59.999999999Z": "in_the_future",
    "9999-12-31T23:59:59-18:00": "in_the_future",  # the year 10000 in UTC
}


def odd_but_good(us: int) -> Iterator[bytes]:
    """Clicks that count although they look it: 1 MB of what nobody reads, NUL, text like JSON."""
    yield wire("odd-1", "odd", "/", us)[:-1] + b',"extra":"' + b"x" * (NEARLY_1_MB - 200) + b'"}'
    yield wire("odd-2\0", "odd\0", "/\0", us)
    yield wire("odd-2", "odd\0", "/\0x", us)
    yield wire("odd-3", "odd", "/" + "x" * (LONGEST_TEXT - 1), us)
    yield wire("odd-4", "👩‍👩‍👧", "/\U0010ffff", us)
    yield wire("odd-5", "7", "{}", us)
    yield wire("odd-6", "null", "true", us)
    yield b" \r\n\t" + wire("odd-7", "odd", "/", us) + b"\n"
    row = json.loads(wire("odd-8", "odd", "/", us))
    yield json.dumps({**row, "ip": 7, "user_agent": [], "label": None, "": {}, "c": {"url": 1}}).encode()


class Stream:
    """Records with the kind of fault, and with the reason for which they must be refused, if they must."""

    def __init__(self) -> None:
        self._records: list[tuple[Record, str, str]] = []

    def add(self, kind: str, value: bytes, at_us: int, partition: int, reason: str = "", key: bytes = b"s") -> None:
        self._records.append((Record(key, value, at_us, partition), kind, reason))

    def by_place(self) -> dict[tuple[int, int], tuple[Record, str, str]]:
        """In the order in which they are sent, by the partition and offset that each gets on a topic of its own."""
        ends: collections.Counter[int] = collections.Counter()
        found = {}
        for each in sorted(self._records, key=lambda each: each[0].at_us):
            partition = each[0].partition
            found[partition, ends[partition]] = each
            ends[partition] += 1
        return found


def traffic(
    stream: Stream, rnd: random.Random, mark: str, count: int, since_us: int, until_us: int, partition: int
) -> None:
    """Clicks over a time: 5% sent again, 10% up to 30 s late, some later than that, 1% bad data."""
    span = until_us - since_us - 61 * SECOND
    sessions = max(4, int(count / (span / SECOND) * 4))
    bad = list(MALFORMED.values())
    rnd.shuffle(bad)
    for number in range(count):
        us = since_us + number * span // count
        session = f"{mark}{rnd.randrange(sessions)}"
        value = wire(f"{mark}{number}", session, f"/ad/{rnd.randrange(3)}", us)
        kind, at, reason = "", us, ""
        if (draw := rnd.random()) < 0.10:
            kind, at = "out of order by up to 30 s", us + rnd.randrange(30 * SECOND)
        elif draw < 0.102:
            kind, at = "out of order by just 30 s", -(-us // 1000) * 1000 + 30 * SECOND
            value = wire(f"{mark}{number}", session, "/ad/0", at - 30 * SECOND)
        elif draw < 0.107:
            kind, at, reason = "later than 30 s", us + 30 * SECOND + 1000 + rnd.randrange(30 * SECOND), "too_late"
        stream.add(kind, value, at, partition, reason, session.encode())
        if rnd.random() < 0.05 and not reason:
            stream.add("delivered again", value, min(at + rnd.randrange(3 * SECOND), us + 30 * SECOND), partition)
        if rnd.random() < 0.01:
            stream.add("malformed, 1%", bad[number % len(bad)], us, partition, "malformed")


def hostile_stream(rnd: random.Random, now_us: int) -> Stream:
    """An hour of backlog in partition 0, a minute and a half in partition 1."""
    stream, recent = Stream(), now_us - 90 * SECOND
    traffic(stream, rnd, "a", 30_000, now_us - 3600 * SECOND, now_us, partition=0)
    traffic(stream, rnd, "b", 10_000, recent, now_us, partition=1)
    for number in range(HOT_CLICKS):
        us = recent + number * 20 * SECOND // HOT_CLICKS
        stream.add("of one session", wire(f"hot{number}", "hot", "/", us), us, 1, key=b"hot")
    for name, value in MALFORMED.items():
        partition = rnd.randrange(2)
        stream.add(f"malformed: {name}", value, recent + rnd.randrange(60 * SECOND), partition, "malformed")
    for ts, reason in TIMES_FAR_OFF.items():
        for partition in (0, 1):
            stream.add(f"dated {ts}", but(ts=ts), recent + rnd.randrange(60 * SECOND), partition, reason)
    for value in odd_but_good(recent):
        stream.add("odd but good", value, recent, 1)
    # Not before any other click of its half: one copy less than it keeps clicks, and what is beyond leaves doubt.
    kept = Rule().threshold + SPARE
    half = recent // (10 * SECOND) * (10 * SECOND) + 20 * SECOND
    for number in range(COPIES):
        copy = wire("copied", "copied", "/", half + 1)
        stream.add("copies of one click", copy, half + 1 + number, 1, "redelivered" if number >= kept - 1 else "")
    return stream


@pytest.mark.java
def test_bad_data_of_every_kind_in_one_stream_costs_no_click_its_verdict(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    rnd = random.Random(SEED)
    print(f"seed {SEED}")
    sent = hostile_stream(rnd, int(time.time()) * SECOND).by_place()
    send(connection, topics, [record for record, _, _ in sent.values()])
    with begin() as handle:
        handle.wait_until_caught_up("170s")
        until(lambda: handle.progress.checkpoints >= 2)
        assert handle.progress.lag == 0
        assert handle.progress.dropped_by_watermark == 0
    letters = map(oracle.decoded, oracle.read(connection.bootstrap, topics.dead_letters))
    told = {(letter["partition"], letter["offset"]): letter["reason"] for letter in letters}
    answer = oracle.compare(connection.bootstrap, topics)
    print(answer)
    injected = collections.Counter(kind for _, kind, _ in sent.values() if kind)
    survived = collections.Counter(kind for place, (_, kind, reason) in sent.items() if told.get(place, "") == reason)
    for kind, count in injected.items():
        row(kind, count, f"{survived[kind]:,}", len(answer.missing), len(answer.wrong))
    otherwise = [
        (kind, reason, told.get(place)) for place, (_, kind, reason) in sent.items() if told.get(place, "") != reason
    ]
    assert otherwise == []
    assert answer.exact
    assert 1 / 3 < answer.flagged / answer.clicks < 2 / 3
    assert answer.revised > 0
    found = audit(connection, topics, progress=False)
    assert found.ok, str(found)
    assert found.flagged == answer.flagged


@pytest.mark.parametrize("name", MALFORMED)
def test_the_parser_too_says_that_it_is_no_click(name: str) -> None:
    with pytest.raises(ClickError):
        parse(MALFORMED[name])
