"""The tuning surface of files larger than memory, by Spark as a batch. It equals `tuning.surface` of the same clicks.

The files are read as `clicks.read` reads them, chunk by chunk, into Parquet in the state folder (`spool`). Spark sorts
that and spills; each partition then passes its clicks, in order and batch by batch, to `gaps`, which counts with NumPy.
No step holds a session or a partition in memory.
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tqdm.auto import tqdm

from workbench.clicks import gaps, identity
from workbench.clicks.foreign import AnyMapping
from workbench.clicks.labels import FRAUD_LABELS
from workbench.clicks.mapping import Mapping
from workbench.durations import MICROSECOND, duration
from workbench.errors import ClickError
from workbench.sources.inputs import Source
from workbench.text import quote
from workbench.tuning.outcome import Cost
from workbench.tuning.spool import Spool, spooled
from workbench.tuning.surface import Surface, grid

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["surface"]

_LEAST_PARTITIONS: Final = 8


def surface(
    source: Source,
    windows: Iterable[timedelta | str],
    thresholds: Iterable[int],
    *,
    cost: Cost = Cost(),
    bots: Collection[str] = FRAUD_LABELS,
    mapping: AnyMapping | None = None,
    spark: SparkSession | None = None,
    master: str | None = None,
    progress: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Surface:
    """Count what every window and threshold flags of the clicks in files, as `clicks.read` reads them.

    Parameters
    ----------
    source, mapping
        As for `clicks.read`, but that repeats are not merged.
    windows, thresholds, cost, bots
        As for `surface.surface`.
    spark
        A session to run in; None starts one, on `master` or in this process with a slot for each core.
    master
        Where the session that is started runs, as Spark writes it. The state folder must then be storage that all its
        machines share.
    progress
        Show bars on stderr.
    tell
        Takes each line of what is to be told of the reading.

    Returns
    -------
    Surface
        Rows that cannot be read as clicks are counted in its `rejected`. Where a repeated click has several labels,
        fraud wins.

    Raises
    ------
    RuleError, ClickError
        As `surface.surface` and `clicks.read` do.
    SetupError
        Spark does not start.
    """
    spans, counts = grid(windows, thresholds)
    how = Mapping.of(mapping)
    if how.merge_repeats is not None:
        raise ClickError("repeats are merged in memory only. Fix: leave merge_repeats out, or --spark")
    with spooled(source, how, bots, progress) as spool:
        for line in spool.told():
            tell(line)
        if spark is None:
            from workbench.spark.session import spark_session

            spark = spark_session(os.cpu_count() or 2, master)
        from pyspark.errors import PySparkException

        try:
            clicks = _with_visits(spark.read.parquet(str(spool.folder)), duration(how.idle_gap) // MICROSECOND)
            moments = _moments(clicks, max(_LEAST_PARTITIONS, clicks.rdd.getNumPartitions()))
            windows_us = [span // MICROSECOND for span in spans]
            count = partial(gaps.tally_batches, windows_us=windows_us, thresholds=list(counts))
            with _sent_along(), _watched(spark, progress):
                said = identity.warnings_of(_counts(clicks, spool)) if spool.clicks else []
                tallied = moments.mapInArrow(count, gaps.SCHEMA).groupBy("place").sum().toPandas()
        except PySparkException as error:
            raise ClickError(f"Spark cannot count the clicks: {quote(str(error).splitlines()[0])}") from error

    found = tallied.set_index("place").sort_index()  # not text: numbers
    found = found.reindex(range(-1, len(spans) * len(counts)), fill_value=0)
    shape = len(spans), len(counts)
    flagged, hits, sessions = (found[f"sum({name})"].to_numpy(np.int64) for name in ("flagged", "hits", "sessions"))
    labelled = bool(spool.labels.counts)
    return Surface(
        windows=spans,
        thresholds=counts,
        clicks=int(flagged[0]),
        sessions=int(sessions[0]),
        flagged_clicks=flagged[1:].reshape(shape),
        flagged_sessions=sessions[1:].reshape(shape),
        hits=hits[1:].reshape(shape) if labelled else None,
        fraud=int(hits[0]) if labelled else None,
        prices=cost,
        rejected=spool.rejected,
        labels=spool.labels,
        warnings=tuple(said),
    )


def _with_visits(clicks: DataFrame, idle_us: int) -> DataFrame:
    """With a session for each click that has none: its visit, named as in `clicks.visits`."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    nobody = clicks.where(F.col("session_id").isNull())
    if nobody.isEmpty():
        return clicks
    agent = F.coalesce("user_agent", F.lit("-"))
    moment = F.struct("us", "at")
    of_visitor = Window.partitionBy("ip", agent)
    so_far = of_visitor.orderBy("us", "at")
    came_back = F.coalesce((F.col("us") - F.lag("us").over(so_far) > idle_us).cast("int"), F.lit(0))
    made = (
        nobody.withColumns({"came_back": came_back, "first": F.min(moment).over(of_visitor)})
        .withColumn("visit", F.sum("came_back").over(so_far.rowsBetween(Window.unboundedPreceding, 0)) + 1)
        .withColumn("agent", F.dense_rank().over(Window.partitionBy("ip").orderBy("first")))
        .withColumn("session_id", F.concat("ip", F.lit("/a"), "agent", F.lit("/v"), "visit"))
    )
    return clicks.where(F.col("session_id").isNotNull()).union(made.select(*clicks.columns))


def _counts(clicks: DataFrame, spool: Spool) -> identity.Counts:
    """What `identity.Counts.of` counts."""
    from pyspark.sql import functions as F

    def most(name: str) -> tuple[int, Any, int]:
        """How many values there are, the one with most clicks, and how many those are."""
        there = clicks.where(F.col(name).isNotNull()).groupBy(name).count()
        [(n, top)] = there.agg(F.count("*"), F.max(F.struct("count", name))).collect()
        return (n, top[name], top["count"]) if top is not None else (0, "", 0)

    sessions, session, of_session = most("session_id")
    urls, _, _ = most("url")
    _, address, from_it = most("ip")
    by_it = F.col("ip") == F.lit(address)
    named_so = F.count_if(by_it & F.col("session_id").contains(address))
    [(agents, named)] = clicks.agg(F.count_distinct(F.when(by_it, F.col("user_agent"))), named_so).collect()
    some = clicks.select("url").limit(identity.URLS_LOOKED_AT).collect()
    return identity.Counts(
        clicks=spool.clicks,
        sessions=sessions,
        urls=urls,
        session=(session, of_session),
        address=(address, from_it, agents, named),
        private=spool.private,
        moment=most("us")[2],
        minutes=spool.minutes,
        hours=spool.hours,
        some_urls=tuple(dict.fromkeys(row["url"] for row in some)),
    )


def _moments(clicks: DataFrame, partitions: int) -> DataFrame:
    """Each click once, counted by session, URL and microsecond, and sorted; no session is in two partitions."""
    from pyspark.sql import functions as F

    where = ("session_id", "url", "us")
    once = clicks.repartition(partitions, "session_id").groupBy(*where, "click_id").agg(F.max("fraud").alias("fraud"))
    fraud = F.coalesce(F.sum("fraud"), F.lit(0))
    moments = once.groupBy(*where).agg(F.count(F.lit(1)).alias("clicks"), fraud.alias("fraud"))
    return moments.sortWithinPartitions(*where)


@contextlib.contextmanager
def _sent_along() -> Iterator[None]:
    """Let Spark send the module that counts to its workers: a cluster's need not have the workbench."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(gaps)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(gaps)


@contextlib.contextmanager
def _watched(spark: SparkSession, progress: bool) -> Iterator[None]:
    """Show how many of Spark's tasks are done while the block runs."""
    context, group, over = spark.sparkContext, uuid.uuid4().hex, threading.Event()
    context.setJobGroup(group, "tuning surface")

    def watch() -> None:
        tracker = context.statusTracker()
        with tqdm(unit=" tasks", desc="Spark", leave=False) as bar:
            while not over.wait(0.25):
                jobs = filter(None, map(tracker.getJobInfo, tracker.getJobIdsForGroup(group)))
                stages = [tracker.getStageInfo(number) for job in jobs for number in job.stageIds]
                started = [stage for stage in stages if stage]
                bar.total = sum(stage.numTasks for stage in started)
                bar.update(sum(stage.numCompletedTasks for stage in started) - bar.n)

    watcher = threading.Thread(target=watch, name="workbench-tuning", daemon=True)
    if progress:
        watcher.start()
    try:
        yield
    finally:
        over.set()
        if progress:
            watcher.join()
        context.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]  # None takes it away
