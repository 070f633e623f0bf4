"""What judged clicks show beyond each one: bursts, near misses, sessions, URLs. Judging is in `rule`.

Everything here is derived from the rule's counts and changes none of them. What stands beside them is in `beside`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.clicks.mapping import RESERVED
from workbench.clicks.record import further
from workbench.distinct import distinct, groups
from workbench.rule import Rule, require_clicks, window_bounds

__all__ = [
    "Windowed",
    "bursts",
    "by_session",
    "by_url",
    "carried",
    "near_misses",
    "suspicious",
    "windowed",
]

_COUNTS: Final = {"clicks": ("fraud", "size"), "flagged": ("fraud", "sum"), "share": ("fraud", "mean")}
_MANY: Final = "nunique"  # not text: numbers of texts

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Windowed:
    """Clicks sorted by session, URL and time, and the window of each.

    Attributes
    ----------
    rows : ndarray of int64
        Where each stands in its frame. This and the others are of shape (n,).
    group : ndarray of int64
        One number for each (session, url).
    ts_us : ndarray of int64
        Event times in µs since the epoch.
    first, last : ndarray of int64
        The places, in this order, of the first and the last click in its window.
    """

    rows: Ints
    group: Ints
    ts_us: Ints
    first: Ints
    last: Ints

    @property
    def count(self) -> Ints:
        """Clicks in the window of each, itself included. Shape (n,)."""
        return self.last - self.first + 1


def windowed(clicks: pd.DataFrame, rule: Rule) -> Windowed:
    """Find the window of each click.

    Parameters
    ----------
    clicks
        A frame in which every click is there once, as `rule.judge` gives it.
    rule
        The rule whose windows they are.

    Returns
    -------
    Windowed
        The clicks in the order of session, URL and time.

    Raises
    ------
    ClickError
        A column is missing, holds empty cells or, for ts, has no time zone.
    """
    require_clicks(clicks)
    ts_us = clicks["ts"].dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy()
    group = groups(clicks["session_id"], clicks["url"])
    rows = np.lexsort((ts_us, group)).astype(np.int64, copy=False)
    group, ts_us = group[rows], ts_us[rows]
    return Windowed(rows, group, ts_us, *window_bounds(group, ts_us, rule))


def bursts(clicks: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """One alert for each burst, instead of one for each flagged click.

    A burst is what the windows of flagged clicks cover without a gap: the flagged clicks of a session on a URL that
    follow each other within one window, and the clicks before them that made the first flag. No click is in two.

    Parameters
    ----------
    clicks
        As `rule.judge` gives them.
    rule
        The rule that judged.

    Returns
    -------
    DataFrame
        One row a burst, in the order of first. Columns: session_id, url, first, last (times of its first and last
        click), clicks, flagged, most (clicks in one window at its height).

    Raises
    ------
    ClickError
        As `windowed` does.

    Examples
    --------
    >>> ts = pd.to_datetime([0, 2, 4, 6, 60, 61, 62], unit="s", utc=True)
    >>> clicks = pd.DataFrame({"click_id": list("abcdefg"), "session_id": "s1", "url": "/ad", "ts": ts})
    >>> bursts(clicks, Rule("10s", threshold=3))[["clicks", "flagged", "most"]]
       clicks  flagged  most
    0       4        2     4
    1       3        1     3
    """
    return _runs(clicks, rule, rule.threshold)


def near_misses(clicks: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Bursts of one click too few: they reach threshold − 1 and hold no flagged click.

    With a threshold of 1 or 2 there are none: one click alone is no pattern.

    Parameters
    ----------
    clicks, rule
        As for `bursts`.

    Returns
    -------
    DataFrame
        As `bursts` gives it.
    """
    least = _suspicious_from(rule)
    found = _runs(clicks, rule, min(least, rule.threshold))
    return found[found["flagged"] == 0].reset_index(drop=True)


def suspicious(judged: pd.DataFrame, rule: Rule) -> pd.Series[bool]:
    """Say of each judged click whether it reached threshold − 1 clicks in its window (at least 2), and is not flagged.

    Parameters
    ----------
    judged
        Clicks with the columns clicks_in_window and fraud, as `rule.judge` gives them.
    rule
        The rule that judged.

    Returns
    -------
    Series of bool
        One a click.

    Examples
    --------
    >>> counts = pd.DataFrame({"clicks_in_window": [1, 2, 3], "fraud": [False, False, True]})
    >>> suspicious(counts, Rule(threshold=3)).tolist()
    [False, True, False]
    """
    return (judged["clicks_in_window"] >= _suspicious_from(rule)) & ~judged["fraud"]


def by_session(judged: pd.DataFrame) -> pd.DataFrame:
    """One row a session, those with most flagged clicks first.

    Parameters
    ----------
    judged
        As `rule.judge` gives them.

    Returns
    -------
    DataFrame
        Columns: session_id, clicks, flagged, share (of its clicks that is flagged), urls, first, last and, where the
        clicks have them, crawler and user_agent (of its first click), and what was carried along: the first value of
        each.
    """
    extra = {name: (name, "first") for name in ("crawler", "user_agent") if name in judged}
    urls = {"url": groups(judged["url"])}
    return _ranked(judged, "session_id", urls, urls=("url", _MANY), first=("ts", "min"), last=("ts", "max"), **extra)


def by_url(judged: pd.DataFrame) -> pd.DataFrame:
    """One row a URL, those with most flagged clicks first.

    Parameters
    ----------
    judged
        As `rule.judge` gives them.

    Returns
    -------
    DataFrame
        Columns: url, clicks, flagged, share, sessions, flagged_sessions, and what was carried along: the first value
        of each.
    """
    session = groups(judged["session_id"])
    flagged = np.where(judged["fraud"], session, np.nan)  # NaN is not counted
    numbers = {"session_id": session, "flagged_id": flagged}
    return _ranked(judged, "url", numbers, sessions=("session_id", _MANY), flagged_sessions=("flagged_id", _MANY))


def carried(judged: pd.DataFrame) -> list[str]:
    """The columns of clicks that are neither a field of a click nor part of a verdict: what was carried along.

    Parameters
    ----------
    judged
        As `rule.judge` gives them.

    Returns
    -------
    list of str
        Their names, as "campaign".
    """
    return [name for name in further(judged) if name not in RESERVED]


def _suspicious_from(rule: Rule) -> int:
    return max(rule.threshold - 1, 2)


def _runs(clicks: pd.DataFrame, rule: Rule, least: int) -> pd.DataFrame:
    """Clicks that the windows of those with at least `least` in theirs cover without a gap."""
    windows = windowed(clicks, rule)
    marked = np.flatnonzero(windows.count >= least)
    new = np.ones(len(marked), np.bool_)
    # Two windows of one group have a click's time in common only if their ends lie less than one window apart.
    new[1:] = (np.diff(windows.group[marked]) != 0) | (np.diff(windows.ts_us[marked]) >= rule.window_us)
    begin, end = windows.first[marked[new]], marked[np.append(new[1:], True)[: len(new)]]
    flagged = np.concatenate([[0], np.cumsum(windows.count >= rule.threshold)])
    at = clicks.iloc[windows.rows[begin]]
    table = {
        "session_id": at["session_id"].array,
        "url": at["url"].array,
        "first": at["ts"].array,
        "last": clicks["ts"].iloc[windows.rows[end]].array,
        "clicks": end - begin + 1,
        "flagged": flagged[end + 1] - flagged[begin],
        "most": np.maximum.reduceat(windows.count[marked], np.flatnonzero(new)) if len(marked) else marked,
    }
    return pd.DataFrame(table).sort_values("first", kind="stable", ignore_index=True)


def _ranked(judged: pd.DataFrame, by: str, made: dict[str, Any], **columns: tuple[str, str]) -> pd.DataFrame:
    """One row for each distinct value of a column. `made`: columns in place of those that `judged` has."""
    numbers, names = distinct(judged[by])
    wanted = {name for name, _ in (*_COUNTS.values(), *columns.values())}
    clicks = pd.DataFrame({name: made.get(name, judged.get(name)) for name in wanted}, copy=False)
    found = clicks.groupby(numbers, sort=False).agg(**_COUNTS, **columns)  # not text: numbers, in their order
    found.insert(0, by, names)
    for name in carried(judged):
        first = judged[name].groupby(numbers, sort=False).first()  # not text: numbers; the first that is not empty
        found[f"{name} carried" if name in found else name] = first
    return found.sort_values(["flagged", "clicks"], ascending=False, kind="stable", ignore_index=True)
