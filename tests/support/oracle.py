"""A second opinion on the rule that shares no code with the workbench, and hostile traffic to ask it about.

It reads the topics with another client (confluent-kafka), parses times with `datetime` and counts with `bisect`.
"""

from __future__ import annotations

import bisect
import collections
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = timedelta(microseconds=1)
MOST_A_BROKER_TAKES = 1_048_588
"""Bytes of one batch, by default."""


@dataclass
class Record:
    """One record to send: to the partition of its key, or to a chosen one; dated `at_us`."""

    key: bytes
    value: bytes
    at_us: int
    partition: int = -1


@dataclass
class Answer:
    clicks: int = 0
    flagged: int = 0
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    records: int = 0
    revised: int = 0
    dead: collections.Counter[str] = field(default_factory=collections.Counter)

    @property
    def exact(self) -> bool:
        return not self.missing and not self.wrong

    def __str__(self) -> str:
        return (
            f"{self.clicks} clicks, {self.flagged / max(1, self.clicks):.0%} flagged, {self.records} verdict records, "
            f"{self.revised} revised, missing {len(self.missing)} {self.missing[:3]}, "
            f"wrong {len(self.wrong)} {self.wrong[:3]}, dead letters {dict(self.dead)}"
        )


def wire(click_id: str, session: str, url: str, us: int) -> bytes:
    when = (EPOCH + us * US).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return json.dumps({"click_id": click_id, "session_id": session, "url": url, "ts": when}).encode()


def hostile(
    count: int, seed: int, begin: datetime, per_second: float = 2000.0, sessions: int = 0, hot: float = 0.10
) -> list[Record]:
    """Clicks of which about half are flagged: 10% up to 3 s late, 1% sent twice, 0.5% malformed, 10% of one session.

    sessions: how many the others are spread over evenly; 0 takes as many as make it half. hot: the share of the one.
    """
    rnd = random.Random(seed)
    sessions = sessions or max(20, int(per_second * 1.6))
    start_us = (begin - EPOCH) // US
    records = []
    for number in range(count):
        us = start_us + int(number * 1_000_000 / per_second)
        session = "hot" if rnd.random() < hot else f"s{rnd.randrange(sessions)}"
        url = f"/ad/{rnd.randrange(400)}" if session == "hot" else f"/ad/{rnd.randrange(3)}"
        value, key = wire(f"c{number}", session, url, us), session.encode()
        at = us + (rnd.randrange(3_000_000) if rnd.random() < 0.10 else 0)
        records.append(Record(key, value, at))
        if rnd.random() < 0.01:
            records.append(Record(key, value, at + rnd.randrange(3_000_000)))
        if rnd.random() < 0.005:
            records.append(
                Record(b"x", rnd.choice([b'{"oops":%d' % number, b"\xff\xfe", b"[]", b'{"click_id":1}']), us)
            )
    records.sort(key=lambda record: record.at_us)
    return records


def send(bootstrap: str, topic: str, records: list[Record]) -> None:
    options = {"linger.ms": 20, "queue.buffering.max.messages": 2_000_000, "message.max.bytes": MOST_A_BROKER_TAKES}
    producer = Producer({"bootstrap.servers": bootstrap, **options})
    for r in records:
        producer.produce(topic, r.value, r.key, partition=r.partition, timestamp=r.at_us // 1000)
        producer.poll(0)
    assert producer.flush(60) == 0


def send_live(bootstrap: str, topic: str, records: list[Record], enough: threading.Event | None = None) -> None:
    """Send each record at the time it is dated, until there are no more or there are enough."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1})
    for r in records:
        if enough is not None and enough.is_set():
            break
        time.sleep(max(0.0, r.at_us / 1e6 - time.time()))
        producer.produce(topic, r.value, r.key, partition=r.partition, timestamp=r.at_us // 1000)
        producer.poll(0)
    assert producer.flush(60) == 0


def read(bootstrap: str, topic: str, since: dict[int, int] | None = None) -> list[Any]:
    """Every record of the topic up to its end as it is now; `since` says from which offset of a partition on."""
    group = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": bootstrap, **group})
    found = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    places = [TopicPartition(topic, number, (since or {}).get(number, 0)) for number in found]
    left = {p.partition: consumer.get_watermark_offsets(p, timeout=60)[1] for p in places}
    left = {p.partition: left[p.partition] for p in places if left[p.partition] > p.offset}
    consumer.assign(places)
    out = []
    while left:
        for message in consumer.consume(5000, 0.1):
            if message.error() is None:
                out.append(message)
                number, offset = message.partition(), message.offset()
                assert number is not None
                assert offset is not None
                if offset + 1 >= left.get(number, 1 << 62):
                    left.pop(number, None)
    consumer.close()
    return out


def truth(messages: list[Any], window_us: int, threshold: int) -> dict[str, bool]:
    """The verdict on each click among these records, straight from the words of the rule."""
    clicks: dict[str, tuple[str, str, int]] = {}
    for message in messages:
        try:
            row = json.loads(message.value())
            when = datetime.fromisoformat(row["ts"].replace("Z", "+00:00"))
            clicks[row["click_id"]] = (row["session_id"], row["url"], (when - EPOCH) // US)
        except (ValueError, KeyError, TypeError):
            continue
    pages = collections.defaultdict(list)
    for session, url, us in clicks.values():
        pages[session, url].append(us)
    for times in pages.values():
        times.sort()
    verdicts = {}
    for click_id, (session, url, us) in clicks.items():
        times = pages[session, url]
        verdicts[click_id] = bisect.bisect_right(times, us) - bisect.bisect_right(times, us - window_us) >= threshold
    return verdicts


def compare(
    bootstrap: str,
    topics: Any,
    window_us: int = 10_000_000,
    threshold: int = 3,
    clicks: list[Any] | None = None,
) -> Answer:
    """Hold what the detector wrote against the truth, verdict by verdict.

    clicks: the records that it had to judge, where the topic does not hold them any more, or others too.
    """
    there, verdicts, dead = (read(bootstrap, topic) for topic in topics)
    clicks = there if clicks is None else clicks
    letters = [json.loads(message.value()) for message in dead]
    rejected = {(letter["partition"], letter["offset"]) for letter in letters}
    expected = truth([m for m in clicks if (m.partition(), m.offset()) not in rejected], window_us, threshold)
    said: dict[str, bool] = {}
    answer = Answer(len(expected), sum(expected.values()), records=len(verdicts))
    for message in verdicts:
        row = json.loads(message.value())
        said[row["click_id"]] = said.get(row["click_id"], False) or row["fraudClick"] == "Yes"
        answer.revised += row["revised"]
    answer.missing = [click_id for click_id in expected if click_id not in said]
    answer.wrong = [click_id for click_id in said if expected.get(click_id) != said[click_id]]
    answer.dead.update({(letter["partition"], letter["offset"]): letter["reason"] for letter in letters}.values())
    return answer


def decoded(message: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(message.value())
    return row


@dataclass
class Segments(Answer):
    """An answer where the rule changed on the way: each click is held against the rule that its verdict names."""

    by_rule: collections.Counter[str] = field(default_factory=collections.Counter)  # clicks with a verdict of it
    doubly: list[str] = field(default_factory=list)  # clicks with verdicts of several rules
    at_the_edge: int = 0  # old verdicts that a click tipped whose own verdict is of the next rule

    @property
    def exact(self) -> bool:
        return not self.missing and not self.wrong and not self.doubly

    def __str__(self) -> str:
        more = f"{dict(self.by_rule)}, doubly judged {len(self.doubly)} {self.doubly[:3]}, edge {self.at_the_edge}"
        return f"{super().__str__()}, {more}"


def compare_segments(bootstrap: str, topics: Any) -> Segments:
    """Hold each verdict against its own rule, with the clicks that were judged up to the end of that rule's time.

    That is the convention: a click that is judged by a later rule counts for no verdict of an earlier one. The one
    exception is written on the verdict: a click that tipped it just before the hand-over, and has its own after it.
    """
    clicks, verdicts, dead = (read(bootstrap, topic) for topic in topics)
    letters = [json.loads(message.value()) for message in dead]
    rejected = {(letter["partition"], letter["offset"]) for letter in letters}
    rows: dict[str, tuple[str, str, int]] = {}
    ids: dict[tuple[int, int], str] = {}
    for message in clicks:
        try:
            row = json.loads(message.value())
            when = datetime.fromisoformat(row["ts"].replace("Z", "+00:00"))
            place = message.partition(), message.offset()
            ids[place] = row["click_id"]
            if place not in rejected:
                rows[row["click_id"]] = (row["session_id"], row["url"], (when - EPOCH) // US)
        except (ValueError, KeyError, TypeError):
            continue
    answer = Segments(len(rows), records=len(verdicts))
    said: dict[str, bool] = {}
    number: dict[str, int] = {}
    rules: dict[int, tuple[int, int, str]] = {}
    tipped_by: dict[str, set[str]] = collections.defaultdict(set)
    for message in verdicts:
        row, headers = json.loads(message.value()), dict(message.headers())
        segment = int(headers.get("hand_over", b"0"))
        rule = row["threshold"], row["window_ms"] * 1000, row["rule_id"]
        assert rules.setdefault(segment, rule) == rule, "two rules between the same hand-overs"
        click_id = row["click_id"]
        said[click_id] = said.get(click_id, False) or row["fraudClick"] == "Yes"
        answer.revised += row["revised"]
        if number.setdefault(click_id, segment) != segment:
            answer.doubly.append(click_id)
        if row["revised"]:
            partition, offset = map(int, headers["revised_by"].split(b":"))
            tipped_by[click_id].add(ids[partition, offset])
    answer.by_rule.update(f"{n}: {rules[n][2]}" for n in number.values())
    answer.missing = [click_id for click_id in rows if click_id not in said]
    answer.wrong = [click_id for click_id in said if click_id not in rows]
    pages = collections.defaultdict(list)
    for click_id, (session, url, us) in rows.items():
        if click_id in number:
            pages[session, url].append((us, number[click_id], click_id))
    for page in pages.values():
        for us, segment, click_id in page:
            threshold, window_us, _ = rules[segment]
            inside = [(n, other) for at, n, other in page if us - window_us < at <= us]
            expected = sum(n <= segment for n, _ in inside) >= threshold
            later = sum(n > segment and other in tipped_by[click_id] for n, other in inside)
            if not expected and said[click_id] and sum(n <= segment for n, _ in inside) + later >= threshold:
                answer.at_the_edge += 1
                expected = True
            answer.flagged += expected
            if expected != said[click_id]:
                answer.wrong.append(click_id)
    answer.dead.update({(letter["partition"], letter["offset"]): letter["reason"] for letter in letters}.values())
    return answer
