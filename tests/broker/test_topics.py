"""Topics on a real broker, and which broker is taken."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Producer
from kafka.admin import KafkaAdminClient
from kafka.errors import UnknownBrokerIdError

import workbench.broker.topics
from workbench.broker.clients import admin_client
from workbench.broker.topics import (
    Connection,
    EmbeddedBroker,
    Topics,
    connect,
    describe,
    end_offsets,
    ensure_topics,
    partitions_of,
    recreate_topics,
)
from workbench.errors import BrokerError, TopicError


def send(connection: Connection, topic: str, records: list[tuple[int, bytes]]) -> None:
    """Put records (partition, value) on a topic with a client that is not the workbench's."""
    refused: list[object] = []

    def done(error: object, _message: object) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer({"bootstrap.servers": connection.bootstrap})
    for partition, value in records:
        producer.produce(topic, value, partition=partition, on_delivery=done)
    assert producer.flush(30) == 0
    assert not refused


@pytest.mark.parametrize("name", ["", "a b", "ä", ".", "..", "x" * 250, "a/b", None])
def test_a_name_that_kafka_does_not_take_is_quoted(name: str) -> None:
    with pytest.raises(TopicError, match="not a topic name"):
        Topics(clicks=name)


def test_the_three_topics_must_differ() -> None:
    with pytest.raises(TopicError, match="a topic each, got same, same"):
        Topics("same", "same", "other")


def test_topics_are_created_with_the_chosen_partitions_and_a_second_time_changes_nothing(
    connection: Connection, topics: Topics
) -> None:
    expected = dict.fromkeys(topics, 3)
    assert ensure_topics(connection, topics, partitions=3) == expected
    assert ensure_topics(connection, topics, partitions=3, strict=True) == expected
    assert partitions_of(connection, topics.verdicts) == 3


def test_an_existing_topic_keeps_its_partitions_and_strict_says_so(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, [topics.clicks], partitions=4)
    counts = ensure_topics(connection, topics)
    assert counts == {topics.clicks: 4, topics.verdicts: 2, topics.dead_letters: 2}
    with pytest.raises(TopicError, match=rf"'{topics.clicks}' has 4 partitions, expected 2. Fix: "):
        ensure_topics(connection, topics, strict=True)


def test_a_topic_needs_a_partition(connection: Connection, topics: Topics) -> None:
    with pytest.raises(TopicError, match="at least 1 partition, got 0"):
        ensure_topics(connection, topics, partitions=0)


def test_the_broker_creates_no_topic_that_nobody_asked_for(connection: Connection, topics: Topics) -> None:
    with pytest.raises(TopicError, match=f"'{topics.clicks}' does not exist.*Fix: `workbench topics`"):
        partitions_of(connection, topics.clicks)
    with admin_client(connection) as admin:
        assert topics.clicks not in admin.list_topics()


def test_offsets_count_the_records_of_each_partition(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, topics)
    send(connection, topics.clicks, [(0, b"a"), (1, b"b"), (1, b"c")])
    assert end_offsets(connection, topics.clicks) == {0: 1, 1: 2}
    assert describe(connection, [topics.clicks])[topics.clicks].begin == {0: 0, 1: 0}
    with pytest.raises(TopicError, match="does not exist"):
        end_offsets(connection, topics.clicks + "-not")


def test_a_partition_without_a_leader_is_asked_for_again(
    connection: Connection, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_topics(connection, topics)
    ask, asked = KafkaAdminClient.list_partition_offsets, []

    def led_the_third_time(*args: Any, **options: Any) -> Any:
        asked.append(args)
        if len(asked) < 3:
            raise UnknownBrokerIdError(-1)
        return ask(*args, **options)

    monkeypatch.setattr(KafkaAdminClient, "list_partition_offsets", led_the_third_time)
    assert end_offsets(connection, topics.clicks) == {0: 0, 1: 0}
    assert len(asked) == 4  # the begins, thrice, and the ends


def test_recreated_topics_are_empty_and_have_the_new_partitions(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, topics)
    send(connection, topics.clicks, [(0, b"a")])
    assert recreate_topics(connection, [topics.clicks], partitions=5) == {topics.clicks: 5}
    assert end_offsets(connection, topics.clicks) == dict.fromkeys(range(5), 0)
    assert partitions_of(connection, topics.verdicts) == 2


def test_records_of_long_ago_are_not_deleted_for_their_age(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, topics)
    with admin_client(connection) as admin:
        described = admin.describe_topics([topics.clicks])
        assert described[0]["error_code"] == 0
    producer = Producer({"bootstrap.servers": connection.bootstrap})
    producer.produce(topics.clicks, b"old", partition=0, timestamp=1_000_000_000_000)  # 2001
    assert producer.flush(30) == 0
    assert describe(connection, topics)[topics.clicks].begin[0] == 0
    assert end_offsets(connection, topics.clicks)[0] == 1


def test_the_brokers_that_are_named_are_taken_and_must_answer(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for named in (None, ""):
        monkeypatch.setenv("WORKBENCH_BROKERS", connection.bootstrap)
        assert connect(named) == connection
        monkeypatch.setenv("WORKBENCH_BROKERS", "127.0.0.1:1")
        assert connect(connection.bootstrap) == connection
        with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1: Connection refused"):
            connect(named)


def test_without_them_the_embedded_broker_is_taken(
    embedded_broker: EmbeddedBroker, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench.broker.topics, "EmbeddedBroker", lambda: embedded_broker)
    assert connect() == connection
