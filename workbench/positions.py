"""How far the detector has come, read from the topics: each verdict names the click that caused it. Nothing of Spark.

Spark reports progress only at a checkpoint. Between two, the `source` header of verdicts and dead letters tells.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from workbench.broker import Connection, Topics
from workbench.clicks import TICK_KEY, TICK_VALUE
from workbench.errors import BrokerError, DetectorError
from workbench.verdicts import consumer_at

__all__ = ["CatchUp", "Frontier", "Positions", "source_of"]

_PEEK = 256  # records at the end of a partition that are looked at
_PEEK_S = 2.0
_QUIET_S = 0.25


def source_of(headers: Iterable[tuple[str, bytes | None]]) -> tuple[int, int] | None:
    """The partition and offset of the click that caused a record, or None where its headers do not say.

    >>> source_of([("source", b"1:42")])
    (1, 42)
    """
    for name, value in headers:
        if name == "source" and value:
            partition, _, offset = value.decode("ascii", "replace").partition(":")
            if partition.isdecimal() and offset.isdecimal():
                return int(partition), int(offset)
    return None


class Frontier:
    """Which offsets of each partition are done, as they come in any order, up to a target.

    >>> frontier = Frontier({0: 5}, {0: 9})
    >>> frontier.add(0, 5), frontier.add(0, 8), frontier.left, frontier.first_left()
    (None, None, 2, {0: 6})
    >>> frontier.advance(0, 9)
    >>> frontier.left
    0
    """

    def __init__(self, start: Mapping[int, int], target: Mapping[int, int]) -> None:
        self._next = {number: min(start.get(number, 0), end) for number, end in target.items()}
        self._target = dict(target)
        self._ahead: dict[int, set[int]] = {number: set() for number in target}

    def add(self, partition: int, offset: int) -> None:
        """Count one offset as done. One below the frontier or past the target changes nothing."""
        if partition not in self._next or not self._next[partition] <= offset < self._target[partition]:
            return
        self._ahead[partition].add(offset)
        self._close_up(partition)

    def advance(self, partition: int, to: int) -> None:
        """Count every offset below `to` as done."""
        if partition in self._next and to > self._next[partition]:
            self._next[partition] = min(to, self._target[partition])
            self._ahead[partition] = {offset for offset in self._ahead[partition] if offset >= to}
            self._close_up(partition)

    def _close_up(self, partition: int) -> None:
        ahead = self._ahead[partition]
        while self._next[partition] in ahead:
            ahead.remove(self._next[partition])
            self._next[partition] += 1

    @property
    def left(self) -> int:
        """How many offsets below the target are not done."""
        return sum(self._target[n] - self._next[n] - len(self._ahead[n]) for n in self._next)

    def first_left(self) -> dict[int, int]:
        """The first offset that is not done, of each partition that has any."""
        return {number: at for number, at in self._next.items() if at < self._target[number]}


class Positions:
    """Reads ends and last records of the three topics with one consumer. Any thread may call.

    Raises BrokerError when the broker does not answer, DetectorError after `close()`.
    """

    def __init__(self, connection: Connection, topics: Topics, partitions: Mapping[str, int]) -> None:
        self._topics = topics
        self._partitions = {topic: [TopicPartition(topic, n) for n in range(partitions[topic])] for topic in topics}
        self._lock = threading.Lock()
        self._closed = False
        self._consumer = consumer_at(connection, {})

    def ends(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition will get."""
        with self._reading():
            ends = self._consumer.end_offsets(self._partitions[topic])
        return {place.partition: offset for place, offset in ends.items()}

    def at_time(self, ts_ms: int) -> dict[TopicPartition, int]:
        """Where the verdicts and dead letters written since `ts_ms` begin."""
        outputs = [*self._partitions[self._topics.verdicts], *self._partitions[self._topics.dead_letters]]
        with self._reading():
            found = self._consumer.offsets_for_times(dict.fromkeys(outputs, ts_ms))
            ends = self._consumer.end_offsets(outputs)
        return {place: found[place].offset if found.get(place) else ends[place] for place in outputs}

    def last_received(self, partitions: Iterable[int]) -> dict[int, int]:
        """The Kafka timestamp (ms) of the last record in each of these partitions of the clicks topic that has one."""
        wanted = [TopicPartition(self._topics.clicks, number) for number in partitions]
        return {place.partition: records[-1].timestamp for place, records in self._tail(wanted, 1).items()}

    def judged(self) -> dict[int, int]:
        """About how far each partition of the clicks topic is judged: past the highest offset that outcomes name."""
        outputs = [*self._partitions[self._topics.verdicts], *self._partitions[self._topics.dead_letters]]
        latest: dict[int, int] = {}
        for records in self._tail(outputs, _PEEK).values():
            for record in records:
                if source := source_of(record.headers):
                    partition, offset = source
                    latest[partition] = max(latest.get(partition, 0), offset + 1)
        return latest

    def holds_click(self, partition: int, offset: int) -> bool:
        """Whether there is a click at this offset, and not a tick, a transaction's mark or nothing any more."""
        place = TopicPartition(self._topics.clicks, partition)
        with self._reading():
            self._go_to({place: offset})
            deadline = time.monotonic() + _PEEK_S
            while self._consumer.position(place) <= offset:
                if time.monotonic() > deadline:
                    return True  # not known: wait on rather than leave a click out
                for record in self._consumer.poll(timeout_ms=100, max_records=1).get(place, []):
                    is_tick = record.key == TICK_KEY and record.value == TICK_VALUE
                    return record.offset == offset and not is_tick
        return False

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._closed = True
            self._consumer.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """One thread at a time, while the connection is there; what Kafka refuses becomes a BrokerError."""
        with self._lock:
            if self._closed:
                raise DetectorError("the detector has ended; its topics are not watched any more")
            try:
                yield
            except KafkaError as error:
                raise BrokerError(f"the topics cannot be read: {error!r}. Fix: is the broker up?") from error

    def _tail(self, places: list[TopicPartition], count: int) -> dict[TopicPartition, list[Any]]:
        with self._reading():
            ends, begins = self._consumer.end_offsets(places), self._consumer.beginning_offsets(places)
            filled = {place: max(begins[place], ends[place] - count) for place in places if ends[place] > begins[place]}
            return self._read(filled, count)

    def _read(self, positions: Mapping[TopicPartition, int], count: int) -> dict[TopicPartition, list[Any]]:
        """Some records of each partition from its position on: `count`, or fewer where it ends or time runs out."""
        found: dict[TopicPartition, list[Any]] = {}
        if not positions:
            return found
        self._go_to(positions)
        deadline = time.monotonic() + _PEEK_S
        while len(found) < len(positions) and time.monotonic() < deadline:
            for place, records in self._consumer.poll(timeout_ms=100, max_records=count * len(positions)).items():
                found.setdefault(place, []).extend(records)
        return found

    def _go_to(self, positions: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign(list(positions))
        for place, offset in positions.items():
            self._consumer.seek(place, offset)


class CatchUp:
    """Watches the outcomes come until each offset below a target has one.

    done: the offsets known to be judged. since_ms: no outcome of a later offset is older.
    """

    def __init__(
        self,
        connection: Connection,
        positions: Positions,
        done: Mapping[int, int],
        since_ms: int,
        target: Mapping[int, int],
    ) -> None:
        self._positions = positions
        self.frontier = Frontier(done, target)
        self._consumer = consumer_at(connection, positions.at_time(since_ms))
        self._heard = time.monotonic()

    def look(self) -> int:
        """Take in what has come within a tenth of a second; how many offsets are left."""
        for records in self._consumer.poll(timeout_ms=100, max_records=5000).values():
            self._heard = time.monotonic()
            for record in records:
                if source := source_of(record.headers):
                    self.frontier.add(*source)
        if time.monotonic() - self._heard > _QUIET_S:
            self._heard = time.monotonic()
            self._skip_what_is_no_click()
        return self.frontier.left

    def _skip_what_is_no_click(self) -> None:
        """Pass ticks and what else has an offset but no outcome."""
        for partition, offset in self.frontier.first_left().items():
            if not self._positions.holds_click(partition, offset):
                self.frontier.add(partition, offset)
                self._heard = 0.0  # there may be more of them: look on at once

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()
