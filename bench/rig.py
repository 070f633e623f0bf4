"""What the benches share: a broker of their own, another client to send and read with, pictures, bench/README.md."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import psutil
from confluent_kafka import Consumer, Producer

from workbench.broker.topics import Connection, EmbeddedBroker
from workbench.charts.style import CONFIG
from workbench.detector.positions import Positions
from workbench.spark.session import stop_spark

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
import oracle
from browser import browser_page

__all__ = [
    "Floats",
    "Reader",
    "driver",
    "machine",
    "oracle",
    "paced",
    "page_of",
    "percentiles",
    "private_broker",
    "renew_part",
    "reports",
    "take_picture",
    "written",
]

README = Path(__file__).resolve().parent / "README.md"
Floats = npt.NDArray[np.float64]


@contextlib.contextmanager
def private_broker() -> Iterator[Connection]:
    """An embedded broker on free ports; it, Spark and their data are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        os.environ["WORKBENCH_STATE_DIR"] = folder
        broker = EmbeddedBroker(Path(folder, "broker"), port=0)
        try:
            yield broker.up()
        finally:
            stop_spark()
            broker.down()


def driver() -> psutil.Process:
    """Spark's JVM in this process, once a detector has started."""
    living = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    [found] = [process for process in living if "pyspark-shell" in process.cmdline()]
    return found


def reports() -> list[Any]:
    """What Spark reported of the query that runs in this process, one for each of its last checkpoints."""
    from pyspark.sql import SparkSession

    [query] = SparkSession.active().streams.active
    return query.recentProgress


def written(positions: Positions, *topics: str) -> int:
    """How many records these topics hold."""
    return sum(sum(positions.ends(topic).values()) for topic in topics)


class Reader:
    """Follows topics on a thread and notes when each click_id, the record's header or key `id`, was first received."""

    def __init__(self, connection: Connection, topics: list[str]) -> None:
        self.received: dict[bytes, float] = {}
        self._ready, self._stop = threading.Event(), threading.Event()
        options = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "latest", "fetch.wait.max.ms": 1}
        self._consumer = Consumer({"bootstrap.servers": connection.bootstrap, **options})
        self._consumer.subscribe(topics, on_assign=lambda *_: self._ready.set())
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    def _follow(self) -> None:
        while not self._stop.is_set():
            for message in self._consumer.consume(1000, 0.01):
                now = time.time()
                value = message.value() or b""
                start = value.find(b'"click_id":') + 11
                first = value.find(b'"', start) + 1
                self.received.setdefault(value[first : value.find(b'"', first)], now)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()


def paced(connection: Connection, topic: str, rate: float, seconds: float, sessions: int = 500) -> dict[bytes, float]:
    """Send clicks at an even rate; when each click_id was handed to the producer."""
    producer = Producer({"bootstrap.servers": connection.bootstrap, "linger.ms": 0})
    sent: dict[bytes, float] = {}
    run, begin = uuid.uuid4().hex[:6], time.time()
    while (passed := time.time() - begin) < seconds:
        for number in range(len(sent), int(passed * rate)):
            now = time.time()
            click_id = f"{run}-{number}"
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
            session = f"s{number % sessions}"
            value = (
                f'{{"click_id": "{click_id}", "session_id": "{session}", "url": "/ad/{number % 3}", "ts": "{stamp}"}}'
            )
            sent[click_id.encode()] = now
            producer.produce(topic, value.encode(), session.encode())
        producer.poll(0)
        time.sleep(0.001)
    assert producer.flush(30) == 0
    return sent


def percentiles(latencies_s: Floats) -> str:
    p50, p99, worst = np.percentile(latencies_s * 1000, [50, 99, 100])
    return f"p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   max {worst:7.1f} ms   ({latencies_s.size:,} clicks)"


def machine() -> str:
    """The day and what it is measured on, in words."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def renew_part(name: str, text: str) -> None:
    """Put the text between the marks that bench/README.md has for the bench of this name."""
    begin, end = f"<!-- {name}: written by bench/{name}.py -->", f"<!-- {name}: end -->"
    whole, count = re.subn(
        f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", README.read_text("utf-8"), flags=re.DOTALL
    )
    assert count == 1, f"{README} has no marks for {name}"
    README.write_text(whole, "utf-8")


def page_of(figure: go.Figure) -> str:
    """A page (HTML) with the figure, which opens offline."""
    return str(figure.to_html(config={**CONFIG, "displayModeBar": False}, include_plotlyjs=True))


def take_picture(figure: go.Figure, path: Path) -> None:
    """Write a figure of a set width and height as a picture (PNG)."""
    with browser_page(figure.layout.width + 40, figure.layout.height + 40) as (tab, _):
        tab.set_content(page_of(figure))
        tab.wait_for_selector(".js-plotly-plot .main-svg")
        tab.locator(".js-plotly-plot").screenshot(path=path)
