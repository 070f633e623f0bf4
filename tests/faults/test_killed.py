"""The detector is killed while clicks come: started again on its checkpoint, it has lost none and misjudged none.

`workbench detect` runs in a session of its own with a JVM of its own, and both are killed at once (SIGKILL): the first
time during the first checkpoint, the last time at the end of the input, in between wherever chance has it. A few times
by default; WORKBENCH_FAULTS_KILLS=20 kills it twenty times, which takes about ten minutes.

Short sibling: tests/faults/test_killed.py
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import oracle
import pytest
from crashing import clicks_coming, hold_exact, outcomes, until_first_outcome
from detecting import Start, held_back, send
from polling import until

from workbench.broker.topics import Connection, Topics, describe, end_offsets
from workbench.detector.catch_up import CatchUp
from workbench.detector.hand_over import Judged
from workbench.detector.positions import Positions

pytestmark = pytest.mark.java

SEED = 20261124
KILLS = int(os.environ.get("WORKBENCH_FAULTS_KILLS", "4"))
"""In the long run. In the short one it is killed once."""


class Detectors:
    """`workbench detect` on one checkpoint, as often as it takes."""

    def __init__(self, connection: Connection, topics: Topics, folder: Path) -> None:
        self.state, self.log = folder / "state", folder / "detect.log"
        named = zip(("--clicks-topic", "--verdicts-topic", "--dead-letter-topic"), topics, strict=True)
        self._command = [sys.executable, "-m", "workbench", "detect", "--brokers", connection.bootstrap]
        self._command += [word for pair in named for word in pair]
        self._command += ["--from", "earliest", "--checkpoint", str(self.state), "--checkpoint-every", "5s"]
        (folder / "tmp").mkdir()  # what a killed JVM leaves behind goes with the test's folder
        self._environment = {**os.environ, "WORKBENCH_STATE_DIR": str(folder / "other"), "TMPDIR": str(folder / "tmp")}
        self._environment["SPARK_LOCAL_DIRS"] = str(folder / "tmp")

    @contextlib.contextmanager
    def run(self, *more: str) -> Iterator[subprocess.Popen[bytes]]:
        """One run; it and its JVM are killed where the block ends."""
        with (
            self.log.open("a") as log,
            subprocess.Popen(
                [*self._command, *more], env=self._environment, start_new_session=True, stdout=log, stderr=log
            ) as process,
        ):
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def checkpoints(self) -> int:
        """Checkpoints that are done."""
        return len([path for path in (self.state / "0" / "commits").glob("*") if path.name.isdecimal()])

    def saves(self, number: int) -> bool:
        """Whether state of the checkpoint of this number is being saved, or has been."""
        return any((self.state / "0" / "state").glob(f"*/*/{number + 1}*"))


def test_what_came_before_spark_had_begun_is_judged_when_the_detector_starts_again(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = oracle.hostile(600, SEED, datetime.now(UTC) - timedelta(seconds=3))
    send(connection, topics, records[:200])
    may_read = held_back(monkeypatch)
    begin(checkpoint=tmp_path / "state", starting="latest").stop()  # Spark has written nothing yet
    may_read.set()
    assert not (tmp_path / "state" / "0" / "sources").exists()
    since = end_offsets(connection, topics.clicks)
    send(connection, topics, records[200:])
    begin(checkpoint=tmp_path / "state", starting="latest").wait_until_caught_up("120s")
    messages = oracle.read(connection.bootstrap, topics.clicks, since)
    answer = oracle.compare(connection.bootstrap, topics, clicks=messages)
    assert answer.exact
    assert answer.clicks > 350


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [1, pytest.param(KILLS, marks=pytest.mark.long)])
def test_killed_again_and_again_it_loses_and_misjudges_nothing(
    connection: Connection, topics: Topics, tmp_path: Path, kills: int
) -> None:
    chance = random.Random(SEED)
    detectors = Detectors(connection, topics, tmp_path)
    moments: list[str] = []
    too_late = 0

    def is_saving(number: int) -> Callable[[], bool]:
        return lambda: detectors.saves(number)

    def has_written(number: int) -> Callable[[], bool]:
        goal = outcomes(connection, topics) + number
        return lambda: outcomes(connection, topics) >= goal

    def has_run(seconds: float) -> Callable[[], bool]:
        over = time.monotonic() + seconds
        return lambda: time.monotonic() > over

    with clicks_coming(connection, topics, SEED) as clicks:
        while len(moments) < kills - 1:
            which = chance.choice(["checkpoint", "verdicts", "verdicts", "start"]) if moments else "first checkpoint"
            with detectors.run() as running:
                if which.endswith("checkpoint"):
                    moment = is_saving(detectors.checkpoints())
                elif which == "verdicts":
                    moment = has_written(chance.randrange(1, 4000))
                else:
                    moment = has_run(chance.uniform(1.0, 12.0))
                until(lambda: moment() or running.poll() is not None, 120, every=0.002)  # noqa: B023
                assert running.poll() is None, detectors.log.read_text()
            if not moments and detectors.checkpoints() > 0:  # killed too late: another one begins anew
                too_late += 1
                assert too_late < 5, "the first checkpoint is always done before the kill"
                detectors.state.rename(tmp_path / f"too-late-{too_late}")
                continue
            moments.append(which)
        until(lambda: clicks.count >= 2_000)  # where it is killed only once, they have just begun

    with contextlib.ExitStack() as stack:
        positions = stack.enter_context(contextlib.closing(Positions(connection, topics, describe(connection, topics))))
        ends = end_offsets(connection, topics.clicks)
        every = stack.enter_context(contextlib.closing(CatchUp(connection, positions, Judged({}), ends)))
        running = stack.enter_context(detectors.run())
        until(lambda: every.read() == 0 or running.poll() is not None, 120, every=0.0)
        assert running.poll() is None, detectors.log.read_text()
    moments.append("end of the input")

    before, since = outcomes(connection, topics), time.monotonic()
    with detectors.run("--until-caught-up") as last:
        seconds = until_first_outcome(connection, topics, before, since)
        assert last.wait(240) == 0, detectors.log.read_text()
    counted = ", ".join(f"{moments.count(which)} at {which}" for which in sorted({*moments}))
    hold_exact(
        connection,
        topics,
        clicks,
        fault="killed (SIGKILL)",
        injected=f"{kills} kills ({counted})",
        survived="yes, started again",
        seconds=seconds,
    )
