"""What the detector costs as work grows: by the number of sessions, and by the partitions of the clicks topic.

    .venv/bin/python bench/growth.py [--sessions 1000 10000 …] [--partitions 1 2 4 8] [--quick] [--write]

Each point has topics, a detector and a JVM of its own, which get the same load:

    the backlog is written │ it drains: warm-up, measured │ a checkpoint │ an even rate: latency │ verdicts compared

A backlog has at least one click a session. Its state is kept for longer than a point takes, so that all of it is there
while latency is measured. --write renews the table in bench/README.md and the picture beside it.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from growth_table import PARTITIONS, SESSIONS, Point, text_table, write
from rig import Floats, Reader, driver, machine, oracle, paced, private_broker, reports, written

from workbench.broker.topics import Connection, Topics, describe, ensure_topics
from workbench.detector.handle import Detector, detect
from workbench.detector.positions import Positions
from workbench.detector.settings import Tolerance
from workbench.rule import Rule
from workbench.spark.session import stop_spark

EVENT_RATE = 10_000.0  # clicks a second of event time in a backlog: about what a detector keeps up with
WARM_UP = 0.6  # of the clicks asked for; what is more than these comes before, too
KEPT = Tolerance(late="10m")
# The first batch reads for so long, which is enough for all of a backlog, and ends when that is drained: no checkpoint
# is in what is measured, nor the slow seconds after one. No batch is shorter, so a trial has a shorter time.
CHECKPOINT_EVERY, QUICK_CHECKPOINT = "40s", "20s"
RATE, LEAD_S = 1000.0, 6.0  # clicks a second while latency is measured; those of the first seconds do not count
LONGEST_S = 300.0


class Watch:
    """Looks at a detector from outside: at the ends of its topics, and at its JVM and the most memory that it had."""

    def __init__(self, handle: Detector) -> None:
        self._handle, self._topics, self._driver = handle, handle.topics, driver()
        self._positions = Positions(handle.connection, handle.topics, describe(handle.connection, handle.topics))
        self.peak_mb = 0.0

    def look(self) -> None:
        self.peak_mb = max(self.peak_mb, self._driver.memory_info().rss / 1e6)

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so. Raises AssertionError where that takes too long or the detector has ended."""
        deadline = time.monotonic() + LONGEST_S
        while not reached():
            assert self._handle.state == "running", self._handle.error
            assert time.monotonic() < deadline, self._handle.progress
            self.look()
            time.sleep(0.1)

    def drain(self, warm_up: int, outcomes: int) -> tuple[float, float]:
        """Verdicts a second, and microseconds of processor time for each, from one number of outcomes to another."""
        marks = []
        outputs = (self._topics.verdicts, self._topics.dead_letters)

        def has(goal: int) -> bool:
            return written(self._positions, *outputs) >= goal

        for goal in (warm_up, outcomes):
            self.until(functools.partial(has, goal))
            verdicts, used = written(self._positions, self._topics.verdicts), sum(self._driver.cpu_times()[:2])
            marks.append((verdicts, time.monotonic(), used))
        verdicts, seconds, used = (after - before for before, after in zip(*marks, strict=True))
        return verdicts / seconds, used / verdicts * 1e6

    def state(self) -> dict[str, int]:
        """What Spark says of the state at the next checkpoint."""
        before = self._handle.progress.checkpoints
        self.until(lambda: self._handle.progress.checkpoints > before)
        [found] = json.loads(reports()[-1].json)["stateOperators"]
        return {**found, **found["customMetrics"]}


def latencies_ms(connection: Connection, topics: Topics, sessions: int, seconds: float) -> Floats:
    """From sending to receiving, of clicks at an even rate."""
    reader = Reader(connection, [topics.verdicts])
    paced(connection, topics.clicks, RATE, LEAD_S, sessions)
    sent = paced(connection, topics.clicks, RATE, seconds, sessions)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not sent.keys() <= reader.received.keys():
        time.sleep(0.1)
    reader.stop()
    return 1000 * np.array([reader.received[click] - at for click, at in sent.items() if click in reader.received])


def measure(
    connection: Connection, sessions: int, partitions: int, clicks: int, seconds: float, checkpoint_every: str
) -> Point:
    """One point, on topics of its own. Raises AssertionError, or what the detector raises."""
    mark = f"{sessions}-sessions-{partitions}-partitions"
    topics = Topics(f"clicks-{mark}", f"verdicts-{mark}", f"dead-letters-{mark}")
    ensure_topics(connection, topics, partitions)
    count = max(clicks, sessions)
    begin = datetime.now(UTC) - timedelta(seconds=count / EVENT_RATE)
    records = oracle.hostile(count, seed=1, begin=begin, per_second=EVENT_RATE, sessions=sessions, hot=0)
    oracle.send(connection.bootstrap, topics.clicks, records)
    with detect(
        Rule(), connection, topics=topics, starting="earliest", checkpoint_every=checkpoint_every, tolerance=KEPT
    ) as handle:
        watch = Watch(handle.wait_until_started())
        per_s, cpu_us = watch.drain(len(records) - int(clicks * (1 - WARM_UP)), len(records))
        state = watch.state()
        took_ms = latencies_ms(connection, topics, sessions, seconds)
        watch.look()
        handle.wait_until_caught_up("60s")
        assert not (dropped := handle.progress.dropped_by_watermark), f"the watermark dropped {dropped:,} rows"
    stop_spark()
    answer = oracle.compare(connection.bootstrap, topics)
    p50, p99 = np.percentile(took_ms, [50, 99])
    return Point(
        sessions,
        partitions,
        answer.clicks,
        answer.flagged,
        round(per_s, 1),
        round(cpu_us, 1),
        round(watch.peak_mb, 1),
        state["numRowsTotal"],
        round(state["memoryUsedBytes"] / 1e6, 1),
        round(state["rocksdbSstFileSize"] / 1e6, 1),
        round((state["allRemovalsTimeMs"] + state["commitTimeMs"]) / partitions),
        round(float(p50), 2),
        round(float(p99), 1),
        len(answer.missing),
        len(answer.wrong),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sessions", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6])
    options.add_argument("--partitions", type=int, nargs="+", default=[1, 2, 4, 8])
    options.add_argument("--clicks", type=int, default=250_000, help="of a backlog, where there are fewer sessions")
    options.add_argument("--seconds", type=float, default=12, help="for which latency is measured")
    options.add_argument("--quick", action="store_true", help="a trial: few sessions, partitions and clicks")
    options.add_argument("--csv", type=Path, default=Path("out/growth.csv"))
    options.add_argument("--write", action="store_true", help="renew bench/README.md and its picture")
    asked = options.parse_args()
    if asked.quick:
        asked.sessions, asked.partitions, asked.clicks, asked.seconds = [10**3, 10**4], [1, 2], 20_000, 3.0
    every = QUICK_CHECKPOINT if asked.quick else CHECKPOINT_EVERY
    wanted = [(sessions, PARTITIONS) for sessions in asked.sessions]
    wanted += [(SESSIONS, partitions) for partitions in asked.partitions if (SESSIONS, partitions) not in wanted]
    asked.csv.parent.mkdir(parents=True, exist_ok=True)
    points = []
    with private_broker() as connection, asked.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Point)])
        writer.writeheader()
        for sessions, partitions in wanted:
            points.append(measure(connection, sessions, partitions, asked.clicks, asked.seconds, every))
            print(points[-1], flush=True)
            writer.writerow(asdict(points[-1]))
            file.flush()
    print("\n" + text_table(points))
    if asked.write:
        measured = int(asked.clicks * (1 - WARM_UP))
        told = (
            f"{machine()}; one run of each. Measured are the last {measured:,} clicks of a backlog and then "
            f"{asked.seconds:.0f} s at {RATE:,.0f} clicks/s."
        )
        write(points, told)
    if any(point.missing or point.wrong for point in points):
        raise SystemExit("not exact")


if __name__ == "__main__":
    main()
