"""Sending: what was to be sent is on the topic, once, in order, not before its time; or there is an error."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from workbench.broker.clients import admin_client
from workbench.broker.delivery import Sent
from workbench.broker.sender import Sending, Speed, replay, send
from workbench.broker.topics import Connection, Topics, end_offsets, ensure_topics
from workbench.clicks.record import parse, records
from workbench.clicks.traffic import Mix, Traffic
from workbench.errors import BrokerError, ClickError, TopicError, TrafficError

pytestmark = pytest.mark.java

START = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def topic(connection: Connection, topics: Topics) -> str:
    ensure_topics(connection, topics, partitions=2)
    return topics.clicks


@pytest.fixture
def narrow_topic(connection: Connection, topics: Topics) -> str:
    """A topic that takes no record larger than 2,000 bytes."""
    admin = AdminClient({"bootstrap.servers": connection.bootstrap})
    new = NewTopic(topics.clicks, 2, 1, config={"max.message.bytes": "2000"})
    admin.create_topics([new])[topics.clicks].result(30)
    return topics.clicks


class Record(NamedTuple):
    key: bytes
    value: bytes
    partition: int
    at_ms: int


def read(connection: Connection, topic: str) -> list[Record]:
    """Every record of a topic, partition by partition, by a client that shares no code with the workbench."""
    ends = end_offsets(connection, topic)
    consumer = Consumer({"bootstrap.servers": connection.bootstrap, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, number, 0) for number in ends])
    found: list[Record] = []
    deadline = time.monotonic() + 30
    while len(found) < sum(ends.values()):
        assert time.monotonic() < deadline, f"only {len(found)} of {ends} were read"
        for message in consumer.consume(1000, 1.0):
            key, value, partition = message.key(), message.value(), message.partition()
            assert message.error() is None
            assert key is not None
            assert value is not None
            assert partition is not None
            found.append(Record(key, value, partition, message.timestamp()[1]))
    consumer.close()
    return found


def clicks_of(seconds: float, rate: float = 100, start_at: datetime = START) -> pd.DataFrame:
    return Traffic(rate=rate, duration=timedelta(seconds=seconds), seed=5).clicks(start_at)


def all_of(sending: Sending) -> Sent:
    assert sending.wait(60)
    return sending.stop()


def test_every_click_arrives_once_keyed_by_its_session_and_in_order(connection: Connection, topic: str) -> None:
    clicks = clicks_of(20)
    sent = all_of(send(clicks, connection, topic=topic, speed="max"))
    assert sent.clicks == 2000
    messages = read(connection, topic)
    assert sorted((m.key, m.value) for m in messages) == sorted((k, v) for k, v, _ in records(clicks))
    by_partition: dict[int, list[str]] = {}
    for message in messages:
        by_partition.setdefault(message.partition, []).append(parse(message.value).click_id)
    assert len(by_partition) == 2
    position = {click_id: row for row, click_id in enumerate(clicks["click_id"])}
    for ids in by_partition.values():
        assert [position[i] for i in ids] == sorted(position[i] for i in ids)
    partitions: dict[bytes, set[int]] = {}
    for message in messages:
        partitions.setdefault(message.key, set()).add(message.partition)
    assert all(len(found) == 1 for found in partitions.values())


def test_a_session_goes_where_other_kafka_clients_would_send_it(connection: Connection, topic: str) -> None:
    """Java's default partitioner, murmur2 of the key: Spark and other producers agree on the partition."""
    known = pd.DataFrame(
        {"click_id": ["a", "b"], "session_id": ["21", "foobar"], "url": "/ad", "ts": pd.Timestamp(START)}
    )
    known["ts"] = known["ts"].astype("datetime64[us, UTC]")
    all_of(send(known, connection, topic=topic, speed="max"))
    hashes = {b"21": -973932308, b"foobar": -790332482}  # from Kafka's own tests of Utils.murmur2
    for message in read(connection, topic):
        assert message.partition == (hashes[message.key] & 0x7FFFFFFF) % 2


@pytest.mark.parametrize("as_event_time", [True, False])
def test_records_are_dated_as_asked(connection: Connection, topic: str, as_event_time: bool) -> None:
    clicks = clicks_of(1, rate=20)
    before_ms = time.time() * 1000
    all_of(send(clicks, connection, topic=topic, speed="max", event_time_as_timestamp=as_event_time))
    for message in read(connection, topic):
        at_ms = message.at_ms
        event_ms = parse(message.value).ts.timestamp() * 1000
        if as_event_time:
            assert at_ms == int(event_ms)
        else:
            assert at_ms >= int(before_ms)


def test_no_record_leaves_before_its_time(connection: Connection, topic: str) -> None:
    clicks = clicks_of(2, rate=50)
    before_ms = time.time() * 1000
    sent = all_of(send(clicks, connection, topic=topic, speed=2))
    assert sent.clicks == 100
    first = clicks["ts"].iloc[0]
    for message in read(connection, topic):
        due_ms = before_ms + (parse(message.value).ts - first) / timedelta(milliseconds=1) / 2
        assert message.at_ms >= int(due_ms)


def test_nothing_leaves_once_stopped(connection: Connection, topic: str) -> None:
    total = 0
    speeds: tuple[Speed, ...] = (1.0, 0.001)
    for speed in speeds:
        sending = send(clicks_of(60), connection, topic=topic, speed=speed)
        total += (sent := sending.stop().clicks)
        assert sent == sending.sent < 6000
    assert len(read(connection, topic)) == total


def test_sending_nothing_is_no_error(connection: Connection, topic: str) -> None:
    assert all_of(send(clicks_of(1).iloc[:0], connection, topic=topic)).clicks == 0


def test_a_topic_that_is_not_there_is_an_error_and_is_not_made(connection: Connection, topics: Topics) -> None:
    with pytest.raises(TopicError, match=topics.clicks):
        send(clicks_of(1), connection, topic=topics.clicks, speed="max")
    with pytest.raises(TopicError, match=topics.clicks):
        end_offsets(connection, topics.clicks)


def test_a_click_the_broker_refuses_is_an_error_that_names_it(connection: Connection, narrow_topic: str) -> None:
    clicks = clicks_of(1, rate=10)
    clicks.loc[6, "url"] = "/ad/" + "x" * 5000
    with pytest.raises(BrokerError, match=f"click '{clicks['click_id'][6]}' .*MessageSizeTooLarge"):
        send(clicks, connection, topic=narrow_topic, speed=10).wait(60)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), "fast", True])
def test_a_speed_that_cannot_be_is_refused(speed: Any) -> None:
    for job in (send, replay):
        with pytest.raises(TrafficError, match="speed is"):
            job(clicks_of(1), Connection(), speed=speed)


@pytest.mark.parametrize("speed", [2, "max"])
def test_traffic_is_live_and_has_no_other_speed(speed: Speed) -> None:
    with pytest.raises(TrafficError, match=r"traffic is live.* Fix: "):
        send(Traffic(duration="1s"), Connection(), speed=speed)


def test_a_frame_that_holds_no_clicks_is_refused() -> None:
    with pytest.raises(ClickError, match="session_id"):
        send(clicks_of(1).drop(columns="session_id"), Connection(), speed="max")


def test_live_traffic_leaves_at_its_event_time_from_the_background(connection: Connection, topic: str) -> None:
    asked = datetime.now(UTC)
    with send(Traffic(rate=100, duration="2s", seed=1), connection, topic=topic) as handle:
        assert handle.wait(60)
        assert handle.done
        assert handle.sent == 200
        assert handle.stop().clicks == 200
    clicks = handle.clicks
    assert clicks["ts"].iloc[0] >= asked
    messages = read(connection, topic)
    assert {m.value for m in messages} == {value for _, value, _ in records(clicks)}
    assert all(m.at_ms >= int(parse(m.value).ts.timestamp() * 1000) for m in messages)
    assert {json.loads(m.value)["label"] for m in messages} == set(clicks["label"])


def test_live_traffic_that_is_stopped_knows_what_it_sent(connection: Connection, topic: str) -> None:
    handle = send(Traffic(rate=200, duration="10m"), connection, topic=topic)
    deadline = time.monotonic() + 60
    while handle.sent < 50:
        assert time.monotonic() < deadline
        handle.wait(0.01)
    assert not handle.done
    sent = handle.stop()
    assert isinstance(sent, Sent)
    assert handle.done
    assert 50 <= sent.clicks == handle.sent == len(handle.clicks) == len(read(connection, topic))
    assert "done" in repr(handle)


def test_an_error_in_the_background_is_raised_by_wait_and_stop(connection: Connection, narrow_topic: str) -> None:
    traffic = Traffic(rate=50, duration="5m", mix=Mix(), ads=("/" + "x" * 5000,))
    handle = send(traffic, connection, topic=narrow_topic)
    with pytest.raises(BrokerError, match="was not taken"):
        handle.wait(60)
    with pytest.raises(BrokerError, match="was not taken"):
        handle.stop()
    assert isinstance(handle.error, BrokerError)


def test_leaving_the_block_stops_the_traffic_and_lets_the_error_through(connection: Connection, topic: str) -> None:
    with pytest.raises(KeyboardInterrupt), send(Traffic(duration="10m"), connection, topic=topic) as handle:
        raise KeyboardInterrupt
    assert handle.done


def test_a_replay_ends_now_keeps_its_pauses_and_dates_its_records(connection: Connection, topic: str) -> None:
    recorded = clicks_of(30, rate=20).sample(frac=1, random_state=1)
    before = datetime.now(UTC)
    sent = all_of(replay(recorded, connection, speed="max", topic=topic))
    after = datetime.now(UTC)
    messages = read(connection, topic)
    found = {(click := parse(m.value)).click_id: (click.ts, m.at_ms) for m in messages}
    assert before <= max(ts for ts, _ in found.values()) <= after
    for click_id, ts in zip(recorded["click_id"], recorded["ts"], strict=True):
        assert found[click_id][0] - ts == sent.shift
        assert found[click_id][1] == int(found[click_id][0].timestamp() * 1000)
    for number in (0, 1):
        dates = [m.at_ms for m in messages if m.partition == number]
        assert dates == sorted(dates)


def test_a_replay_behind_newer_records_is_refused(connection: Connection, topic: str) -> None:
    all_of(send(clicks_of(1, rate=5, start_at=datetime.now(UTC)), connection, topic=topic, speed="max"))
    with pytest.raises(TopicError, match=r"already holds records from .* Fix: "):
        replay(clicks_of(30), connection, speed="max", topic=topic)
    assert len(read(connection, topic)) == 5


def test_a_replay_to_a_topic_that_dates_its_records_itself_is_refused_with_the_fix(
    connection: Connection, topics: Topics
) -> None:
    settings = {"message.timestamp.type": "LogAppendTime"}
    with admin_client(connection) as admin:
        admin.create_topics({topics.clicks: {"num_partitions": 1, "configs": settings}})
    with pytest.raises(TopicError, match=r"dates records when they arrive .*Fix: .*timestamp\.type=CreateTime"):
        replay(clicks_of(3), connection, speed="max", topic=topics.clicks)
    assert end_offsets(connection, topics.clicks) == {0: 0}


def test_a_replay_after_older_records_is_fine(connection: Connection, topic: str) -> None:
    all_of(send(clicks_of(1, rate=5), connection, topic=topic, speed="max", event_time_as_timestamp=True))
    assert all_of(replay(clicks_of(3), connection, speed="max", topic=topic)).clicks == 300
