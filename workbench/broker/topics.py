"""The broker that the workbench talks to, and its topics. What is in the records is not known here.

`connect()` gives the connection to use: the brokers that WORKBENCH_BROKERS names, or else the embedded
broker, which is started when it does not run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from workbench.broker.connection import Connection, brokers_named
from workbench.broker.embedded import DEFAULT_PORT, BrokerStatus, EmbeddedBroker
from workbench.errors import TopicError

__all__ = [
    "DEFAULT_PORT",
    "BrokerStatus",
    "Connection",
    "EmbeddedBroker",
    "Layout",
    "TopicState",
    "Topics",
    "begin_offsets",
    "connect",
    "describe",
    "end_offsets",
    "ensure_topics",
    "layouts",
    "offsets_at",
    "oldest_since",
    "partitions_of",
    "recreate_topics",
]

_TOPIC_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_UNKNOWN_TOPIC = 3  # Kafka's error code in a topic's metadata
_DELETED_S = 30.0
_LED_AGAIN_S = 15.0  # a partition whose broker was away, or has just come up, has no leader for a moment


@dataclass(frozen=True, slots=True)
class Topics:
    """The three topics of the workbench.

    Parameters
    ----------
    clicks
        Where clicks come in.
    verdicts
        Where each of them gets its verdict.
    dead_letters
        Where those are that cannot be judged, with the reason.

    Raises
    ------
    TopicError
        A name that Kafka does not take, or the same name twice.

    Examples
    --------
    >>> list(Topics(clicks="mine"))
    ['mine', 'fcd-consumer', 'fcd-dead-letter']
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

    Returns
    -------
    Connection
        What detectors, feeds and senders take.

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

    Parameters
    ----------
    connection, topics
        Which topics, and where.
    partitions
        How many a topic gets that is created. One that exists keeps its own count, which may be another.
    strict
        Refuse such a topic.

    Returns
    -------
    dict
        The number of partitions of each topic.

    Raises
    ------
    TopicError
        A count that cannot be or, with `strict`, one that is another.
    BrokerError
        There is no broker.
    """
    if partitions < 1:
        raise TopicError(f"a topic needs at least 1 partition, got {partitions}")
    names = list(topics)
    with _admin_client(connection) as admin:
        counts = {name: len(found.partitions) for name, found in _created(admin, names, partitions).items()}
    for name, count in counts.items():
        if strict and count != partitions:
            raise TopicError(
                f"topic {name!r} has {count} partitions, expected {partitions}. "
                f"Fix: choose {count}, or recreate the topic"
            )
    return counts


@dataclass(frozen=True, slots=True)
class TopicState:
    """What a topic holds at a moment.

    Attributes
    ----------
    begin
        The offset of the first record that each partition still has.
    end
        The offset that the next record of each partition will get.
    topic_id
        What tells a topic from one that is made anew under its name; None where the broker has no such thing.
    """

    begin: dict[int, int]
    end: dict[int, int]
    topic_id: str | None

    @property
    def records(self) -> int:
        """How many offsets lie between begin and end."""
        return sum(self.end.values()) - sum(self.begin.values())


def describe(
    connection: Connection, topics: Iterable[str] = Topics(), *, create: bool = False
) -> dict[str, TopicState]:
    """What each of the topics holds, asked of the broker by one client.

    The ends are read after the begins, so that none lies before its begin.

    Parameters
    ----------
    create
        Make those that do not exist, as `ensure_topics` does.

    Raises
    ------
    TopicError
        A topic does not exist.
    BrokerError
        There is no broker.
    """
    from kafka.admin import OffsetSpec

    names = list(topics)
    with _admin_client(connection) as admin:
        found = _created(admin, names) if create else layouts(admin, names)
        parts = {name: _partitions(found, connection, name) for name in names}
        begin = _list_offsets(admin, parts, OffsetSpec.EARLIEST)
        end = _list_offsets(admin, parts, OffsetSpec.LATEST)
    return {
        name: TopicState(
            {number: at.offset for number, at in begin[name].items()},
            {number: at.offset for number, at in end[name].items()},
            found[name].topic_id,
        )
        for name in names
    }


def partitions_of(connection: Connection, topic: str) -> int:
    """How many partitions the topic has. Raises TopicError when it does not exist."""
    with _admin_client(connection) as admin:
        return len(_partitions(layouts(admin, [topic]), connection, topic))


def recreate_topics(connection: Connection, topics: Iterable[str] = Topics(), partitions: int = 2) -> dict[str, int]:
    """Delete the topics with all their records and create them anew.

    Parameters
    ----------
    connection, topics
        Which topics, and where.
    partitions
        How many each of them gets.

    Returns
    -------
    dict
        The number of partitions of each topic.

    Raises
    ------
    TopicError
        One is still there after 30 s.
    BrokerError
        There is no broker.
    """
    names = list(topics)
    with _admin_client(connection) as admin:
        if there := list(layouts(admin, names)):
            admin.delete_topics(there)
        deadline = time.monotonic() + _DELETED_S
        while left := list(layouts(admin, names)):
            if time.monotonic() > deadline:
                raise TopicError(
                    f"topic {left[0]!r} is still there {_DELETED_S:g} s after it was deleted. Fix: try again"
                )
            time.sleep(0.05)
    return ensure_topics(connection, names, partitions, strict=True)


def begin_offsets(connection: Connection, topic: str) -> dict[int, int]:
    """The offset of the first record that each partition still has."""
    return describe(connection, [topic])[topic].begin


def end_offsets(connection: Connection, topic: str) -> dict[int, int]:
    """The offset that the next record of each partition will get."""
    return describe(connection, [topic])[topic].end


def offsets_at(connection: Connection, topic: str, moment: datetime) -> dict[int, int]:
    """The offset of the first record of each partition whose timestamp is not before `moment`, else the end."""
    found = _since(connection, topic, moment)
    ends = end_offsets(connection, topic)
    return {number: at.offset if at.offset >= 0 else ends[number] for number, at in found.items()}


def oldest_since(connection: Connection, topic: str, moment: datetime) -> datetime | None:
    """The smallest timestamp among the first record of each partition that is not dated before `moment`.

    None where there is no such record.
    """
    dated = [at.timestamp for at in _since(connection, topic, moment).values() if at.offset >= 0]
    return datetime.fromtimestamp(min(dated) / 1000, UTC) if dated else None


def _since(connection: Connection, topic: str, moment: datetime) -> dict[int, Any]:
    with _admin_client(connection) as admin:
        parts = {topic: _partitions(layouts(admin, [topic]), connection, topic)}
        return _list_offsets(admin, parts, int(moment.timestamp() * 1000))[topic]


def _list_offsets(admin: Any, parts: Mapping[str, Iterable[int]], which: Any) -> dict[str, dict[int, Any]]:
    """By topic and partition: offset and timestamp, -1 where there is no such record."""
    from workbench.broker.clients import partitions

    asked = {place: which for name, numbers in parts.items() for place in partitions(name, dict.fromkeys(numbers, 0))}
    found: dict[str, dict[int, Any]] = {name: {} for name in parts}
    for place, at in sorted(_listed(admin, asked).items()):
        found[place.topic][place.partition] = at
    return found


def _listed(admin: Any, asked: Mapping[Any, Any]) -> dict[Any, Any]:
    """Asked again while a partition has no leader: the client takes -1, which stands for none, for a broker."""
    from kafka.errors import RetriableError, UnknownBrokerIdError

    deadline = time.monotonic() + _LED_AGAIN_S
    while True:
        try:
            return dict(admin.list_partition_offsets(asked, isolation_level="read_committed"))
        except (RetriableError, UnknownBrokerIdError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _admin_client(connection: Connection) -> AbstractContextManager[Any]:
    # Not at the top: kafka-python takes a while, and who only names a topic needs none of it.
    from workbench.broker.clients import admin_client

    return admin_client(connection)


def _created(admin: Any, names: list[str], partitions: int = 2) -> dict[str, Layout]:
    from kafka.errors import TopicAlreadyExistsError

    there = layouts(admin, names)
    for name in names:
        if name not in there:
            try:
                admin.create_topics({name: {"num_partitions": partitions}})
            except TopicAlreadyExistsError:
                pass  # another process was faster
    admin.wait_for_topics(names)
    return layouts(admin, names)


class Layout(NamedTuple):
    """What a topic is made of: the numbers of its partitions, and its id where the broker has such a thing."""

    partitions: list[int]
    topic_id: str | None


def _partitions(described: Mapping[str, Layout], connection: Connection, topic: str) -> list[int]:
    if topic not in described:
        raise TopicError(
            f"topic {topic!r} does not exist at {connection.bootstrap}. Fix: `workbench topics` creates the workbench's"
        )
    return described[topic].partitions


def layouts(admin: Any, names: list[str]) -> dict[str, Layout]:
    """The topics of these that exist, asked of an admin client. Raises TopicError when one may not be looked at."""
    from kafka.errors import for_code

    found = {}
    for topic in admin.describe_topics(names):
        if topic["error_code"] == _UNKNOWN_TOPIC:
            continue
        if topic["error_code"] != 0:
            raise TopicError(f"topic {topic['name']!r} cannot be used: {for_code(topic['error_code']).__name__}")
        topic_id = str(topic.get("topic_id") or "")
        found[topic["name"]] = Layout(
            sorted(part["partition_index"] for part in topic["partitions"]),
            topic_id if topic_id.strip("0-") else None,
        )
    return found
