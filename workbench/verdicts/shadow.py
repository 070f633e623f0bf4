"""A shadow: a challenger's rule beside the champion's, on the very clicks that a feed holds. Nothing is drawn here.

The champion is the running detector: its verdicts are in the feed. The challenger judges the same clicks with
`rule.flag`, and nobody else sees its verdicts. Where the two differ is what applying the challenger would change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.distinct import groups
from workbench.rule import Rule, flag

__all__ = ["Agreement", "Feed", "Shadow", "compare"]


class Feed(Protocol):
    """Anything that says which verdicts it holds, like `VerdictFeed`."""

    def frame(self) -> pd.DataFrame:
        """The verdicts: one row a click."""
        ...


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many clicks both rules flag, only one of them does, or neither.

    Attributes
    ----------
    both, champion_only, challenger_only, neither : int
        Clicks, by which of the two rules flags them.
    """

    both: int
    champion_only: int
    challenger_only: int
    neither: int

    @property
    def differing(self) -> int:
        """Clicks on which the rules differ."""
        return self.champion_only + self.challenger_only

    def __str__(self) -> str:
        clicks = self.both + self.neither + self.differing
        return (
            f"{clicks:,} clicks: {self.both:,} flagged by both, {self.champion_only:,} by the champion only, "
            f"{self.challenger_only:,} by the challenger only"
        )


@dataclass(frozen=True)
class Shadow:
    """A challenger beside the champion on what a feed holds, looked at whenever asked.

    What the feed does not hold counts for neither. So the first window of a feed that began in the middle, or that has
    forgotten older clicks, is judged too mildly by the challenger; from there on it is exact.

    Parameters
    ----------
    feed
        Whatever has the verdicts, like a `VerdictFeed`.
    challenger
        The rule on trial.
    champion
        The rule to compare it with; None takes the verdicts as the detector gave them, by whichever rule.
    """

    feed: Feed
    challenger: Rule
    champion: Rule | None = None

    def frame(self) -> pd.DataFrame:
        """The feed's verdicts with the columns `champion` and `challenger`: whether each flags the click."""
        return compare(self.feed.frame(), self.challenger, self.champion)

    def differences(self) -> pd.DataFrame:
        """Those of `frame` on which the rules differ."""
        frame = self.frame()
        return frame[frame["champion"] != frame["challenger"]]

    def agreement(self) -> Agreement:
        """The counts."""
        frame = self.frame()
        champion, challenger = frame["champion"].to_numpy(bool), frame["challenger"].to_numpy(bool)
        return Agreement(
            both=int((champion & challenger).sum()),
            champion_only=int((champion & ~challenger).sum()),
            challenger_only=int((~champion & challenger).sum()),
            neither=int((~champion & ~challenger).sum()),
        )


def compare(verdicts: pd.DataFrame, challenger: Rule, champion: Rule | None = None) -> pd.DataFrame:
    """Add the columns `champion` and `challenger` (bool) to a frame of verdicts: whether each flags the click.

    Parameters
    ----------
    verdicts
        One row a click, in any order. Columns session_id, url, ts and fraud; others are carried along.
    challenger
        The rule on trial.
    champion
        The rule to compare it with; None takes the verdicts as they were given.

    Returns
    -------
    DataFrame
        The verdicts with the two columns more, in the order they came in.

    Examples
    --------
    >>> ts = pd.to_datetime([1, 2, 9], unit="s", utc=True).astype("datetime64[us, UTC]")
    >>> verdicts = pd.DataFrame({"session_id": "s1", "url": "/ad", "ts": ts, "fraud": [False, False, True]})
    >>> compare(verdicts, Rule("10s", threshold=2))[["champion", "challenger"]]
       champion  challenger
    0     False       False
    1     False        True
    2      True        True
    """
    group = groups(verdicts["session_id"], verdicts["url"])
    ts_us = verdicts["ts"].dt.as_unit("us").to_numpy("datetime64[us]").view(np.int64)
    order = np.lexsort((ts_us, group))
    group, ts_us = group[order], ts_us[order]

    def flagged_by(rule: Rule) -> npt.NDArray[np.bool_]:
        flagged = np.empty(len(order), np.bool_)
        flagged[order] = flag(group, ts_us, rule)
        return flagged

    champion_flags = verdicts["fraud"].to_numpy(bool) if champion is None else flagged_by(champion)
    return verdicts.assign(champion=champion_flags, challenger=flagged_by(challenger))
