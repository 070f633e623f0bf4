"""One run of one engine: a backlog drained, then clicks at an even rate, then every verdict held against the oracle.

    warm-up clicks │ frozen: the backlog is written │ thawed: it drains │ an even rate: latency │ verdicts compared

Each batch ends with one click a partition that is dated 4 s later: an engine that waits for the watermark gets on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from peer_engines import Engine, EngineFailed, Running
from rig import Reader, oracle, paced

from workbench.broker.topics import Connection, Topics, describe, ensure_topics
from workbench.detector.positions import Positions

__all__ = ["Run", "Sizes", "measure"]

EVENT_RATE = 2000.0  # clicks a second of event time in a backlog: with it the oracle's traffic is half flagged
PARTITIONS = 2
GAP = timedelta(seconds=10)
LEAD_S, TAIL_S = 5.0, 4.0  # sent at the same rate before and after what counts for latency
QUIET_S, SILENT_S, LONGEST_S = 2.0, 10.0, 180.0


@dataclass(frozen=True)
class Sizes:
    """How much is sent: clicks to warm up, clicks of the backlog, clicks a second and for how long."""

    warm_up: int
    backlog: int
    rate: float
    seconds: float


@dataclass(frozen=True)
class Run:
    """What one run found. Latency in ms from send to receipt, memory in MB of all processes together."""

    start_s: float
    clicks_per_s: float
    p50_ms: float
    p99_ms: float
    peak_mb: float
    clicks: int
    flagged: int
    missing: int
    wrong: int


class Output:
    """The topic of verdicts as it grows."""

    def __init__(self, connection: Connection, topics: Topics, running: Running) -> None:
        self._positions = Positions(connection, topics, describe(connection, topics))
        self._topic, self._running = topics.verdicts, running

    def wait(self, wanted: int) -> int:
        """Wait until so many records are there and no more come, or none come for long; how many there are."""
        begin = last = time.monotonic()
        there = 0
        while (now := time.monotonic()) < begin + LONGEST_S:
            self._running.check()
            count = sum(self._positions.ends(self._topic).values())
            if count != there:
                there, last = count, now
            patience = QUIET_S if there >= wanted else SILENT_S if there else LONGEST_S
            if now - last > patience:
                break
            time.sleep(0.1)
        if not there:
            raise EngineFailed(f"wrote nothing in {LONGEST_S:.0f} s")
        return there


def measure(engine: Engine, connection: Connection, sizes: Sizes, seed: int, mark: str, folder: Path) -> Run:
    """Run one engine once on topics of its own. Raises EngineFailed."""
    topics = Topics(f"clicks-{mark}", f"verdicts-{mark}", f"dead-letters-{mark}")
    _create(connection, topics)
    counts = {"w": sizes.warm_up, "b": sizes.backlog}
    spans = {name: timedelta(seconds=count / EVENT_RATE) + GAP for name, count in counts.items()}
    begin = datetime.now(UTC) - sum(spans.values(), timedelta())
    warm_up = _batch("w", sizes.warm_up, seed, begin)
    backlog = _batch("b", sizes.backlog, seed + 1, begin + spans["w"])
    oracle.send(connection.bootstrap, topics.clicks, warm_up)
    started = time.time()
    with Running.start(engine, connection, topics, folder / f"{mark}.log") as running:
        output = Output(connection, topics, running)
        before = output.wait(sizes.warm_up)
        running.freeze()
        oracle.send(connection.bootstrap, topics.clicks, backlog)
        thawed = time.time()
        running.thaw()
        before = output.wait(before + sizes.backlog)
        sent, received = _latency(connection, topics, sizes)
        output.wait(before + len(sent))
        peak_mb = running.peak_bytes / 1e6
    first, said = _verdicts(connection, topics)
    drained = [at for click_id, at in first.items() if click_id.startswith("b")]
    took_ms = np.array([received[click] - at for click, at in sent.items() if click in received]) * 1000
    expected = oracle.truth(oracle.read(connection.bootstrap, topics.clicks), 10_000_000, 3)
    p50, p99 = np.percentile(took_ms, [50, 99]) if took_ms.size else (np.nan, np.nan)
    return Run(
        start_s=min(first.values()) - started,
        clicks_per_s=len(drained) / (max(drained) - thawed),
        p50_ms=float(p50),
        p99_ms=float(p99),
        peak_mb=peak_mb,
        clicks=len(expected),
        flagged=sum(expected.values()),
        missing=sum(click_id not in first for click_id in expected),
        wrong=sum(expected.get(click_id) != fraud for click_id, fraud in said.items()),
    )


def _create(connection: Connection, topics: Topics) -> None:
    """The broker dates the verdicts, with its clock, for all engines alike."""
    admin = AdminClient({"bootstrap.servers": connection.bootstrap})
    dated = {"message.timestamp.type": "LogAppendTime"}
    admin.create_topics([NewTopic(topics.verdicts, PARTITIONS, config=dated)])[topics.verdicts].result(30)
    ensure_topics(connection, topics, PARTITIONS)


def _batch(mark: str, count: int, seed: int, begin: datetime) -> list[Any]:
    """Hostile traffic whose click_ids begin with `mark`, and a later click for each partition at its end."""
    records = oracle.hostile(count, seed, begin, per_second=EVENT_RATE)
    for record in records:
        record.value = record.value.replace(b'"click_id": "c', f'"click_id": "{mark}'.encode(), 1)
    later = records[-1].at_us + 4_000_000
    for partition in range(PARTITIONS):
        value = oracle.wire(f"{mark}-end-{partition}", f"end-{partition}", "/", later)
        records.append(oracle.Record(f"end-{partition}".encode(), value, later, partition))
    return records


def _latency(connection: Connection, topics: Topics, sizes: Sizes) -> tuple[dict[bytes, float], dict[bytes, float]]:
    """Clicks at an even rate: when each was sent, and when its first verdict was received."""
    reader = Reader(connection, [topics.verdicts])
    paced(connection, topics.clicks, sizes.rate, LEAD_S)
    sent = paced(connection, topics.clicks, sizes.rate, sizes.seconds)
    paced(connection, topics.clicks, sizes.rate, TAIL_S)
    now_us = int(time.time() * 1e6)
    ends = _batch("e", 1, 0, datetime.fromtimestamp(now_us / 1e6, UTC))[-PARTITIONS:]
    oracle.send(connection.bootstrap, topics.clicks, ends)
    deadline = time.monotonic() + SILENT_S
    while time.monotonic() < deadline and not sent.keys() <= reader.received.keys():
        time.sleep(0.1)
    reader.stop()
    return sent, reader.received


def _verdicts(connection: Connection, topics: Topics) -> tuple[dict[str, float], dict[str, bool]]:
    """When each click's first verdict was written, and what is said of it at last: Yes stays."""
    first: dict[str, float] = {}
    said: dict[str, bool] = {}
    for message in oracle.read(connection.bootstrap, topics.verdicts):
        try:
            row = oracle.decoded(message)
            click_id = str(row["click_id"])
        except (ValueError, KeyError, TypeError):
            continue  # malformed, passed through
        at = message.timestamp()[1] / 1000
        first[click_id] = min(at, first.get(click_id, at))
        if "fraudClick" in row and row.get("diff", 1) > 0:  # Pathway withdraws a verdict before it changes it
            said[click_id] = said.get(click_id, False) or row["fraudClick"] == "Yes"
    return first, said
