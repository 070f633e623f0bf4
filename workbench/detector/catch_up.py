"""Which clicks have an outcome by now, one by one, as the outcomes come. About how far that is: `positions`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from workbench.broker.clients import consumer_at
from workbench.broker.records import batches_to
from workbench.broker.topics import Connection
from workbench.detector.hand_over import Judged
from workbench.detector.positions import Positions
from workbench.verdicts.headers import source_of

__all__ = ["OPEN", "CatchUp", "Frontier"]

OPEN = 1 << 62
"""The target of a frontier that is to go on for as long as records come."""

_QUIET_S = 0.25


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


class CatchUp:
    """Watches the outcomes come until each offset below a target has one. It connects when it is first asked.

    Parameters
    ----------
    connection
        Where to read.
    positions
        Of the detector's topics.
    done
        The offsets known to be judged.
    target
        The offset of each partition below which all are to be.

    Attributes
    ----------
    frontier
        What is done of that.
    """

    def __init__(self, connection: Connection, positions: Positions, done: Judged, target: Mapping[int, int]) -> None:
        self._connection, self._positions, self._since_ms = connection, positions, done.since_ms
        self.frontier = Frontier(done, target)
        self._opened: Any = None
        self._heard = time.monotonic()

    def read(self, timeout_ms: int = 100) -> int:
        """Take in what comes within `timeout_ms`; how many offsets are left."""
        for records in self._consumer.poll(timeout_ms=timeout_ms, max_records=5000).values():
            self._take(records)
        if time.monotonic() - self._heard > _QUIET_S:
            self._heard = time.monotonic()
            self._skip_what_is_no_click()
        return self.frontier.left

    def read_to_the_end(self) -> None:
        """Take in every outcome that is there at the call. Raises BrokerError when the broker falls silent."""
        ends = self._consumer.end_offsets(list(self._consumer.assignment()))
        for records in batches_to(self._consumer, ends, "the verdicts"):
            self._take(records)
        while self._skip_what_is_no_click():
            pass

    def _take(self, records: Iterable[Any]) -> None:
        self._heard = time.monotonic()
        for record in records:
            if source := source_of(record.headers):
                self.frontier.add(*source)

    def close(self) -> None:
        """Close the connection."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _consumer(self) -> Any:
        if self._opened is None:
            self._opened = consumer_at(self._connection, self._positions.at_time(self._since_ms))
            self._heard = time.monotonic()
        return self._opened

    def _skip_what_is_no_click(self) -> bool:
        """Pass what has an offset but no outcome: see `Positions`. Whether there was any."""
        ends, left = self._positions.ends_of_clicks(), self.frontier.first_left()
        waiting = {number: at for number, at in left.items() if at < ends[number]}
        if not waiting:
            return False
        for number, begin in self._positions.begins_of_clicks().items():
            self.frontier.advance(number, begin)  # what is deleted gets no outcome any more
        for number, at in self._positions.past_gaps(waiting).items():
            self.frontier.advance(number, at)
        if skipped := self.frontier.first_left() != left:
            self._heard = 0.0  # there may be more of them: look on at once
        return skipped
