"""Kafka clients: the one place where they are built. What they read and send is not known here."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from workbench.broker.connection import Connection
from workbench.errors import BrokerError

__all__ = ["consumer_at"]


def consumer_at(connection: Connection, positions: dict[TopicPartition, int]) -> KafkaConsumer:
    """A consumer of just these partitions from just these offsets, in no group.

    Raises BrokerError without a broker.
    """
    try:
        consumer = KafkaConsumer(
            **connection.kafka_python(),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            auto_offset_reset="earliest",  # where a topic was made anew, its first record is the next one
            bootstrap_timeout_ms=15_000,
            fetch_max_wait_ms=50,
            fetch_min_bytes=32 * 1024,  # a few full answers cost less than many small ones
            max_partition_fetch_bytes=4 * 1024 * 1024,
            metrics_enabled=False,
        )
    except KafkaError as error:
        raise BrokerError(f"{connection.bootstrap} cannot be read ({error!r}): is the broker up?") from error
    consumer.assign(list(positions))
    for place, offset in positions.items():
        consumer.seek(place, offset)
    return consumer
