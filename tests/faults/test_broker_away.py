"""The broker is away for a while, or stands still, while clicks come: the detector waits for it and is exact.

Short sibling: tests/faults/test_broker_away.py
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from crashing import broker_in, clicks_coming, hold_exact, outcomes, until_first_outcome
from detecting import detectors
from polling import until

from workbench.broker.topics import EmbeddedBroker, Topics

pytestmark = pytest.mark.java

SEED = 20261125


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker that only these tests use, and may stop."""
    found = broker_in(tmp_path_factory.mktemp("away") / "broker")
    try:
        yield found
    finally:
        found.down()


def stop_and_start(broker: EmbeddedBroker, seconds: float) -> float:
    """End the broker's process and start it again on its port and its data; when it was back."""
    over = time.monotonic() + seconds
    broker.down()
    until(lambda: time.monotonic() > over, seconds + 60)
    broker.up()
    return time.monotonic()


def stand_still(broker: EmbeddedBroker, seconds: float) -> float:
    """Halt the broker's process, connections and all; when it went on."""
    pid = broker.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        over = time.monotonic() + seconds
        until(lambda: time.monotonic() > over, seconds + 60)
    finally:
        os.kill(pid, signal.SIGCONT)
    return time.monotonic()


@pytest.mark.parametrize(
    ("away", "fault", "seconds"),
    [
        (stop_and_start, "broker stopped and started", 5),
        pytest.param(stop_and_start, "broker stopped and started", 30, marks=pytest.mark.long),
        pytest.param(stand_still, "broker halted (SIGSTOP)", 20, marks=pytest.mark.long),
    ],
    ids=["5s", "30s", "halted"],
)
def test_a_broker_that_is_away_for_a_while_costs_no_verdict(
    broker: EmbeddedBroker, topics: Topics, tmp_path: Path, away: object, fault: str, seconds: float
) -> None:
    assert callable(away)
    connection = broker.up()
    with (
        detectors(connection, topics, checkpoint=tmp_path / "state") as begin,
        clicks_coming(connection, topics, SEED + int(seconds)) as clicks,
    ):
        handle = begin().wait_until_started()
        until(lambda: handle.progress.checkpoints >= 1)
        back = away(broker, seconds)
        print(f"away for {seconds} s; after it: {handle.state}, {handle.error}")
        first = until_first_outcome(connection, topics, outcomes(connection, topics), back)
        until(lambda: clicks.count > 300 * (seconds + 25), 120)
        clicks.end()
        handle.wait_until_caught_up("120s")
        assert handle.state == "running"
        assert handle.progress.dropped_by_watermark == 0
    hold_exact(
        connection, topics, clicks, fault=fault, injected=f"{seconds} s away", survived="yes, running", seconds=first
    )
