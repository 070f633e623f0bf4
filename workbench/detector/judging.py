"""The rule that judges now: its query, the change to another one, the restart after a loss. Spark is in `streaming`.

Everything here runs on the detector's thread, but for `judged` and what is only read.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.broker.topics import Connection, Topics
from workbench.detector import lost_clicks
from workbench.detector.catch_up import OPEN, CatchUp
from workbench.detector.checkpoint import Checkpoint, disk_full
from workbench.detector.hand_over import DISORDER_MS, HandOver, Judged
from workbench.detector.positions import Positions
from workbench.detector.progress import ProgressLog
from workbench.detector.settings import DetectorSettings
from workbench.errors import BrokerError, DetectorError, LostClicks, TopicError, WorkbenchError
from workbench.rule import Rule
from workbench.text import first_line

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from workbench.detector.streaming import RunningQuery, SparkEngine

__all__ = ["Judging", "explain", "judged_at_start"]

_log = logging.getLogger("workbench.detector")
_RESTARTS = 3
_RESTARTS_WITHIN_S = 600.0
_SETTLED_S = 0.15  # outcomes on their way to the broker when their task has ended are there by then
_DISK_FULL = "No space left on device"


@dataclass(frozen=True)
class _Reading:
    """Where a query that takes over begins to read, and what of that counts for it."""

    begin: Mapping[int, int]
    counts_from_us: int


class Judging:
    """Judges the clicks of a topic by one rule at a time. It begins with `start`, and the partitions of its checkpoint.

    Parameters
    ----------
    settings
        What the detector was started with.
    begun
        What is judged already.
    checkpoint
        Where the state lies, and where to begin.
    positions, log
        What the topics tell of it, and what Spark does.
    engine
        What runs the queries.

    Attributes
    ----------
    rule
        The rule that judges now.
    ending
        Set when the detector is to stop; waits end then.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        begun: Judged,
        checkpoint: Checkpoint,
        positions: Positions,
        log: ProgressLog,
        engine: SparkEngine,
    ) -> None:
        self.rule, self.ending = settings.rule, threading.Event()
        self._connection, self._topics, self._tolerance = settings.connection, settings.topics, settings.tolerance
        self._begun, self._checkpoint = begun, checkpoint
        self._positions, self._log, self._engine = positions, log, engine
        self._again_to: Mapping[int, int] = {}
        self._rows: DataFrame | None = None
        self._query: RunningQuery | None = None
        self._restarted: deque[float] = deque(maxlen=_RESTARTS)

    @property
    def partitions(self) -> int:
        """How many partitions of the clicks topic the query reads: those from 0 on."""
        return self._checkpoint.partitions

    def judged(self) -> Judged:
        """What is judged for certain, as of the latest checkpoint or hand-over."""
        committed = self._log.committed
        return self._begun.advanced(committed.offsets, committed.since_ms) if committed else self._begun

    def start(self) -> None:
        """Start the query. Returns when all its tasks run, or when the detector is to stop."""
        if self._checkpoint.resumed:
            # It first judges again what another run has judged, up to here at most.
            ends = self._positions.ends_of_clicks()
            self._again_to = {number: ends[number] for number in range(self.partitions)}
        self._engine.open(self.ending)
        if not self.ending.is_set():
            hand_over = self._checkpoint.hand_over
            self._plan_and_run(self._engine.read(hand_over.begin if hand_over else self._checkpoint.begin))

    def check(self) -> int:
        """Take in Spark's reports; how many rows they say were dropped. Raises DetectorError when the query failed."""
        if self._query is None:
            return 0
        dropped = self._log.take(self._query.reports)
        self._check_query()
        return dropped

    def stop(self) -> None:
        """End the query, if there is one."""
        if self._query is not None:
            self._query.stop()
            self._log.take(self._query.reports)

    def change_to(self, rule: Rule) -> HandOver:
        """Let another rule take over. Raises BrokerError with nothing changed.

        Where the rule does not start, the one before takes over again, and DetectorError says so. Where that fails too
        there is no query any more: `check` raises.
        """
        before = self.rule
        with contextlib.closing(self._watch(self.partitions)) as watch:
            self._read_up(watch)
            reading = self._read_for(rule, watch)
            clicks = self._engine.read(reading.begin)  # takes long enough to be made while the old query still judges
            try:
                return self._replace_by(rule, reading, watch, clicks)
            except Exception as error:
                failure = f"{rule.rule_id} did not start: {first_line(error)}"
                try:
                    self._replace_by(before, self._read_for(before, watch), watch)
                except Exception as again:  # noqa: BLE001 - it is told, and `check` raises
                    raise DetectorError(f"{failure}. Nor did {before.rule_id} again: {first_line(again)}") from error
                raise DetectorError(f"{failure}. Judging by {before.rule_id} goes on") from error

    def take_in(self, partitions: int) -> HandOver:
        """Judge the clicks of more partitions too, by the same rule, and of the new ones from their first on.

        Raises BrokerError or DetectorError. It is a hand-over of the rule to itself: what is judged is judged, and the
        windows of all sessions are warm.
        """
        with contextlib.closing(self._watch(partitions)) as watch:
            self._read_up(watch)
            return self._replace_by(self.rule, self._read_for(self.rule, watch), watch)

    def _watch(self, partitions: int) -> CatchUp:
        return CatchUp(self._connection, self._positions, self.judged(), dict.fromkeys(range(partitions), OPEN))

    def _read_up(self, watch: CatchUp) -> None:
        """Read the outcomes while the old query goes on: so that little is left to read when it has ended."""
        watch.read_to_the_end()
        while any(watch.frontier.first_left()[number] < end for number, end in self._again_to.items()):
            self.check()
            if self.ending.is_set():
                raise DetectorError("the detector was stopped before the rule was applied. Fix: start another one")
            watch.read()
        watch.read_to_the_end()

    def _read_for(self, rule: Rule, watch: CatchUp) -> _Reading:
        """Read from where the oldest click lies that can count for one to judge.

        The one to judge may be `late`; what counts for it is up to a window older and may be `ahead` of its record.
        """
        judged = watch.frontier.judged(since_ms=0)
        first_us = 1000 * (self._positions.first_to_judge(judged) - DISORDER_MS)
        counts_from_us = first_us - self._tolerance.late_us - rule.window_us
        begin = self._positions.begin_at(judged, (counts_from_us - self._tolerance.ahead_us) // 1000)
        lost_clicks.refuse(self._topics.clicks, lost_clicks.find(self._connection, self._topics.clicks, begin))
        return _Reading(begin, counts_from_us)

    def _replace_by(self, rule: Rule, reading: _Reading, watch: CatchUp, clicks: DataFrame | None = None) -> HandOver:
        since = time.monotonic()
        self.stop()
        self._wait_until_settled()
        watch.read_to_the_end()
        judged = watch.frontier.judged(since_ms=int(time.time() * 1000) - 1)
        number = self._checkpoint.hand_over.number + 1 if self._checkpoint.hand_over else 1
        hand_over = HandOver(number, self.rule, rule, judged, reading.begin, reading.counts_from_us)
        more = len(reading.begin) > self.partitions
        self._checkpoint.take_over(hand_over)
        self.rule, self._begun = rule, judged
        self._log.begin_query(judged.upto)
        if more:
            self._engine.widen(self.partitions, self.ending)
        self._plan_and_run(self._engine.read(reading.begin) if clicks is None else clicks)
        seconds = time.monotonic() - since
        self._again_to = {}
        self._checkpoint.drop_what_is_left()
        return replace(hand_over, seconds=seconds)

    def _plan_and_run(self, clicks: DataFrame) -> None:
        self._rows = self._engine.plan(clicks, self.rule, self._checkpoint.hand_over)
        self._run()

    def _run(self) -> None:
        assert self._rows is not None
        self._query = self._engine.start(self._rows, self._checkpoint.spark_path)
        while not self._query.all_tasks_run and not self.ending.wait(0.02):
            self._check_query()

    def _check_query(self) -> None:
        """Raise DetectorError when the query has failed. Where an executor took tasks along, run it again instead."""
        assert self._query is not None
        try:
            self._query.check()
            self._engine.note_executors()
        except DetectorError as failure:
            if self.ending.is_set() or not self._engine.has_lost_executor():
                clicks = self._topics.clicks
                raise explain(
                    failure, self._connection, clicks, self._checkpoint, self._positions
                ) from failure.__cause__
            self._restart(failure)

    def _restart(self, failure: DetectorError) -> None:
        """Go on from the checkpoint: what was judged since is judged again, and readers keep one verdict a click."""
        now = time.monotonic()
        if len(self._restarted) == _RESTARTS and now - self._restarted[0] < _RESTARTS_WITHIN_S:
            raise DetectorError(
                f"the cluster lost executors {_RESTARTS + 1} times within {_RESTARTS_WITHIN_S / 60:.0f} minutes: "
                f"{failure}. Fix: see in the workers' logs why they end; started again, the detector goes on from its "
                "checkpoint"
            ) from failure
        self._restarted.append(now)
        self._log.count_restart()
        _log.warning("An executor was lost with its tasks (%s). Going on from the checkpoint", failure)
        self.stop()
        self._engine.wait_for_slots(self.ending)
        if not self.ending.is_set():
            self._run()
            _log.warning("Judging goes on, %.0f s after the loss", time.monotonic() - now)

    def _wait_until_settled(self) -> None:
        """Wait until no outcome comes any more."""
        outputs = (self._topics.verdicts, self._topics.dead_letters)
        ends, since = [self._positions.ends(topic) for topic in outputs], time.monotonic()
        while time.monotonic() - since < _SETTLED_S:
            time.sleep(0.02)
            now = [self._positions.ends(topic) for topic in outputs]
            if now != ends:
                ends, since = now, time.monotonic()


def judged_at_start(checkpoint: Checkpoint, topics: Topics) -> Judged:
    """What is judged when a detector starts: what its checkpoint says, or all before where it begins."""
    now_ms = int(time.time() * 1000) - 1
    begin = checkpoint.begins_at(topics.clicks)
    if checkpoint.hand_over is None:
        return Judged(begin or checkpoint.begin, since_ms=now_ms)
    return checkpoint.hand_over.judged.advanced(begin, now_ms)


def explain(
    failure: DetectorError, connection: Connection, topic: str, checkpoint: Checkpoint, positions: Positions
) -> WorkbenchError:
    """Why a query failed, in the words of whoever can mend it.

    Parameters
    ----------
    failure
        What Spark said.
    connection, topic
        Where the clicks are: they may have been deleted.
    checkpoint
        Where the query wrote, and where it would go on.
    positions
        Tells whether the topic is still the one that it was.

    Returns
    -------
    WorkbenchError
        A full disk, a topic that was deleted, or LostClicks; `failure` itself where the reason is another, or cannot be
        looked up now.
    """
    if _DISK_FULL in "".join(traceback.format_exception(failure)):
        return disk_full(checkpoint.path)
    try:
        positions.look()
        lost_clicks.refuse(topic, lost_clicks.find(connection, topic, checkpoint.begins_at(topic) or checkpoint.begin))
    except (LostClicks, TopicError) as found:
        return found
    except (BrokerError, OSError, ValueError):
        pass  # it cannot be looked up now: then Spark's words must do
    return failure
