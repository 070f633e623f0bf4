"""Kafka clients: the one place where they are built. What they read and send is not known here.

Nothing else imports kafka-python by name for its clients; topics and connections import this module when they need one,
so that a program that only names a broker does not wait for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka import codec as codecs
from kafka.errors import KafkaError

from workbench.broker import diagnosis
from workbench.broker.connection import HOW_TO_GET_A_BROKER, Connection, reach, unusable
from workbench.broker.security import SECURITY_VARIABLE
from workbench.errors import BrokerError

__all__ = ["CODECS", "CONNECT_MS", "admin_client", "consumer_at", "error_text", "partitions", "producer_for"]

Consumer: TypeAlias = KafkaConsumer
Producer: TypeAlias = KafkaProducer
ClientError: TypeAlias = KafkaError
"""What any of the clients raises. It is caught here or by whoever knows what it means there."""
Partition: TypeAlias = TopicPartition
"""A partition by its topic and its number, as the clients take it."""

CODECS = {"gzip": codecs.has_gzip, "lz4": codecs.has_lz4, "snappy": codecs.has_snappy, "zstd": codecs.has_zstd}
"""How records may be compressed, by Kafka's name for it; and whether the clients here can read that."""
CONNECT_MS = 15_000
"""How long a client tries to reach a broker that answered when it was last looked at."""
_ADMIN_CONNECT_MS = 10_000
_FIRST_LOOK_S = 4.0


def partitions(topic: str, offsets: Mapping[int, int]) -> dict[Partition, int]:
    """Offsets by partition number as the clients take them.

    >>> partitions("clicks", {0: 7})
    {TopicPartition(topic='clicks', partition=0): 7}
    """
    return {Partition(topic, number): offset for number, offset in offsets.items()}


def error_text(error: BaseException) -> str:
    """The name of an error, and what it says.

    >>> error_text(TimeoutError("too long")), error_text(TimeoutError())
    ('TimeoutError: too long', 'TimeoutError')
    """
    return f"{type(error).__name__}: {error}".rstrip(": ")


def consumer_at(
    connection: Connection, positions: Mapping[Partition, int], most_bytes: int = 4 * 1024 * 1024
) -> Consumer:
    """A consumer of just these partitions from just these offsets, in no group. It reads only what was committed.

    Parameters
    ----------
    most_bytes
        Of each partition at a time: little where only a few records are looked at.

    Raises
    ------
    BrokerError
        There is no broker.
    """
    try:
        consumer = KafkaConsumer(
            **connection.kafka_python(),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",  # where a topic was made anew, its first record is the next one
            bootstrap_timeout_ms=CONNECT_MS,
            fetch_max_wait_ms=50,
            fetch_min_bytes=32 * 1024,  # a few full answers cost less than many small ones
            max_partition_fetch_bytes=most_bytes,
            metrics_enabled=False,
        )
    except KafkaError as error:
        raise BrokerError(f"{connection.bootstrap} cannot be read ({error!r}): is the broker up?") from error
    consumer.assign(list(positions))
    for place, offset in positions.items():
        consumer.seek(place, offset)
    return consumer


def producer_for(connection: Connection, topic: str, options: Mapping[str, Any]) -> Producer:
    """A producer that knows the topic and waits for all in-sync replicas.

    Parameters
    ----------
    options
        What kafka-python's producer takes beside.

    Raises
    ------
    BrokerError
        There is no broker.
    """
    always = {"acks": "all", "allow_auto_create_topics": False, "metrics_enabled": False}
    try:
        producer = KafkaProducer(**connection.kafka_python(), **always, **options)
        producer.partitions_for(topic)  # now, so that the first record need not wait for it
    except KafkaError as error:
        raise BrokerError(f"{connection.bootstrap} takes no clicks ({error_text(error)}): is the broker up?") from error
    return producer


@contextlib.contextmanager
def admin_client(connection: Connection, timeout: timedelta = timedelta(seconds=15)) -> Iterator[KafkaAdminClient]:
    """An admin client, closed at the end. What Kafka refuses is a BrokerError in one line.

    Parameters
    ----------
    timeout
        For connecting, where it takes 10 s at most, and for each request.

    Raises
    ------
    BrokerError
        There is no broker, or it refuses what is asked inside.
    """
    reach(connection, min(_FIRST_LOOK_S, timeout.total_seconds()), again=False)
    timeout_ms = max(1, int(timeout.total_seconds() * 1000))
    connect_ms = min(timeout_ms, _ADMIN_CONNECT_MS)
    try:
        admin = KafkaAdminClient(
            **connection.kafka_python(), bootstrap_timeout_ms=connect_ms, request_timeout_ms=timeout_ms
        )
    except (KafkaError, OSError) as error:
        if found := diagnosis.refused(connection.addresses, connection.security):
            raise unusable(*found) from error
        raise BrokerError(
            f"{connection.bootstrap} does not answer as a Kafka broker within {connect_ms / 1000:g} s "
            f"({error}). Fix: {HOW_TO_GET_A_BROKER}; {SECURITY_VARIABLE} says how to log in"
        ) from error
    try:
        yield admin
    except KafkaError as error:
        raise BrokerError(
            f"the broker at {connection.bootstrap} refused: {' '.join(str(error).split())[:300]}"
        ) from error
    finally:
        admin.close()
