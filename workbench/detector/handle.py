"""The running detector: from a rule to a Spark query in real-time mode, and the handle that watches and ends it.

`detect` returns at once; no click sent after it returned is missed, for the offsets to begin with are settled before.
`Detector.apply` changes the rule while clicks come. The query is in `query`, its starts and ends are in `judging`, and
what a change of the rule means for each click is in `hand_over`.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from workbench.broker.topics import Connection, Topics, begin_offsets, end_offsets, ensure_topics, topic_id
from workbench.detector import lost_clicks, ticks
from workbench.detector.checkpoint import Checkpoint
from workbench.detector.hand_over import HandOver
from workbench.detector.judging import Judging, judged_at_start, pass_over_lost
from workbench.detector.lost_clicks import Overtaken
from workbench.detector.positions import CatchUp, Positions
from workbench.detector.progress import Progress, ProgressLog
from workbench.detector.source import Tolerance
from workbench.detector.ticks import IdleWatch, send_ticks
from workbench.durations import duration, format_duration
from workbench.errors import BrokerError, DetectorError, NotCaughtUp, RuleError, WorkbenchError
from workbench.rule import Rule
from workbench.spark.cluster import check_master
from workbench.spark.session import find_java, state_dir
from workbench.text import first_line

__all__ = ["Detector", "detect"]

State = Literal["starting", "running", "stopped", "failed"]

_LOOK_EVERY_S = 0.25
_TICK_EVERY_S = 5.0
_log = logging.getLogger("workbench.detector")
_one_at_a_time = threading.Lock()
_current: Detector | None = None


def detect(
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
    on_lost_clicks: Literal["fail", "go_on"] = "fail",
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
        From 5s to 1h. Each checkpoint makes verdicts wait for one to two seconds; a crash makes a restart judge again
        what came since the last one. Readers keep one verdict per click_id, so that shows only in the counts.
    tolerance
        How far event times may lie from the Kafka timestamps of their records.
    master
        URL of a Spark cluster; None runs Spark in this process. The checkpoint, or the state folder where there is
        none, must then be storage that all its machines share, under one path.
    on_lost_clicks
        Where the topic has deleted clicks that come next by the checkpoint: "fail", or "go_on" without them, which is
        logged and counted in `Progress.lost_clicks`. A running detector that is so far behind fails either way: Spark
        would wait for those clicks for ever. Start it again.

    Topics that do not exist are created with two partitions.

    Raises
    ------
    BrokerError, JavaNotFound, CheckpointMismatch, LostClicks
        At once. What goes wrong later, `Detector.error` holds and every wait raises.
    DetectorError
        A detector already runs in this process: Spark has room for one real-time query. Or no master answers.
    """
    if starting not in ("latest", "earliest"):
        raise DetectorError(f'starting must be "latest" or "earliest": got {starting!r}')
    if on_lost_clicks not in ("fail", "go_on"):
        raise DetectorError(f'on_lost_clicks must be "fail" or "go_on": got {on_lost_clicks!r}')
    every = duration(checkpoint_every)
    if not timedelta(seconds=5) <= every <= timedelta(hours=1):
        raise RuleError(f"checkpoint_every must be from 5s to 1h: got {format_duration(every)}")
    find_java()
    check_master(master)
    global _current
    with _one_at_a_time:
        if _current is not None and _current.state in ("starting", "running"):
            raise DetectorError(f"a detector already runs in this process: {_current}. Fix: stop() it first")
        path = None if checkpoint is None else Path(checkpoint).expanduser()
        _current = Detector(rule, connection, topics, starting, path, fresh, every, tolerance, master, on_lost_clicks)
        return _current


class Detector:
    """A detector that `detect` started. As a context manager it stops on leaving.

    topics, connection: what it was started with.
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
        on_lost_clicks: str,
    ) -> None:
        self.topics, self.connection, self._master = topics, connection, master
        partitions = ensure_topics(connection, topics)
        offsets = begin_offsets if starting == "earliest" else end_offsets
        begin = offsets(connection, topics.clicks)
        identity = {
            "rule": rule.rule_id,
            "clicks": topics.clicks,
            "topic_id": topic_id(connection, topics.clicks),  # made anew, it has other clicks at the same offsets
            "partitions": partitions[topics.clicks],
            "late": format_duration(duration(tolerance.late)),
            "ahead": format_duration(duration(tolerance.ahead)),
        }
        scratch = state_dir() / "checkpoints"
        self._checkpoint = Checkpoint(checkpoint, identity, scratch=scratch, fresh=fresh, begin=begin)
        self._started, self._ending, self._asked = threading.Event(), threading.Event(), threading.Event()
        self._one_change = threading.Lock()
        self._change: tuple[Rule, Future[HandOver]] | None = None
        try:
            lost = pass_over_lost(self._checkpoint, connection, topics.clicks, on_lost_clicks)
            begun = judged_at_start(self._checkpoint, topics)
            self._positions = Positions(connection, topics, partitions)
            self._log = ProgressLog(topics.clicks, begun.upto, self._outcome_counts())
            self._log.lost_clicks = lost
            self._judging = Judging(
                rule,
                connection,
                topics,
                begun,
                self._checkpoint,
                checkpoint_every,
                tolerance,
                self._positions,
                self._log,
                self._ending,
            )
        except BaseException:
            self._checkpoint.close()
            raise
        self._finished = False
        self.error: WorkbenchError | None = None
        self._thread = threading.Thread(target=self._run, name="workbench-detector", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    # --- what users ask -------------------------------------------------------------------------------------------

    @property
    def rule(self) -> Rule:
        """The rule that it judges by now."""
        return self._judging.rule

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

    def apply(self, rule: Rule) -> HandOver | None:
        """Change the rule while clicks come: no click is lost, and none has a verdict of both rules.

        What is judged keeps its verdict; every other click gets one of the new rule, in windows that are warm from the
        first one on. Returns when the new query runs; None if that was the rule anyway. The checkpoint is then the new
        rule's. A detector that goes on from a checkpoint first judges by the old rule what waited when it started.

        Raises
        ------
        RuleError
            Not a Rule.
        BrokerError
            The topics cannot be read. The rule is as it was.
        DetectorError
            The new rule did not start, and the old one goes on if `state` says "running". Or the detector has ended.
        """
        if not isinstance(rule, Rule):
            raise RuleError(f"apply takes a rule: got {rule!r}. Fix: apply(Rule('10s', threshold=3))")
        self.wait_until_started()
        with self._one_change:
            if rule == self.rule:
                return None
            change: Future[HandOver] = Future()
            self._change = rule, change
            self._asked.set()
            while not wait_for([change], timeout=0.1).done:
                if not self._thread.is_alive() and not change.done():
                    self._raise_error()
                    raise DetectorError(
                        f"the detector was stopped before it judged by {rule.rule_id}. Fix: start another"
                    )
            return change.result()

    def stop(self) -> None:
        """End the query and wait for its end. Spark stays up for the next detector. May be called again."""
        self._ending.set()
        self._asked.set()
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
            self._judging.start(self._master)
            if not self._ending.is_set():
                self._started.set()
                self._watch()
        except WorkbenchError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - kept for whoever waits, with its cause
            self.error = DetectorError(f"the detector failed: {first_line(error)}")
            self.error.__cause__ = error
        finally:
            self._clean_up()

    def _watch(self) -> None:
        idle, overtaken = IdleWatch(self._checkpoint.begin, ticks.IDLE_AFTER_S), Overtaken()
        next_look = time.monotonic()
        while not self._ending.is_set():
            if dropped := self._judging.look():
                _log.error(
                    "%s rows came behind the watermark and were dropped by Spark: their clicks have no exact verdict. "
                    "Fix: judge this topic again with a greater `late`, from a fresh checkpoint",
                    f"{dropped:,}",
                )
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + _TICK_EVERY_S
                try:
                    ends = self._positions.ends(self.topics.clicks)
                    self._tick(idle, ends)
                    self._refuse_lost(overtaken, ends)
                except BrokerError as error:  # Spark waits for a broker that is away for a while, and so does this
                    _log.warning("The clicks topic cannot be looked at: %s", error)
            if self._asked.wait(_LOOK_EVERY_S) and self._change is not None and not self._ending.is_set():
                self._asked.clear()
                (rule, change), self._change = self._change, None
                self._make(rule, change)

    def _make(self, rule: Rule, change: Future[HandOver]) -> None:
        try:
            change.set_result(self._judging.change_to(rule))
        except WorkbenchError as error:
            change.set_exception(error)
        except Exception as error:  # noqa: BLE001 - for the one who asked; `look` raises if nothing is judged any more
            failure = DetectorError(f"{rule.rule_id} could not be applied: {first_line(error)}")
            failure.__cause__ = error
            change.set_exception(failure)

    def _tick(self, idle: IdleWatch, ends: Mapping[int, int]) -> None:
        wanting, busy = idle.look(ends)
        if wanting and (times := self._positions.last_received(busy)):
            slowest = min(times.values())
            idle.ticked(send_ticks(self.connection, self.topics.clicks, dict.fromkeys(wanting, slowest)))

    def _refuse_lost(self, overtaken: Overtaken, ends: Mapping[int, int]) -> None:
        begins = self._positions.begins(self.topics.clicks)
        self._log.reached(self._log.committed or {})
        if any(self._log.judged.get(number, 0) < at for number, at in begins.items()):  # it may be further by now
            self._log.reached(self._positions.judged())
        lost_clicks.refuse(self.topics.clicks, overtaken.look(begins, self._log.judged, ends))

    def _clean_up(self) -> None:
        try:
            self._judging.stop()
        except Exception as error:  # noqa: BLE001 - a JVM that is gone must not hide why
            self.error = self.error or DetectorError(f"the query did not stop: {first_line(error)}")
        self._finished = True
        self._positions.close()
        self._checkpoint.close()
        atexit.unregister(self.stop)

    def _catch_up(self, deadline: float, timeout: str) -> None:
        target = self._positions.ends(self.topics.clicks)
        catch_up = CatchUp(self.connection, self._positions, self._judging.known(), target)
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
