"""The running detector as its user has it: `detect` starts one, and its handle watches, changes and ends it.

`detect` returns at once; no click sent after it returned is missed, for the offsets to begin with are settled before.
`Detector.apply` changes the rule while clicks come. The thread behind the handle is in `supervisor`, the query in
`judging` and `streaming`, and what a change of the rule means for each click is in `hand_over`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping as MappingOf
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from workbench.broker.topic_settings import settings_of
from workbench.broker.topics import Connection, Topics, describe
from workbench.clicks.foreign import AnyMapping
from workbench.clicks.mapping import Mapping
from workbench.detector import lost_clicks
from workbench.detector.catch_up import CatchUp
from workbench.detector.checkpoint import Checkpoint
from workbench.detector.hand_over import HandOver
from workbench.detector.judging import Judging, judged_at_start
from workbench.detector.positions import Positions, refuse_shorter
from workbench.detector.progress import Progress, ProgressLog
from workbench.detector.settings import DetectorSettings, Tolerance
from workbench.detector.streaming import SparkEngine
from workbench.detector.supervisor import State, Supervisor
from workbench.durations import duration
from workbench.errors import DetectorError, NotCaughtUp, RuleError, WorkbenchError
from workbench.machine.folders import state_dir
from workbench.machine.java import find_java
from workbench.rule import Rule
from workbench.spark.cluster import check_master

__all__ = ["Detector", "detect"]

_log = logging.getLogger("workbench.detector")
_asking = ThreadPoolExecutor(1, "workbench-progress")
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
    mapping: AnyMapping | None = None,
) -> Detector:
    """Start judging the clicks of a topic by a rule. Returns at once, while Spark is still starting.

    Topics that do not exist are created with two partitions.

    Parameters
    ----------
    rule
        What makes a click fraud.
    connection
        The broker to read from and to write to.
    topics
        Where the clicks are, and where verdicts and dead letters go.
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
    mapping
        How records that other producers wrote are read as clicks: a `wb.Mapping`, a dict of its parameters, a TOML file
        or pairs, as ``"session_id=visitorId,ts=when"``. Fields without a path are read by their own names, and
        click_id, if it has none, is made of topic, partition and offset. A number is a time if `time_unit` says what it
        counts. Nothing is written to such a topic, so a partition without traffic holds the state of the others. None:
        records are as `wb.send` writes them.

    Returns
    -------
    Detector
        It runs until its `stop()`, the end of its `with` block, or that of this process.

    Raises
    ------
    BrokerError, JavaNotFound, CheckpointMismatch, LostClicks
        At once. What goes wrong later, `Detector.error` holds and every wait raises.
    ClickError
        The mapping cannot be, or says what cannot be said of records that are judged as they come.
    DetectorError
        A detector already runs in this process: Spark has room for one real-time query. Or no master answers.
    """
    settings = DetectorSettings(
        rule=rule,
        connection=connection,
        topics=topics,
        starting=starting,
        checkpoint=None if checkpoint is None else Path(checkpoint).expanduser(),
        fresh=fresh,
        checkpoint_every=duration(checkpoint_every),
        tolerance=tolerance,
        master=master,
        on_lost_clicks=on_lost_clicks,
        mapping=None if mapping is None else Mapping.of(mapping),
    )
    find_java()
    check_master(master)
    global _current
    with _one_at_a_time:
        if _current is not None and _current.state in ("starting", "running"):
            raise DetectorError(f"a detector already runs in this process: {_current}. Fix: stop() it first")
        _current = _start(settings)
        return _current


def _start(settings: DetectorSettings) -> Detector:
    connection, topics = settings.connection, settings.topics
    held = describe(connection, topics, create=True)
    clicks = held[topics.clicks]
    begin = clicks.begin if settings.starting == "earliest" else clicks.end
    identity = settings.identity(clicks.topic_id, len(clicks.end))
    with contextlib.ExitStack() as undo:
        scratch = state_dir() / "checkpoints"
        checkpoint = Checkpoint(settings.checkpoint, identity, scratch=scratch, fresh=settings.fresh, begin=begin)
        undo.callback(checkpoint.close)
        lost = lost_clicks.pass_over(checkpoint, topics.clicks, clicks.begin, settings.on_lost_clicks)
        begun = judged_at_start(checkpoint, topics)
        refuse_shorter(topics.clicks, begun.upto, clicks.end)
        positions = Positions(connection, topics, held)
        undo.callback(positions.close)
        log = ProgressLog(topics.clicks, begun.upto, positions.outcomes(), lost)
        engine = SparkEngine(settings, checkpoint.partitions)
        judging = Judging(settings, begun, checkpoint, positions, log, engine)
        about = settings_of(connection, topics.clicks)
        if about is not None and about.loses_clicks:
            _log.warning("%s. Fix: %s", about.loses_clicks, about.keep_all)
        supervisor = Supervisor(settings, judging, positions, log, checkpoint, about)
        supervisor.start()
        undo.pop_all()
    return Detector(settings, supervisor, judging, positions, log)


class Detector:
    """A detector that `detect` started. As a context manager it stops on leaving.

    Attributes
    ----------
    topics, connection
        What it was started with.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        supervisor: Supervisor,
        judging: Judging,
        positions: Positions,
        log: ProgressLog,
    ) -> None:
        self.topics, self.connection = settings.topics, settings.connection
        self._supervisor, self._judging, self._positions, self._log = supervisor, judging, positions, log

    @property
    def rule(self) -> Rule:
        """The rule that it judges by now."""
        return self._supervisor.rule

    @property
    def state(self) -> State:
        """Where the detector is in its life."""
        return self._supervisor.state

    @property
    def error(self) -> WorkbenchError | None:
        """Why the detector failed; None where it has not."""
        return self._supervisor.error

    @property
    def progress(self) -> Progress:
        """How far the detector is at this moment. Raises BrokerError when the broker does not answer.

        TopicError, which is one, where the clicks topic was deleted or made anew: the detector is about to fail by it.
        """
        # Not on the caller's thread: Kafka's clients take a KeyboardInterrupt for their own, and a cell would go on.
        return _asking.submit(self._progress_now).result()

    def _progress_now(self) -> Progress:
        try:
            ends = self._positions.ends_of_clicks()
            self._log.reached(self._positions.judged())
            judged = self._positions.past_gaps(self._log.behind(ends))  # what holds no click is no lag
            return self._log.now(self.state, ends, judged, self._positions.outcomes())
        except DetectorError:  # it has ended
            return self._log.last(self.state)

    def wait_until_started(self, timeout: timedelta | str = "120s") -> Self:
        """Wait until every task of the query runs.

        Parameters
        ----------
        timeout
            How long to wait at most.

        Raises
        ------
        WorkbenchError
            What went wrong.
        DetectorError
            The time is over, or the detector was stopped.
        """
        deadline = time.monotonic() + duration(timeout).total_seconds()
        while not self._supervisor.started.wait(0.05):
            self._supervisor.raise_error()
            if self.state == "stopped":
                raise DetectorError("the detector was stopped before it had started. Fix: start another one")
            if time.monotonic() > deadline:
                raise DetectorError(
                    f"the detector had not started after {timeout}. "
                    "Fix: wait longer; on a cluster, give it more task slots; Spark's log is in the logs folder of "
                    f"{state_dir()}"
                )
        self._supervisor.raise_error()
        return self

    def wait_until_caught_up(self, timeout: timedelta | str = "60s") -> Self:
        """Wait until every click that the topic holds at the call has its verdict, or is in the dead-letter topic.

        Parameters
        ----------
        timeout
            How long to wait at most.

        Raises
        ------
        NotCaughtUp
            The time is over; it says how many clicks are left.
        WorkbenchError
            What made the detector fail.
        """
        deadline = time.monotonic() + duration(timeout).total_seconds()
        try:
            self._catch_up(deadline, f"{timeout}")
        except DetectorError:
            self._supervisor.raise_error()  # why it ended says more than that it did
            raise
        return self

    def apply(self, rule: Rule) -> HandOver | None:
        """Change the rule while clicks come: no click is lost, and none has a verdict of both rules.

        What is judged keeps its verdict; every other click gets one of the new rule, in windows that are warm from the
        first one on. Returns when the new query runs. The checkpoint is then the new rule's. A detector that goes on
        from a checkpoint first judges by the old rule what waited when it started.

        Parameters
        ----------
        rule
            To judge by from now on.

        Returns
        -------
        HandOver or None
            What became of which clicks; None if that was the rule anyway.

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
        return self._supervisor.change_to(rule)

    def stop(self) -> None:
        """End the query and wait for its end. Spark stays up for the next detector. May be called again."""
        self._supervisor.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Detector {self.state}: {self.rule.rule_id} on {self.topics.clicks} at {self.connection.bootstrap}>"

    def _catch_up(self, deadline: float, timeout: str) -> None:
        target = self._positions.ends_of_clicks()
        with contextlib.closing(CatchUp(self.connection, self._positions, self._judging.judged(), target)) as catch_up:
            while left := catch_up.read():
                self._supervisor.raise_error()
                committed = self._log.committed
                offsets: MappingOf[int, int] = committed.offsets if committed else {}
                for partition, offset in offsets.items():
                    catch_up.frontier.advance(partition, offset)
                if self._supervisor.finished:
                    raise DetectorError(f"the detector was stopped with {left:,} clicks to judge")
                if time.monotonic() > deadline:
                    first = catch_up.frontier.first_left().items()
                    places = ", ".join(f"partition {number} from offset {offset}" for number, offset in first)
                    raise NotCaughtUp(f"{left:,} clicks had no verdict after {timeout} ({places})")
        self._log.reached(target)
