"""What the click page knows of its visitors: counts, last clicks and their verdicts. Knows no HTTP and no Kafka.

All of it is bounded: the visitor who has been away longest makes room for a new one, and each keeps its last clicks
only. Threads wait here for the verdicts of one visitor and are woken by these alone.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

__all__ = ["State", "VisitClick", "Visits"]

State = Literal["pending", "clean", "flagged"]


@dataclass(slots=True)
class VisitClick:
    """A click of a visitor and what is known of it. `clicks_in_window` and `rule_id` come with the verdict."""

    click_id: str
    ad: str
    at: datetime
    verdict: State = "pending"
    clicks_in_window: int | None = None
    rule_id: str | None = None
    changed: int = 0  # the number of its last change among its session's; 0 is not yet acknowledged

    def public(self) -> dict[str, Any]:
        """What its visitor may see of it, for JSON."""
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"click_id": self.click_id, "ad": self.ad, "at": at, **self.judged()}

    def judged(self) -> dict[str, Any]:
        """The verdict, for JSON."""
        more = {"clicks_in_window": self.clicks_in_window, "rule_id": self.rule_id}
        return {"verdict": self.verdict, **({} if self.verdict == "pending" else more)}


@dataclass(slots=True)
class _Visit:
    moved: threading.Condition
    counts: Counter[str] = field(default_factory=Counter)
    clicks: OrderedDict[str, VisitClick] = field(default_factory=OrderedDict)
    changes: int = 0
    gone: bool = False

    def change(self, click: VisitClick) -> None:
        self.changes += 1
        click.changed = self.changes
        self.moved.notify_all()


class Visits:
    """At most `visitors` visitors with their last `clicks` clicks each. Any thread may call any method."""

    def __init__(self, visitors: int = 5000, clicks: int = 20) -> None:
        self._most, self._clicks = visitors, clicks
        self._lock = threading.Lock()
        self._visits: OrderedDict[str, _Visit] = OrderedDict()
        self._closed = False

    def __len__(self) -> int:
        return len(self._visits)

    def begin(self, session_id: str, click: VisitClick) -> None:
        """Expect the verdict of a click that is about to be sent: the verdict may be there before `sent` is called."""
        with self._lock:
            visit = self._visit(session_id)
            visit.clicks[click.click_id] = click
            if len(visit.clicks) > self._clicks:
                visit.clicks.popitem(last=False)

    def sent(self, session_id: str, click: VisitClick) -> int:
        """The broker has the click: count it. Returns the session's count on that ad."""
        with self._lock:
            visit = self._visit(session_id)
            visit.counts[click.ad] += 1
            if click.verdict == "pending":
                visit.change(click)
            return visit.counts[click.ad]

    def forget(self, session_id: str, click: VisitClick) -> None:
        """The click was not taken: expect nothing of it."""
        with self._lock:
            self._visit(session_id).clicks.pop(click.click_id, None)

    def knows(self, session_id: str) -> bool:
        """Whether a verdict of this session is of interest. Quick, and without the lock."""
        return session_id in self._visits

    def judge(self, session_id: str, click_id: str, fraud: bool, clicks_in_window: int, rule_id: str) -> None:
        """Note a verdict and wake whoever waits for it. A verdict goes from clean to flagged, never back."""
        with self._lock:
            visit = self._visits.get(session_id)
            click = visit.clicks.get(click_id) if visit else None
            if visit is None or click is None or click.verdict == "flagged":
                return
            if click.verdict == "clean" and not fraud:
                return
            click.verdict = "flagged" if fraud else "clean"
            click.clicks_in_window, click.rule_id = clicks_in_window, rule_id
            visit.change(click)

    def wait(self, session_id: str, click: VisitClick, seconds: float) -> dict[str, Any]:
        """The verdict of a click as `VisitClick.judged` gives it, once it is there or the time is over."""
        with self._lock:
            visit = self._visit(session_id)
            visit.moved.wait_for(lambda: click.verdict != "pending" or visit.gone or self._closed, seconds)
            return click.judged()

    def counts(self, session_id: str) -> dict[str, int]:
        """The session's count on each ad that it clicked."""
        with self._lock:
            visit = self._visits.get(session_id)
            return dict(visit.counts) if visit else {}

    def news(self, session_id: str, since: int = 0, seconds: float = 0) -> tuple[list[dict[str, Any]], int] | None:
        """The clicks that changed after the call that returned `since`, and the `since` for the next call.

        Waits up to `seconds` for some; without waiting it is no visit, and makes nobody forgotten. None when there is
        nothing more to come: the visitor was forgotten, or the page is closing.
        """
        deadline = time.monotonic() + seconds
        with self._lock:
            if not seconds and session_id not in self._visits:
                return None if self._closed else ([], since)
            visit = self._visit(session_id)
            while visit.changes <= since and not visit.gone and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0 or not visit.moved.wait(left):
                    break
            if visit.gone or self._closed:
                return None
            fresh = [click.public() for click in visit.clicks.values() if click.changed > since]
            return fresh, visit.changes

    def close(self) -> None:
        """Send everybody home who waits, now and later."""
        with self._lock:
            self._closed = True
            for visit in self._visits.values():
                visit.moved.notify_all()

    def _visit(self, session_id: str) -> _Visit:
        visit = self._visits.get(session_id)
        if visit is None:
            visit = self._visits[session_id] = _Visit(threading.Condition(self._lock))
            if len(self._visits) > self._most:
                _, oldest = self._visits.popitem(last=False)
                oldest.gone = True
                oldest.moved.notify_all()
        else:
            self._visits.move_to_end(session_id)
        return visit
