"""Tuning: what every window and threshold would flag of recorded clicks, and how well. No files, charts or Spark.

One sort of the clicks answers for all windows and thresholds (see `gaps`); each answer equals `rule.flag`. With labels
there are precision, recall, F1 and a cost, as in `verdicts.evaluation`; without, only how much each rule flags.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.clicks import identity
from workbench.clicks.gaps import Ints, Tally
from workbench.clicks.labels import FRAUD_LABELS, Labels
from workbench.clicks.order import ClickOrder, order
from workbench.durations import MICROSECOND
from workbench.errors import ClickError, RuleError
from workbench.rule import Rule
from workbench.tuning.outcome import Cost, Outcome

__all__ = ["Surface", "changes", "grid", "surface"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surface:
    """What each window (row) and threshold (column) does to the same clicks.

    Attributes
    ----------
    windows, thresholds : tuple
        Rising.
    clicks, sessions : int
        How many there are.
    flagged_clicks, flagged_sessions, hits : ndarray of int64
        Of shape (windows, thresholds). Hits are flagged clicks labelled as fraud; None without labels.
    fraud : int
        How many clicks are labelled as fraud; None without labels.
    prices : Cost
        What `cost` is made of.
    rejected : int
        Records of the source that could not be read as clicks.
    labels : Labels
        Which labels the clicks have, and which of them mean fraud.
    warnings : tuple of str
        What is to be said before any number: visitors that are not told apart.
    """

    windows: tuple[timedelta, ...]
    thresholds: tuple[int, ...]
    clicks: int
    sessions: int
    flagged_clicks: Ints
    flagged_sessions: Ints
    hits: Ints | None = None
    fraud: int | None = None
    prices: Cost = Cost()
    rejected: int = 0
    labels: Labels = Labels()
    warnings: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether there are labels to hold the rules against."""
        return self.hits is not None

    @cached_property
    def flagged_share(self) -> Floats:
        """Flagged clicks of all clicks; NaN where there are none."""
        return _divide(self.flagged_clicks, np.full_like(self.flagged_clicks, self.clicks))

    @cached_property
    def precision(self) -> Floats:
        """Fraud among the flagged clicks; NaN where nothing is flagged, and everywhere without labels."""
        return _divide(self._hits, self.flagged_clicks)

    @cached_property
    def recall(self) -> Floats:
        """Flagged ones among the fraudulent clicks; NaN without fraud or labels."""
        return _divide(self._hits, np.full(self._hits.shape, self.fraud or 0))

    @cached_property
    def f1(self) -> Floats:
        """The harmonic mean of precision and recall; NaN without fraud or labels."""
        return np.where(np.isnan(self.recall), np.nan, _divide(2 * self._hits, self.flagged_clicks + (self.fraud or 0)))

    @cached_property
    def cost(self) -> Floats:
        """What the mistakes of each rule cost at `prices`; NaN without labels."""
        paid, refused = (self.fraud or 0) - self._hits, self.flagged_clicks - self._hits
        return self.prices.paid_fraud * paid + self.prices.refused_good * refused

    @cached_property
    def _hits(self) -> Floats:
        return np.full(self.flagged_clicks.shape, np.nan) if self.hits is None else self.hits.astype(np.float64)

    def at(self, rule: Rule) -> Outcome:
        """What this rule would have done. Raises RuleError when it is not on the grid."""
        if rule.window not in self.windows or rule.threshold not in self.thresholds:
            raise RuleError(f"{rule.rule_id} is not on the grid: add its window and threshold to those that are tried")
        place = self.windows.index(rule.window), self.thresholds.index(rule.threshold)
        shares = (self.flagged_share, self.precision, self.recall, self.f1, self.cost)
        quality = [None if np.isnan(values[place]) else float(values[place]) for values in shares]
        return Outcome(rule, int(self.flagged_clicks[place]), int(self.flagged_sessions[place]), *quality)

    def best(self, by: Literal["f1", "cost"] = "f1") -> Rule:
        """The rule with the highest F1 or the lowest cost; among equals the one that flags the fewest clicks.

        Raises ClickError without labels, or when no click is labelled as fraud.
        """
        if by not in ("f1", "cost"):
            raise RuleError(f'best by {by!r} is not known: choose "f1" or "cost"')
        if not self.fraud:
            fix = "name those that do: bots=[…], --fraud-labels" if self.labelled else "label the clicks"
            lack = self.labels.lack or "no click is labelled as fraud"
            raise ClickError(f"{lack}; so no rule can be called best. Fix: choose one by what it flags, or {fix}")
        rank = -self.f1 if by == "f1" else self.cost
        window, threshold = (axis.ravel() for axis in np.indices(rank.shape))
        first = np.lexsort((window, -threshold, self.flagged_clicks.ravel(), rank.ravel().round(12)))[0]
        return Rule(self.windows[window[first]], self.thresholds[threshold[first]])

    def frame(self) -> pd.DataFrame:
        """One row a rule.

        Columns: rule_id, window (timedelta), threshold, flagged_clicks, flagged_sessions, flagged_share and, with
        labels, precision, recall, f1 and cost.
        """
        rules = [Rule(window, threshold) for window in self.windows for threshold in self.thresholds]
        table = {
            "rule_id": [rule.rule_id for rule in rules],
            "window": pd.to_timedelta([rule.window for rule in rules]),
            "threshold": [rule.threshold for rule in rules],
            "flagged_clicks": self.flagged_clicks.ravel(),
            "flagged_sessions": self.flagged_sessions.ravel(),
            "flagged_share": self.flagged_share.ravel(),
        }
        if self.labelled:
            table |= {name: getattr(self, name).ravel() for name in ("precision", "recall", "f1", "cost")}
        return pd.DataFrame(table)

    def ranked(self) -> pd.DataFrame:
        """`frame` with the best rules by F1 first; without labels nobody can say, and those that flag least are.

        >>> ts = pd.to_datetime([0, 1, 2, 30], unit="s", utc=True)
        >>> clicks = pd.DataFrame({"click_id": list("abcd"), "session_id": "s1", "url": "/ad", "ts": ts})
        >>> surface(clicks, ["2s", "10s"], [2, 3]).ranked()["rule_id"].tolist()
        ['3-in-2s', '3-in-10s', '2-in-2s', '2-in-10s']
        """
        if not self.labelled:
            return self.frame().sort_values("flagged_clicks", kind="stable", ignore_index=True)
        best_first = {"f1": False, "flagged_clicks": True}
        return self.frame().sort_values([*best_first], ascending=[*best_first.values()], ignore_index=True)

    def best_by_price(self, times: Iterable[float] = (1, 3, 10, 30, 100)) -> pd.DataFrame:
        """The cheapest rule for a refused good click that costs so many times as much as a paid fraudulent one.

        Returns one row a price (its index), with the columns rule (its id), precision, recall and cost. Raises
        ClickError when no click is labelled as fraud.
        """
        rows = {}
        for price in times:
            priced = replace(self, prices=Cost(1, price))
            best = priced.at(priced.best("cost"))
            rows[price] = (best.rule.rule_id, best.precision, best.recall, best.cost)
        index = pd.Index(rows, name="a good click costs")
        return pd.DataFrame([*rows.values()], index, ["rule", "precision", "recall", "cost"])

    def __repr__(self) -> str:
        labels = f"{self.fraud:,} of them fraud" if self.fraud is not None else "no labels"
        size = f"{len(self.windows)} windows × {len(self.thresholds)} thresholds"
        told = [f"warning: {text}\n" for text in self.warnings]
        return f"{''.join(told)}<Surface {size} of {self.clicks:,} clicks, {labels}>"


def surface(
    clicks: pd.DataFrame | ClickOrder,
    windows: Iterable[timedelta | str],
    thresholds: Iterable[int],
    *,
    cost: Cost = Cost(),
    bots: Collection[str] = FRAUD_LABELS,
) -> Surface:
    """Count what every window and threshold flags.

    Parameters
    ----------
    clicks
        As `clicks.order.order` takes them.
    windows, thresholds
        As a Rule takes them, in any order.
    cost
        What mistakes cost.
    bots
        The labels that mean fraud, in capital letters or not; empty: no label is looked at.

    Returns
    -------
    Surface
        One number for each window (row) and threshold (column).

    Raises
    ------
    RuleError
        A window or threshold that no rule can have.
    ClickError
        Clicks that cannot be judged.

    Examples
    --------
    >>> ts = pd.to_datetime([0, 1, 2, 30], unit="s", utc=True)
    >>> clicks = pd.DataFrame({"click_id": list("abcd"), "session_id": "s1", "url": "/ad", "ts": ts})
    >>> surface(clicks, ["2s", "10s"], [1, 2, 3]).flagged_clicks
    array([[4, 2, 0],
           [4, 2, 1]])
    """
    spans, counts = grid(windows, thresholds)
    clicks = order(clicks, bots)
    tally = Tally([span // MICROSECOND for span in spans], counts)
    tally.add(clicks.moments)
    tally.close()
    return Surface(
        windows=spans,
        thresholds=counts,
        clicks=len(clicks),
        sessions=len(clicks.sessions),
        flagged_clicks=tally.flagged,
        flagged_sessions=tally.sessions,
        hits=None if clicks.fraud is None else tally.hits,
        fraud=None if clicks.fraud is None else int(clicks.fraud.sum()),
        prices=cost,
        labels=clicks.labels,
        warnings=tuple(identity.warnings(clicks.frame)),
    )


def grid(
    windows: Iterable[timedelta | str], thresholds: Iterable[int]
) -> tuple[tuple[timedelta, ...], tuple[int, ...]]:
    """Check windows and thresholds, and sort them, each once. Raises RuleError as `Rule` does."""
    spans = sorted({Rule(window).window for window in windows})
    counts = sorted({Rule(threshold=threshold).threshold for threshold in thresholds})
    if not spans or not counts:
        raise RuleError("there is nothing to try: give at least one window and one threshold")
    return tuple(spans), tuple(counts)


def changes(clicks: pd.DataFrame | ClickOrder, current: Rule, chosen: Rule) -> pd.DataFrame:
    """The sessions that only one of two rules flags.

    Parameters
    ----------
    clicks
        As `surface` takes them.
    current, chosen
        The rule in force, and the one to take over.

    Returns
    -------
    DataFrame
        One row a session (its index), those with most flagged clicks first. Columns: change ("gained": flagged by the
        chosen rule alone, "lost": by the current one alone), clicks, flagged (by the rule that flags any), first and
        last (of the flagged clicks' ts) and, with labels, fraud (clicks labelled as fraud).

    Raises
    ------
    ClickError
        Clicks that cannot be judged.
    """
    clicks = order(clicks)
    session, size = clicks.session_numbers(), len(clicks.sessions)
    before, after = clicks.flagged(current), clicks.flagged(chosen)
    was, will = (np.bincount(session[mask], minlength=size) for mask in (before, after))
    some = np.flatnonzero((was > 0) != (will > 0))
    flagged = was[some] + will[some]  # one of the two is 0
    some = some[np.lexsort((some, -flagged))]
    seen = np.isin(session, some) & (before | after)
    by_session = clicks.frame["ts"].iloc[clicks.rows[seen]].groupby(session[seen])  # not text: numbers
    ts = by_session.agg(["min", "max"]).reindex(some)
    table = {
        "change": np.where(will[some] > 0, "gained", "lost").astype(object),
        "clicks": np.bincount(session, minlength=size)[some],
        "flagged": (was + will)[some],
        "first": ts["min"].array,
        "last": ts["max"].array,
    }
    if clicks.fraud is not None:
        table["fraud"] = np.bincount(session[clicks.fraud], minlength=size)[some]
    return pd.DataFrame(table, index=pd.Index(clicks.sessions[some], name="session_id"))


def _divide(part: npt.NDArray[Any], total: npt.NDArray[Any]) -> Floats:
    share: Floats = np.divide(part, total, out=np.full(part.shape, np.nan), where=total > 0)
    return share
