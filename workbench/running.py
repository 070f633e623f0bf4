"""A query in real-time mode that runs: do its tasks, what does it report, ending it. What it computes is in `query`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.connection import Connection
from workbench.errors import DetectorError
from workbench.runtime import state_dir

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["RunningQuery", "first_line"]

_ENDED_S = 30.0


class RunningQuery:
    """Starts writing rows to Kafka in real-time mode.

    rows: for the Kafka sink, as `query.outcomes` makes them. checkpoint: Spark's folder. tasks: how many run at once.
    """

    def __init__(
        self, rows: DataFrame, connection: Connection, checkpoint: Path, checkpoint_every: timedelta, tasks: int
    ) -> None:
        self._tasks = tasks
        self._context = rows.sparkSession.sparkContext
        self._query: StreamingQuery = (
            rows.writeStream.format("kafka")
            .options(**connection.spark())
            .option("includeHeaders", "true")
            .option("checkpointLocation", str(checkpoint))
            .outputMode("update")
            .trigger(realTime=f"{int(checkpoint_every.total_seconds() * 1000)} milliseconds")  # type: ignore[call-overload]  # newer than its stubs
            .start()
        )

    @property
    def reports(self) -> Iterable[Any]:
        """Spark's recent progress reports, one for each checkpoint."""
        return self._query.recentProgress

    @property
    def all_tasks_run(self) -> bool:
        """Whether it reads and judges by now."""
        return self._active_tasks() >= self._tasks

    def check(self) -> None:
        """Raise DetectorError with the reason when the query has ended."""
        if self._query.isActive:
            return
        failure = self._query.exception()
        reason = first_line(failure) if failure else "it ended without being asked to"
        raise DetectorError(f"the query failed: {reason}. Spark's log is in {state_dir() / 'logs'}") from failure

    def stop(self) -> None:
        """End it and wait until none of its tasks is left, so that nothing more is written."""
        if self._query.isActive:
            self._query.stop()
        deadline = time.monotonic() + _ENDED_S
        while self._active_tasks():
            if time.monotonic() > deadline:
                raise DetectorError(f"tasks of the query still ran {_ENDED_S:.0f} s after its end. Fix: start again")
            time.sleep(0.01)

    def _active_tasks(self) -> int:
        tracker = self._context.statusTracker()
        jobs = [tracker.getJobInfo(number) for number in tracker.getJobIdsForGroup(str(self._query.runId))]
        stages = [tracker.getStageInfo(number) for job in jobs if job for number in job.stageIds]
        return sum(stage.numActiveTasks for stage in stages if stage)


def first_line(error: Any) -> str:
    """What an error says, without the Java stack trace that follows."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
