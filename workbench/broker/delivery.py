"""Delivering the rows of a click frame to a topic, each at its time, every acknowledgement accounted for.

What is sent, and when, is decided in `sender`. One kafka-python producer sends every record keyed by its
session, waits for all in-sync replicas and is idempotent. Records go in the order of the frame's rows. A
record the broker did not take is an error that names the click; nothing is given up in silence.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from itertools import repeat
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm.auto import tqdm

from workbench.broker.clients import CONNECT_MS, ClientError, Producer, error_text, producer_for
from workbench.broker.topics import Connection, partitions_of
from workbench.clicks.record import records
from workbench.errors import BrokerError

__all__ = ["Delivery", "Sent", "open_delivery"]

Floats = npt.NDArray[np.float64]

_DELIVERY_MS = 30_000
# Records sent and not yet acknowledged: bounds the memory when the broker is the slower one.
_IN_FLIGHT_AT_MOST = 20_000
# Records due within so long leave together: a request costs kafka-python 0.5 ms of processor time.
_TICK_S = 0.002
# How long a pause may be before acknowledgements are looked at again.
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class Sent:
    """What was sent.

    Attributes
    ----------
    clicks : int
        Clicks that were acknowledged.
    seconds : float
        From the first record to the last acknowledgement.
    behind_ms : float
        How late the latest record left, by its own pace (0 at speed "max").
    shift : timedelta
        What a replay added to the event times.
    """

    clicks: int
    seconds: float
    behind_ms: float = 0.0
    shift: timedelta = timedelta(0)

    @property
    def rate(self) -> float:
        """Clicks per second."""
        return self.clicks / self.seconds if self.seconds > 0 else 0.0


class Delivery:
    """One producer on one topic, and the records on their way. As a context manager it closes the producer."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self.topic = topic
        self.acknowledged = 0
        self._producer = producer
        self._pending: deque[Any] = deque()  # kafka-python's futures, oldest first
        self._clicks = pd.DataFrame()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close(_DELIVERY_MS / 1000)
        else:
            with contextlib.suppress(ClientError):  # of records that were given up: what went wrong is on its way
                self.close(0)

    def close(self, timeout: float) -> None:
        """End the producer; what is still under way gets `timeout` seconds."""
        self._producer.close(timeout=timeout)

    def run(
        self,
        clicks: pd.DataFrame,
        due_s: Floats | None = None,
        *,
        begin: float | None = None,
        event_time_as_timestamp: bool = False,
        progress: bool = False,
        stop: threading.Event | None = None,
    ) -> Sent:
        """Send each row; at once, or where `due_s` is given, so many seconds after `begin`.

        begin: a time of `time.perf_counter`; None is when the first record is ready.
        """
        stop = stop or threading.Event()
        behind_s = 0.0
        self._clicks = clicks
        with tqdm(
            total=len(clicks),
            unit=" clicks",
            unit_scale=True,
            desc="sending",
            mininterval=0.25,
            disable=not progress,
        ) as bar:
            rows = records(clicks)
            begin = time.perf_counter() if begin is None else begin
            due = (begin + due_s).tolist() if due_s is not None else repeat(None)
            for number, ((key, value, ts_ms), at) in enumerate(zip(rows, due, strict=False)):
                if at is not None:
                    behind_s = max(behind_s, self._wait_until(at, stop))
                if stop.is_set():
                    break
                timestamp_ms = ts_ms if event_time_as_timestamp else None
                try:
                    sending = self._producer.send(self.topic, value, key, timestamp_ms=timestamp_ms)
                except ClientError as error:
                    raise self._refused(number, error) from error
                self._pending.append(sending)
                self._look()
                bar.update()
            self._finish()
        return Sent(self.acknowledged, max(0.0, time.perf_counter() - begin), behind_s * 1000)

    def _wait_until(self, due: float, stop: threading.Event) -> float:
        """Wait until `due` or `stop`; return how late it is by then, in seconds."""
        while (left := due - time.perf_counter()) > 0 and not stop.wait(min(max(left, _TICK_S), _LOOK_EVERY_S)):
            self._look()
        return max(0.0, time.perf_counter() - due) if not stop.is_set() else 0.0

    def _look(self) -> None:
        """Count what is acknowledged, in order, and raise for the first record that was refused."""
        pending = self._pending
        while pending and (pending[0].is_done or len(pending) > _IN_FLIGHT_AT_MOST):
            self._wait_for_oldest(time.monotonic() + _DELIVERY_MS / 1000)

    def _wait_for_oldest(self, deadline: float) -> None:
        try:
            self._pending[0].get(timeout=max(0.0, deadline - time.monotonic()))
        except ClientError as error:
            raise self._refused(self.acknowledged, error) from error
        self._pending.popleft()
        self.acknowledged += 1

    def _finish(self) -> None:
        """Wait for what is left. Not with `flush`, which fails when kafka-python has split a batch it waits for."""
        deadline = time.monotonic() + _DELIVERY_MS / 1000
        while self._pending:
            self._wait_for_oldest(deadline)

    def _refused(self, number: int, error: BaseException) -> BrokerError:
        click_id = self._clicks["click_id"].iloc[number]
        return BrokerError(
            f"click {click_id!r} (row {number}) was not taken by topic {self.topic!r}: {error_text(error)}; "
            f"{self.acknowledged:,} before it were. Fix: see `workbench broker status`, send the rest again"
        )


def open_delivery(connection: Connection, topic: str, *, live: bool) -> Delivery:
    """A delivery to a topic that is there.

    live: records leave at once, one by one; otherwise they are gathered for a moment, which carries more.
    Raises TopicError (no such topic) and BrokerError (no broker).
    """
    partitions_of(connection, topic)  # raises where the broker or the topic is not there
    # At full speed large batches carry more; at its own pace a record leaves at once.
    tuning = {"linger_ms": 0} if live else {"linger_ms": 20, "batch_size": 256 * 1024}
    options: dict[str, Any] = {
        "enable_idempotence": True,
        # A batch that is too large is split and numbered anew: none sent after it may be on its way by then.
        "max_in_flight_requests_per_connection": 1,
        "max_block_ms": CONNECT_MS,
        "bootstrap_timeout_ms": CONNECT_MS,
        "request_timeout_ms": CONNECT_MS,
        "delivery_timeout_ms": _DELIVERY_MS,
        **tuning,
    }
    return Delivery(producer_for(connection, topic, options), topic)
