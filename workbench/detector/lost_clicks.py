"""Clicks that the topic deleted before they were judged: finding them, saying which, going on without them.

Retention deletes the oldest records of each partition. A detector that stood still for long, or is far behind, may then
have to begin at an offset that is not there any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from workbench.broker.topics import Connection, begin_offsets
from workbench.detector.checkpoint import Checkpoint
from workbench.errors import LostClicks

__all__ = ["Overtaken", "describe", "find", "pass_over", "refuse"]

_log = logging.getLogger("workbench.detector")
_PATIENCE_S = 20.0


def find(connection: Connection, topic: str, begin: Mapping[int, int]) -> dict[int, range]:
    """The offsets, by partition, that one who begins to read there will not find any more.

    Parameters
    ----------
    connection, topic
        Where the clicks are.
    begin
        The offset of each partition.

    Raises
    ------
    BrokerError
        There is no broker.
    """
    return _missing(begin_offsets(connection, topic), begin)


def _missing(first: Mapping[int, int], begin: Mapping[int, int]) -> dict[int, range]:
    return {number: range(at, first[number]) for number, at in sorted(begin.items()) if first.get(number, 0) > at}


def describe(topic: str, lost: Mapping[int, range]) -> str:
    """Which clicks are lost, in words.

    >>> describe("clicks", {0: range(120, 500), 1: range(7, 8)})
    'clicks deleted 381 records before they were judged: partition 0, offsets 120 to 499; partition 1, offset 7'
    """
    count = sum(map(len, lost.values()))
    return f"{topic} deleted {count:,} records before they were judged: " + "; ".join(
        f"partition {number}, offset{'' if len(offsets) == 1 else 's'} {offsets[0]}"
        + ("" if len(offsets) == 1 else f" to {offsets[-1]}")
        for number, offsets in sorted(lost.items())
    )


def refuse(topic: str, lost: Mapping[int, range]) -> None:
    """Raise LostClicks naming topic, partitions and offsets, if there are any."""
    if lost:
        raise LostClicks(
            f"{describe(topic, lost)}. Fix: let the topic keep its records for longer; to judge the others without "
            'them, start with on_lost_clicks="go_on" (--go-on-after-lost-clicks)'
        )


def pass_over(checkpoint: Checkpoint, topic: str, first: Mapping[int, int], on_lost_clicks: str) -> int:
    """Let a query on this checkpoint begin at clicks that are there; how many records it misses by that.

    Parameters
    ----------
    checkpoint
        Where the query would go on. It is changed.
    topic
        The clicks topic.
    first
        The offset of the first record that each partition still has.
    on_lost_clicks
        "fail" or "go_on".

    Raises
    ------
    LostClicks
        There are any, and `on_lost_clicks` is "fail".
    """
    lost = _missing(first, checkpoint.begins_at(topic))
    if on_lost_clicks == "fail":
        refuse(topic, lost)
    if lost:
        _log.warning("%s. The others are judged without them", describe(topic, lost))
        checkpoint.pass_over(topic, lost)
    return sum(map(len, lost.values()))


class Overtaken:
    """Tells when a topic has deleted clicks ahead of a running detector: Spark waits for them without a word.

    >>> now = 0.0
    >>> overtaken = Overtaken(clock=lambda: now)
    >>> overtaken.overdue(begins={0: 9, 1: 0}, judged={0: 5, 1: 7}, ends={0: 12, 1: 7})
    {}
    >>> now = 21.0  # and still none of those that are there has an outcome
    >>> overtaken.overdue(begins={0: 9, 1: 0}, judged={0: 5, 1: 7}, ends={0: 12, 1: 7})
    {0: range(5, 9)}
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[int, int], float] = {}

    def overdue(
        self, begins: Mapping[int, int], judged: Mapping[int, int], ends: Mapping[int, int]
    ) -> dict[int, range]:
        """The offsets, by partition, that stood between the detector and the records that wait, for some time now."""
        now = self._clock()
        between = {n: range(judged.get(n, 0), at) for n, at in begins.items() if judged.get(n, 0) < at < ends[n]}
        self._since = {(n, offsets.start): self._since.get((n, offsets.start), now) for n, offsets in between.items()}
        return {n: offsets for n, offsets in between.items() if now - self._since[n, offsets.start] >= _PATIENCE_S}
