"""What runs behind a notebook – a detector, the feed of its verdicts, the traffic it judges – in one handle.

Each of the three can be had alone: see `detector.handle`, `verdicts.feed` and `broker.sender`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from datetime import timedelta
from typing import Any, Literal, Self

from workbench.broker.sender import Sending, send
from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.clicks.foreign import AnyMapping
from workbench.clicks.traffic import Traffic
from workbench.detector.hand_over import HandOver
from workbench.detector.handle import Detector, detect
from workbench.detector.supervisor import State
from workbench.durations import duration
from workbench.errors import DetectorError, NotCaughtUp
from workbench.rule import Rule
from workbench.verdicts.feed import VerdictFeed, follow

__all__ = ["Live", "live"]

_log = logging.getLogger("workbench.live")
_one_at_a_time = threading.Lock()
_latest: Live | None = None


def live(
    rule: Rule,
    connection: Connection,
    *,
    topics: Topics = Topics(),
    starting: Literal["latest", "earliest"] = "latest",
    mapping: AnyMapping | None = None,
    limit: int = 200_000,
    timeout: timedelta | str = "120s",
) -> Live:
    """Start a detector and follow its verdicts; return when it judges.

    What an earlier call in this process left running ends first: a notebook that was interrupted is simply run again.

    Parameters
    ----------
    rule
        The rule to judge by.
    connection
        The broker, as `connect` gives it.
    topics
        Where clicks, verdicts and dead letters are. Those that do not exist are created.
    starting
        "latest": judge the clicks from now on. "earliest": also those that the topic holds. The feed has the verdicts
        of this detector either way, and none from before.
    mapping
        How records that other producers wrote are read as clicks, as for `wb.detect`.
    limit
        How many verdicts the feed holds; older ones are forgotten.
    timeout
        How long the detector may take to start.

    Returns
    -------
    Live
        The handle. End it with `stop()`, or use it as a context manager.

    Raises
    ------
    BrokerError, JavaNotFound
        There is no broker, or no Java.
    DetectorError
        The detector did not start, or one that `live` knows nothing of runs in this process. Nothing is left running.
    """
    global _latest
    with _one_at_a_time:
        if _latest is not None:
            _end_left_over(_latest)
        ensure_topics(connection, topics)
        # The feed comes first, so that it misses none of this detector's verdicts.
        with contextlib.ExitStack() as undo:
            feed = undo.enter_context(follow(connection, topics, limit=limit))
            detector = undo.enter_context(detect(rule, connection, topics=topics, starting=starting, mapping=mapping))
            _latest = Live(detector, feed)  # a second interrupt, while this one tidies up, leaves it for the next call
            detector.wait_until_started(timeout)
            undo.pop_all()
        return _latest


class Live:
    """A detector that runs, the feed of its verdicts, and traffic for it. `live` makes one.

    Parameters
    ----------
    detector
        The detector.
    feed
        The feed that follows its verdicts.

    Attributes
    ----------
    detector
        To ask for its `progress`.
    feed
        The verdicts so far: `feed.frame()`.
    sending
        The traffic that was sent last, running or done; None before any.
    """

    def __init__(self, detector: Detector, feed: VerdictFeed) -> None:
        self.detector, self.feed = detector, feed
        self.sending: Sending | None = None
        self._stopped = False

    @property
    def rule(self) -> Rule:
        """The rule that judges now."""
        return self.detector.rule

    @property
    def state(self) -> State:
        """Where the detector is in its life: "running" when a rule can be applied."""
        return self.detector.state

    def send(self, traffic: Traffic, *, progress: bool = False) -> Sending:
        """Send clicks to the detector's topic, in the background. Traffic that is still being sent ends first.

        Parameters
        ----------
        traffic
            The clicks to draw and send, each at its own time.
        progress
            Show a bar on stderr.

        Returns
        -------
        Sending
            The handle of the traffic, which `sending` is from now on as well.

        Raises
        ------
        BrokerError
            The broker does not take clicks.
        DetectorError
            This has been stopped.
        WorkbenchError
            What went wrong with the traffic before, once: send again then.
        """
        if self._stopped:
            raise DetectorError(f"nothing judges clicks any more: {self}. Fix: start again with live()")
        before, self.sending = self.sending, None
        if before is not None:
            before.stop()
        detector = self.detector
        self.sending = send(traffic, detector.connection, topic=detector.topics.clicks, progress=progress)
        return self.sending

    def apply(self, rule: Rule) -> HandOver | None:
        """Judge by another rule from now on: `Detector.apply`."""
        return self.detector.apply(rule)

    def wait_until_caught_up(self, timeout: timedelta | str = "60s") -> Self:
        """Wait until every click that the topic holds at the call is judged, and the feed has all verdicts.

        Raises NotCaughtUp when time is over, and whatever made the detector or the feed fail.
        """
        deadline = time.monotonic() + duration(timeout).total_seconds()
        self.detector.wait_until_caught_up(timeout)
        given = self.detector.progress.verdicts
        if not self.feed.wait_for(lambda seen: seen.records >= given, max(0.0, deadline - time.monotonic())):
            read = self.feed.counts.records
            raise NotCaughtUp(f"the feed had read {read:,} of {given:,} verdicts after {timeout}. Fix: wait longer")
        return self

    def stop(self) -> None:
        """End the traffic, then the detector, then the feed. What was seen stays. May be called again.

        Raises what went wrong with the traffic, when all three have ended.
        """
        self.__exit__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        global _latest
        self._stopped = True
        with contextlib.ExitStack() as ending:  # the last one first, and each whatever becomes of the others
            ending.callback(self.feed.stop)
            ending.callback(self.detector.stop)
            if self.sending is not None:
                ending.callback(self.sending.__exit__, *(error or (None, None, None)))
        if _latest is self:
            _latest = None

    def __repr__(self) -> str:
        traffic = f", {self.sending.sent:,} clicks sent" if self.sending is not None else ""
        counts = self.feed.counts
        seen = f"{counts.clicks:,} judged, {counts.flagged:,} flagged"
        return f"<Live {self.state}: {self.rule.rule_id}{traffic}, {seen}>"


def _end_left_over(left: Live) -> None:
    """End it, and keep to the log what went wrong with it: it is not what the caller asks for."""
    try:
        left.stop()
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep every later one from starting
        _log.warning("An earlier live session ended with an error: %s", error)
