"""What is told beside the flagged clicks: known crawlers, repeats of one click, labels. No verdict is changed here.

A crawler that says who it is proves nothing, and neither does a label: they are counted by themselves, so that who
reads a report can make up his mind.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from workbench.clicks.labels import FRAUD_LABELS, alike, label_text
from workbench.clicks.record import FIELDS
from workbench.clicks.repeats import repeats
from workbench.distinct import count, distinct
from workbench.durations import duration, format_duration
from workbench.rule import Rule, judge

__all__ = ["Merged", "by_agent", "by_label", "if_merged"]


@dataclass(frozen=True)
class Merged:
    """What would change if clicks that follow one of their session and URL at once were one with it.

    Attributes
    ----------
    span : timedelta
        Closer together than this.
    repeats : int
        Clicks that would be merged into one before them.
    clicks, sessions : int
        How many fewer would be flagged.
    """

    span: timedelta
    repeats: int
    clicks: int
    sessions: int

    def __str__(self) -> str:
        span = format_duration(self.span)
        if not (self.clicks or self.sessions):
            return f"Merging clicks of a session on a URL less than {span} apart would change nothing that is flagged."
        merged = f"{_some(self.repeats, 'click')} within {span} of one of the same session and URL"
        fewer = f"{_some(self.clicks, 'click')} and {_some(self.sessions, 'session')} fewer"
        return f"{merged}. Merged with it, {fewer} would be flagged: --merge-repeats {span}"


def if_merged(judged: pd.DataFrame, rule: Rule, closer_than: timedelta | str = "2s") -> Merged:
    """Judge once more, with repeats of a click merged into it, and compare.

    Parameters
    ----------
    judged
        As `rule.judge` gives them.
    rule
        The rule that judged.
    closer_than
        Clicks of one session on one URL closer together than this are one.

    Returns
    -------
    Merged
        How much less would be flagged.

    Examples
    --------
    >>> ts = pd.to_datetime([0, 1, 8, 60], unit="s", utc=True)
    >>> clicks = pd.DataFrame({"click_id": list("abcd"), "session_id": "s1", "url": "/ad", "ts": ts})
    >>> if_merged(judge(clicks, Rule()), Rule()).clicks
    1
    """
    span = duration(closer_than)
    again = repeats(judged, span)
    once = judge(judged.loc[~again, [*FIELDS]], rule)
    was, now = (frame.loc[frame["fraud"], "session_id"] for frame in (judged, once))
    return Merged(span, int(again.sum()), len(was) - len(now), count(was) - count(now))


def by_agent(judged: pd.DataFrame) -> pd.DataFrame:
    """One row a user agent, those with most clicks first.

    Parameters
    ----------
    judged
        As `rule.judge` gives them.

    Returns
    -------
    DataFrame
        Columns: user_agent, sessions, clicks, flagged, share.

    Examples
    --------
    >>> agents, fraud = ["bot/1", "bot/1", "probe/2"], [True, False, False]
    >>> by_agent(pd.DataFrame({"session_id": list("aab"), "user_agent": agents, "fraud": fraud}))
      user_agent  sessions  clicks  flagged  share
    0      bot/1         1       2        1    0.5
    1    probe/2         1       1        0    0.0
    """
    session = pd.Series(distinct(judged["session_id"])[0], index=judged.index)
    different = "nunique"  # not text: numbers
    found = _counted(judged.assign(session_id=session), "user_agent", sessions=("session_id", different))
    return found[["user_agent", "sessions", "clicks", "flagged", "share"]]


def by_label(judged: pd.DataFrame, fraud: Collection[str] = FRAUD_LABELS) -> pd.DataFrame:
    """What became of the clicks of each label, those with most clicks first.

    Parameters
    ----------
    judged
        As `rule.judge` gives them, with the column label where there is one.
    fraud
        The labels that mean fraud, in capital letters or not.

    Returns
    -------
    DataFrame
        Columns: label, means_fraud, clicks, flagged, share. Without labels, no rows. Clicks without one are "(none)".

    Examples
    --------
    >>> by_label(pd.DataFrame({"label": [True, False, None], "fraud": [True, False, False]}))
        label  means_fraud  clicks  flagged  share
    0    true         True       1        1    1.0
    1   false        False       1        0    0.0
    2  (none)        False       1        0    0.0
    """
    if "label" not in judged:
        return pd.DataFrame()
    texts = pd.Series([label_text(value) or "(none)" for value in judged["label"]], index=judged.index, dtype=object)
    wanted = {alike(label) for label in fraud}
    found = _counted(judged.assign(label=texts), "label")
    found.insert(1, "means_fraud", [alike(name) in wanted for name in found["label"]])
    return found


def _counted(judged: pd.DataFrame, by: str, **more: tuple[str, str]) -> pd.DataFrame:
    counts = {"clicks": ("fraud", "size"), "flagged": ("fraud", "sum"), "share": ("fraud", "mean")}
    numbers, names = distinct(judged[by])
    found = judged.groupby(numbers, sort=False).agg(**counts, **more)  # not text: numbers
    found.insert(0, by, names)
    return found.sort_values("clicks", ascending=False, kind="stable", ignore_index=True)


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
