"""The tuning surface of more clicks than one likes to hold in memory, by Spark on this machine.

    .venv/bin/python bench/tuning_spark.py [--clicks 10000000] [--windows 100] [--thresholds 100]

Every part of a million clicks is checked against the surface in memory: the sums must be the same.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil

from workbench.clicks.traffic import Traffic
from workbench.spark.session import stop_spark
from workbench.tuning import on_spark
from workbench.tuning.surface import surface

PART = 1_000_000


def watch(peak: dict[str, int], over: threading.Event) -> None:
    """Keep the most memory that the JVM, and the fattest of its Python workers, had at any moment."""
    while not over.wait(0.2):
        for process in psutil.Process().children(recursive=True):
            try:
                kind = "JVM" if "java" in process.name() else "Python worker"
                peak[kind] = max(peak.get(kind, 0), process.memory_info().rss)
            except psutil.NoSuchProcess:
                continue


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clicks", type=int, default=10 * PART)
    options.add_argument("--windows", type=int, default=100)
    options.add_argument("--thresholds", type=int, default=100)
    asked = options.parse_args()
    windows, thresholds = [f"{n}s" for n in range(1, asked.windows + 1)], range(1, asked.thresholds + 1)
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as name:
        os.environ["WORKBENCH_STATE_DIR"] = f"{name}/state"
        folder = Path(name, "clicks")
        folder.mkdir()
        expected = np.zeros((3, len(windows), len(thresholds)), np.int64)
        for number in range(asked.clicks // PART):
            part = Traffic(500, f"{PART / 500}s", seed=number).clicks(datetime(2026, 1, 2, tzinfo=UTC))
            one = surface(part, windows, thresholds)
            assert one.hits is not None
            expected += (one.flagged_clicks, one.flagged_sessions, one.hits)
            part.to_parquet(folder / f"{number}.parquet")
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{asked.clicks:,} clicks in {size / 1e6:,.0f} MB of Parquet", flush=True)
        peak: dict[str, int] = {}
        over = threading.Event()
        threading.Thread(target=watch, args=(peak, over), daemon=True).start()
        try:
            for label in ("with Spark's start", "again"):
                begin = time.monotonic()
                found = on_spark.surface(folder, windows, thresholds, progress=False)
                seconds = time.monotonic() - begin
                assert found.hits is not None
                answer = np.stack([found.flagged_clicks, found.flagged_sessions, found.hits])
                assert np.array_equal(answer, expected)
                print(f"{label}: {seconds:.1f} s, {asked.clicks / seconds:,.0f} clicks/s, the same answer", flush=True)
        finally:
            over.set()
            stop_spark()
    print("peak RSS: " + ", ".join(f"{kind} {rss / 1e6:,.0f} MB" for kind, rss in sorted(peak.items())))


if __name__ == "__main__":
    main()
