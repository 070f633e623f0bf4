"""The running detector: from a rule to a Spark query in real-time mode, and the handle that watches and ends it.

The query itself is in `query`. `start` returns at once; no click sent after it returned is missed, for the offsets to
begin with are settled before.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from workbench import ticks
from workbench.broker import Connection, Topics, begin_offsets, end_offsets, ensure_topics
from workbench.checkpoint import Checkpoint
from workbench.errors import DetectorError, NotCaughtUp, RuleError, WorkbenchError
from workbench.positions import CatchUp, Positions
from workbench.progress import Progress, ProgressLog
from workbench.query import Tolerance
from workbench.rule import Rule, duration, format_duration
from workbench.runtime import find_java, spark_session, state_dir
from workbench.ticks import IdleWatch, send_ticks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["Detector", "start"]

State = Literal["starting", "running", "stopped", "failed"]

_LOOK_EVERY_S = 0.25
_TICK_EVERY_S = 5.0
_log = logging.getLogger("workbench.detector")
_one_at_a_time = threading.Lock()
_current: Detector | None = None


def start(
    rule: Rule,
    connection: Connection,
    *,
    topics: Topics = Topics(),
    starting: Literal["latest", "earliest"] = "latest",
    checkpoint: Path | str | None = None,
    fresh: bool = False,
    checkpoint_every: timedelta | str = "60s",
    tolerance: Tolerance = Tolerance(),
    master: str | None = None,
) -> Detector:
    """Start judging the clicks of a topic by a rule. Returns at once, while Spark is still starting.

    Parameters
    ----------
    starting
        "latest": the clicks from now on. "earliest": also those that the topic holds. A checkpoint that has state goes
        on where it was instead.
    checkpoint
        Folder of state and offsets, to go on from after a stop or a crash. None: a throw-away one.
    fresh
        Begin anew although the checkpoint has state; the old one is moved aside.
    checkpoint_every
        From 5s to 1h. Each checkpoint makes verdicts wait for about half a second; a crash makes a restart judge again
        what came since the last one. Readers keep one verdict per click_id, so that shows only in the counts.
    tolerance
        How far event times may lie from the Kafka timestamps of their records.
    master
        URL of a Spark cluster; None runs Spark in this process.

    Topics that do not exist are created with two partitions.

    Raises
    ------
    BrokerError, JavaNotFound, CheckpointMismatch
        At once. What goes wrong later, `Detector.error` holds and every wait raises.
    DetectorError
        A detector already runs in this process: Spark has room for one real-time query.
    """
    if starting not in ("latest", "earliest"):
        raise DetectorError(f'starting must be "latest" or "earliest": got {starting!r}')
    every = duration(checkpoint_every)
    if not timedelta(seconds=5) <= every <= timedelta(hours=1):
        raise RuleError(f"checkpoint_every must be from 5s to 1h: got {format_duration(every)}")
    find_java()
    global _current
    with _one_at_a_time:
        if _current is not None and _current.state in ("starting", "running"):
            raise DetectorError(f"a detector already runs in this process: {_current}. Fix: stop() it first")
        path = None if checkpoint is None else Path(checkpoint).expanduser()
        _current = Detector(rule, connection, topics, starting, path, fresh, every, tolerance, master)
        return _current


class Detector:
    """A detector that `start` made. As a context manager it stops on leaving.

    rule, topics, connection: what it was started with.
    """

    def __init__(
        self,
        rule: Rule,
        connection: Connection,
        topics: Topics,
        starting: str,
        checkpoint: Path | None,
        fresh: bool,
        checkpoint_every: timedelta,
        tolerance: Tolerance,
        master: str | None,
    ) -> None:
        self.rule, self.topics, self.connection = rule, topics, connection
        self._tolerance, self._master, self._every = tolerance, master, checkpoint_every
        partitions = ensure_topics(connection, topics)
        self._partitions = partitions[topics.clicks]
        offsets = begin_offsets if starting == "earliest" else end_offsets
        self._starting_offsets = offsets(connection, topics.clicks)
        identity = {
            "rule": rule.rule_id,
            "clicks": topics.clicks,
            "partitions": self._partitions,
            "late": format_duration(duration(tolerance.late)),
            "ahead": format_duration(duration(tolerance.ahead)),
        }
        self._checkpoint = Checkpoint(checkpoint, identity, scratch=state_dir() / "checkpoints", fresh=fresh)
        try:
            self._begun_at = self._checkpoint.committed(topics.clicks) or self._starting_offsets
            self._positions = Positions(connection, topics, partitions)
            self._log = ProgressLog(topics.clicks, self._begun_at, self._outcome_counts())
        except BaseException:
            self._checkpoint.close()
            raise
        self._began_ms = int(time.time() * 1000) - 1
        self._query: StreamingQuery | None = None
        self._started, self._ending = threading.Event(), threading.Event()
        self._finished = False
        self.error: WorkbenchError | None = None
        self._thread = threading.Thread(target=self._run, name="workbench-detector", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    # --- what users ask -------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the detector is in its life."""
        if self.error is not None:
            return "failed"
        if self._finished or self._ending.is_set():
            return "stopped"
        return "running" if self._started.is_set() else "starting"

    @property
    def progress(self) -> Progress:
        """How far the detector is at this moment. Raises BrokerError when the broker does not answer."""
        try:
            ends, judged = self._positions.ends(self.topics.clicks), self._positions.judged()
            return self._log.now(self.state, ends, judged, self._outcome_counts())
        except DetectorError:  # it has ended
            return self._log.last(self.state)

    def wait_until_started(self, timeout: timedelta | str = "120s") -> Self:
        """Wait until every task of the query runs. Raises what went wrong, or DetectorError when time is over."""
        deadline = time.monotonic() + duration(timeout).total_seconds()
        while not self._started.wait(0.05):
            self._raise_error()
            if self.state == "stopped":
                raise DetectorError("the detector was stopped before it had started. Fix: start another one")
            if time.monotonic() > deadline:
                raise DetectorError(
                    f"the detector had not started after {timeout}. "
                    "Fix: wait longer; on a cluster, give it more task slots; Spark's log is in the logs folder of "
                    f"{state_dir()}"
                )
        self._raise_error()
        return self

    def wait_until_caught_up(self, timeout: timedelta | str = "60s") -> Self:
        """Wait until every click that the topic holds at the call has its verdict, or is in the dead-letter topic.

        Raises NotCaughtUp saying how many are left when time is over, and whatever made the detector fail.
        """
        deadline = time.monotonic() + duration(timeout).total_seconds()
        try:
            self._catch_up(deadline, f"{timeout}")
        except DetectorError:
            self._raise_error()  # why it ended says more than that it did
            raise
        return self

    def stop(self) -> None:
        """End the query and wait for its end. Spark stays up for the next detector. May be called again."""
        self._ending.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Detector {self.state}: {self.rule.rule_id} on {self.topics.clicks} at {self.connection.bootstrap}>"

    # --- the thread that runs it ----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            session = self._session()
            if not self._ending.is_set():
                self._query = self._start_query(session)
                self._wait_for_tasks(session)
                self._watch()
        except WorkbenchError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - kept for whoever waits, with its cause
            self.error = DetectorError(f"the detector failed: {_first_line(error)}")
            self.error.__cause__ = error
        finally:
            self._clean_up()

    def _session(self) -> SparkSession:
        # Every task of the query runs all the time; the other slots are for batch jobs beside it.
        slots = 2 * self._partitions + 2
        conf = {
            "spark.sql.shuffle.partitions": self._partitions,
            # By session and URL is enough to find a window's state: else there is a second shuffle after the doubling.
            "spark.sql.streaming.statefulOperator.useStrictDistribution": "false",
            "spark.sql.streaming.stateStore.providerClass": (
                "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
            ),
        }
        return spark_session(slots, self._master, conf)

    def _start_query(self, session: SparkSession) -> StreamingQuery:
        from workbench.query import outcomes, read_clicks

        clicks = read_clicks(
            session, self.connection, self.topics.clicks, self._starting_offsets, self._tolerance, self._every
        )
        query: StreamingQuery = (
            outcomes(clicks, self.rule, self.topics)
            .writeStream.format("kafka")
            .options(**self.connection.spark())
            .option("includeHeaders", "true")
            .option("checkpointLocation", str(self._checkpoint.path))
            .outputMode("update")
            .trigger(realTime=f"{int(self._every.total_seconds() * 1000)} milliseconds")  # type: ignore[call-overload]  # newer than its stubs
            .start()
        )
        return query

    def _wait_for_tasks(self, session: SparkSession) -> None:
        tracker = session.sparkContext.statusTracker()
        while not self._ending.wait(0.05):
            self._check_query()
            stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
            if sum(stage.numActiveTasks for stage in stages if stage) >= 2 * self._partitions:
                self._started.set()
                return

    def _watch(self) -> None:
        assert self._query is not None
        idle = IdleWatch(self._starting_offsets, ticks.IDLE_AFTER_S)
        next_look = time.monotonic()
        while not self._ending.wait(_LOOK_EVERY_S):
            self._check_query()
            if dropped := self._log.take(self._query.recentProgress):
                _log.error(
                    "%s rows came behind the watermark and were dropped by Spark: their clicks have no exact verdict. "
                    "Fix: judge this topic again with a greater `late`, from a fresh checkpoint",
                    f"{dropped:,}",
                )
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + _TICK_EVERY_S
                self._tick(idle)

    def _tick(self, idle: IdleWatch) -> None:
        wanting, busy = idle.look(self._positions.ends(self.topics.clicks))
        if wanting and (times := self._positions.last_received(busy)):
            slowest = min(times.values())
            idle.ticked(send_ticks(self.connection, self.topics.clicks, dict.fromkeys(wanting, slowest)))

    def _check_query(self) -> None:
        assert self._query is not None
        if self._query.isActive:
            return
        failure = self._query.exception()
        reason = _first_line(failure) if failure else "it ended without being asked to"
        raise DetectorError(f"the query failed: {reason}. Spark's log is in {state_dir() / 'logs'}") from failure

    def _clean_up(self) -> None:
        try:
            if self._query is not None and self._query.isActive:
                self._query.stop()
            if self._query is not None:
                self._log.take(self._query.recentProgress)
        except Exception as error:  # noqa: BLE001 - a JVM that is gone must not hide why
            self.error = self.error or DetectorError(f"the query did not stop: {_first_line(error)}")
        self._finished = True
        self._positions.close()
        self._checkpoint.close()
        atexit.unregister(self.stop)

    def _catch_up(self, deadline: float, timeout: str) -> None:
        target = self._positions.ends(self.topics.clicks)
        done, since_ms = self._log.committed or self._begun_at, self._log.committed_ms or self._began_ms
        catch_up = CatchUp(self.connection, self._positions, done, since_ms, target)
        try:
            while left := catch_up.look():
                self._raise_error()
                for partition, offset in (self._log.committed or {}).items():
                    catch_up.frontier.advance(partition, offset)
                if self._finished:
                    raise DetectorError(f"the detector was stopped with {left:,} clicks to judge")
                if time.monotonic() > deadline:
                    first = catch_up.frontier.first_left().items()
                    places = ", ".join(f"partition {number} from offset {offset}" for number, offset in first)
                    raise NotCaughtUp(f"{left:,} clicks had no verdict after {timeout} ({places})")
        finally:
            catch_up.close()
        self._log.reached(target)

    def _outcome_counts(self) -> Mapping[str, int]:
        outputs = (self.topics.verdicts, self.topics.dead_letters)
        return {topic: sum(self._positions.ends(topic).values()) for topic in outputs}

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error


def _first_line(error: Any) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
