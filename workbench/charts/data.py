"""What a chart shows, as bounded arrays reduced from a frame of verdicts. No Plotly here: `charts` draws it.

Each function reduces the whole frame with NumPy and returns a `View`: arrays for each trace, the panel's
title and its value axis. Times leave as ISO strings in UTC: when a live chart changes its data, plotly.js
guesses the kind of the axis anew, and takes numbers for numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.text import label

__all__ = [
    "COLUMNS",
    "MAX_BINS",
    "MAX_POINTS",
    "View",
    "bins_of",
    "epoch_us",
    "iso",
    "latency",
    "rates",
    "timeline",
    "top",
]

COLUMNS: Final = {
    "session_id": "object",
    "url": "object",
    "ts": "datetime64[us, UTC]",
    "fraud": "bool",
    "clicks_in_window": "int64",
    "revised": "bool",
    "rule_id": "object",
    "judged_at": "datetime64[ms, UTC]",
    "latency_ms": "float64",
}
"""The columns of a frame of verdicts that are read here, with their types."""
MAX_BINS: Final = 240
"""Bars and percentiles drawn at most: one for about every two pixels of a notebook's panel."""
MAX_POINTS: Final = 4_000
"""Clicks drawn at most in a timeline."""

_BIN_S: Final = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14_400,
    21_600,
    43_200,
    86_400,
)
_WAITING: Final = "Waiting for the first verdict"
_NONE_FLAGGED: Final = "No session flagged so far"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """One panel's content. `traces`: properties by trace name; `empty`: what to say without data, or ""."""

    traces: dict[str, dict[str, Any]]
    title: str
    detail: str = ""
    empty: str = ""
    yaxis: dict[str, Any] = field(default_factory=dict)
    xaxis: dict[str, Any] = field(default_factory=dict)


def epoch_us(times: pd.Series[Any]) -> Ints:
    """Microseconds since the epoch of a series of times in UTC.

    >>> epoch_us(pd.Series(pd.to_datetime(["1970-01-01T00:00:01Z"]).astype("datetime64[us, UTC]"))).tolist()
    [1000000]
    """
    return times.to_numpy("datetime64[us]").view(np.int64)


def iso(times_us: Ints) -> list[str]:
    """Microseconds since the epoch as ISO strings in UTC, to the millisecond.

    >>> iso(np.array([1_500_000]))
    ['1970-01-01T00:00:01.500']
    """
    texts: list[str] = np.datetime_as_string(times_us.view("datetime64[us]"), unit="ms").tolist()
    return texts


def rates(verdicts: pd.DataFrame, span_us: tuple[int, int] | None = None) -> View:
    """Clicks per second, flagged and not. A span that ends now ends in an unfinished bar: left out."""
    ts_us, fraud = epoch_us(verdicts["ts"]), verdicts["fraud"].to_numpy(bool)
    bins, width_us, x = bins_of(ts_us, span_us)
    width_s = width_us / 1e6
    flagged = np.bincount(bins[fraud], minlength=len(x))
    total = np.bincount(bins, minlength=len(x))
    share = 100 * flagged / np.maximum(total, 1)
    n = len(ts_us)
    whole = len(x) - int(bool(n and span_us and ts_us.max() // width_us == span_us[1] // width_us))
    bars = {"x": x[:whole], "width": width_us / 1e3, "customdata": share[:whole]}
    return View(
        traces={
            "good": {**bars, "y": (total - flagged)[:whole] / width_s},
            "flagged": {**bars, "y": flagged[:whole] / width_s},
        },
        title="Clicks per second",
        detail=f"{n:,} clicks, {100 * float(fraud.mean()):.1f}% flagged{_every(width_s)}" if n else "",
        empty="" if n else _WAITING,
    )


def latency(verdicts: pd.DataFrame, span_us: tuple[int, int] | None = None) -> View:
    """p50 and p99 of click → verdict in ms, by the second of the click.

    Revised verdicts measure another click's lateness, not the detector, and are left out. A verdict's time
    has a resolution of 1 ms, so less than that is drawn as 1 ms.
    """
    first = ~verdicts["revised"].to_numpy(bool)
    ms = np.maximum(verdicts["latency_ms"].to_numpy(np.float64)[first], 1.0)
    bins, width_us, x = bins_of(epoch_us(verdicts["ts"])[first], span_us)
    # One sort of whole numbers, each a bin and a latency in µs, is ten times as fast as sorting by two keys.
    us = np.rint(ms * 1e3).astype(np.int64)
    wide = int(us.max(initial=0)) + 1
    by_bin = np.sort(bins * wide + us) % wide
    counts = np.bincount(bins, minlength=len(x))
    starts = np.cumsum(counts) - counts
    full = counts > 0

    def percentile(share: float) -> Floats:
        """Nearest rank in each bin; NaN (a gap in the line) where a bin is empty."""
        out = np.full(len(x), np.nan)
        rank = np.ceil(share * counts[full]).astype(np.int64) - 1
        out[full] = by_bin[starts[full] + rank] / 1e3
        return out

    n = len(ms)
    p50, p99 = np.percentile(ms, (50, 99), method="inverted_cdf") if n else (0.0, 0.0)
    return View(
        traces={"p50": {"x": x, "y": percentile(0.50)}, "p99": {"x": x, "y": percentile(0.99)}},
        title="Click to verdict",
        detail=f"p50 {_ms(p50)}, p99 {_ms(p99)}{_every(width_us / 1e6)}" if n else "",
        empty="" if n else _WAITING,
    )


def timeline(verdicts: pd.DataFrame, sessions: int = 20) -> View:
    """The clicks of the `sessions` most flagged sessions, one row a session, the newest on top.

    Above `MAX_POINTS` clicks only the last of each session, mark and short time is kept, and the title says
    so.
    """
    worst, count = _most_flagged(verdicts, sessions)
    shown = verdicts[verdicts["session_id"].isin(worst)] if len(worst) else verdicts.iloc[:0]
    shown = shown.sort_values("ts", kind="stable")
    ids, urls = shown["session_id"].to_numpy(object), shown["url"].to_numpy(object)
    # Numbered by their first click, so that a row keeps its place while clicks are added to it.
    row, names = pd.factorize(ids)
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
        empty="" if count else _NONE_FLAGGED if len(verdicts) else _WAITING,
        yaxis=_rows(names),
    )


def top(verdicts: pd.DataFrame, n: int = 15) -> View:
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
        empty="" if count else _NONE_FLAGGED if len(verdicts) else _WAITING,
        yaxis=_rows(names),
    )


def bins_of(ts_us: Ints, span_us: tuple[int, int] | None) -> tuple[Ints, int, list[str]]:
    """The bin of each time, the bins' width in µs, and the middle of every bin."""
    if not len(ts_us):
        return np.zeros(0, np.int64), 1_000_000, []
    low, high = int(ts_us.min()), int(ts_us.max())
    span_s = ((span_us[1] - span_us[0]) if span_us else (high - low)) / 1e6
    days = int(span_s) // (86_400 * MAX_BINS) + 1
    width_s = next((step for step in _BIN_S if span_s < step * MAX_BINS), 86_400 * days)
    width_us = width_s * 1_000_000
    first, last = low // width_us, high // width_us
    return ts_us // width_us - first, width_us, iso(np.arange(first, last + 1) * width_us + width_us // 2)


def _most_flagged(verdicts: pd.DataFrame, n: int) -> tuple[npt.NDArray[np.object_], int]:
    """The `n` sessions with the most flagged clicks, worst first (ties by name), and the number of all."""
    counts = verdicts.loc[verdicts["fraud"].to_numpy(bool), "session_id"].value_counts()
    worst = counts.index.to_numpy(object)[np.lexsort((counts.index.to_numpy(object).astype(str), -counts.to_numpy()))]
    return worst[:n], len(counts)


def _last_of_each(row: Ints, fraud: npt.NDArray[np.bool_], ts_us: Ints) -> Ints:
    """Indices of the last click of each (row, mark, bucket of time), by time: at most `MAX_POINTS`."""
    buckets = max(MAX_POINTS // (2 * (int(row.max()) + 1)) - 1, 1)
    bucket_us = -(-(int(ts_us[-1]) - int(ts_us[0]) + 1) // buckets)
    key = pd.DataFrame({"row": row, "fraud": fraud, "bucket": ts_us // bucket_us})
    return np.flatnonzero(~key.duplicated(keep="last").to_numpy())


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


def _every(width_s: float) -> str:
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if width_s >= seconds:
            return f", by {width_s / seconds:g} {unit}"
    return "" if width_s == 1 else f", by {width_s:g} s"


def _ms(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 10_000 else f"{ms / 1000:,.0f} s"
