"""The verdict record, and a live feed of verdicts on a background thread. Held against the rule they are in `audit`."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

import pandas as pd

from workbench.broker.clients import ClientError, Consumer, Partition, consumer_at, partitions
from workbench.broker.topics import Connection, Topics, describe
from workbench.durations import duration
from workbench.errors import BrokerError, VerdictError, WorkbenchError
from workbench.verdicts.table import NOT_A_TIME, Counts, VerdictTable, parse_times_us, read_fields, to_frame

__all__ = ["Counts", "Starting", "Verdict", "VerdictFeed", "dead_letter", "follow"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Starting = Literal["latest", "earliest"]
"""Where reading begins: with what is written from now on, or with the first record that is still there."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detector says of one click.

    Attributes
    ----------
    click_id, session_id, url : str
        The click's.
    ts : datetime
        Its event time.
    fraud : bool
        Whether it is flagged.
    clicks_in_window : int
        Clicks of its session on its URL in its window, itself included.
    revised : bool
        Whether the click had a verdict before, which said No.
    rule_id : str
        The rule that judged, as "3-in-10s".
    judged_at : datetime
        The Kafka timestamp of the record.
    """

    click_id: str
    session_id: str
    url: str
    ts: datetime
    fraud: bool
    clicks_in_window: int
    revised: bool
    rule_id: str
    judged_at: datetime

    @classmethod
    def parse(cls, value: bytes | None, timestamp_ms: int) -> Self:
        """Read a record of the verdict topic. Raises VerdictError saying what is wrong with it.

        >>> value = (b'{"fraudClick":"Yes","click_id":"c3","session_id":"s1","url":"/ad","revised":false,'
        ...     b'"ts":"1970-01-01T00:00:01.5Z","clicks_in_window":3,"rule_id":"3-in-10s"}')
        >>> verdict = Verdict.parse(value, timestamp_ms=1512)
        >>> verdict.fraud, verdict.latency_ms
        (True, 12.0)
        """
        fields = read_fields(value)
        ts_us = int(parse_times_us([fields.ts])[0])
        if ts_us == NOT_A_TIME:
            raise VerdictError(f"ts of a verdict must be RFC 3339 with an offset: got {fields.ts!r}")
        ts, judged_at = _EPOCH + timedelta(microseconds=ts_us), _EPOCH + timedelta(milliseconds=timestamp_ms)
        return cls(**fields._asdict() | {"ts": ts, "judged_at": judged_at})

    @property
    def latency_ms(self) -> float:
        """From the click's event time to the verdict, in milliseconds."""
        return (self.judged_at - self.ts) / timedelta(milliseconds=1)


def follow(
    connection: Connection,
    topics: Topics = Topics(),
    *,
    starting: Starting = "latest",
    limit: int = 200_000,
    on_first: Callable[[list[int]], None] | None = None,
) -> VerdictFeed:
    """Follow the verdicts from now on, or from the first that the topics still hold.

    Parameters
    ----------
    connection, topics
        Where the verdicts are.
    starting
        "latest" begins with what is written after this call, "earliest" with what the topics still hold.
    limit
        How many verdicts to hold; the oldest makes room for the newest.
    on_first
        Called on the feed's thread with the µs from its event time to its verdict of each click that has just got its
        first one.

    Returns
    -------
    VerdictFeed
        It reads on a background thread until `stop()`.

    Raises
    ------
    TopicError
        A topic is missing.
    BrokerError
        There is no broker.
    VerdictError
        An argument cannot be.
    """
    return VerdictFeed(connection, topics, starting=starting, limit=limit, on_first=on_first).start()


class VerdictFeed:
    """The last `limit` verdicts of a topic, and how many of what were seen. `follow` gives one that is started.

    It reads the verdict and dead-letter topics on a background thread. One verdict per click: Yes wins over No, and
    what a restarted detector says again changes nothing. A record that cannot be read is counted, not fatal. When the
    thread fails, `error` says why and the verdicts so far stay. Never prints, never grows. As a context manager it
    stops on leaving.

    Attributes
    ----------
    error
        None, or what ended it; `wait_for` raises it.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics = Topics(),
        *,
        starting: Starting = "latest",
        limit: int = 200_000,
        on_first: Callable[[list[int]], None] | None = None,
    ) -> None:
        if starting not in ("latest", "earliest"):
            raise VerdictError(f'starting is {starting!r}: give "latest" or "earliest"')
        self.error: WorkbenchError | None = None
        self._connection, self._topics, self._starting = connection, topics, starting
        self._on_first = on_first
        self._table = VerdictTable(limit)
        self._dead_letters: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Look where the topics end or begin, and follow them from there. Raises TopicError and BrokerError."""
        positions: dict[Partition, int] = {}
        for topic, state in describe(self._connection, [self._topics.verdicts, self._topics.dead_letters]).items():
            positions |= partitions(topic, state.end if self._starting == "latest" else state.begin)
        consumer = consumer_at(self._connection, positions)
        self._thread = threading.Thread(target=self._follow, args=(consumer,), name="workbench-verdicts", daemon=True)
        self._thread.start()
        return self

    @property
    def counts(self) -> Counts:
        """How much has been seen so far."""
        with self._changed:
            return self._counts()

    def frame(self, last: timedelta | str | None = None) -> pd.DataFrame:
        """The verdicts held, in the order of the first ones; of the `last` "60s" of event time, if given.

        Columns: click_id, session_id, url, rule_id (text); ts (datetime64[us, UTC], event time); fraud,
        revised (bool); clicks_in_window (int64); judged_at (datetime64[ms, UTC]); latency_ms (float64,
        judged_at − ts).
        """
        last_us = None if last is None else duration(last) // timedelta(microseconds=1)
        with self._changed:
            rows = self._table.rows(last_us)
        return to_frame(rows)

    def since(self, seq: int = 0) -> tuple[pd.DataFrame, int]:
        """The verdicts new or revised since the call that returned `seq`, and the `seq` for the next call."""
        with self._changed:
            rows, now = self._table.rows(after=seq), self._table.seq
        return to_frame(rows), now

    def wait_for(self, wanted: int | Callable[[Counts], bool], timeout: timedelta | str | float | None = None) -> bool:
        """Wait until `wanted` clicks have a verdict, or `wanted(counts)` holds; say whether it came to that.

        timeout: seconds or a duration; None waits without end. Raises what ended the feed.
        """
        seconds = duration(timeout).total_seconds() if isinstance(timeout, str | timedelta) else timeout
        reached = wanted if callable(wanted) else lambda counts: counts.clicks >= wanted
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not reached(self._counts()):
                if self.error is not None:
                    raise self.error
                left = None if deadline is None else deadline - time.monotonic()
                if self._stop.is_set() or (left is not None and left <= 0):
                    return False
                self._changed.wait(left)
            return True

    def stop(self) -> None:
        """End the thread and its connection. What has been seen stays. May be called again."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        follows = self._thread is not None and self._thread.is_alive()
        state = "failed" if self.error else "following" if follows else "stopped"
        counts = self.counts
        return f"<VerdictFeed {state}: {counts.clicks:,} clicks, {counts.flagged:,} flagged>"

    def _counts(self) -> Counts:
        table = self._table
        return Counts(
            records=table.records,
            clicks=table.clicks,
            flagged=table.flagged,
            revised=table.revised,
            repeated=table.repeated,
            malformed=table.malformed,
            dead_letters=dict(self._dead_letters),
        )

    def _follow(self, consumer: Consumer) -> None:
        try:
            while not self._stop.is_set():
                for place, records in consumer.poll(timeout_ms=100, max_records=2000).items():
                    with self._changed:
                        self._take(place.topic, records)
                        self._changed.notify_all()
            consumer.close()
        except ClientError as error:
            self._fail(BrokerError(f"the verdict feed was cut off: {error!r}. Fix: start it again"))
        except Exception as error:  # noqa: BLE001 - kept for wait_for(), which raises it
            self._fail(VerdictError(f"the verdict feed failed: {error!r}. Fix: start it again, and report this"))
        finally:
            self._stop.set()
            with self._changed:
                self._changed.notify_all()

    def _fail(self, error: WorkbenchError) -> None:
        with self._changed:
            self.error = error

    def _take(self, topic: str, records: Iterable[Any]) -> None:
        if topic == self._topics.verdicts:
            first = self._table.add((record.value, record.timestamp) for record in records)
            if self._on_first is not None and first:
                self._on_first(first)
            return
        for record in records:
            reason = dead_letter(record.value).get("reason")
            if isinstance(reason, str):
                self._dead_letters[reason] += 1
            else:
                self._table.malformed += 1


def dead_letter(value: bytes | None) -> dict[str, Any]:
    """Read the value of a dead-letter record; an empty dict where it is none."""
    try:
        letter = json.loads(value or b"")
    except (ValueError, RecursionError):
        return {}
    return letter if isinstance(letter, dict) else {}
