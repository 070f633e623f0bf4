"""The thread of a detector: it starts the query, watches it, has its rule changed, and ends it. Users see `handle`."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Literal

from workbench.broker.topic_settings import TopicSettings
from workbench.detector import lost_clicks, ticks
from workbench.detector.checkpoint import Checkpoint
from workbench.detector.hand_over import HandOver
from workbench.detector.judging import Judging
from workbench.detector.lost_clicks import Overtaken
from workbench.detector.positions import Positions, refuse_shorter
from workbench.detector.progress import ProgressLog
from workbench.detector.settings import DetectorSettings
from workbench.detector.ticks import IdleWatch, send_ticks
from workbench.detector.too_late import MostlyTooLate
from workbench.errors import BrokerError, DetectorError, TopicError, WorkbenchError
from workbench.rule import Rule
from workbench.text import first_line

__all__ = ["State", "Supervisor"]

State = Literal["starting", "running", "stopped", "failed"]
"""Where a detector is in its life."""

_CHECK_EVERY_S = 0.25
_TICK_EVERY_S = 5.0
_log = logging.getLogger("workbench.detector")


class Supervisor:
    """Runs the query of a detector from its start to its end, on a thread that begins with `start`.

    Parameters
    ----------
    settings
        What the detector was started with.
    judging
        The query, and its change.
    positions, log, checkpoint
        What it goes by. `positions` and `checkpoint` are closed at the end.
    topic
        The settings of the clicks topic, where they may be looked at.

    Attributes
    ----------
    error
        Why it failed; None where it has not.
    started
        Set when every task of the query runs.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        judging: Judging,
        positions: Positions,
        log: ProgressLog,
        checkpoint: Checkpoint,
        topic: TopicSettings | None = None,
    ) -> None:
        self._late = MostlyTooLate(settings.topics.clicks, topic)
        self._connection, self._clicks = settings.connection, settings.topics.clicks
        self._judging, self._positions, self._log, self._checkpoint = judging, positions, log, checkpoint
        self._may_send = settings.mapping is None  # ticks; to a topic of other people's records nothing is written
        self.error: WorkbenchError | None = None
        self.started = threading.Event()
        self._finished = False
        self._one_change, self._asked = threading.Lock(), threading.Event()
        self._change: tuple[Rule, Future[HandOver]] | None = None
        self._thread = threading.Thread(target=self._run, name="workbench-detector", daemon=True)

    @property
    def rule(self) -> Rule:
        """The rule that judges by now."""
        return self._judging.rule

    @property
    def state(self) -> State:
        """Where the detector is in its life."""
        if self.error is not None:
            return "failed"
        if self._finished or self._judging.ending.is_set():
            return "stopped"
        return "running" if self.started.is_set() else "starting"

    @property
    def finished(self) -> bool:
        """Whether nothing is judged any more."""
        return self._finished

    def start(self) -> None:
        """Begin, and end with this process at the latest."""
        atexit.register(self.stop)
        self._thread.start()

    def stop(self) -> None:
        """End the query and wait for its end. May be called again, and while it starts."""
        self._judging.ending.set()
        self._asked.set()
        if self._thread.ident is not None:
            self._thread.join()

    def change_to(self, rule: Rule) -> HandOver | None:
        """Have another rule take over and wait for it; None if that is the rule anyway. One change at a time.

        Raises
        ------
        WorkbenchError
            What `Judging.change_to` raises, or what made the detector fail meanwhile.
        DetectorError
            It was stopped before the rule was changed.
        """
        with self._one_change:
            if rule == self.rule:
                return None
            change: Future[HandOver] = Future()
            self._change = rule, change
            self._asked.set()
            while not wait_for([change], timeout=0.1).done:
                if not self._thread.is_alive() and not change.done():
                    self.raise_error()
                    raise DetectorError(
                        f"the detector was stopped before it judged by {rule.rule_id}. Fix: start another"
                    )
            return change.result()

    def raise_error(self) -> None:
        """Raise what made it fail, if it has."""
        if self.error is not None:
            raise self.error

    # --- on its thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._judging.start()
            if not self._judging.ending.is_set():
                self.started.set()
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
        next_tick = time.monotonic()
        while not self._judging.ending.is_set():
            if dropped := self._judging.check():
                _log.error(
                    "%s rows came behind the watermark and were dropped by Spark: their clicks have no exact verdict. "
                    "Fix: judge this topic again with a greater `late`, from a fresh checkpoint",
                    f"{dropped:,}",
                )
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + _TICK_EVERY_S
                try:
                    self._take_in_partitions()
                    judged, ends = self._log.judged, self._positions.ends(self._clicks)
                    refuse_shorter(self._clicks, judged, ends)
                    if self._may_send:
                        self._tick(idle, ends)
                    self._refuse_lost(overtaken, ends)
                    self._tell_of_late_clicks()
                except TopicError:
                    raise
                except BrokerError as error:  # Spark waits for a broker that is away for a while, and so does this
                    _log.warning("The clicks topic cannot be read: %s", error)
            if self._asked.wait(_CHECK_EVERY_S) and self._change is not None and not self._judging.ending.is_set():
                self._asked.clear()
                (rule, change), self._change = self._change, None
                self._make(rule, change)

    def _make(self, rule: Rule, change: Future[HandOver]) -> None:
        try:
            change.set_result(self._judging.change_to(rule))
        except WorkbenchError as error:
            change.set_exception(error)
        except Exception as error:  # noqa: BLE001 - for who asked; `check` raises if nothing is judged any more
            failure = DetectorError(f"{rule.rule_id} could not be applied: {first_line(error)}")
            failure.__cause__ = error
            change.set_exception(failure)

    def _take_in_partitions(self) -> None:
        """Have the query read the partitions that the topic has got since. TopicError: it is another one."""
        before, now = self._judging.partitions, self._positions.look()
        if now > before:
            _log.warning("%s has %s partitions, and had %s: taking the new ones in", self._clicks, now, before)
            hand_over = self._judging.take_in(now)
            _log.warning("All partitions of %s are judged. No click was for %.1f s", self._clicks, hand_over.seconds)

    def _tell_of_late_clicks(self) -> None:
        outcomes = self._log.outcomes_since(self._positions.outcomes())
        if text := self._late.told(outcomes, self._positions.reasons):
            _log.warning("%s", text)

    def _tick(self, idle: IdleWatch, ends: Mapping[int, int]) -> None:
        wanting, busy = idle.idle_and_busy(ends)
        if wanting and (times := self._positions.last_received(busy)):
            slowest = min(times.values())
            idle.ticked(send_ticks(self._connection, self._clicks, dict.fromkeys(wanting, slowest)))

    def _refuse_lost(self, overtaken: Overtaken, ends: Mapping[int, int]) -> None:
        begins = self._positions.begins(self._clicks)
        if committed := self._log.committed:
            self._log.reached(committed.offsets)
        if any(self._log.judged.get(number, 0) < at for number, at in begins.items()):  # it may be further by now
            self._log.reached(self._positions.judged())
        lost_clicks.refuse(self._clicks, overtaken.overdue(begins, self._log.judged, ends))

    def _clean_up(self) -> None:
        try:
            self._judging.stop()
        except Exception as error:  # noqa: BLE001 - a JVM that is gone must not hide why
            self.error = self.error or DetectorError(f"the query did not stop: {first_line(error)}")
        self._finished = True
        self._positions.close()
        self._checkpoint.close()
        atexit.unregister(self.stop)
