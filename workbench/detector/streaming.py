"""The detector's Spark: its session, the plan of a rule, the query that runs it. Which rule, and when: `judging`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.broker.connection import Connection
from workbench.detector.hand_over import HandOver
from workbench.detector.settings import DetectorSettings
from workbench.errors import DetectorError
from workbench.machine.folders import state_dir
from workbench.rule import Rule
from workbench.spark import internals
from workbench.spark.cluster import Cluster, is_cluster
from workbench.spark.session import spark_session, stop_spark
from workbench.text import first_line

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.query import StreamingQuery

    from workbench.detector.source import ClickSource

__all__ = ["RunningQuery", "SparkEngine", "start_query"]

_ENDED_S = 30.0
_REPLACED_S = 60.0  # how long a cluster has to replace an executor that was lost


class SparkEngine:
    """Plans and runs the queries of one detector. Spark starts with `open`.

    Parameters
    ----------
    settings
        What the detector was started with.
    partitions
        How many of the clicks topic are read.
    """

    def __init__(self, settings: DetectorSettings, partitions: int) -> None:
        self._settings, self._partitions = settings, partitions
        self._source: ClickSource | None = None
        self._cluster: Cluster | None = None

    @property
    def tasks(self) -> int:
        """Tasks of a query: one reads each partition, and as many judge."""
        return 2 * self._partitions

    def open(self, ending: threading.Event) -> None:
        """Start Spark, or take the session that runs. On a cluster, wait for enough task slots, or until `ending`.

        Raises
        ------
        SetupError, DetectorError
            Spark does not start, or the cluster has too few slots.
        """
        from workbench.detector.foreign import CONF
        from workbench.detector.source import ClickSource

        master = self._settings.master
        conf: dict[str, object] = {
            "spark.sql.shuffle.partitions": self._partitions,
            # Each checkpoint is 14 MB at 1,000 clicks/s, and by default Spark keeps a hundred of them. It deletes those
            # before a copy of the whole state, which is made after so many changes of it.
            "spark.sql.streaming.minBatchesToRetain": 5,
            "spark.sql.streaming.stateStore.minDeltasForSnapshot": 5,
            # By session and URL is enough to find a window's state: else there is a second shuffle after the doubling.
            "spark.sql.streaming.statefulOperator.useStrictDistribution": "false",
            "spark.sql.streaming.stateStore.providerClass": (
                "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
            ),
        }
        if not is_cluster(master):
            # On local disks Spark's own choice starts ten processes (chmod, readlink) for each file of a checkpoint: a
            # tenth of a second. This one starts two. On other storage its renames may not be atomic.
            conf["spark.sql.streaming.checkpointFileManagerClass"] = (
                "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
            )
        if self._settings.mapping is not None:
            conf |= CONF
        # Every task of the query runs all the time; the other slots are for batch jobs beside it.
        session = spark_session(self.tasks + 2, master, conf)
        if is_cluster(master):
            self._cluster = Cluster(session)
            try:
                self._cluster.wait_for_slots(self.tasks, ending)
            except DetectorError:
                stop_spark()  # what it holds of the cluster is free again, and the next start reads settings anew
                raise
        if not ending.is_set():
            settings = self._settings
            self._source = ClickSource(
                session, settings.connection, settings.topics.clicks, settings.tolerance, settings.mapping
            )

    def widen(self, partitions: int, ending: threading.Event) -> None:
        """Open again, for a topic with so many partitions, while no query runs. Raises what `open` does."""
        self._partitions = partitions
        self.open(ending)

    def read(self, begin: Mapping[int, int]) -> DataFrame:
        """The clicks of each partition from its offset on, as rows to judge."""
        assert self._source is not None, "open() comes first"
        return self._source.read(begin)

    def plan(self, clicks: DataFrame, rule: Rule, hand_over: HandOver | None) -> DataFrame:
        """Judge these clicks by a rule: rows for the Kafka sink, as `query.outcomes` makes them."""
        from workbench.detector.query import outcomes

        return outcomes(clicks, rule, self._settings.topics, hand_over)

    def start(self, rows: DataFrame, folder: Path) -> RunningQuery:
        """Start the query of a plan, on the checkpoint in this folder. Raises DetectorError."""
        settings = self._settings
        return start_query(rows, settings.connection, folder, settings.checkpoint_every, self.tasks)

    def note_executors(self) -> None:
        """Take note of the cluster's executors, to know later that one is gone."""
        if self._cluster is not None:
            self._cluster.note_executors()

    def has_lost_executor(self) -> bool:
        """Whether a cluster's executor is gone that was there. Each loss counts once."""
        return self._cluster is not None and self._cluster.has_lost_one()

    def wait_for_slots(self, ending: threading.Event) -> None:
        """Wait until what was lost is replaced, or until `ending`. Raises DetectorError where it is not."""
        if self._cluster is not None:
            self._cluster.wait_for_slots(self.tasks, ending, settled_s=_REPLACED_S)


def start_query(
    rows: DataFrame, connection: Connection, checkpoint: Path, checkpoint_every: timedelta, tasks: int
) -> RunningQuery:
    """Start writing rows to Kafka in real-time mode. Returns before its tasks run.

    Parameters
    ----------
    rows
        For the Kafka sink, as `query.outcomes` makes them.
    connection
        The broker to write to.
    checkpoint
        Spark's folder.
    checkpoint_every
        How long one batch is, and so how far checkpoints are apart.
    tasks
        How many of them run at once.

    Raises
    ------
    DetectorError
        Spark does not start it.
    """
    went_on_from = checkpoint.parent if (checkpoint / "metadata").exists() else None
    writer = (
        rows.writeStream.format("kafka")
        .options(**connection.spark())
        .option("includeHeaders", "true")
        .option("checkpointLocation", str(checkpoint))
        .outputMode("update")
        .trigger(realTime=f"{int(checkpoint_every.total_seconds() * 1000)} milliseconds")  # type: ignore[call-overload]  # newer than its stubs
    )
    try:
        return RunningQuery(writer.start(), rows.sparkSession.sparkContext, tasks, went_on_from)
    except Exception as error:
        raise _failed("did not start", error, went_on_from) from error


class RunningQuery:
    """A query that `start_query` started: do its tasks run, what does it report, ending it.

    Parameters
    ----------
    query
        Spark's handle of it.
    context
        A SparkContext, or what else has its `statusTracker`.
    tasks
        How many run at once when all do.
    went_on_from
        The checkpoint folder, where there was state in it.
    """

    def __init__(self, query: StreamingQuery, context: Any, tasks: int, went_on_from: Path | None) -> None:
        self._query, self._context, self._tasks, self._went_on_from = query, context, tasks, went_on_from

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
        committed = bool(self._query.recentProgress)
        raise _failed("failed", failure, None if committed else self._went_on_from) from failure

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


def _failed(how: str, failure: Exception | None, went_on_from: Path | None) -> DetectorError:
    """What to raise. Where it had not yet gone past the checkpoint that it found, that may be the reason."""
    reason = f"the query {how}: {_root(failure) if failure else 'it ended without being asked to'}."
    if went_on_from is not None:
        reason += (
            f" It was to go on from the checkpoint {went_on_from}: if that is damaged, put a sound copy of "
            "the folder there, or begin anew with fresh=True (--fresh), which moves it aside."
        )
    return DetectorError(f"{reason} Spark's log is in {state_dir() / 'logs'}")


def _root(failure: Exception) -> str:
    """What a failure says, and what its deepest cause says beside that."""
    text, cause = first_line(failure), internals.cause(failure)
    while (deeper := internals.cause(cause)) is not None:
        cause = deeper
    root = first_line(cause) if cause is not None else text
    return text if root in text else f"{text} ({root})"
