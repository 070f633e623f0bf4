"""How far the detector has come, read from the topics: each verdict names the click that caused it. Nothing of Spark.

Spark reports progress only at a checkpoint. Between two, the `source` header of verdicts and dead letters tells.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workbench.broker.clients import ClientError, Partition, consumer_at
from workbench.broker.topics import Connection, Topics
from workbench.clicks.record import TICK_KEY, TICK_VALUE
from workbench.detector.hand_over import Judged
from workbench.errors import BrokerError, DetectorError
from workbench.verdicts.headers import source_of

__all__ = ["Positions"]

_PEEK = 256  # records at the end of a partition that are looked at
_PEEK_S = 2.0


class Positions:
    """Reads ends and last records of the three topics with one consumer, opened when it is first needed.

    Any thread may call.

    Parameters
    ----------
    connection, topics
        Where to read.
    partitions
        How many each of the topics has.

    Raises
    ------
    BrokerError
        By each call, when the broker does not answer.
    DetectorError
        By each call after `close()`.
    """

    def __init__(self, connection: Connection, topics: Topics, partitions: Mapping[str, int]) -> None:
        self._connection, self._topics = connection, topics
        self._partitions = {topic: [Partition(topic, n) for n in range(partitions[topic])] for topic in topics}
        self._lock = threading.Lock()
        self._closed = False
        self._opened: Any = None

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
        """The end offset of each partition of the clicks topic."""
        return self.ends(self._topics.clicks)

    def outcomes(self) -> dict[str, int]:
        """How many records the verdicts topic and that of dead letters were ever given, in this order."""
        outputs = (self._topics.verdicts, self._topics.dead_letters)
        return {topic: sum(self.ends(topic).values()) for topic in outputs}

    def at_time(self, ts_ms: int) -> dict[Partition, int]:
        """Where the verdicts and dead letters written since `ts_ms` begin."""
        outputs = [*self._partitions[self._topics.verdicts], *self._partitions[self._topics.dead_letters]]
        with self._reading():
            found = self._consumer.offsets_for_times(dict.fromkeys(outputs, ts_ms))
            ends = self._consumer.end_offsets(outputs)
        return {place: found[place].offset if found.get(place) else ends[place] for place in outputs}

    def last_received(self, partitions: Iterable[int]) -> dict[int, int]:
        """The Kafka timestamp (ms) of the last record in each of these partitions of the clicks topic that has one."""
        wanted = [Partition(self._topics.clicks, number) for number in partitions]
        return {place.partition: records[-1].timestamp for place, records in self._tail(wanted, 1).items()}

    def first_to_judge(self, judged: Judged) -> int:
        """The Kafka timestamp (ms) of the oldest of the first clicks not judged, or where all are, of the last one."""
        at = {Partition(self._topics.clicks, number): offset for number, offset in judged.upto.items()}
        with self._reading():
            ends, begins = self._consumer.end_offsets(list(at)), self._consumer.beginning_offsets(list(at))
            waiting = {place: offset for place, offset in at.items() if begins[place] <= offset < ends[place]}
            last = {place: ends[place] - 1 for place in at if not waiting and ends[place] > begins[place]}
            times = [records[0].timestamp for records in self._read(waiting or last, 1).values()]
        return int((min if waiting else max)(times, default=0))

    def begin_at(self, judged: Judged, since_ms: int) -> dict[int, int]:
        """Where the records dated `since_ms` or later begin in each partition; no further on than what is judged."""
        at = {Partition(self._topics.clicks, number): offset for number, offset in judged.upto.items()}
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
        place = Partition(self._topics.clicks, partition)
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
        """Close the connection. May be called again."""
        with self._lock:
            self._closed = True
            if self._opened is not None:
                self._opened.close()

    @property
    def _consumer(self) -> Any:
        """With the lock held."""
        if self._opened is None:
            self._opened = consumer_at(self._connection, {})
        return self._opened

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """One thread at a time, while the connection is there; what Kafka refuses becomes a BrokerError."""
        with self._lock:
            if self._closed:
                raise DetectorError("the detector has ended; its topics are not watched any more")
            try:
                yield
            except ClientError as error:
                raise BrokerError(f"the topics cannot be read: {error!r}. Fix: is the broker up?") from error

    def _tail(self, places: list[Partition], count: int) -> dict[Partition, list[Any]]:
        with self._reading():
            ends, begins = self._consumer.end_offsets(places), self._consumer.beginning_offsets(places)
            filled = {place: max(begins[place], ends[place] - count) for place in places if ends[place] > begins[place]}
            return self._read(filled, count)

    def _read(self, positions: Mapping[Partition, int], count: int) -> dict[Partition, list[Any]]:
        """Some records of each partition from its position on: `count`, or fewer where it ends or time runs out."""
        found: dict[Partition, list[Any]] = {}
        if not positions:
            return found
        self._go_to(positions)
        deadline = time.monotonic() + _PEEK_S
        while len(found) < len(positions) and time.monotonic() < deadline:
            for place, records in self._consumer.poll(timeout_ms=100, max_records=count * len(positions)).items():
                found.setdefault(place, []).extend(records)
        return found

    def _go_to(self, positions: Mapping[Partition, int]) -> None:
        self._consumer.assign(list(positions))
        for place, offset in positions.items():
            self._consumer.seek(place, offset)
