"""The live feed of verdicts: what is on the topics is in the feed, bounded, and nothing stops it quietly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from typing import Any

import pytest
from confluent_kafka import Producer

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.errors import RuleError, TopicError, VerdictError, WorkbenchError
from workbench.verdicts.feed import Verdict, follow

pytestmark = pytest.mark.java


def verdict(click_id: str, fraud: bool = False, **other: Any) -> bytes:
    row: dict[str, Any] = {
        "fraudClick": "Yes" if fraud else "No",
        "click_id": click_id,
        "session_id": "s1",
        "url": "/ad",
    }
    row |= {"ts": "2026-01-02T03:04:05.000006Z", "clicks_in_window": 1, "window_ms": 10000, "threshold": 3}
    return json.dumps(row | {"rule_id": "3-in-10s", "revised": False} | other).encode()


def letter(reason: Any) -> bytes:
    return json.dumps({"reason": reason, "detail": "", "topic": "t", "partition": 0, "offset": 1}).encode()


def write(connection: Connection, topic: str, values: Iterable[bytes | None], timestamp_ms: int = 0) -> None:
    """Spread records over the partitions of a topic, by a client that shares no code with the workbench."""
    producer = Producer({"bootstrap.servers": connection.bootstrap})
    for number, value in enumerate(values):
        producer.produce(topic, value, key=b"s1", partition=number % 2, timestamp=timestamp_ms)
        producer.poll(0)
    assert producer.flush(30) == 0


@pytest.fixture
def made(connection: Connection, topics: Topics) -> Topics:
    ensure_topics(connection, topics, partitions=2)
    return topics


def test_the_feed_holds_what_all_partitions_held_from_the_start(connection: Connection, made: Topics) -> None:
    write(connection, made.verdicts, [verdict(f"c{i}", fraud=i % 5 == 0) for i in range(1000)], 1767323045_012)
    with follow(connection, made, starting="earliest") as feed:
        assert feed.wait_for(1000, timeout="60s")
        frame = feed.frame()
    assert set(frame["click_id"]) == {f"c{i}" for i in range(1000)}
    assert frame["fraud"].sum() == 200
    assert frame["latency_ms"].tolist() == [pytest.approx(11.994)] * 1000
    assert (feed.counts.records, feed.counts.clicks, feed.counts.flagged) == (1000, 1000, 200)


def test_from_latest_is_from_the_moment_the_constructor_returns(connection: Connection, made: Topics) -> None:
    write(connection, made.verdicts, [verdict(f"old{i}") for i in range(10)])
    with follow(connection, made) as feed:
        write(connection, made.verdicts, [verdict(f"new{i}") for i in range(10)])
        assert feed.wait_for(10, timeout=60)
        assert set(feed.frame()["click_id"]) == {f"new{i}" for i in range(10)}


def test_a_feed_that_is_long_lived_stays_bounded(connection: Connection, made: Topics) -> None:
    write(connection, made.verdicts, [verdict(f"c{i}") for i in range(500)])
    with follow(connection, made, starting="earliest", limit=50) as feed:
        assert feed.wait_for(500, timeout=60)
        assert len(feed.frame()) == 50


def test_dead_letters_are_counted_by_reason_and_the_unreadable_as_malformed(
    connection: Connection, made: Topics
) -> None:
    reasons = ["malformed", "too_late", "malformed", "in_the_future"]
    write(connection, made.dead_letters, [*map(letter, reasons), b"{", None, letter(7), b"[]"])
    write(connection, made.verdicts, [b"not json", None, verdict("c1")])
    with follow(connection, made, starting="earliest") as feed:
        assert feed.wait_for(lambda c: c.malformed == 6 and c.clicks == 1 and c.dead_letters["malformed"] == 2, 60)
        assert feed.counts.dead_letters == {"malformed": 2, "too_late": 1, "in_the_future": 1}


def test_news_are_given_once(connection: Connection, made: Topics) -> None:
    with follow(connection, made) as feed:
        write(connection, made.verdicts, [verdict("a"), verdict("b")])
        assert feed.wait_for(2, 60)
        first, seq = feed.since()
        write(connection, made.verdicts, [verdict("a", True, revised=True)])
        assert feed.wait_for(lambda counts: counts.revised == 1, 60)
        second, seq = feed.since(seq)
        assert set(first["click_id"]) == {"a", "b"}
        assert second["click_id"].tolist() == ["a"]
        assert feed.since(seq)[0].empty


def test_a_wait_that_is_in_vain_says_so(connection: Connection, made: Topics) -> None:
    with follow(connection, made) as feed:
        assert not feed.wait_for(1, timeout="10ms")
        assert not feed.wait_for(1, timeout=0)


def test_stopping_ends_a_wait_and_keeps_what_was_seen(connection: Connection, made: Topics) -> None:
    write(connection, made.verdicts, [verdict("a")])
    feed = follow(connection, made, starting="earliest")
    assert feed.wait_for(1, 60)
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(feed.wait_for(2)))
    waiting.start()
    feed.stop()
    waiting.join(30)
    assert answers == [False]
    feed.stop()
    assert feed.frame()["click_id"].tolist() == ["a"]
    assert feed.error is None
    assert repr(feed) == "<VerdictFeed stopped: 1 clicks, 0 flagged>"


def test_a_failure_in_the_background_ends_the_feed_with_an_error(
    connection: Connection, made: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = follow(connection, made)

    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(feed, "_take", fail)
    write(connection, made.verdicts, [verdict("a")])
    with pytest.raises(WorkbenchError, match="boom"):
        feed.wait_for(1, 60)
    assert "boom" in str(feed.error)
    assert feed.frame().empty
    assert "failed" in repr(feed)
    feed.stop()


def test_the_feed_can_be_read_while_it_is_written(connection: Connection, made: Topics) -> None:
    with follow(connection, made, limit=300) as feed:
        writer = threading.Thread(
            target=write,
            args=(connection, made.verdicts, [verdict(f"c{i}", i % 2 == 0) for i in range(5000)]),
        )
        writer.start()
        deadline = time.monotonic() + 60
        while feed.counts.clicks < 5000:
            assert time.monotonic() < deadline
            frame = feed.frame()
            assert frame["click_id"].is_unique
            assert (frame["fraud"] == (frame["click_id"].str[1:].astype(int) % 2 == 0)).all()
            feed.wait_for(feed.counts.clicks + 1, 0.05)
        writer.join()


def test_a_topic_that_is_not_there_is_an_error(connection: Connection, topics: Topics) -> None:
    with pytest.raises(TopicError, match=topics.verdicts):
        follow(connection, topics)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(VerdictError, match="'newest'"):
        follow(Connection(), starting="newest")  # type: ignore[arg-type]
    with pytest.raises(VerdictError, match="at least 1"):
        follow(Connection(), limit=0)


def test_a_wrong_duration_is_refused_and_the_feed_goes_on(connection: Connection, made: Topics) -> None:
    with follow(connection, made) as feed:
        with pytest.raises(RuleError):
            feed.frame(last="soon")
        assert feed.frame(last="60s").empty


def test_a_verdict_without_a_time_is_refused() -> None:
    with pytest.raises(VerdictError, match="RFC 3339"):
        Verdict.parse(verdict("a", ts="2026-01-02"), 0)
