"""Sending clicks to a topic: at their own pace, faster, live in the background, or as a replay.

What the clicks are is decided in `traffic` and `readers`; how a record is delivered and accounted for, in
`delivery`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from workbench.broker.delivery import CONNECT_MS, Delivery, Floats, Sent, describe
from workbench.broker.topics import Connection, Topics, partitions_of
from workbench.clicks.record import check
from workbench.clicks.traffic import Traffic
from workbench.errors import BrokerError, TopicError, TrafficError

if TYPE_CHECKING:
    from workbench.clicks.files import Recording

__all__ = ["Sent", "Speed", "TrafficHandle", "replay", "send", "start"]

Speed = float | Literal["max"]


def send(
    clicks: pd.DataFrame,
    connection: Connection,
    *,
    topic: str = Topics().clicks,
    speed: Speed = 1.0,
    event_time_as_timestamp: bool = False,
    progress: bool = True,
    stop: threading.Event | None = None,
) -> Sent:
    """Send a frame of clicks and wait until every one is acknowledged.

    speed: 1.0 keeps the pauses between event times, 60 makes a second of a minute, "max" leaves none.
    event_time_as_timestamp: date the Kafka records with the event time instead of the time of sending.
    stop: when set, no more records leave; those that left are still waited for.

    Raises ClickError (the frame), TrafficError (the speed), TopicError (no such topic), BrokerError (a click
    was not taken; the message names it).
    """
    pace = _pace(speed)
    check(clicks)
    with Delivery(connection, topic, live=pace is not None) as delivery:
        return delivery.run(
            clicks,
            None if pace is None or clicks.empty else _seconds_from(clicks, clicks["ts"].min()) / pace,
            event_time_as_timestamp=event_time_as_timestamp,
            progress=progress,
            stop=stop,
        )


def replay(
    recording: Recording | pd.DataFrame,
    connection: Connection,
    *,
    speed: Speed,
    topic: str = Topics().clicks,
    progress: bool = True,
    stop: threading.Event | None = None,
) -> Sent:
    """Send recorded clicks as if the recording had ended just now.

    Event times are shifted by one amount (`Sent.shift`), the clicks sorted by them, and each record is dated
    with its event time: so none is too late, and none is so old that the broker deletes it. Speeds and errors
    are those of `send`. Raises TopicError when the topic already holds records at or after the first event:
    behind those, the replay would be late.
    """
    _pace(speed)
    clicks = check(recording if isinstance(recording, pd.DataFrame) else recording.clicks)
    if clicks.empty:
        return Sent(0, 0.0)
    now = pd.Timestamp.now("UTC").floor("us")
    shift = now - clicks["ts"].max()
    shifted = clicks.assign(ts=clicks["ts"] + shift).sort_values("ts", kind="stable", ignore_index=True)
    shifted["ts"] = shifted["ts"].dt.as_unit("us")
    _refuse_newer(connection, topic, shifted["ts"].iloc[0].to_pydatetime())
    sent = send(
        shifted,
        connection,
        topic=topic,
        speed=speed,
        event_time_as_timestamp=True,
        progress=progress,
        stop=stop,
    )
    return replace(sent, shift=shift.to_pytimedelta())


def start(
    traffic: Traffic,
    connection: Connection,
    *,
    topic: str = Topics().clicks,
    event_time_as_timestamp: bool = False,
    progress: bool = False,
) -> TrafficHandle:
    """Send traffic live from a background thread: every click leaves at its event time, which is now.

    Returns a handle once the broker is reached and the clicks are drawn; errors up to there are raised here.
    """
    delivery = Delivery(connection, topic, live=True)
    try:
        # Drawing takes time; the first click must not be late for it.
        clicks = traffic.clicks(datetime.now(UTC) + timedelta(seconds=0.3 + traffic.size * 5e-6))
        return TrafficHandle(delivery, clicks, event_time_as_timestamp, progress)
    except BaseException:
        delivery.close(0)
        raise


class TrafficHandle:
    """Traffic that is being sent. As a context manager it stops the traffic on leaving.

    `error` is None, or what went wrong; `wait` and `stop` raise it.
    """

    def __init__(self, delivery: Delivery, clicks: pd.DataFrame, event_time_as_timestamp: bool, progress: bool) -> None:
        self.error: BaseException | None = None
        self._delivery = delivery
        self._clicks = clicks
        self._result: Sent | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(event_time_as_timestamp, progress), name="workbench-traffic", daemon=True
        )
        self._thread.start()

    @property
    def sent(self) -> int:
        """Clicks acknowledged so far."""
        return self._delivery.acknowledged

    @property
    def clicks(self) -> pd.DataFrame:
        """The labelled clicks acknowledged so far, in the order they were sent."""
        return self._clicks.iloc[: self.sent]

    @property
    def done(self) -> bool:
        """Whether nothing more will be sent: all is, or it was stopped, or it failed."""
        return not self._thread.is_alive()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for the end, and say whether it came. Raises what went wrong."""
        self._thread.join(timeout)
        if self.done and self.error is not None:
            raise self.error
        return self.done

    def stop(self) -> Sent:
        """Send no more, wait for what has left, and say what was sent. Raises what went wrong."""
        self._stop.set()
        self.wait()
        assert self._result is not None  # wait() has raised otherwise
        return self._result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.stop()
        else:  # the error on its way out is the one to see
            self._stop.set()
            self._thread.join()

    def __repr__(self) -> str:
        state = "failed" if self.error else "done" if self.done else "running"
        return f"<TrafficHandle {state}: {self.sent:,} of {len(self._clicks):,} clicks sent>"

    def _run(self, event_time_as_timestamp: bool, progress: bool) -> None:
        try:
            with self._delivery as delivery:
                begin, now = time.perf_counter(), pd.Timestamp.now("UTC")
                self._result = delivery.run(
                    self._clicks,
                    _seconds_from(self._clicks, now),
                    begin=begin,
                    event_time_as_timestamp=event_time_as_timestamp,
                    progress=progress,
                    stop=self._stop,
                )
        except BaseException as error:  # noqa: BLE001 - kept for wait() and stop(), which raise it
            self.error = error


def _pace(speed: Speed) -> float | None:
    """The factor of a speed; None for "max"."""
    if speed == "max":
        return None
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed < float("inf"):
        raise TrafficError(
            f'speed is {speed!r}: give a number above 0 (1 is real time, 60 is 60 times as fast), or "max"'
        )
    return float(speed)


def _seconds_from(clicks: pd.DataFrame, origin: pd.Timestamp) -> Floats:
    """Event times in seconds from `origin`."""
    return np.asarray((clicks["ts"] - origin) / pd.Timedelta(seconds=1), dtype=np.float64)


def _refuse_newer(connection: Connection, topic: str, first: datetime) -> None:
    """Raise TopicError when `topic` holds a record dated `first` or later."""
    parts = [TopicPartition(topic, number) for number in range(partitions_of(connection, topic))]
    first_ms = int(first.timestamp() * 1000)
    try:
        consumer = KafkaConsumer(**connection.kafka_python(), allow_auto_create_topics=False)
        try:
            found = consumer.offsets_for_times(dict.fromkeys(parts, first_ms), timeout_ms=CONNECT_MS)
        finally:
            consumer.close()
    except KafkaError as error:
        what = f"cannot look into topic {topic!r} at {connection.bootstrap}: {describe(error)}"
        raise BrokerError(f"{what}. Fix: look at `workbench broker status`") from error
    newer = [at.timestamp for at in found.values() if at is not None]
    if newer:
        there, begins = (
            datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds") for ms in (min(newer), first_ms)
        )
        raise TopicError(
            f"topic {topic!r} already holds records from {there}, and the replay begins at {begins}: behind "
            "them its clicks are too late. Fix: empty it (`workbench topics --recreate`) or name an empty one"
        )
