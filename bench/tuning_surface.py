"""The tuning surface of a million clicks on one core, and DuckDB asked for one window and threshold at a time.

    .venv/bin/python bench/tuning_surface.py [--clicks 1000000] [--windows 100] [--thresholds 100] [--pairs 3]

DuckDB is no dependency of the workbench: `.venv/bin/uv pip install --python .venv/bin/python duckdb` brings it; without
it, only the surface is measured. Its time for all pairs is extrapolated from a few, whose answers must be the same.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from workbench.clicks.traffic import Traffic
from workbench.clicks.visitors import BOT_LABELS
from workbench.rule import Rule
from workbench.tuning.surface import Surface, surface

QUERY = """
SELECT count(*) FILTER (n >= {threshold}), count(DISTINCT session_id) FILTER (n >= {threshold}),
       count(*) FILTER (n >= {threshold} AND fraud)
FROM (
    SELECT session_id, fraud, count(*) OVER (
        PARTITION BY session_id, url ORDER BY us RANGE BETWEEN {window_us} - 1 PRECEDING AND CURRENT ROW
    ) AS n FROM clicks
)
"""


A_WINDOW = """
SELECT n, count(*), count(*) FILTER (fraud) FROM (
    SELECT fraud, count(*) OVER (
        PARTITION BY session_id, url ORDER BY us RANGE BETWEEN {window_us} - 1 PRECEDING AND CURRENT ROW
    ) AS n FROM clicks
) GROUP BY n
"""
"""Cleverer: clicks by how many there are in the window answer for all thresholds, though not for sessions."""


def peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def measured(name: str, clicks: pd.DataFrame, windows: list[str], thresholds: range, rounds: int = 3) -> Surface:
    took = []
    for _ in range(rounds):
        begin = time.perf_counter()
        found = surface(clicks, windows, thresholds)
        took.append(time.perf_counter() - begin)
    print(
        f"{name:<34} {min(took):6.2f} s (of {rounds} rounds; slowest {max(took):.2f} s), peak RSS {peak_mb():,.0f} MB"
    )
    return found


def by_duckdb(clicks: pd.DataFrame, found: Surface, pairs: int) -> tuple[float, float] | None:
    """Seconds for each pair and for each window, or None without DuckDB."""
    try:
        import duckdb
    except ImportError:
        print("DuckDB is not installed: see --help")
        return None
    us, fraud = clicks["ts"].astype("int64"), clicks["label"].isin(BOT_LABELS)
    source = clicks[["session_id", "url"]].assign(us=us, fraud=fraud)
    took: list[float] = []
    windows: list[float] = []
    with duckdb.connect(config={"threads": 1}) as database:
        database.register("source", source)
        database.execute("CREATE TABLE clicks AS SELECT * FROM source")
        for place in np.linspace(0, len(found.windows) - 1, pairs).round().astype(int).tolist():
            rule = Rule(found.windows[place], found.thresholds[min(place, len(found.thresholds) - 1)])
            begin = time.perf_counter()
            query = QUERY.format(threshold=rule.threshold, window_us=rule.window_us)
            answer = database.execute(query).fetchone()
            took.append(time.perf_counter() - begin)
            told = found.at(rule)
            hits = round((told.recall or 0) * (found.fraud or 0))
            assert answer == (told.flagged_clicks, told.flagged_sessions, hits), (rule, answer, told)
            print(f"  DuckDB, {rule.rule_id:<24} {took[-1]:6.2f} s, the same answer")
            begin = time.perf_counter()
            counts = database.execute(A_WINDOW.format(window_us=rule.window_us)).fetchall()
            windows.append(time.perf_counter() - begin)
            assert [sum(clicks for n, clicks, _ in counts if n >= threshold) for threshold in found.thresholds] == (
                found.flagged_clicks[place].tolist()
            )
    return float(np.mean(took)), float(np.mean(windows))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clicks", type=int, default=1_000_000)
    options.add_argument("--windows", type=int, default=100)
    options.add_argument("--thresholds", type=int, default=100)
    options.add_argument("--pairs", type=int, default=3)
    asked = options.parse_args()
    with contextlib.suppress(AttributeError):  # macOS has no affinity; NumPy uses one core there as well
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    windows = [f"{n}s" for n in range(1, asked.windows + 1)]
    thresholds = range(1, asked.thresholds + 1)
    clicks = Traffic(500, f"{asked.clicks / 500}s", seed=1).clicks(datetime(2026, 1, 2, tzinfo=UTC))
    rules = len(windows) * len(thresholds)
    print(f"{len(clicks):,} clicks × {len(windows)} windows × {len(thresholds)} thresholds, one core")
    print(f"the clicks alone: peak RSS {peak_mb():,.0f} MB")
    found = measured("mixed traffic", clicks, windows, thresholds)
    begin = time.perf_counter()
    surface(clicks, windows, thresholds)
    each = time.perf_counter() - begin
    hot = clicks.assign(session_id="bot", url="/ad")
    measured("one session clicks all, one URL", hot, windows, thresholds)
    del hot
    if (took := by_duckdb(clicks, found, asked.pairs)) is not None:
        for name, one, times in (("pair by pair", took[0], rules), ("window by window", took[1], len(windows))):
            all_of = one * times
            print(f"DuckDB {name}, {times:,} times, extrapolated: {all_of:,.0f} s, {all_of / each:,.0f} times as long")


if __name__ == "__main__":
    main()
