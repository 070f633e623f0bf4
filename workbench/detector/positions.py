"""How far the detector has come, read from the topics: each verdict names the click that caused it. Nothing of Spark.

Spark reports progress only at a checkpoint. Between two, the `source` header of verdicts and dead letters tells.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workbench.broker.clients import ClientError, Partition, consumer_at
from workbench.broker.topic_watch import TopicWatch
from workbench.broker.topics import Connection, Topics, TopicState
from workbench.clicks.record import TICK_KEY, TICK_VALUE
from workbench.detector.hand_over import Judged
from workbench.errors import BrokerError, DetectorError, TopicError
from workbench.verdicts.feed import dead_letter
from workbench.verdicts.headers import source_of

__all__ = ["Positions", "refuse_shorter"]

_BEGIN_ANEW = 'Fix: begin anew with fresh=True and starting="earliest" (--fresh --from earliest)'
_PEEK = 256  # records at the end of a partition that are looked at
_PEEK_BYTES = 256 * 1024
_PEEK_S = 2.0
_ASK_MS = 10_000  # a topic that was deleted a moment ago is asked for in vain until then
_FURTHER_BACK = 64  # times as many, where those at the end are none for a reader
_TIMES_BACK = 4


class Positions:
    """Reads ends and records of the three topics with one consumer, opened when it is first needed.

    Any thread may call. No clicks are ticks, tombstones, what an aborted transaction left, and empty offsets.

    Parameters
    ----------
    connection, topics
        Where to read.
    held
        What the topics were when the detector began: outcomes before that are none of its own.

    Raises
    ------
    BrokerError
        By each call, when the broker does not answer.
    TopicError
        By `look` and `ends_of_clicks`, when the clicks topic is not the one any more that it was.
    DetectorError
        By each call after `close()`.
    """

    def __init__(self, connection: Connection, topics: Topics, held: Mapping[str, TopicState]) -> None:
        self._connection, self._topics = connection, topics
        self._partitions = {topic: [Partition(topic, n) for n in sorted(held[topic].end)] for topic in topics}
        self._topic_id = held[topics.clicks].topic_id
        self._since = {Partition(topic, n): at for topic in topics for n, at in held[topic].end.items()}
        self._lock = threading.RLock()
        self._closed = False
        self._opened: Any = None
        self._watch = TopicWatch(connection, topics)

    def look(self) -> int:
        """Look at the topics, and read all their partitions from now on; how many that of the clicks has."""
        with self._reading():
            found = self._watch.look()
        clicks = self._topics.clicks
        if clicks not in found:
            raise TopicError(f"topic {clicks!r} was deleted while its clicks were judged. {_BEGIN_ANEW}")
        count = len(found[clicks].partitions)
        ids = {self._topic_id, found[clicks].topic_id} - {None}
        if len(ids) > 1 or count < len(self._partitions[clicks]):
            raise TopicError(
                f"topic {clicks!r} was deleted and made anew while its clicks were judged: other clicks have the same "
                f"offsets now. {_BEGIN_ANEW}"
            )
        now = {topic: [Partition(topic, number) for number in layout.partitions] for topic, layout in found.items()}
        with self._lock:
            if now != self._partitions and self._opened is not None:
                self._opened.close()  # it does not know the new ones; the next one does
                self._opened = None
            self._partitions |= now
        return count

    def ends(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition will get."""
        with self._reading():
            ends = self._ends(self._partitions[topic])
        return {place.partition: offset for place, offset in ends.items()}

    def begins(self, topic: str) -> dict[int, int]:
        """The offset of the first record that each partition still has."""
        with self._reading():
            begins = self._consumer.beginning_offsets(self._partitions[topic])
        return {place.partition: offset for place, offset in begins.items()}

    def begins_of_clicks(self) -> dict[int, int]:
        """The offset of the first record that each partition of the clicks topic still has."""
        return self.begins(self._topics.clicks)

    def ends_of_clicks(self) -> dict[int, int]:
        """The end offset of each partition that the clicks topic has by now."""
        self.look()
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
            ends = self._ends(outputs)
        return {place: found[place].offset if found.get(place) else ends[place] for place in outputs}

    def last_received(self, partitions: Iterable[int]) -> dict[int, int]:
        """The Kafka timestamp (ms) of the last record in each of these partitions of the clicks topic that has one."""
        wanted = [Partition(self._topics.clicks, number) for number in partitions]
        return {place.partition: records[-1].timestamp for place, records in self._tail(wanted, 1).items()}

    def first_to_judge(self, judged: Judged) -> int:
        """The Kafka timestamp (ms) of the oldest of the first clicks not judged, or where all are, of the last one."""
        at = {Partition(self._topics.clicks, number): offset for number, offset in judged.upto.items()}
        with self._reading():
            waiting = [click.timestamp for click in self._first_clicks(at)[0].values()]
            if waiting:
                return int(min(waiting))
            return int(max((records[-1].timestamp for records in self._tail(list(at), 1).values()), default=0))

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
        for records in self._tail(outputs, _PEEK, self._since).values():
            for record in records:
                if source := source_of(record.headers):
                    partition, offset = source
                    latest[partition] = max(latest.get(partition, 0), offset + 1)
        return latest

    def reasons(self) -> Counter[str]:
        """Why the latest dead letters are some, of those since the detector began."""
        letters = self._tail(self._partitions[self._topics.dead_letters], _PEEK, self._since)
        return Counter(str(dead_letter(each.value).get("reason")) for some in letters.values() for each in some)

    def past_gaps(self, at: Mapping[int, int]) -> dict[int, int]:
        """The offset of the first click at or after each of these, or to where there is none.

        One whose record the topic has deleted stays as it is: nobody knows what was there.
        """
        places = {Partition(self._topics.clicks, number): offset for number, offset in at.items()}
        if not places:
            return {}
        with self._reading():
            begins = self._consumer.beginning_offsets(list(places))
            found, upto = self._first_clicks({place: at for place, at in places.items() if begins[place] <= at})
        passed = upto | {place: click.offset for place, click in found.items()}
        return {place.partition: passed.get(place, offset) for place, offset in places.items()}

    def close(self) -> None:
        """Close the connection. May be called again."""
        with self._lock:
            self._closed = True
            if self._opened is not None:
                self._opened.close()
            self._watch.close()

    @property
    def _consumer(self) -> Any:
        """With the lock held."""
        if self._opened is None:
            self._opened = consumer_at(self._connection, {}, _PEEK_BYTES)
        return self._opened

    def _ends(self, places: list[Partition]) -> dict[Partition, int]:
        try:
            found: dict[Partition, int] = self._consumer.end_offsets(places, timeout_ms=_ASK_MS)
        except ClientError:
            # After a broker was away, a client waits longer and longer between two tries; a new one does not.
            if self._opened is not None:
                self._opened.close()
                self._opened = None
            found = self._consumer.end_offsets(places, timeout_ms=_ASK_MS)
        return found

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

    def _tail(
        self, places: list[Partition], count: int, since: Mapping[Partition, int] | None = None
    ) -> dict[Partition, list[Any]]:
        """The last records, `count` at most, of each partition that has any since the offset that is given for it."""
        found: dict[Partition, list[Any]] = {}
        with self._reading():
            ends, begins = self._ends(places), self._consumer.beginning_offsets(places)
            first = {place: max(begins[place], (since or {}).get(place, 0)) for place in places}
            left, back = [place for place in places if ends[place] > first[place]], count
            for _ in range(_TIMES_BACK):
                at = {place: max(first[place], ends[place] - back) for place in left}
                found |= self._read(at, ends, count)
                left = [place for place in left if place not in found and at[place] > first[place]]
                back *= _FURTHER_BACK
        return found

    def _read(
        self, at: Mapping[Partition, int], ends: Mapping[Partition, int], count: int
    ) -> dict[Partition, list[Any]]:
        """The last `count` records of each partition between these offsets; fewer where time runs out."""
        found: dict[Partition, deque[Any]] = {}
        self._go_to(at)
        deadline = time.monotonic() + _PEEK_S
        while any(self._consumer.position(place) < ends[place] for place in at) and time.monotonic() < deadline:
            for place, records in self._consumer.poll(timeout_ms=100, max_records=count * len(at)).items():
                found.setdefault(place, deque(maxlen=count)).extend(records)
        return {place: list(records) for place, records in found.items()}

    def _first_clicks(self, at: Mapping[Partition, int]) -> tuple[dict[Partition, Any], dict[Partition, int]]:
        """The first click of each partition from its offset on that has one; and to where each was looked at."""
        found: dict[Partition, Any] = {}
        ends = self._ends(list(at))
        left = {place: offset for place, offset in at.items() if offset < ends[place]}
        upto = {place: offset for place, offset in at.items() if place not in left}
        self._go_to(left)
        deadline = time.monotonic() + _PEEK_S
        while left and time.monotonic() < deadline:
            for place, records in self._consumer.poll(timeout_ms=100, max_records=_PEEK).items():
                if (click := next(filter(_is_click, records), None)) is not None:
                    found.setdefault(place, click)
            upto |= {place: self._consumer.position(place) for place in left}
            left = {place: at for place, at in left.items() if place not in found and upto[place] < ends[place]}
        return found, upto

    def _go_to(self, positions: Mapping[Partition, int]) -> None:
        self._consumer.assign(list(positions))
        for place, offset in positions.items():
            self._consumer.seek(place, offset)


def _is_click(record: Any) -> bool:
    """Whether the detector gives a verdict or a dead letter of it."""
    return record.value is not None and not (record.key == TICK_KEY and record.value == TICK_VALUE)


def refuse_shorter(topic: str, judged: Mapping[int, int], ends: Mapping[int, int]) -> None:
    """Raise TopicError where a topic ends before what was judged: a broker may have no id to tell topics apart.

    Parameters
    ----------
    judged
        About how far each partition was judged, before the ends were looked at.
    ends
        The offset that the next record of each partition will get.

    Examples
    --------
    >>> refuse_shorter("clicks", {0: 40, 1: 3}, {0: 40, 1: 7})
    >>> refuse_shorter("clicks", {0: 40, 1: 3}, {0: 6, 1: 7})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    workbench.errors.TopicError: topic 'clicks' ends at offset 6 of partition 0, and was judged to 40: ...
    """
    for number, at in sorted(judged.items()):
        if ends.get(number, at) < at:
            raise TopicError(
                f"topic {topic!r} ends at offset {ends[number]} of partition {number}, and was judged to {at}: it was "
                f"made anew, or lost records. {_BEGIN_ANEW}"
            )
