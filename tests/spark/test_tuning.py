"""Spark's surface is that of the same clicks in memory, whatever the file looks like.

Short sibling: tests/spark/test_tuning.py
"""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from workbench.clicks.files import SAMPLE_LOG, read
from workbench.clicks.gaps import tally_batches
from workbench.clicks.labels import FRAUD_LABELS
from workbench.clicks.order import order
from workbench.clicks.traffic import Traffic
from workbench.errors import ClickError
from workbench.machine.folders import state_dir
from workbench.rule import Rule
from workbench.tuning import on_spark
from workbench.tuning.outcome import Cost
from workbench.tuning.surface import Surface, surface

WINDOWS = ["1s", "2s", "5s", "10s", "40s", "2m"]
THRESHOLDS = [1, 2, 3, 4, 7, 20]
START = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def clicks() -> pd.DataFrame:
    """Mixed traffic, one session with a third of it, whole seconds for another, and every tenth click twice."""
    made = Traffic(rate=200, duration="60s", seed=5).clicks(START)
    made.loc[made.index % 3 == 0, ["session_id", "url"]] = "hot"
    coarse = made.index % 7 == 0
    made.loc[coarse, "session_id"] = "coarse"
    made.loc[coarse, "ts"] = made.loc[coarse, "ts"].dt.floor("s")
    return pd.concat([made, made.iloc[::10]]).sample(frac=1, random_state=1, ignore_index=True)


def same(found: Surface, expected: Surface) -> None:
    assert (found.clicks, found.sessions, found.fraud) == (expected.clicks, expected.sessions, expected.fraud)
    for name in ("flagged_clicks", "flagged_sessions", "hits"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert found.frame().equals(expected.frame())


@pytest.mark.java
def test_parquet_larger_than_a_batch_equals_the_surface_in_memory(
    spark: SparkSession, clicks: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "clicks"
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(len(clicks)), 3)):
        clicks.iloc[part].to_parquet(folder / f"{number}.parquet")
    cost = Cost(2, 0.5)
    expected = surface(clicks, WINDOWS, THRESHOLDS, cost=cost)
    small = "spark.sql.execution.arrow.maxRecordsPerBatch"
    spark.conf.set(small, 50)  # so that sessions and moments lie across many batches
    try:
        found = on_spark.surface(folder, WINDOWS, THRESHOLDS, cost=cost, spark=spark, progress=False)
    finally:
        spark.conf.unset(small)
    same(found, expected)
    assert found.best("cost") == expected.best("cost")
    assert found.rejected == 0


CORPUS = sorted(path for path in (Path(__file__).parents[1] / "data").rglob("*") if path.is_file())


def both(spark: SparkSession, source: Any, mapping: Any = None, bots: Any = FRAUD_LABELS) -> Surface:
    """The surface by Spark, when it has told and found what the reading in memory has."""
    recording = read(source, mapping)
    told: list[str] = []
    expected = surface(recording.clicks, WINDOWS, THRESHOLDS, bots=bots)
    found = on_spark.surface(source, WINDOWS, THRESHOLDS, bots=bots, mapping=mapping, spark=spark, tell=told.append)
    same(found, expected)
    assert found.rejected == len(recording.rejected)
    assert (found.labels.counts, found.labels.fraud) == (expected.labels.counts, expected.labels.fraud)
    assert found.warnings == expected.warnings
    out = sum(recording.filtered.values())
    assert told[0].startswith(f"{recording.lines:,} lines: {len(recording.clicks):,} clicks")
    assert told[0].endswith(f"; {out:,} left out, {found.rejected:,} rejected")
    assert told[1:] == [line for line in recording.told() if not line.startswith("warning: ") or line in told]
    return found


@pytest.mark.java
def test_what_the_rule_cannot_work_on_is_said_alike(spark: SparkSession, tmp_path: Path) -> None:
    line = '203.0.113.{} - - [02/Jan/2026:03:{:02}:00 +0000] "GET /ad?sid={} HTTP/1.1" 200 5 "-" "agent {}"\n'
    path = tmp_path / "access.log"
    path.write_text("".join(line.format(1 if i % 3 else i % 250, i % 60, i, i % 7) for i in range(120)))
    said = both(spark, path).warnings
    assert [text.split(":")[0].split(" ", 1)[1][:30] for text in said] == [
        "address has 67% of the clicks,",
        "times of 100% of the clicks ar",
        "URLs for 120 clicks",
    ]


@pytest.mark.java
def test_a_log_is_put_together_to_the_same_visits(spark: SparkSession) -> None:
    assert both(spark, SAMPLE_LOG).sessions > 10
    assert both(spark, SAMPLE_LOG, {"idle_gap": "20s"}).sessions > both(spark, SAMPLE_LOG).sessions


@pytest.mark.java
@pytest.mark.long
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_every_file_is_read_as_in_memory(spark: SparkSession, path: Path) -> None:
    with contextlib.suppress(ClickError):
        read(path)
        both(spark, path)
        return
    with pytest.raises(ClickError) as in_memory:
        surface(read(path).clicks, ["1s"], [2])
    with pytest.raises(ClickError) as by_spark:
        on_spark.surface(path, ["1s"], [2], spark=spark)
    assert str(by_spark.value) == str(in_memory.value)


@pytest.mark.java
def test_csv_is_read_as_readers_read_it_and_bad_rows_are_counted(
    spark: SparkSession, clicks: pd.DataFrame, tmp_path: Path
) -> None:
    frame = clicks.head(3_000).astype({"ts": object})
    frame["ts"] = (clicks["ts"].astype("int64") / 1e6).map("{:.3f}".format)
    frame.loc[4, "ts"] = "2026-01-02T00:00:04Z"
    frame.loc[5, "ts"] = "yesterday"
    frame.loc[6, "session_id"] = ""
    frame.loc[7, "ts"] = "2026-01-02T00:00:00"
    frame.loc[8, "url"] = 'said "so", twice'
    frame.loc[9, "session_id"] = "(not set)"
    text = frame.rename(columns={"session_id": "visitor"}).to_csv(index=False, sep=";") + "1;2\n"
    path = tmp_path / "clicks.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert both(spark, path, {"session_id": "visitor"}).rejected == 3
    with pytest.raises(ClickError, match="Fix: leave merge_repeats out"):
        on_spark.surface(path, ["1s"], [2], mapping={"merge_repeats": "2s"}, spark=spark)


@pytest.mark.java
def test_clicks_without_labels_or_ids_and_an_empty_file(
    spark: SparkSession, clicks: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "bare.parquet"
    for bare in (clicks[["session_id", "url", "ts"]], clicks[["session_id", "url", "ts"]].iloc[:0]):
        bare.to_parquet(path)
        assert not both(spark, path).labelled
    assert not list((state_dir() / "tuning").iterdir())


@pytest.mark.java
def test_what_cannot_be_read_is_said_in_one_line(spark: SparkSession, clicks: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "clicks.parquet"
    clicks.assign(label=clicks["label"].where(clicks.index % 2 == 0)).to_parquet(path)
    with pytest.raises(ClickError, match=r"of 13,200 clicks have no label"):
        on_spark.surface(path, WINDOWS, THRESHOLDS, spark=spark)
    assert not on_spark.surface(path, ["1s"], [2], bots=[], spark=spark).labelled
    with pytest.raises(ClickError, match="visitor"):
        on_spark.surface(path, ["1s"], [2], mapping={"session_id": "visitor"}, spark=spark)
    with pytest.raises(ClickError):
        on_spark.surface(tmp_path / "none.parquet", ["1s"], [2], spark=spark)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_batches_of_any_size_add_up(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 200))
    us = pd.Series(rng.integers(0, 20, n) * 400_000).astype("datetime64[us]").dt.tz_localize("UTC")
    frame = pd.DataFrame(
        {
            "click_id": [str(i) for i in range(n)],
            "session_id": rng.choice(list("abc"), n).astype(object),
            "url": rng.choice(list("xy"), n).astype(object),
            "ts": us,
            "label": rng.choice(["person", "drip_bot"], n).astype(object),
        }
    )
    keys = frame.assign(us=us.astype("int64"), fraud=frame["label"] == "drip_bot").groupby(["session_id", "url", "us"])
    moments = keys["fraud"].agg(clicks="size", fraud="sum").reset_index()
    batches = pa.Table.from_pandas(moments, preserve_index=False).combine_chunks().to_batches(rows)
    windows, thresholds = [Rule(w).window_us for w in WINDOWS], THRESHOLDS
    (answer,) = tally_batches(iter_of(batches), windows, thresholds)
    expected = surface(order(frame), WINDOWS, thresholds)
    flagged, sessions = (answer.column(name).to_numpy() for name in ("flagged", "sessions"))
    assert (flagged[0], sessions[0]) == (n, frame["session_id"].nunique())
    assert flagged[1:].tolist() == expected.flagged_clicks.ravel().tolist()
    assert sessions[1:].tolist() == expected.flagged_sessions.ravel().tolist()
    if expected.hits is not None:
        assert answer.column("hits").to_numpy()[1:].tolist() == expected.hits.ravel().tolist()


def iter_of(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches
