"""Sending clicks to a topic from the background: live, at their own pace, faster, or as a replay.

What the clicks are is decided in `clicks.traffic` and `clicks.files`; how a record is delivered and accounted for, in
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

from workbench.broker.delivery import Delivery, Floats, Sent, open_delivery
from workbench.broker.topic_settings import settings_of
from workbench.broker.topics import Connection, Topics, oldest_since
from workbench.clicks.record import check
from workbench.clicks.traffic import Traffic
from workbench.errors import TopicError, TrafficError

if TYPE_CHECKING:
    from workbench.clicks.recording import Recording

__all__ = ["Sending", "Sent", "Speed", "replay", "send"]

Speed = float | Literal["max"]
"""1.0 keeps the pauses between event times, 60 makes a second of a minute, "max" leaves none."""


def send(
    clicks: Traffic | pd.DataFrame,
    connection: Connection,
    *,
    topic: str = Topics().clicks,
    speed: Speed = 1.0,
    event_time_as_timestamp: bool = False,
    progress: bool = False,
) -> Sending:
    """Send clicks from a background thread; return once the broker is reached and the clicks are drawn.

    Parameters
    ----------
    clicks
        Traffic is sent live: every click leaves at its event time, which is now. A frame keeps its event times, and its
        first click leaves at once.
    connection, topic
        Where to send them.
    speed
        1.0 keeps the pauses between event times, 60 makes a second of a minute, "max" leaves none. Traffic takes 1.0
        only.
    event_time_as_timestamp
        Date the Kafka records with the event time instead of the time of sending.
    progress
        Show a bar on stderr.

    Returns
    -------
    Sending
        It sends on a background thread: `wait()` for its end, or `stop()` it.

    Raises
    ------
    ClickError
        The frame holds no clicks.
    TrafficError
        The speed cannot be.
    TopicError
        There is no such topic.
    BrokerError
        There is no broker. That a click was not taken is raised by `Sending.wait` and `Sending.stop`.
    """
    pace = _pace(speed)
    if not isinstance(clicks, Traffic):
        check(clicks)
    elif speed != 1:
        raise TrafficError(
            f"speed is {speed!r}, but traffic is live: its clicks happen as they are sent. "
            "Fix: leave the speed out, or send the frame that Traffic.clicks gives"
        )
    delivery = open_delivery(connection, topic, live=pace is not None)
    try:
        live, begin = isinstance(clicks, Traffic), None
        if isinstance(clicks, Traffic):
            # Drawing takes time; the first click must not be late for it.
            clicks = clicks.clicks(datetime.now(UTC) + timedelta(seconds=0.3 + clicks.size * 5e-6))
        due_s = None
        if pace is not None and not clicks.empty:
            first = clicks["ts"].min()
            due_s = _seconds_from(clicks, first) / pace
            if live:  # the clock before the counter: what passes between the two makes it later, not earlier
                begin = (first - pd.Timestamp.now("UTC")).total_seconds() + time.perf_counter()
        return Sending(
            delivery, clicks, due_s, begin=begin, event_time_as_timestamp=event_time_as_timestamp, progress=progress
        ).start()
    except BaseException:
        delivery.close(0)
        raise


def replay(
    recording: Recording | pd.DataFrame,
    connection: Connection,
    *,
    speed: Speed,
    topic: str = Topics().clicks,
    progress: bool = False,
) -> Sending:
    """Send recorded clicks as if the recording had ended just now.

    Event times are shifted by one amount (`Sent.shift`), the clicks sorted by them, and each record is dated
    with its event time: so none is too late, and none is so old that the broker deletes it.

    Parameters
    ----------
    recording
        Clicks of a file, or a frame of clicks.
    connection, topic
        Where to send them.
    speed
        As `send` has it.
    progress
        Show a bar on stderr.

    Returns
    -------
    Sending
        As `send` gives it. What was added to the event times is the `shift` of its `stop()`.

    Raises
    ------
    TopicError
        There is no such topic, or it holds records at or after the first event: behind those, the replay would be late.
        Or it dates records itself when they arrive: all of a replay would be late.
    ClickError, TrafficError, BrokerError
        As `send` raises them.
    """
    _pace(speed)
    clicks = check(recording if isinstance(recording, pd.DataFrame) else recording.clicks)
    shift = timedelta(0)
    if not clicks.empty:
        added = pd.Timestamp.now("UTC").floor("us") - clicks["ts"].max()
        clicks = clicks.assign(ts=clicks["ts"] + added).sort_values("ts", kind="stable", ignore_index=True)
        clicks["ts"] = clicks["ts"].dt.as_unit("us")
        _refuse_other_dates(connection, topic)
        _refuse_newer(connection, topic, clicks["ts"].iloc[0].to_pydatetime())
        shift = added.to_pytimedelta()
    sending = send(clicks, connection, topic=topic, speed=speed, event_time_as_timestamp=True, progress=progress)
    sending.shift = shift
    return sending


class Sending:
    """Clicks that are being sent. As a context manager it stops that on leaving.

    `send` and `replay` give one that is started.

    Attributes
    ----------
    error
        None, or what went wrong; `wait` and `stop` raise it.
    shift
        What a replay added to the event times.
    """

    def __init__(
        self,
        delivery: Delivery,
        clicks: pd.DataFrame,
        due_s: Floats | None = None,
        *,
        begin: float | None = None,
        event_time_as_timestamp: bool = False,
        progress: bool = False,
    ) -> None:
        self.error: BaseException | None = None
        self.shift = timedelta(0)
        self._delivery = delivery
        self._clicks = clicks
        self._due_s, self._begin = due_s, begin
        self._event_time_as_timestamp, self._progress = event_time_as_timestamp, progress
        self._result = Sent(0, 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workbench-sending", daemon=True)

    def start(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    @property
    def sent(self) -> int:
        """Clicks acknowledged so far."""
        return self._delivery.acknowledged

    @property
    def clicks(self) -> pd.DataFrame:
        """The clicks acknowledged so far, in the order they were sent; those of traffic are labelled."""
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
        """Send no more, wait for what has left, and say what was sent. Raises what went wrong.

        After `wait` all is sent, and this only says so.
        """
        self._stop.set()
        self.wait()
        return replace(self._result, shift=self.shift)

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
        return f"<Sending {state}: {self.sent:,} of {len(self._clicks):,} clicks sent>"

    def _run(self) -> None:
        try:
            with self._delivery as delivery:
                self._result = delivery.run(
                    self._clicks,
                    self._due_s,
                    begin=self._begin,
                    event_time_as_timestamp=self._event_time_as_timestamp,
                    progress=self._progress,
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


def _refuse_other_dates(connection: Connection, topic: str) -> None:
    """Raise TopicError when the broker dates what comes to `topic`: a replay is dated by its event times."""
    settings = settings_of(connection, topic)
    if settings is not None and settings.dates_on_arrival:
        raise TopicError(
            f"topic {settings.dates_on_arrival}. Fix: replay to another topic, or {settings.date_by_sender}"
        )


def _refuse_newer(connection: Connection, topic: str, first: datetime) -> None:
    """Raise TopicError when `topic` holds a record dated `first` or later."""
    newer = oldest_since(connection, topic, first)
    if newer is not None:
        there, begins = (moment.astimezone(UTC).isoformat(timespec="seconds") for moment in (newer, first))
        raise TopicError(
            f"topic {topic!r} already holds records from {there}, and the replay begins at {begins}: behind "
            "them its clicks are too late. Fix: empty it (`workbench topics --recreate`) or name an empty one"
        )
