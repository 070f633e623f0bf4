"""The rule: when a click is fraudulent. Arithmetic on arrays and frames; no records, files, broker or Spark.

    A click on URL u in session s at event time t is fraudulent when session s clicked u
    at least `threshold` times in (t - window, t].

The interval is open on the left: a click exactly one window earlier is outside. It is closed on the right:
the click itself counts, and so does every other click at the same microsecond. With 3 clicks in 10 s:

    s   0....1....2....3....4....5....6....7....8....9....10
        a              b                             c          c is fraudulent: a, b and c lie within 10 s
        a              b                                  d     d is not: a is exactly 10 s earlier

Times are whole microseconds and are compared as integers. Whatever judges clicks must equal `flag`.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from workbench.distinct import groups, repeated
from workbench.durations import MICROSECOND, MILLISECOND, duration, format_duration
from workbench.errors import ClickError, RuleError

__all__ = [
    "HIGHEST_THRESHOLD",
    "Rule",
    "clicks_in_window",
    "flag",
    "judge",
    "require_clicks",
    "window_bounds",
]

_LONGEST_WINDOW = timedelta(hours=24)
HIGHEST_THRESHOLD = 1000

_RULE_ID = re.compile(r"([0-9]{1,4})-in-([0-9]{1,20}[a-z]{1,2})")
_IDENTITY = ["click_id", "session_id", "url", "ts"]


@dataclass(frozen=True, init=False, repr=False)
class Rule:
    """A window and a threshold.

    Parameters
    ----------
    window
        A duration (timedelta or text), whole milliseconds, from 1 ms to 24 h.
    threshold
        Clicks in the window, the judged one included, that make it fraudulent; from 1 to 1000.

    Raises
    ------
    RuleError
        Either is out of range.

    Examples
    --------
    >>> rule = Rule("10s", threshold=3)
    >>> rule, rule.rule_id, rule.window_us
    (Rule(window='10s', threshold=3), '3-in-10s', 10000000)
    >>> Rule(threshold=0)
    Traceback (most recent call last):
    workbench.errors.RuleError: threshold must be a whole number from 1 to 1000: got 0
    """

    window: timedelta
    threshold: int

    def __init__(self, window: timedelta | str = "10s", threshold: int = 3) -> None:
        span = duration(window)
        if not MILLISECOND <= span <= _LONGEST_WINDOW or span % MILLISECOND:
            raise RuleError(f"window must be whole milliseconds from 1ms to 24h: got {format_duration(span)}")
        try:
            count = operator.index(threshold)  # takes NumPy's integers, refuses 3.0
        except TypeError:
            count = 0
        if isinstance(threshold, bool) or not 1 <= count <= HIGHEST_THRESHOLD:
            range_ = f"a whole number from 1 to {HIGHEST_THRESHOLD}"
            raise RuleError(f"threshold must be {range_}: got {threshold!r}")
        object.__setattr__(self, "window", span)
        object.__setattr__(self, "threshold", count)

    @classmethod
    def from_id(cls, rule_id: str) -> Self:
        """The rule that a `rule_id` names.

        Raises
        ------
        RuleError
            It names none.

        Examples
        --------
        >>> Rule.from_id("3-in-10s")
        Rule(window='10s', threshold=3)
        """
        named = _RULE_ID.fullmatch(rule_id)
        if named is None:
            raise RuleError(f"not a rule_id: {rule_id!r}; it is like '3-in-10s'")
        return cls(window=named[2], threshold=int(named[1]))

    @property
    def window_us(self) -> int:
        """The window in microseconds."""
        return self.window // MICROSECOND

    @property
    def window_ms(self) -> int:
        """The window in milliseconds."""
        return self.window // MILLISECOND

    @property
    def rule_id(self) -> str:
        """The rule as one word, which every verdict carries."""
        return f"{self.threshold}-in-{format_duration(self.window)}"

    def __repr__(self) -> str:
        return f"Rule(window={format_duration(self.window)!r}, threshold={self.threshold})"


def flag(group: ArrayLike, ts_us: ArrayLike, rule: Rule) -> NDArray[np.bool_]:
    """Say of each click whether it is fraudulent.

    Parameters
    ----------
    group
        Integers of shape (n,), one number for each (session, url).
    ts_us
        Integers of shape (n,), event times in microseconds. Both are sorted by (group, ts_us), each click once.
    rule
        The rule to judge by.

    Returns
    -------
    ndarray of bool
        Of shape (n,).

    Raises
    ------
    ClickError
        The arrays are not integers, differ in shape or are not sorted.

    Examples
    --------
    >>> second = 1_000_000
    >>> flag([7, 7, 7], [0, 3 * second, 10 * second - 1], Rule("10s", threshold=3))
    array([False, False,  True])
    >>> flag([7, 7, 7], [0, 3 * second, 10 * second], Rule("10s", threshold=3))  # the first is just outside
    array([False, False, False])
    >>> flag([7, 7, 8], [0, 3 * second, 4 * second], Rule("10s", threshold=3))  # the last is on another page
    array([False, False, False])
    >>> flag([7, 7, 7], [5, 5, 5], Rule("10s", threshold=3))  # at the same microsecond: each counts all
    array([ True,  True,  True])
    """
    return clicks_in_window(group, ts_us, rule) >= rule.threshold


def clicks_in_window(group: ArrayLike, ts_us: ArrayLike, rule: Rule) -> NDArray[np.int64]:
    """Count for each click at t the clicks of its group in (t - window, t].

    Parameters and errors are those of `flag`.

    Returns
    -------
    ndarray of int64
        Of shape (n,), each at least 1.

    Examples
    --------
    >>> clicks_in_window([7, 7, 7, 8], [0, 4, 1_000_000, 1_000_001], Rule("1s"))
    array([1, 2, 2, 1])
    """
    first, last = window_bounds(group, ts_us, rule)
    return last - first + 1


def window_bounds(group: ArrayLike, ts_us: ArrayLike, rule: Rule) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give for each click at t the places of the first and of the last click of its group in (t - window, t].

    Parameters and errors are those of `flag`.

    Returns
    -------
    first, last : ndarray of int64
        Of shape (n,). The last is the click itself, or one at the same microsecond.

    Notes
    -----
    All groups are laid end to end on one line of time, and one binary search finds the places for all of them. A gap
    of a window or more between neighbours is drawn exactly one window long, and so is the step from one group
    to the next: clicks that far apart never count for each other, so nothing changes, and 64 bits are enough
    for 10^8 clicks with a window of 24 h.

    Examples
    --------
    >>> window_bounds([7, 7, 7, 8], [0, 4, 1_000_000, 1_000_001], Rule("1s"))
    (array([0, 0, 1, 3]), array([0, 1, 2, 3]))
    """
    group, ts_us = _integers("group", group), _integers("ts_us", ts_us)
    if group.shape != ts_us.shape:
        raise ClickError(f"group and ts_us must have one shape: got {group.shape} and {ts_us.shape}")
    step = np.diff(ts_us)
    other_group = group[1:] != group[:-1]
    if np.any(group[1:] < group[:-1]) or np.any(step[~other_group] < 0):
        raise ClickError("clicks are not sorted; put both arrays in the order np.lexsort((ts_us, group))")

    line = np.zeros(len(ts_us), np.int64)
    line[1:] = np.cumsum(np.where(other_group, rule.window_us, np.minimum(step, rule.window_us)))
    first = np.searchsorted(line, line - rule.window_us, side="right")
    last = np.searchsorted(line, line, side="right") - 1
    return first.astype(np.int64, copy=False), last.astype(np.int64, copy=False)


def judge(clicks: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Judge a frame of clicks in any order: the batch answer.

    Parameters
    ----------
    clicks
        Columns click_id, session_id, url (text) and ts (with a time zone); others are carried along. A repeated click
        (same click_id, session_id, url and ts) counts once.
    rule
        The rule to judge by.

    Returns
    -------
    DataFrame
        The clicks sorted by ts, in whole microseconds UTC, with the columns clicks_in_window (int64) and fraud (bool)
        added.

    Raises
    ------
    ClickError
        A column is missing, holds empty cells or, for ts, has no time zone.

    Examples
    --------
    >>> ts = pd.to_datetime([5, 1, 5, 9], unit="s", utc=True)
    >>> clicks = pd.DataFrame({"click_id": list("babc"), "session_id": "s1", "url": "/ad", "ts": ts})
    >>> judge(clicks, Rule("10s", threshold=3))[["click_id", "clicks_in_window", "fraud"]]
      click_id  clicks_in_window  fraud
    0        a                 1  False
    1        b                 2  False
    2        c                 3   True
    """
    require_clicks(clicks)
    clicks = clicks.assign(ts=clicks["ts"].dt.tz_convert("UTC").dt.as_unit("us"))
    page, ts_us = groups(clicks["session_id"], clicks["url"]), clicks["ts"].astype("int64").to_numpy()
    rows = np.flatnonzero(~repeated(clicks["click_id"], page, ts_us))
    rows = rows[np.argsort(ts_us[rows], kind="stable")]
    once, group, ts_us = clicks.iloc[rows].reset_index(drop=True), page[rows], ts_us[rows]
    order = np.lexsort((ts_us, group))
    count = np.empty(len(once), np.int64)
    count[order] = clicks_in_window(group[order], ts_us[order], rule)
    return once.assign(clicks_in_window=count, fraud=count >= rule.threshold)


def require_clicks(clicks: pd.DataFrame) -> None:
    """Raise ClickError unless the columns that identify a click are there and full, and ts has a time zone."""
    if not isinstance(clicks, pd.DataFrame):
        raise ClickError(f"clicks are a DataFrame: got {type(clicks).__name__}. Fix: give its `clicks`, if it has any")
    missing = [name for name in _IDENTITY if name not in clicks.columns]
    if missing:
        raise ClickError(f"clicks lack the column {missing[0]!r}: got {list(map(str, clicks.columns))}")
    if not isinstance(clicks["ts"].dtype, pd.DatetimeTZDtype):
        got = clicks["ts"].dtype
        raise ClickError(f"column 'ts' must have a time zone: got {got}; use pd.to_datetime(..., utc=True)")
    empty = clicks[_IDENTITY].isna().any()
    if empty.any():
        raise ClickError(f"clicks have empty cells in the column {empty.idxmax()!r}; drop or fill them first")


def _integers(name: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ClickError(f"{name} must be a flat array of integers: got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64, copy=False)
