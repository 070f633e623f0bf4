"""Does anything grow? A detector under steady load: memory, checkpoint, state and latency minute by minute.

    .venv/bin/python bench/soak.py [--minutes 20] [--rate 1000] [--csv out/soak.csv] [--chart docs/soak.png]

The bench itself stays small: it remembers a click until its verdict has come, and the latencies of two minutes.
"""

from __future__ import annotations

import argparse
import csv
import random
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import numpy as np
import psutil
from confluent_kafka import Consumer, Producer
from rig import driver, oracle, private_broker
from soak_chart import draw, slopes

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.detector.handle import Detector, detect
from workbench.machine.folders import state_dir
from workbench.rule import Rule
from workbench.spark import internals

SESSIONS = 2000  # in a minute, at 1,000 clicks/s: about half of the clicks are flagged
SETTLED_S = 3.0  # verdicts that have not come by then count for the minute in which they come


@dataclass
class Minute:
    """What was measured of one minute, the first one being 1."""

    minute: int
    driver_mb: float
    """Resident memory of Spark's JVM at the end of the minute."""
    heap_mb: float
    """The least that its heap held in the minute, with what no full collection has looked at yet."""
    python_mb: float
    """Resident memory of this process, which holds the detector's handle, the sender and the reader."""
    checkpoint_mb: float
    checkpoint_files: int
    state_rows: int
    p50_ms: float
    p99_ms: float
    clicks: int
    lag: int


class Load:
    """Sends clicks at an even rate on one thread and reads their verdicts on another."""

    def __init__(self, connection: Connection, topics: Topics, rate: float) -> None:
        self.waiting: dict[bytes, float] = {}
        self.sent = 0
        self.flagged: int = 0
        self._rate, self._clicks = rate, topics.clicks
        self._took: dict[int, list[float]] = defaultdict(list)
        self._begin = time.time()
        self._enough, self._done = threading.Event(), threading.Event()
        self._producer = Producer({"bootstrap.servers": connection.bootstrap, "linger.ms": 0})
        options = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 1}
        self._consumer = Consumer({"bootstrap.servers": connection.bootstrap, **options})
        self._consumer.subscribe([topics.verdicts])
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._read)]
        for thread in self._threads:
            thread.start()

    def latencies_ms(self, minute: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """From sending to receiving, of the clicks sent in a minute; they are forgotten with that."""
        return 1000 * np.array(self._took.pop(minute, []) or [np.nan])

    def stop_sending(self) -> None:
        self._enough.set()
        self._threads[0].join()

    def close(self) -> None:
        self._done.set()
        self._threads[1].join()
        self._consumer.close()

    def _send(self) -> None:
        run, chance = uuid.uuid4().hex[:6], random.Random(1)
        per_minute = int(60 * self._rate)
        sessions = max(1, int(SESSIONS * self._rate / 1000))
        while not self._enough.is_set():
            for number in range(self.sent, int((time.time() - self._begin) * self._rate)):
                session = f"s{number // per_minute}-{chance.randrange(sessions)}"  # every minute others
                now, click_id = time.time(), f"{run}-{number}"
                self.waiting[click_id.encode()] = now
                value = oracle.wire(click_id, session, f"/ad/{chance.randrange(3)}", int(now * 1e6))
                self._producer.produce(self._clicks, value, session.encode())
                self.sent = number + 1
            self._producer.poll(0)
            time.sleep(0.001)
        assert self._producer.flush(30) == 0

    def _read(self) -> None:
        while not self._done.is_set():
            for message in self._consumer.consume(1000, 0.01):
                now, value = time.time(), message.value() or b""
                start = value.find(b'"click_id":"') + 12
                at = self.waiting.pop(value[start : value.find(b'"', start)], None)
                if at is not None:  # else it is revised
                    self._took[int((at - self._begin) // 60)].append(now - at)
                    self.flagged += value.startswith(b'{"fraudClick":"Yes"')


class Heap:
    """The driver's process, and the least that its heap holds in a while."""

    def __init__(self) -> None:
        self.driver = driver()
        self._jvm = internals.gateway().jvm.java.lang.Runtime.getRuntime()
        self.least = float("inf")

    def look(self) -> None:
        self.least = min(self.least, self._holds())

    def after_full_collection(self) -> float:
        self._jvm.gc()
        return self._holds()

    def take(self) -> float:
        least, self.least = self.least, float("inf")
        return least

    def _holds(self) -> float:
        return float(self._jvm.totalMemory() - self._jvm.freeMemory()) / 1e6


def measured(minute: int, handle: Detector, load: Load, heap: Heap, checkpoint: Path) -> Minute:
    files = [path.stat().st_size for path in checkpoint.rglob("*") if path.is_file()]
    progress, latencies = handle.progress, load.latencies_ms(minute - 1)
    p50, p99 = np.percentile(latencies, [50, 99])
    return Minute(
        minute,
        round(heap.driver.memory_info().rss / 1e6, 1),
        round(heap.take(), 1),
        round(psutil.Process().memory_info().rss / 1e6, 1),
        round(sum(files) / 1e6, 3),
        len(files),
        progress.state_rows,
        round(float(p50), 1),
        round(float(p99), 1),
        latencies.size,
        progress.lag,
    )


def soak(connection: Connection, minutes: int, rate: float, every: str, to: Path) -> bool:
    """Whether every click got its verdict, and no row was dropped."""
    topics, checkpoint = Topics(), state_dir() / "soak"
    ensure_topics(connection, topics)
    names = [field.name for field in fields(Minute)]
    widths = [max(len(name), 8) + 2 for name in names]
    print("".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True)), flush=True)
    with (
        detect(Rule(), connection, checkpoint=checkpoint, checkpoint_every=every) as handle,
        to.open("w", newline="") as file,
    ):
        handle.wait_until_started()
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        heap, load, begin = Heap(), Load(connection, topics, rate), time.monotonic()
        for minute in range(1, minutes + 1):
            while time.monotonic() < begin + 60 * minute + SETTLED_S:
                heap.look()
                time.sleep(0.5)
                if minute == minutes and time.monotonic() > begin + 60 * minute:
                    load.stop_sending()
            found = measured(minute, handle, load, heap, checkpoint)
            print("".join(f"{value:{width},}" for value, width in zip(astuple(found), widths, strict=True)), flush=True)
            writer.writerow(asdict(found))
            file.flush()
        handle.wait_until_caught_up("120s")
        deadline = time.monotonic() + 10
        while load.waiting and time.monotonic() < deadline:
            time.sleep(0.1)
        load.close()
        progress = handle.progress
        in_use = heap.after_full_collection()
    print(
        f"{load.sent:,} clicks, {load.flagged / load.sent:.0%} flagged, {progress.verdicts - load.sent:,} verdicts "
        f"revised, {progress.checkpoints} checkpoints; missing verdicts: {len(load.waiting)}, rows dropped by the "
        f"watermark: {progress.dropped_by_watermark}, dead letters: {progress.dead_letters}"
    )
    print(f"the driver's heap after a full collection, MB: {in_use:.0f}")
    for name, slope in slopes(to).items():
        print(f"{name}: {slope:+.2f} a minute")
    return not load.waiting and not progress.dropped_by_watermark and not progress.dead_letters


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=int, default=20)
    options.add_argument("--rate", type=float, default=1000)
    options.add_argument("--checkpoint-every", default="60s")
    options.add_argument("--csv", type=Path, default=Path("out/soak.csv"))
    options.add_argument("--chart", type=Path, default=Path("docs/soak.png"))
    asked = options.parse_args()
    asked.csv.parent.mkdir(parents=True, exist_ok=True)
    with private_broker() as connection:
        good = soak(connection, asked.minutes, asked.rate, asked.checkpoint_every, asked.csv)
    draw(asked.csv, asked.chart)
    print(f"{asked.csv}, {asked.chart} and {asked.csv.with_suffix('.html')}")
    if not good:
        raise SystemExit("clicks without a verdict")


if __name__ == "__main__":
    main()
