"""What a detector says of itself: `Progress`, and the log that makes it of Spark's reports and the topics."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

__all__ = ["Committed", "PartitionProgress", "Progress", "ProgressLog"]

_RATE_OVER_S = 10.0


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far one partition of the clicks topic is judged.

    Attributes
    ----------
    partition
        Its number.
    end
        The offset that its next record will get.
    judged
        The offset below which about all records have an outcome.
    """

    partition: int
    end: int
    judged: int

    @property
    def lag(self) -> int:
        """Offsets without an outcome: the clicks that wait, at most. Those without a click count while others wait."""
        return max(0, self.end - self.judged)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a detector is.

    Counts are since the start. Spark tells of its state only at checkpoints; all else is of this moment.

    Attributes
    ----------
    state
        Where the detector is in its life.
    verdicts
        Verdict records written, repeated and revised ones included.
    dead_letters
        Records that could not be judged.
    per_second
        Outcomes per second over the last ten seconds, or since it was asked for before, if that is longer ago.
    partitions
        Of the clicks topic.
    checkpoints
        How many were done.
    checkpoint_at
        When the latest one was done.
    checkpoint_ms
        How long verdicts waited for it, about: what its batch took beyond its time.
    state_rows, state_bytes
        The size of the state, at the latest checkpoint.
    watermark
        How far event time has come, at the latest checkpoint.
    dropped_by_watermark
        Rows that Spark dropped. Anything but 0 is an alarm: verdicts are missing or wrong.
    restarts
        How often the query went on from its checkpoint because a cluster's executor was lost with its tasks.
    lost_clicks
        Records that the topic had deleted before they were judged, and that were passed over at the start.
    tombstones
        Records without a value, as of the latest checkpoint: they have no outcome.
    """

    state: str
    verdicts: int
    dead_letters: int
    per_second: float
    partitions: tuple[PartitionProgress, ...]
    checkpoints: int = 0
    checkpoint_at: datetime | None = None
    checkpoint_ms: int = 0
    state_rows: int = 0
    state_bytes: int = 0
    watermark: datetime | None = None
    dropped_by_watermark: int = 0
    restarts: int = 0
    lost_clicks: int = 0
    tombstones: int = 0

    @property
    def lag(self) -> int:
        """Offsets of the clicks topic without an outcome, of all the partitions that it has."""
        return sum(partition.lag for partition in self.partitions)

    def __str__(self) -> str:
        text = (
            f"{self.state}: {self.verdicts:,} verdicts, {self.per_second:,.0f}/s, lag {self.lag:,}, "
            f"{self.dead_letters:,} dead letters, {self.state_rows:,} state rows"
        )
        if self.tombstones:
            text += f", {self.tombstones:,} tombstones"
        if self.restarts:
            text += f", {self.restarts:,} restarts after lost executors"
        if self.lost_clicks:
            text += f", {self.lost_clicks:,} clicks deleted before they were judged"
        if self.dropped_by_watermark:
            text += f", ALARM: {self.dropped_by_watermark:,} rows dropped by the watermark"
        return text


@dataclass(frozen=True, slots=True)
class Committed:
    """What is judged for good, as of the latest checkpoint of a query.

    Parameters
    ----------
    offsets
        To where in each partition.
    since_ms
        When the batch behind that began (Unix time): every later verdict was written after it.
    """

    offsets: Mapping[int, int]
    since_ms: int


class ProgressLog:
    """Collects Spark's reports, each once, and turns them and the topics' ends into a `Progress`. Any thread may call.

    Parameters
    ----------
    topic
        The clicks topic.
    begun_at
        To where in each of its partitions all was judged at the start.
    outcomes
        The records in the verdicts topic and in that of dead letters, in this order.
    lost_clicks
        Records passed over at the start.
    """

    def __init__(
        self, topic: str, begun_at: Mapping[int, int], outcomes: Mapping[str, int], lost_clicks: int = 0
    ) -> None:
        self._lock = threading.Lock()
        self._topic = topic
        self._judged = dict(begun_at)
        self._first = tuple(outcomes.values())
        self._rates: deque[tuple[float, int]] = deque([(time.monotonic(), sum(outcomes.values()))], maxlen=200)
        self._seen = -1
        self._report: Mapping[str, Any] = {}
        self._latest: Progress | None = None
        self._checkpoints = self._dropped = self._restarts = self._tombstones = 0
        self._lost_clicks = lost_clicks
        self._committed: Committed | None = None

    @property
    def committed(self) -> Committed | None:
        """What the latest checkpoint of the query that runs says; None before its first one."""
        with self._lock:
            return self._committed

    @property
    def judged(self) -> dict[int, int]:
        """About how far each partition is judged."""
        with self._lock:
            return dict(self._judged)

    def begin_query(self, judged: Mapping[int, int]) -> None:
        """Take note that another query goes on from here: its reports are counted anew."""
        with self._lock:
            self._seen, self._committed = -1, None
            self._advance(judged)

    def count_restart(self) -> None:
        """Take note that the query goes on from its checkpoint after a loss."""
        with self._lock:
            self._restarts += 1

    def take(self, reports: Iterable[Any]) -> int:
        """Take Spark's recent reports; how many rows the new ones say were dropped."""
        found = [json.loads(entry.json) for entry in reports]
        dropped = 0
        with self._lock:
            for report in found:
                if report["batchId"] <= self._seen:
                    continue
                self._seen, self._report = report["batchId"], report
                self._checkpoints += 1
                self._tombstones += report.get("observedMetrics", {}).get("records", {}).get("tombstones", 0)
                dropped += sum(operator["numRowsDroppedByWatermark"] for operator in report["stateOperators"])
                began_ms = int(datetime.fromisoformat(report["timestamp"]).timestamp() * 1000)
                ends = self._end_offsets(report) or (self._committed.offsets if self._committed else {})
                self._committed = Committed(ends, began_ms) if ends else None
                self._advance(ends)
            self._dropped += dropped
        return dropped

    def reached(self, judged: Mapping[int, int]) -> None:
        """Take note that each partition is judged to this offset, as reading every outcome has shown."""
        with self._lock:
            self._advance(judged)

    def outcomes_since(self, outcomes: Mapping[str, int]) -> dict[str, int]:
        """How many of these there are since the start, by topic."""
        return {topic: count - first for (topic, count), first in zip(outcomes.items(), self._first, strict=True)}

    def behind(self, ends: Mapping[int, int]) -> dict[int, int]:
        """About how far each partition is judged that is not judged to its end."""
        judged = self.judged
        return {number: judged.get(number, 0) for number, end in ends.items() if judged.get(number, 0) < end}

    def now(
        self, state: str, ends: Mapping[int, int], judged: Mapping[int, int], outcomes: Mapping[str, int]
    ) -> Progress:
        """The progress of this moment.

        Parameters
        ----------
        state
            What the detector says of itself.
        ends
            Of the clicks topic, by partition.
        judged
            How far the latest outcomes are, by partition.
        outcomes
            The records in the verdicts topic and in that of dead letters, in this order.
        """
        with self._lock:
            self._advance(judged)
            verdicts, dead = self.outcomes_since(outcomes).values()
            self._latest = Progress(
                state,
                verdicts,
                dead,
                self._per_second(sum(outcomes.values())),
                tuple(PartitionProgress(n, end, min(end, self._judged.get(n, 0))) for n, end in sorted(ends.items())),
                **self._from_report(),
            )
            return self._latest

    def last(self, state: str) -> Progress:
        """The progress of a detector that has ended: the one asked for last."""
        with self._lock:
            found = self._latest
            partitions = found.partitions if found else ()
            verdicts, dead = (found.verdicts, found.dead_letters) if found else (0, 0)
            return Progress(state, verdicts, dead, 0.0, partitions, **self._from_report())

    # --- with the lock held ---------------------------------------------------------------------------------------

    def _advance(self, judged: Mapping[int, int]) -> None:
        for number, offset in judged.items():
            self._judged[number] = max(self._judged.get(number, 0), offset)

    def _per_second(self, outcomes: int) -> float:
        now = time.monotonic()
        while len(self._rates) > 1 and now - self._rates[1][0] >= _RATE_OVER_S:
            self._rates.popleft()
        since, count = self._rates[0]
        self._rates.append((now, outcomes))
        return (outcomes - count) / (now - since) if now > since else 0.0

    def _from_report(self) -> dict[str, Any]:
        operators = self._report.get("stateOperators", [])
        watermark = self._report.get("eventTime", {}).get("watermark")
        durations = self._report.get("durationMs", {})
        done = None
        if began := self._report.get("timestamp"):
            done = datetime.fromisoformat(began) + timedelta(milliseconds=durations.get("triggerExecution", 0))
        return {
            "checkpoints": self._checkpoints,
            "checkpoint_at": done,
            "checkpoint_ms": durations.get("triggerExecution", 0) - durations.get("addBatch", 0),
            "state_rows": sum(operator["numRowsTotal"] for operator in operators),
            "state_bytes": sum(operator["memoryUsedBytes"] for operator in operators),
            "watermark": datetime.fromisoformat(watermark) if watermark else None,
            "dropped_by_watermark": self._dropped,
            "restarts": self._restarts,
            "lost_clicks": self._lost_clicks,
            "tombstones": self._tombstones,
        }

    def _end_offsets(self, report: Mapping[str, Any]) -> dict[int, int]:
        ends: dict[int, int] = {}
        for source in report["sources"]:
            found = source["endOffset"]
            found = json.loads(found) if isinstance(found, str) else found
            ends |= {int(number): offset for number, offset in (found or {}).get(self._topic, {}).items()}
        return ends
