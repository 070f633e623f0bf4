"""How good verdicts are: precision and recall by the labels of generated clicks, and latency. No broker, no charts.

Precision is the share of the flagged clicks that bots made, recall the share of the bots' clicks that is flagged.
What nothing can be said of (the precision when nothing is flagged) is None, so every number fits into JSON.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from workbench.clicks.labels import FRAUD_LABELS, Labels, alike, label_text
from workbench.distinct import distinct, repeated
from workbench.durations import duration
from workbench.errors import ClickError, VerdictError

__all__ = ["Evaluation", "Latency", "evaluate", "latency"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What became of labelled clicks.

    Attributes
    ----------
    clicks : int
        How many there are, each once.
    missing : int
        Those without a verdict; they count as not flagged.
    flagged : int
        Those flagged.
    precision : float or None
        The share of the flagged clicks that bots made, from 0 to 1; None when nothing is flagged.
    recall : float or None
        The share of the bots' clicks that is flagged, from 0 to 1; None without bots.
    by_kind : DataFrame
        One row a label (its index), largest first. Columns bot (bool), clicks, flagged (int) and share (flagged of
        clicks, from 0 to 1).
    """

    clicks: int
    missing: int
    flagged: int
    precision: float | None
    recall: float | None
    by_kind: pd.DataFrame

    @property
    def recall_by_kind(self) -> dict[str, float]:
        """Label of a bot → share of its clicks that is flagged."""
        bots = self.by_kind[self.by_kind["bot"]]
        return {str(kind): float(share) for kind, share in bots["share"].items()}

    @property
    def lack(self) -> str:
        """Which labels there are, where none of them means fraud; empty where one does."""
        counts = {str(kind): int(clicks) for kind, clicks in self.by_kind["clicks"].items()}
        return Labels(counts, tuple(self.recall_by_kind)).lack


@dataclass(frozen=True)
class Latency:
    """From click (event time) to verdict.

    Attributes
    ----------
    clicks : int
        How many it was measured on.
    p50_ms, p99_ms : float or None
        Median and 99th percentile, in ms to one decimal; None without clicks.
    """

    clicks: int
    p50_ms: float | None
    p99_ms: float | None


def evaluate(clicks: pd.DataFrame, verdicts: pd.DataFrame, bots: Collection[str] = FRAUD_LABELS) -> Evaluation:
    """Hold verdicts against the labels of the clicks they were given for.

    Parameters
    ----------
    clicks
        Columns click_id and label (texts, booleans or numbers); a repeated click_id counts once.
    verdicts
        Columns click_id and fraud, in any order; for a click with several, Yes wins. Verdicts of other clicks count
        nowhere.
    bots
        The labels that ought to be flagged, in capital letters or not.

    Returns
    -------
    Evaluation
        Precision, recall, and what became of each kind of visitor.

    Raises
    ------
    ClickError
        A column of the clicks is missing, or a click has no label.
    VerdictError
        A column of the verdicts is missing.

    Examples
    --------
    >>> clicks = pd.DataFrame({"click_id": list("abcd"), "label": ["burst_bot", "burst_bot", "person", "person"]})
    >>> verdicts = pd.DataFrame({"click_id": list("abcz"), "fraud": [True, False, True, True]})
    >>> found = evaluate(clicks, verdicts)
    >>> found.precision, found.recall, found.missing
    (0.5, 0.5, 1)
    >>> found.by_kind.reset_index()
           label    bot  clicks  flagged  share
    0  burst_bot   True       2        1    0.5
    1     person  False       2        1    0.5
    """
    _require(clicks, ("click_id", "label"), "clicks", ClickError)
    _require(verdicts, ("click_id", "fraud"), "verdicts", VerdictError)
    if clicks["label"].isna().any():
        raise ClickError("clicks have empty cells in the column 'label': only labelled clicks can be evaluated")
    clicks = clicks.assign(label=[label_text(value) for value in clicks["label"]])
    once = clicks[~repeated(clicks["click_id"])]
    flagged = once["click_id"].isin(verdicts.loc[verdicts["fraud"].to_numpy(bool), "click_id"])
    bot = once["label"].map(alike).isin({alike(label) for label in bots})
    kind, labels = distinct(once["label"])
    by_kind = (
        pd.DataFrame({"bot": bot, "flagged": flagged})
        .groupby(kind)  # not text: numbers
        .agg(bot=("bot", "first"), clicks=("bot", "size"), flagged=("flagged", "sum"), share=("flagged", "mean"))
    )
    by_kind = by_kind.set_axis(pd.Index(labels, name="label")).sort_index()
    hits = int((flagged & bot).sum())
    return Evaluation(
        clicks=len(once),
        missing=int((~once["click_id"].isin(verdicts["click_id"])).sum()),
        flagged=int(flagged.sum()),
        precision=_share(hits, int(flagged.sum())),
        recall=_share(hits, int(bot.sum())),
        by_kind=by_kind.sort_values("clicks", ascending=False, kind="stable"),
    )


def latency(verdicts: pd.DataFrame, skip: timedelta | str = "0s") -> Latency:
    """The median and the 99th percentile of click → verdict, without the first `skip` of event time.

    Parameters
    ----------
    verdicts
        Columns ts, latency_ms and revised. Revised verdicts are left out: they measure how late another click came, not
        the detector.
    skip
        How much of the beginning to leave out, in event time.

    Returns
    -------
    Latency
        The percentiles, and how many clicks they are of.

    Raises
    ------
    VerdictError
        A column is missing.
    RuleError
        `skip` is no duration.

    Examples
    --------
    >>> ts = pd.to_datetime(range(0, 20), unit="s", utc=True)
    >>> verdicts = pd.DataFrame({"ts": ts, "latency_ms": [900.0] * 10 + [12.0] * 10, "revised": False})
    >>> latency(verdicts, skip="10s")
    Latency(clicks=10, p50_ms=12.0, p99_ms=12.0)
    """
    _require(verdicts, ("ts", "latency_ms", "revised"), "verdicts", VerdictError)
    late_enough = verdicts["ts"] >= verdicts["ts"].min() + duration(skip)
    measured = verdicts.loc[late_enough & ~verdicts["revised"], "latency_ms"].to_numpy(np.float64)
    if not len(measured):
        return Latency(0, None, None)
    # Each is a latency that was measured, as in the charts.
    p50_ms, p99_ms = np.percentile(measured, (50, 99), method="inverted_cdf").round(1).tolist()
    return Latency(len(measured), p50_ms, p99_ms)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _require(frame: pd.DataFrame, columns: Collection[str], what: str, error: type[ValueError]) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise error(f"{what} lack the column {missing[0]!r}: got {list(map(str, frame.columns))}")
