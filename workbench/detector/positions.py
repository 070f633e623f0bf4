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

from workbench.broker.clients import consumer_at
from workbench.broker.topics import Connection, Topics
from workbench.clicks.record import TICK_KEY, TICK_VALUE
from workbench.detector.hand_over import Judged
from workbench.errors import BrokerError, DetectorError
from workbench.verdicts.headers import source_of

__all__ = ["OPEN", "CatchUp", "Frontier", "Positions"]

OPEN = 1 << 62
"""The target of a frontier that is to go on for as long as records come."""

_PEEK = 256  # records at the end of a partition that are looked at
_PEEK_S = 2.0
_QUIET_S = 0.25
_SILENCE_S = 30.0


class Frontier:
    """Which offsets of each partition are done, as they come in any order, up to a target.

    >>> frontier = Frontier(Judged({0: 5}), {0: 9})
    >>> frontier.add(0, 5), frontier.add(0, 8), frontier.left, frontier.first_left()
    (None, None, 2, {0: 6})
    >>> frontier.judged(since_ms=1)
    Judged(upto={0: 6}, ahead={0: (8,)}, since_ms=1)
    >>> frontier.advance(0, 9)
    >>> frontier.left
    0
    """

    def __init__(self, done: Judged, target: Mapping[int, int]) -> None:
        self._next = {number: min(done.upto.get(number, 0), end) for number, end in target.items()}
        self._target = dict(target)
        self._ahead: dict[int, set[int]] = {number: set() for number in target}
        for number, offsets in done.ahead.items():
            for offset in offsets:
                self.add(number, offset)

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

    def judged(self, since_ms: int) -> Judged:
        """What is done so far."""
        return Judged(dict(self._next), {n: tuple(sorted(some)) for n, some in self._ahead.items() if some}, since_ms)


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

    def begins(self, topic: str) -> dict[int, int]:
        """The offset of the first record that each partition still has."""
        with self._reading():
            begins = self._consumer.beginning_offsets(self._partitions[topic])
        return {place.partition: offset for place, offset in begins.items()}

    def ends_of_clicks(self) -> dict[int, int]:
        """The same, of the clicks topic."""
        return self.ends(self._topics.clicks)

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

    def first_to_judge(self, judged: Judged) -> int:
        """The Kafka timestamp (ms) of the oldest of the first clicks not judged, or where all are, of the last one."""
        at = {TopicPartition(self._topics.clicks, number): offset for number, offset in judged.upto.items()}
        with self._reading():
            ends, begins = self._consumer.end_offsets(list(at)), self._consumer.beginning_offsets(list(at))
            waiting = {place: offset for place, offset in at.items() if begins[place] <= offset < ends[place]}
            last = {place: ends[place] - 1 for place in at if not waiting and ends[place] > begins[place]}
            times = [records[0].timestamp for records in self._read(waiting or last, 1).values()]
        return int((min if waiting else max)(times, default=0))

    def begin_at(self, judged: Judged, since_ms: int) -> dict[int, int]:
        """Where the records dated `since_ms` or later begin in each partition; no further on than what is judged."""
        at = {TopicPartition(self._topics.clicks, number): offset for number, offset in judged.upto.items()}
        with self._reading():
            found = self._consumer.offsets_for_times(dict.fromkeys(at, max(since_ms, 0)))
        return {p.partition: min(offset, found[p].offset) if found.get(p) else offset for p, offset in at.items()}

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

    done: the offsets known to be judged.
    """

    def __init__(self, connection: Connection, positions: Positions, done: Judged, target: Mapping[int, int]) -> None:
        self._positions = positions
        self.frontier = Frontier(done, target)
        self._outputs = positions.at_time(done.since_ms)
        self._consumer = consumer_at(connection, self._outputs)
        self._heard = time.monotonic()

    def look(self, timeout_ms: int = 100) -> int:
        """Take in what has come within a tenth of a second; how many offsets are left."""
        for records in self._consumer.poll(timeout_ms=timeout_ms, max_records=5000).values():
            self._heard = time.monotonic()
            for record in records:
                if source := source_of(record.headers):
                    self.frontier.add(*source)
        if time.monotonic() - self._heard > _QUIET_S:
            self._heard = time.monotonic()
            self.skip_what_is_no_click()
        return self.frontier.left

    def look_to_the_end(self) -> None:
        """Take in every outcome that is there at the call. Raises BrokerError when the broker falls silent."""
        ends = self._consumer.end_offsets(list(self._outputs))
        deadline = time.monotonic() + _SILENCE_S
        while any(self._consumer.position(place) < end for place, end in ends.items()):
            before = self._heard
            self.look(timeout_ms=20)
            if self._heard != before:
                deadline = time.monotonic() + _SILENCE_S
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"the verdicts gave nothing for {_SILENCE_S:.0f} s before their end. Fix: is the broker up?"
                )
        while self.skip_what_is_no_click():
            pass

    def skip_what_is_no_click(self) -> bool:
        """Pass ticks and what else has an offset but no outcome; whether there was any."""
        skipped = False
        ends = self._positions.ends_of_clicks()
        for partition, offset in self.frontier.first_left().items():
            if offset < ends[partition] and not self._positions.holds_click(partition, offset):
                self.frontier.add(partition, offset)
                self._heard = 0.0  # there may be more of them: look on at once
                skipped = True
        return skipped

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()
