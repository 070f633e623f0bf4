"""The query of the rule that judges now, and its change to another rule's. Who asks, and when, is `detector`'s matter.

Everything here runs on the detector's thread, but for `known` and what is only read.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from workbench.broker.topics import Connection, Topics
from workbench.detector import lost_clicks, query_failure
from workbench.detector.checkpoint import Checkpoint
from workbench.detector.hand_over import DISORDER_MS, HandOver, Judged
from workbench.detector.positions import OPEN, CatchUp, Positions
from workbench.detector.progress import ProgressLog
from workbench.detector.running import RunningQuery
from workbench.detector.source import ClickSource, Tolerance
from workbench.errors import DetectorError
from workbench.rule import Rule
from workbench.spark.cluster import Cluster, is_cluster
from workbench.spark.session import spark_session, stop_spark
from workbench.text import first_line

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Judging", "judged_at_start", "pass_over_lost"]

_log = logging.getLogger("workbench.detector")
_RESTARTS = 3
_RESTARTS_WITHIN_S = 600.0
_REPLACED_S = 60.0  # how long a cluster has to replace an executor that was lost

_SETTLED_S = 0.15  # outcomes on their way to the broker when their task has ended are there by then


@dataclass(frozen=True)
class _Reading:
    """Where a rule that takes over begins to read, what of that counts for it, and the plan to read it."""

    begin: Mapping[int, int]
    counts_from_us: int
    clicks: DataFrame


class Judging:
    """Judges the clicks of a topic by one rule at a time.

    begun: what is judged already. checkpoint: says where to begin, too.
    ending: set when the detector is to stop; waits end then.
    """

    def __init__(
        self,
        rule: Rule,
        connection: Connection,
        topics: Topics,
        begun: Judged,
        checkpoint: Checkpoint,
        checkpoint_every: timedelta,
        tolerance: Tolerance,
        positions: Positions,
        log: ProgressLog,
        ending: threading.Event,
    ) -> None:
        self.rule = rule
        self._connection, self._topics, self._starting_offsets = connection, topics, checkpoint.begin
        self._checkpoint, self._every, self._tolerance = checkpoint, checkpoint_every, tolerance
        self._positions, self._log, self._ending = positions, log, ending
        self._begun = begun
        # A detector that goes on from a checkpoint first judges again what another run has judged, up to here at most.
        self._again_to = positions.ends_of_clicks() if checkpoint.resumed else {}
        self._source: ClickSource | None = None
        self._rows: DataFrame | None = None
        self._query: RunningQuery | None = None
        self._cluster: Cluster | None = None
        self._restarted: deque[float] = deque(maxlen=_RESTARTS)

    def known(self) -> Judged:
        """What is judged for certain, as of the latest checkpoint or hand-over."""
        committed, since_ms = self._log.committed, self._log.committed_ms
        return self._begun.advanced(committed, since_ms) if committed and since_ms else self._begun

    @property
    def _tasks(self) -> int:
        """Tasks of the query: one reads each partition, and as many judge."""
        return 2 * len(self._starting_offsets)

    def start(self, master: str | None) -> None:
        """Start the query. Returns when all its tasks run, or when the detector is to stop."""
        # Every task of the query runs all the time; the other slots are for batch jobs beside it.
        slots = self._tasks + 2
        conf = {
            "spark.sql.shuffle.partitions": len(self._starting_offsets),
            # That a task runs is told when it begins. By default it may be the next heartbeat, up to 10 s later.
            "spark.ui.liveUpdate.period": "0ms",
            # Each checkpoint is 14 MB at 1,000 clicks/s, and by default Spark keeps a hundred of them. It deletes those
            # before a copy of the whole state, which is made after so many changes of it.
            "spark.sql.streaming.minBatchesToRetain": 5,
            "spark.sql.streaming.stateStore.minDeltasForSnapshot": 5,
            # By session and URL is enough to find a window's state: else there is a second shuffle after the doubling.
            "spark.sql.streaming.statefulOperator.useStrictDistribution": "false",
            "spark.sql.streaming.stateStore.providerClass": (
                "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
            ),
        }
        if not is_cluster(master):
            # On local disks Spark's own choice starts ten processes (chmod, readlink) for each file of a checkpoint: a
            # tenth of a second. This one starts two. On other storage its renames may not be atomic.
            conf["spark.sql.streaming.checkpointFileManagerClass"] = (
                "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
            )
        session = spark_session(slots, master, conf)
        if is_cluster(master):
            self._cluster = Cluster(session)
            try:
                self._cluster.wait_for_slots(self._tasks, self._ending)
            except DetectorError:
                stop_spark()  # what it holds of the cluster is free again, and the next start reads settings anew
                raise
        if not self._ending.is_set():
            self._source = ClickSource(session, self._connection, self._topics.clicks, self._tolerance)
            hand_over = self._checkpoint.hand_over
            self._start_query(self._clicks(hand_over.begin if hand_over else self._starting_offsets))

    def look(self) -> int:
        """Take in Spark's reports; how many rows they say were dropped. Raises DetectorError when the query failed."""
        if self._query is None:
            return 0
        dropped = self._log.take(self._query.reports)
        self._check()
        return dropped

    def stop(self) -> None:
        """End the query, if there is one."""
        if self._query is not None:
            self._query.stop()
            self._log.take(self._query.reports)

    def change_to(self, rule: Rule) -> HandOver:
        """Let another rule take over. Raises BrokerError with nothing changed.

        Where the rule does not start, the one before takes over again, and DetectorError says so. Where that fails too
        there is no query any more: `look` raises.
        """
        before = self.rule
        watch = CatchUp(self._connection, self._positions, self.known(), dict.fromkeys(self._starting_offsets, OPEN))
        with contextlib.closing(watch):
            self._read_up(watch)
            reading = self._read_for(rule, watch)  # takes long enough to be made while the old query still judges
            try:
                return self._replace_by(rule, reading, watch)
            except Exception as error:
                failure = f"{rule.rule_id} did not start: {first_line(error)}"
                try:
                    self._replace_by(before, self._read_for(before, watch), watch)
                except Exception as again:  # noqa: BLE001 - it is told, and `look` raises
                    raise DetectorError(f"{failure}. Nor did {before.rule_id} again: {first_line(again)}") from error
                raise DetectorError(f"{failure}. Judging by {before.rule_id} goes on") from error

    def _read_up(self, watch: CatchUp) -> None:
        """Read the outcomes while the old query goes on: so that little is left to read when it has ended."""
        watch.look_to_the_end()
        while any(watch.frontier.first_left()[number] < end for number, end in self._again_to.items()):
            self.look()
            if self._ending.is_set():
                raise DetectorError("the detector was stopped before the rule was applied. Fix: start another one")
            watch.look()
        watch.look_to_the_end()

    def _read_for(self, rule: Rule, watch: CatchUp) -> _Reading:
        """Read from where the oldest click lies that can count for one to judge.

        The one to judge may be `late`; what counts for it is up to a window older and may be `ahead` of its record.
        """
        judged = watch.frontier.judged(since_ms=0)
        first_us = 1000 * (self._positions.first_to_judge(judged) - DISORDER_MS)
        counts_from_us = first_us - self._tolerance.late_us - rule.window_us
        begin = self._positions.begin_at(judged, (counts_from_us - self._tolerance.ahead_us) // 1000)
        lost_clicks.refuse(self._topics.clicks, lost_clicks.find(self._connection, self._topics.clicks, begin))
        return _Reading(begin, counts_from_us, self._clicks(begin))

    def _clicks(self, begin: Mapping[int, int]) -> DataFrame:
        assert self._source is not None
        return self._source.read(begin)

    def _replace_by(self, rule: Rule, reading: _Reading, watch: CatchUp) -> HandOver:
        since = time.monotonic()
        self.stop()
        self._wait_until_settled()
        watch.look_to_the_end()
        judged = watch.frontier.judged(since_ms=int(time.time() * 1000) - 1)
        number = self._checkpoint.hand_over.number + 1 if self._checkpoint.hand_over else 1
        hand_over = HandOver(number, self.rule, rule, judged, reading.begin, reading.counts_from_us)
        self._checkpoint.take_over(hand_over)
        self.rule, self._begun = rule, judged
        self._log.begin_query(judged.upto)
        self._start_query(reading.clicks)
        seconds = time.monotonic() - since
        self._again_to = {}
        self._checkpoint.drop_what_is_left()
        return replace(hand_over, seconds=seconds)

    def _start_query(self, clicks: DataFrame) -> None:
        from workbench.detector.query import outcomes

        self._rows = outcomes(clicks, self.rule, self._topics, self._checkpoint.hand_over)
        self._run_query()

    def _run_query(self) -> None:
        assert self._rows is not None
        self._query = RunningQuery(self._rows, self._connection, self._checkpoint.spark_path, self._every, self._tasks)
        while not self._query.all_tasks_run and not self._ending.wait(0.02):
            self._check()

    def _check(self) -> None:
        """Raise DetectorError when the query has failed. Where an executor took tasks along, run it again instead."""
        assert self._query is not None
        try:
            self._query.check()
            if self._cluster is not None:
                self._cluster.look()
        except DetectorError as failure:
            if self._cluster is None or self._ending.is_set() or not self._cluster.has_lost_one():
                clicks = self._topics.clicks
                raise query_failure.explain(failure, self._connection, clicks, self._checkpoint) from failure.__cause__
            self._restart(self._cluster, failure)

    def _restart(self, cluster: Cluster, failure: DetectorError) -> None:
        """Go on from the checkpoint: what was judged since is judged again, and readers keep one verdict a click."""
        now = time.monotonic()
        if len(self._restarted) == _RESTARTS and now - self._restarted[0] < _RESTARTS_WITHIN_S:
            raise DetectorError(
                f"the cluster lost executors {_RESTARTS + 1} times within {_RESTARTS_WITHIN_S / 60:.0f} minutes: "
                f"{failure}. Fix: see in the workers' logs why they end; started again, the detector goes on from its "
                "checkpoint"
            ) from failure
        self._restarted.append(now)
        self._log.restarts += 1
        _log.warning("An executor was lost with its tasks (%s). Going on from the checkpoint", failure)
        self.stop()
        cluster.wait_for_slots(self._tasks, self._ending, settled_s=_REPLACED_S)
        if not self._ending.is_set():
            self._run_query()
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


def pass_over_lost(checkpoint: Checkpoint, connection: Connection, topic: str, on_lost_clicks: str) -> int:
    """Let a query on this checkpoint begin at clicks that are there; how many records it misses by that.

    Raises LostClicks where there are any, unless `on_lost_clicks` is "go_on".
    """
    lost = lost_clicks.find(connection, topic, checkpoint.begins_at(topic))
    if on_lost_clicks == "fail":
        lost_clicks.refuse(topic, lost)
    if lost:
        _log.warning("%s. The others are judged without them", lost_clicks.told(topic, lost))
        checkpoint.pass_over(topic, lost)
    return sum(map(len, lost.values()))
