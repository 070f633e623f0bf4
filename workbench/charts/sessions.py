"""What charts show of the sessions flagged most, as bounded arrays reduced from a frame of verdicts. No Plotly here."""

from __future__ import annotations

import heapq
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.charts.data import WAITING, Ints, View, epoch_us, iso
from workbench.distinct import distinct
from workbench.text import label

__all__ = ["MAX_POINTS", "timeline_view", "top_view"]

MAX_POINTS: Final = 4_000
"""Clicks drawn at most in a timeline."""
_NONE_FLAGGED: Final = "No session flagged so far"


def timeline_view(verdicts: pd.DataFrame, sessions: int = 20) -> View:
    """The clicks of the `sessions` most flagged sessions, one row a session, the newest on top.

    Above `MAX_POINTS` clicks only the last of each session, mark and short time is kept, and the title says
    so.
    """
    worst, count = _most_flagged(verdicts, sessions)
    shown = verdicts[verdicts["session_id"].isin(worst)] if len(worst) else verdicts.iloc[:0]
    shown = shown.sort_values("ts", kind="stable")
    ids, urls = shown["session_id"].to_numpy(object), shown["url"].to_numpy(object)
    # Numbered by their first click, so that a row keeps its place while clicks are added to it.
    row, names = distinct(ids)
    ts_us, fraud = epoch_us(shown["ts"]), shown["fraud"].to_numpy(bool)
    thinned = len(ts_us) > MAX_POINTS
    keep = _last_of_each(row, fraud, ts_us) if thinned else np.arange(len(ts_us))
    seen = shown["clicks_in_window"].to_numpy(np.int64)

    def points(kept: Ints) -> dict[str, Any]:
        clock = iso(ts_us[kept])
        return {
            "x": clock,
            "y": row[kept].astype(np.float64),
            "hovertext": [
                f"<b>{label(ids[i])}</b><br>{label(urls[i], 72)}<br>{at.replace('T', ' ')} UTC, {seen[i]} in the window"
                for i, at in zip(kept.tolist(), clock, strict=True)
            ],
        }

    flagged = fraud[keep]
    of = f"{len(worst)} of {count:,} sessions" if count > len(worst) else _many(count, "session")
    return View(
        traces={"good": points(keep[~flagged]), "flagged": points(keep[flagged])},
        title="Clicks of flagged sessions",
        detail=f"{of}{', thinned out' if thinned else ''}" if count else "",
        empty="" if count else _NONE_FLAGGED if len(verdicts) else WAITING,
        yaxis=_rows(names),
    )


def top_view(verdicts: pd.DataFrame, n: int = 15) -> View:
    """The `n` sessions with the most flagged clicks, the worst on top; grey is what they clicked besides."""
    worst, count = _most_flagged(verdicts, n)
    names = worst[::-1]
    shown = verdicts[verdicts["session_id"].isin(worst)] if len(worst) else verdicts.iloc[:0]
    row = pd.Index(names).get_indexer(pd.Index(shown["session_id"])).astype(np.int64)
    fraud = shown["fraud"].to_numpy(bool)
    total = np.bincount(row, minlength=len(names))
    flagged = np.bincount(row[fraud], minlength=len(names))
    urls = [shown["url"].iloc[np.flatnonzero(row == i)].value_counts() for i in range(len(names))]
    hover = [
        f"<b>{label(name)}</b><br>{flagged[i]:,} of {_many(total[i], 'click')} flagged<br>"
        f"{_many(len(urls[i]), 'URL')}, most often {label(urls[i].index[0], 72)}"
        for i, name in enumerate(names)
    ]
    y = np.arange(len(names), dtype=np.float64)
    return View(
        traces={
            "flagged": {"x": flagged.astype(np.float64), "y": y, "hovertext": hover},
            "good": {"x": (total - flagged).astype(np.float64), "y": y, "hovertext": hover},
        },
        title="Most flagged sessions",
        detail=_many(int(verdicts["fraud"].sum()), "click") if count else "",
        empty="" if count else _NONE_FLAGGED if len(verdicts) else WAITING,
        yaxis=_rows(names),
    )


def _most_flagged(verdicts: pd.DataFrame, n: int) -> tuple[npt.NDArray[np.object_], int]:
    """The `n` sessions with the most flagged clicks, worst first (ties by name), and the number of all."""
    numbers, names = distinct(verdicts.loc[verdicts["fraud"].to_numpy(bool), "session_id"])
    flagged = np.bincount(numbers, minlength=len(names))
    worst = heapq.nsmallest(n, zip((-flagged).tolist(), names, strict=True))
    return np.array([name for _, name in worst], dtype=object), len(names)


def _last_of_each(row: Ints, fraud: npt.NDArray[np.bool_], ts_us: Ints) -> Ints:
    """Indices of the last click of each (row, mark, bucket of time), by time: at most `MAX_POINTS`."""
    buckets = max(MAX_POINTS // (2 * (int(row.max()) + 1)) - 1, 1)
    bucket_us = -(-(int(ts_us[-1]) - int(ts_us[0]) + 1) // buckets)
    key = pd.DataFrame({"row": row, "fraud": fraud, "bucket": ts_us // bucket_us})
    return np.flatnonzero(~key.duplicated(keep="last").to_numpy())  # not text: numbers


def _rows(names: npt.NDArray[np.object_]) -> dict[str, Any]:
    """A value axis with one named row a session, filled from the top; a row is at most 1/8 of the panel."""
    n = len(names)
    return {
        "tickvals": list(range(n)),
        "ticktext": [label(name, 22) for name in names],
        "range": [n - 0.5 - max(n, 8), n - 0.5],
    }


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
