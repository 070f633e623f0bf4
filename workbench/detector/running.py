"""A query in real-time mode that runs: do its tasks, what does it report, ending it. What it computes is in `query`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.broker.connection import Connection
from workbench.errors import DetectorError
from workbench.spark.session import state_dir
from workbench.text import first_line

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["RunningQuery"]

_ENDED_S = 30.0


class RunningQuery:
    """Starts writing rows to Kafka in real-time mode.

    rows: for the Kafka sink, as `query.outcomes` makes them. checkpoint: Spark's folder. tasks: how many run at once.
    """

    def __init__(
        self, rows: DataFrame, connection: Connection, checkpoint: Path, checkpoint_every: timedelta, tasks: int
    ) -> None:
        self._tasks = tasks
        self._went_on_from = checkpoint.parent if (checkpoint / "metadata").exists() else None
        self._context = rows.sparkSession.sparkContext
        writer = (
            rows.writeStream.format("kafka")
            .options(**connection.spark())
            .option("includeHeaders", "true")
            .option("checkpointLocation", str(checkpoint))
            .outputMode("update")
            .trigger(realTime=f"{int(checkpoint_every.total_seconds() * 1000)} milliseconds")  # type: ignore[call-overload]  # newer than its stubs
        )
        try:
            self._query: StreamingQuery = writer.start()
        except Exception as error:
            raise self._failed("did not start", error, committed=False) from error

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
        raise self._failed("failed", failure, committed=bool(self._query.recentProgress)) from failure

    def stop(self) -> None:
        """End it and wait until none of its tasks is left, so that nothing more is written."""
        if self._query.isActive:
            self._query.stop()
        deadline = time.monotonic() + _ENDED_S
        while self._active_tasks():
            if time.monotonic() > deadline:
                raise DetectorError(f"tasks of the query still ran {_ENDED_S:.0f} s after its end. Fix: start again")
            time.sleep(0.01)

    def _failed(self, how: str, failure: Exception | None, *, committed: bool) -> DetectorError:
        """What to raise. Where it had not yet gone past the checkpoint that it found, that may be the reason."""
        reason = f"the query {how}: {_root(failure) if failure else 'it ended without being asked to'}."
        if self._went_on_from is not None and not committed:
            reason += (
                f" It was to go on from the checkpoint {self._went_on_from}: if that is damaged, put a sound copy of "
                "the folder there, or begin anew with fresh=True (--fresh), which moves it aside."
            )
        return DetectorError(f"{reason} Spark's log is in {state_dir() / 'logs'}")

    def _active_tasks(self) -> int:
        tracker = self._context.statusTracker()
        jobs = [tracker.getJobInfo(number) for number in tracker.getJobIdsForGroup(str(self._query.runId))]
        stages = [tracker.getStageInfo(number) for job in jobs if job for number in job.stageIds]
        return sum(stage.numActiveTasks for stage in stages if stage)


def _root(failure: Exception) -> str:
    """What a failure says, and what its deepest cause says beside that."""
    said, cause = first_line(failure), getattr(failure, "_cause", None)
    while (deeper := getattr(cause, "_cause", None)) is not None:
        cause = deeper
    root = first_line(cause) if cause is not None else said
    return said if root in said else f"{said} ({root})"
