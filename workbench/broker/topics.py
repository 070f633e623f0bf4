"""The broker that the workbench talks to, and its topics. What is in the records is not known here.

`connect()` gives the connection to use: the brokers that WORKBENCH_BROKERS names, or else the embedded
broker, which is started when it does not run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from workbench.broker.connection import Connection, admin_client, brokers_named
from workbench.broker.embedded import DEFAULT_PORT, BrokerStatus, EmbeddedBroker
from workbench.errors import TopicError

__all__ = [
    "DEFAULT_PORT",
    "BrokerStatus",
    "Connection",
    "EmbeddedBroker",
    "Topics",
    "begin_offsets",
    "connect",
    "end_offsets",
    "ensure_topics",
    "offsets_at",
    "partitions_of",
    "recreate_topics",
    "topic_id",
]

_TOPIC_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_UNKNOWN_TOPIC = 3  # Kafka's error code in a topic's metadata
_DELETED_S = 30.0


@dataclass(frozen=True, slots=True)
class Topics:
    """The three topics of the workbench.

    >>> list(Topics(clicks="mine"))
    ['mine', 'fcd-consumer', 'fcd-dead-letter']

    Raises TopicError for a name that Kafka does not take, or the same name twice.
    """

    clicks: str = "fcd-producer"
    verdicts: str = "fcd-consumer"
    dead_letters: str = "fcd-dead-letter"

    def __post_init__(self) -> None:
        for name in self:
            if not isinstance(name, str) or not _TOPIC_NAME.fullmatch(name):
                raise TopicError(f"not a topic name: {name!r}; expected 1 to 249 of A-Z a-z 0-9 . _ -")
        if len(set(self)) != 3:
            raise TopicError(f"clicks, verdicts and dead letters need a topic each, got {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        return iter(astuple(self))


def connect(brokers: str | None = None) -> Connection:
    """A connection that answers.

    Parameters
    ----------
    brokers
        As `host:port[,host:port]`. None (or empty) takes those that WORKBENCH_BROKERS names, and without any the
        embedded broker, which is started when it does not run. How to log in, the WORKBENCH_SECURITY variables say.

    Raises
    ------
    BrokerError
        There is no broker that answers, or a variable is wrong.
    SetupError
        The embedded broker lacks Java or jars.
    """
    connection = Connection.from_env(brokers=brokers)
    if not brokers_named(brokers=brokers):
        return EmbeddedBroker().up()
    connection.check()
    return connection


def ensure_topics(
    connection: Connection, topics: Iterable[str] = Topics(), partitions: int = 2, strict: bool = False
) -> dict[str, int]:
    """Create the topics that do not exist, wait until they can be used, and count the partitions of each.

    A topic that exists keeps its partition count, which may be another one: look at the answer. With
    `strict` such a topic raises TopicError instead.
    """
    if partitions < 1:
        raise TopicError(f"a topic needs at least 1 partition, got {partitions}")
    from kafka.errors import TopicAlreadyExistsError

    names = list(topics)
    with admin_client(connection) as admin:
        there = _describe(admin, names)
        wanted = {name: {"num_partitions": partitions} for name in names if name not in there}
        for name, options in wanted.items():
            try:
                admin.create_topics({name: options})
            except TopicAlreadyExistsError:
                pass  # another process was faster
        admin.wait_for_topics(names)
        counts = {name: len(found) for name, found in _describe(admin, names).items()}
    for name, count in counts.items():
        if strict and count != partitions:
            raise TopicError(
                f"topic {name!r} has {count} partitions, expected {partitions}. "
                f"Fix: choose {count}, or recreate the topic"
            )
    return counts


def partitions_of(connection: Connection, topic: str) -> int:
    """How many partitions the topic has. Raises TopicError when it does not exist."""
    with admin_client(connection) as admin:
        return len(_partitions(admin, connection, topic))


def topic_id(connection: Connection, topic: str) -> str | None:
    """What tells a topic from one that is made anew under its name; None where the broker has no such thing."""
    with admin_client(connection) as admin:
        [found] = admin.describe_topics([topic])
    told = str(found.get("topic_id") or "")
    return told if told.strip("0-") else None


def recreate_topics(connection: Connection, topics: Iterable[str] = Topics(), partitions: int = 2) -> dict[str, int]:
    """Delete the topics with all their records and create them anew; their partition counts."""
    names = list(topics)
    with admin_client(connection) as admin:
        if there := list(_describe(admin, names)):
            admin.delete_topics(there)
        deadline = time.monotonic() + _DELETED_S
        while left := list(_describe(admin, names)):
            if time.monotonic() > deadline:
                raise TopicError(
                    f"topic {left[0]!r} is still there {_DELETED_S:g} s after it was deleted. Fix: try again"
                )
            time.sleep(0.05)
    return ensure_topics(connection, names, partitions, strict=True)


def begin_offsets(connection: Connection, topic: str) -> dict[int, int]:
    """The offset of the first record that each partition still has."""
    from kafka.admin import OffsetSpec

    return _offsets(connection, topic, OffsetSpec.EARLIEST)


def end_offsets(connection: Connection, topic: str) -> dict[int, int]:
    """The offset that the next record of each partition will get."""
    from kafka.admin import OffsetSpec

    return _offsets(connection, topic, OffsetSpec.LATEST)


def offsets_at(connection: Connection, topic: str, moment: datetime) -> dict[int, int]:
    """The offset of the first record of each partition whose timestamp is not before `moment`, else the end."""
    found = _offsets(connection, topic, int(moment.timestamp() * 1000))
    ends = end_offsets(connection, topic)
    return {number: offset if offset >= 0 else ends[number] for number, offset in found.items()}


def _offsets(connection: Connection, topic: str, which: Any) -> dict[int, int]:
    from kafka import TopicPartition

    with admin_client(connection) as admin:
        asked = {TopicPartition(topic, number): which for number in _partitions(admin, connection, topic)}
        return {
            place.partition: int(found.offset) for place, found in sorted(admin.list_partition_offsets(asked).items())
        }


def _partitions(admin: Any, connection: Connection, topic: str) -> list[int]:
    found = _describe(admin, [topic]).get(topic)
    if found is None:
        raise TopicError(
            f"topic {topic!r} does not exist at {connection.bootstrap}. Fix: `workbench topics` creates the workbench's"
        )
    return found


def _describe(admin: Any, names: list[str]) -> dict[str, list[int]]:
    """The partition numbers of each topic that exists. Raises TopicError when one may not be looked at."""
    from kafka.errors import for_code

    found = {}
    for topic in admin.describe_topics(names):
        if topic["error_code"] == _UNKNOWN_TOPIC:
            continue
        if topic["error_code"] != 0:
            raise TopicError(f"topic {topic['name']!r} cannot be used: {for_code(topic['error_code']).__name__}")
        found[topic["name"]] = sorted(part["partition_index"] for part in topic["partitions"])
    return found
