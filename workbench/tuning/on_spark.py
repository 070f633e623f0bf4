"""The tuning surface of files larger than memory, by Spark as a batch. It equals `tuning.surface` of the same clicks.

Spark reads, sorts and spills; each partition then passes its clicks, in order and batch by batch, to `gaps`, which
counts with NumPy. No step holds a session or a partition in memory.
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from tqdm.auto import tqdm

from workbench.clicks import gaps
from workbench.clicks.labels import FRAUD_LABELS, alike
from workbench.clicks.record import FIELDS, TS_PATTERN
from workbench.durations import MICROSECOND
from workbench.errors import ClickError
from workbench.text import LONGEST_TEXT, quote
from workbench.tuning.outcome import Cost
from workbench.tuning.surface import Surface, grid

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

__all__ = ["surface"]

Format = Literal["parquet", "csv"]

_LEAST_PARTITIONS: Final = 8
_NUMBER: Final = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_LEAST_US, _MOST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999
_CORRUPT: Final = "_corrupt_record"


def surface(
    path: str | Path,
    windows: Iterable[timedelta | str],
    thresholds: Iterable[int],
    *,
    cost: Cost = Cost(),
    bots: Collection[str] = FRAUD_LABELS,
    format: Format | None = None,
    mapping: Mapping[str, str] | None = None,
    spark: SparkSession | None = None,
    master: str | None = None,
    progress: bool = False,
) -> Surface:
    """Count what every window and threshold flags of the clicks in Parquet or CSV files.

    Parameters
    ----------
    path
        A file, a folder of files or a pattern, where Spark finds it; packed with gzip or not.
    windows, thresholds, cost, bots
        As for `surface.surface`.
    format
        "parquet" or "csv" (with a header, which tells what divides the cells; no line breaks in cells); None tells it
        from the name.
    mapping
        Field of a click → column, as in `clicks.files.read`, and with the same ways to write ts.
    spark
        A session to run in; None starts one, on `master` or in this process with a slot for each core.
    master
        Where the session that is started runs, as Spark writes it.
    progress
        Show a bar on stderr.

    Returns
    -------
    Surface
        Rows that cannot be read as clicks are counted in its `rejected`. Where a repeated click has several labels,
        fraud wins.

    Raises
    ------
    RuleError, ClickError
        As `surface.surface` does.
    SetupError
        Spark does not start.
    """
    spans, counts = grid(windows, thresholds)
    if spark is None:
        from workbench.spark.session import spark_session

        spark = spark_session(os.cpu_count() or 2, master)
    from pyspark.errors import PySparkException
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    try:
        raw = _read(spark, str(path), format or _guess(str(path)))
        seen = Observation()
        clicks = _clicks(raw, str(path), mapping or {}, bots)
        tallies = [F.count_if(F.col("bad")).alias("bad"), F.count_if(~F.col("bad")).alias("good")]
        tallies.append(F.count_if(~F.col("bad") & F.col("fraud").isNull()).alias("unlabelled"))
        clicks = clicks.observe(seen, *tallies).where(~F.col("bad"))
        moments = _moments(clicks, max(_LEAST_PARTITIONS, raw.rdd.getNumPartitions()))
        count = partial(gaps.tally_batches, windows_us=[span // MICROSECOND for span in spans], thresholds=list(counts))
        with _sent_along(), _watched(spark, progress):
            tallied = moments.mapInArrow(count, gaps.SCHEMA).groupBy("place").sum().toPandas()
    except PySparkException as error:
        raise ClickError(f"cannot read {path}: {quote(str(error).splitlines()[0])}; check path and format") from error

    found = tallied.set_index("place").sort_index()  # not text: numbers
    found = found.reindex(range(-1, len(spans) * len(counts)), fill_value=0)
    shape = len(spans), len(counts)
    flagged, hits, sessions = (found[f"sum({name})"].to_numpy(np.int64) for name in ("flagged", "hits", "sessions"))
    good, unlabelled = int(seen.get["good"]), int(seen.get["unlabelled"])
    if 0 < unlabelled < good:
        raise ClickError(f"{unlabelled:,} of {good:,} clicks have no label; drop those rows, or the column")
    return Surface(
        windows=spans,
        thresholds=counts,
        clicks=int(flagged[0]),
        sessions=int(sessions[0]),
        flagged_clicks=flagged[1:].reshape(shape),
        flagged_sessions=sessions[1:].reshape(shape),
        hits=hits[1:].reshape(shape) if good > unlabelled else None,
        fraud=int(hits[0]) if good > unlabelled else None,
        prices=cost,
        rejected=int(seen.get["bad"]),
    )


def _find_divider(header: str) -> str:
    """Which of the signs , ; tab and | divides the cells of a table with this header."""
    return max(",;\t|", key=header.count)


def _guess(path: str) -> Format:
    name = path.rstrip("/").lower().removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        return "csv"
    if name.endswith((".parquet", ".pq")) or "." not in Path(name).name:
        return "parquet"
    raise ClickError(f'cannot tell the format of {path}: pass format="parquet" or format="csv"')


def _read(spark: SparkSession, path: str, format: Format) -> DataFrame:
    if format == "parquet":
        return spark.read.parquet(path)
    first = spark.read.text(path).first()
    divider = _find_divider("" if first is None else first[0])
    options = {"header": "true", "sep": divider, "escape": '"', "encoding": "UTF-8"}
    header = spark.read.options(**options).csv(path).columns
    schema = ", ".join(f"`{name.replace('`', '``')}` string" for name in (*header, _CORRUPT))
    # A line with too few or too many cells is kept whole in the last column.
    return spark.read.options(**options, columnNameOfCorruptRecord=_CORRUPT).schema(schema).csv(path)


def _clicks(raw: DataFrame, path: str, mapping: Mapping[str, str], bots: Collection[str]) -> DataFrame:
    """One row a click: session_id, url, click_id, us, fraud (1, 0, or null without a label) and bad."""
    from pyspark.sql import functions as F

    columns = {field: mapping.get(field, field) for field in (*FIELDS, "label")}
    for field, column in columns.items():
        if column not in raw.columns and (field in mapping or field in ("session_id", "url", "ts")):
            raise ClickError(f"{path} has no column {column!r} for {field}: it has {quote(raw.columns)}; map it")
    types = dict(raw.dtypes)

    def text(field: str) -> Column:
        column = columns[field]
        kinds = ("string", "tinyint", "smallint", "int", "bigint", *(("boolean",) if field == "label" else ()))
        if column not in raw.columns or types[column] not in kinds:
            return F.lit(None).cast("string")
        value = F.col(f"`{column}`").cast("string")
        return F.when(F.length(value).between(1, LONGEST_TEXT), value)

    label, has_id = text("label"), columns["click_id"] in raw.columns
    click_id = text("click_id") if has_id else F.monotonically_increasing_id().cast("string")
    rows = raw.select(
        text("session_id").alias("session_id"),
        text("url").alias("url"),
        click_id.alias("click_id"),
        _micros(F.col(f"`{columns['ts']}`"), types[columns["ts"]], path).alias("us"),
        F.when(label.isNotNull(), F.lower(F.trim(label)).isin([*map(alike, bots)]).cast("int")).alias("fraud"),
        (F.col(_CORRUPT).isNotNull() if _CORRUPT in raw.columns else F.lit(False)).alias("bad"),
    )
    for name in ("session_id", "url", "click_id", "us"):
        rows = rows.withColumn("bad", F.col("bad") | F.col(name).isNull())
    return rows


def _micros(ts: Column, kind: str, path: str) -> Column:
    """Microseconds since 1970 of what `clicks.files` takes for a time, or null."""
    from pyspark.sql import functions as F

    if kind == "timestamp":
        return F.unix_micros(ts)
    if kind == "timestamp_ntz":
        raise ClickError(f"{path} has times without a time zone in the column for ts; write them in UTC")
    dated = F.lit(None).cast("bigint")
    number = ts.try_cast("double")
    if kind == "string":
        dated = F.when(ts.rlike(f"^{TS_PATTERN}$"), F.unix_micros(F.upper(ts).try_cast("timestamp")))
        number = F.when(ts.rlike(_NUMBER), number)
    size = F.abs(number)
    each = F.when(size < 1e11, 1_000_000).when(size < 1e14, 1_000).otherwise(1)
    whole = F.floor(number)
    micros = whole * each + F.rint((number - whole) * each).cast("bigint")
    inside = number.between(_LEAST_US, _MOST_US) & micros.between(_LEAST_US, _MOST_US)
    return F.coalesce(dated, F.when(inside, micros))


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
