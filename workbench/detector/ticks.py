"""Ticks: records that keep the watermark of an idle partition moving. When to send one, and sending it.

The query goes by its slowest watermark, so a partition without traffic would hold the state of all the others for ever.
A tick says of such a partition that it is as far in event time as the slowest busy one: never further, so that a replay
or a backlog, whose event times lie in the past, is not overtaken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from workbench.broker.clients import CONNECT_MS, ClientError, producer_for
from workbench.broker.topics import Connection
from workbench.clicks.record import TICK_KEY, TICK_VALUE
from workbench.errors import BrokerError

__all__ = ["IDLE_AFTER_S", "IdleWatch", "send_ticks"]

IDLE_AFTER_S = 30.0
_UNSEEN_S = 30.0  # longer than a look every few seconds takes, however busy the machine is


class IdleWatch:
    """Tells which partitions are idle while others are busy.

    >>> now = 0.0
    >>> watch = IdleWatch({0: 7, 1: 7}, idle_after_s=30, clock=lambda: now)
    >>> now = 16.0
    >>> watch.idle_and_busy({0: 8, 1: 7})  # idle ones and busy ones
    ([], [0])
    >>> now = 31.0
    >>> watch.idle_and_busy({0: 9, 1: 7})
    ([1], [0])
    >>> watch.idle_and_busy({0: 9, 1: 7})  # partition 0 was busy within the last 30 s; 1 waits for its next turn
    ([], [0])
    >>> now = 300.0  # after a broker was away, the backlog of one partition may come before that of another
    >>> watch.idle_and_busy({0: 99, 1: 7})
    ([], [0])
    """

    def __init__(
        self,
        ends: Mapping[int, int],
        idle_after_s: float = IDLE_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._idle_after_s = idle_after_s
        self._ends = dict(ends)
        self._moved: dict[int, float] = dict.fromkeys(ends, float("-inf"))
        self._looked = clock()
        self._asked = dict.fromkeys(ends, self._looked)

    def idle_and_busy(self, ends: Mapping[int, int]) -> tuple[list[int], list[int]]:
        """Give the partitions that want a tick now and those that are busy, by the end offsets just read."""
        now = self._clock()
        if now - self._looked >= _UNSEEN_S:  # nobody was looking: none can be said to have been idle
            self._asked = dict.fromkeys(self._asked, now)
        self._looked = now
        for number, end in ends.items():
            if end != self._ends.get(number):
                self._ends[number] = end
                self._moved[number] = self._asked[number] = now
        busy = [number for number in ends if now - self._moved[number] < self._idle_after_s]
        if not busy:
            return [], []
        idle = [number for number in ends if number not in busy and now - self._asked[number] >= self._idle_after_s]
        self._asked.update(dict.fromkeys(idle, now))
        return idle, busy

    def ticked(self, ends: Mapping[int, int]) -> None:
        """Take note of the ends after ticks were sent, so that a tick does not count as traffic."""
        self._ends.update(ends)


def send_ticks(connection: Connection, topic: str, at_ms: Mapping[int, int]) -> dict[int, int]:
    """Send a tick to each partition, dated as given (ms); the end offset of each afterwards. Raises BrokerError."""
    try:
        producer = producer_for(connection, topic, {"bootstrap_timeout_ms": CONNECT_MS})
        try:
            sent = {
                number: producer.send(topic, TICK_VALUE, TICK_KEY, partition=number, timestamp_ms=ms)
                for number, ms in at_ms.items()
            }
            return {number: int(future.get(timeout=15).offset) + 1 for number, future in sent.items()}
        finally:
            producer.close(timeout=5)
    except ClientError as error:
        raise BrokerError(f"ticks for idle partitions of {topic!r} could not be sent: {error!r}") from error
