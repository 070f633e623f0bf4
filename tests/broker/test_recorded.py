"""What a topic holds comes back as a frame, within its bounds, and what is no click is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from confluent_kafka import Producer

from workbench.broker import sender
from workbench.broker.recorded import read_topic
from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.clicks.record import TICK_KEY, TICK_VALUE
from workbench.clicks.traffic import Traffic
from workbench.errors import ClickError, TopicError
from workbench.rule import Rule
from workbench.tuning.surface import surface

START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)


def sent(connection: Connection, topics: Topics) -> pd.DataFrame:
    """A minute of clicks on the topic, each record dated with its event time."""
    ensure_topics(connection, topics)
    clicks = Traffic(rate=50, duration="60s", seed=2).clicks(START)
    sender.send(clicks, connection, topic=topics.clicks, speed="max", event_time_as_timestamp=True).wait()
    return clicks


def test_all_clicks_come_back_and_give_the_same_surface(connection: Connection, topics: Topics) -> None:
    clicks = sent(connection, topics)
    found = read_topic(connection, topics.clicks, progress=False)
    assert (found.records, found.invalid, found.ticks, found.older) == (3_000, 0, 0, 0)
    assert found.clicks["ts"].is_monotonic_increasing
    columns = ["click_id", "session_id", "url", "ts", "label"]
    here, there = (frame[columns].sort_values("click_id", ignore_index=True) for frame in (found.clicks, clicks))
    pd.testing.assert_frame_equal(here, there)
    grid: tuple[list[str], list[int]] = (["5s", "10s"], [2, 3])
    assert surface(found.clicks, *grid).at(Rule()) == surface(clicks, *grid).at(Rule())


def test_records_that_are_no_clicks_are_counted_with_the_reason_and_stop_nothing(
    connection: Connection, topics: Topics
) -> None:
    sent(connection, topics)
    producer = Producer({"bootstrap.servers": connection.bootstrap})
    for value in (b"{", b'{"click_id":"x"}', b"", b"\xff"):
        producer.produce(topics.clicks, value, b"k", partition=0)
    producer.produce(topics.clicks, None, b"k", partition=1)
    producer.produce(topics.clicks, TICK_VALUE, TICK_KEY, partition=1)
    producer.flush()
    found = read_topic(connection, topics.clicks, progress=False)
    assert (len(found.clicks), found.invalid, found.ticks, found.records) == (3_000, 4, 1, 3_006)
    assert found.tombstones == 1
    assert found.rejected["reason"].str.contains("click").all()
    assert found.rejected["partition"].value_counts().to_dict() == {0: 4}
    assert str(found) == "3,006 records: 3,000 clicks, 4 invalid, 1 ticks, 1 tombstones"


def test_time_and_count_bound_what_is_read(connection: Connection, topics: Topics) -> None:
    clicks = sent(connection, topics)
    since, until = START + timedelta(seconds=20), START + timedelta(seconds=40)
    between = read_topic(connection, topics.clicks, since=since, until=until, progress=False)
    inside = clicks[(clicks["ts"] >= since) & (clicks["ts"] < until)]
    assert set(between.clicks["click_id"]) == set(inside["click_id"])
    assert between.older == (clicks["ts"] < since).sum()
    assert read_topic(connection, topics.clicks, since="1s", progress=False).records == 0
    assert read_topic(connection, topics.clicks, since="24h", progress=False).records == 3_000

    newest = read_topic(connection, topics.clicks, limit=300, progress=False)
    assert 298 <= newest.records <= 300
    assert newest.older == 3_000 - newest.records
    # Of each partition the newest, so all of it is from about the same last seconds.
    assert newest.clicks["ts"].min() > START + timedelta(seconds=45)


def test_an_empty_topic_gives_an_empty_frame_with_its_columns(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, topics)
    found = read_topic(connection, topics.clicks, progress=False)
    assert found.records == 0
    assert surface(found.clicks, ["10s"], [3]).flagged_clicks.tolist() == [[0]]


def test_bounds_that_cannot_be_are_refused(connection: Connection, topics: Topics) -> None:
    with pytest.raises(TopicError, match="does not exist"):
        read_topic(connection, topics.clicks)
    ensure_topics(connection, topics)
    with pytest.raises(ClickError, match="limit must be at least 1: got 0"):
        read_topic(connection, topics.clicks, limit=0)
    with pytest.raises(ClickError, match="without a time zone"):
        read_topic(connection, topics.clicks, since=datetime(2026, 1, 2))
