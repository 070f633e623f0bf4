"""A frame of clicks in the order the rule looks at them: one sort for every window and threshold. Nothing is judged."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.clicks.gaps import Ints, Moments
from workbench.clicks.labels import FRAUD_LABELS, Labels, labels
from workbench.distinct import distinct
from workbench.rule import Rule, require_clicks

__all__ = ["ClickOrder", "order"]

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ClickOrder:
    """Clicks sorted by session, URL and time, each once.

    moments: the arrays to compute with. rows: where each click stands in `frame`, shape (n,). sessions: the session's
    name by its number. fraud: by click whether its label means fraud, shape (n,); None without labels. labels: which
    there are.
    """

    frame: pd.DataFrame
    moments: Moments
    rows: Ints
    sessions: npt.NDArray[Any]
    fraud: Bools | None
    labels: Labels

    def __len__(self) -> int:
        return len(self.rows)

    def gaps(self, threshold: int) -> Ints:
        """The gap of each click in microseconds, `gaps.NEVER` with too few before it. Shape (n,)."""
        return np.repeat(self.moments.gaps(threshold), self.moments.clicks)

    def flagged(self, rule: Rule) -> Bools:
        """What `rule.flag` says of each click. Shape (n,)."""
        return self.gaps(rule.threshold) < rule.window_us

    def session_numbers(self) -> Ints:
        """The session of each click, as its place in `sessions`. Shape (n,)."""
        return np.repeat(self.moments.session, self.moments.clicks)


def order(clicks: pd.DataFrame | ClickOrder, bots: Collection[str] = FRAUD_LABELS) -> ClickOrder:
    """Sort a frame of clicks; one that is sorted already is given back.

    Parameters
    ----------
    clicks
        Columns click_id, session_id, url (text) and ts (with a time zone), label if there are any; in any order. A
        repeated click (same click_id, session_id, url and ts) counts once, as in `rule.judge`. A label column that is
        empty throughout is none.
    bots
        The labels that mean fraud; empty: no label is looked at.

    Raises
    ------
    ClickError
        A column is missing or has empty cells; some clicks have a label and others do not.
    """
    if isinstance(clicks, ClickOrder):
        return clicks
    require_clicks(clicks)
    us = clicks["ts"].dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy()
    session, sessions = distinct(clicks["session_id"])
    url, urls = distinct(clicks["url"])
    group = session * max(len(urls), 1) + url
    by_time = bool(np.all(us[1:] >= us[:-1]))  # as recordings are, which saves half the sort
    rows = np.argsort(group, kind="stable") if by_time else np.lexsort((us, group))
    group, us = group[rows], us[rows]
    new = np.ones(len(rows), np.bool_)
    new[1:] = (group[1:] != group[:-1]) | (us[1:] != us[:-1])
    if not new.all():
        once = _once(clicks["click_id"], rows, new)
        rows, us, group, new = rows[once], us[once], group[once], new[once]
    found = labels(clicks, bots)
    fraud = None if found.of_each is None else found.of_each[rows]
    starts = np.flatnonzero(new)
    count = np.diff(starts, append=len(rows))
    bad = np.zeros(len(starts), np.int64)
    if fraud is not None and len(starts):
        bad = np.add.reduceat(fraud.astype(np.int64), starts)
    number, place = np.divmod(group[starts], max(len(urls), 1))
    return ClickOrder(clicks, Moments.of(number, place, us[starts], count, bad), rows, sessions, fraud, found)


def _once(click_id: pd.Series[Any], rows: Ints, new: Bools) -> Bools:
    """Which of the sorted clicks to keep: of those with one id in one moment the first. `new` marks first clicks."""
    moment = np.cumsum(new) - 1
    tied = np.flatnonzero(~new | np.append(~new[1:], False))  # only they can be repeated
    ids, names = distinct(click_id.iloc[rows[tied]])
    _, first = np.unique(moment[tied] * len(names) + ids, return_index=True)
    keep = np.ones(len(rows), np.bool_)
    keep[tied] = False
    keep[tied[first]] = True
    return keep
