"""What charts show over time, as bounded arrays reduced from a frame of verdicts. By session: `sessions`. No Plotly.

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

from workbench.distinct import distinct
from workbench.rule import Rule
from workbench.text import label

__all__ = [
    "COLUMNS",
    "MAX_BINS",
    "WAITING",
    "View",
    "bins_of",
    "differences",
    "epoch_us",
    "iso",
    "latency_view",
    "rates_view",
    "rule_changes",
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

_BIN_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
WAITING: Final = "Waiting for the first verdict"
_FIRST: Final = 15  # clicks of a rule by which the moment it took over is known

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


def rates_view(verdicts: pd.DataFrame, span_us: tuple[int, int] | None = None) -> View:
    """Clicks per second, flagged and not. A span that ends now ends in an unfinished bar: left out."""
    ts_us, fraud = epoch_us(verdicts["ts"]), verdicts["fraud"].to_numpy(bool)
    bins, width_us, x = bins_of(ts_us, span_us)
    width_s = width_us / 1e6
    flagged = np.bincount(bins[fraud], minlength=len(x))
    total = np.bincount(bins, minlength=len(x))
    share = 100 * flagged / np.maximum(total, 1)
    n = len(ts_us)
    finished = len(x) - int(bool(n and span_us and ts_us.max() // width_us == span_us[1] // width_us))
    bars = {"x": x[:finished], "width": width_us / 1e3, "customdata": share[:finished]}
    return View(
        traces={
            "good": {**bars, "y": (total - flagged)[:finished] / width_s},
            "flagged": {**bars, "y": flagged[:finished] / width_s},
        },
        title="Clicks per second",
        detail=f"{n:,} clicks, {100 * float(fraud.mean()):.1f}% flagged{_every(width_s)}" if n else "",
        empty="" if n else WAITING,
    )


def latency_view(verdicts: pd.DataFrame, span_us: tuple[int, int] | None = None) -> View:
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
        empty="" if n else WAITING,
    )


def differences(compared: pd.DataFrame, challenger: Rule, span_us: tuple[int, int] | None = None) -> View:
    """Clicks per second that only one of two rules flags: the challenger's upwards, the champion's downwards.

    compared: as `shadow.compare` makes it.
    """
    champion, other = compared["champion"].to_numpy(bool), compared["challenger"].to_numpy(bool)
    number, width_us, x = bins_of(epoch_us(compared["ts"]), span_us)
    up, down = other & ~champion, champion & ~other
    per_s = 1e6 / width_us
    ups = np.bincount(number[up], minlength=len(x)) * per_s
    downs = np.bincount(number[down], minlength=len(x)) * per_s
    bars = {"x": x, "width": width_us / 1e3}
    n = len(compared)
    counts = f"{int(up.sum()):,} clicks flagged by it only, {int(down.sum()):,} by the running rule only"
    return View(
        traces={
            "challenger": {**bars, "y": ups, "customdata": ups},
            "champion": {**bars, "y": -downs, "customdata": downs},
        },
        title=f"Shadow: {label(challenger.rule_id)}",
        detail=counts if n else "",
        empty="" if n else WAITING,
        yaxis=_mirrored(float(max(ups.max(initial=0), downs.max(initial=0)))),
    )


def rule_changes(verdicts: pd.DataFrame) -> list[tuple[int, str]]:
    """When each rule took over from another: event time in µs, and the rule's id, oldest first.

    The time is that of the first clicks which the rule judged: their median, as some of them are late.
    """
    numbers, rules = distinct(verdicts["rule_id"])
    if len(rules) < 2:
        return []
    first = np.flatnonzero(~verdicts["revised"].to_numpy(bool))
    judged = verdicts["judged_at"].dt.as_unit("ms").to_numpy("datetime64[ms]")[first]
    order = first[np.argsort(judged, kind="stable")]
    begins = np.flatnonzero(np.diff(numbers[order])) + 1
    ends = np.append(begins[1:], len(order))
    ts_us = epoch_us(verdicts["ts"])[order]
    return [
        (int(np.median(ts_us[begin : min(end, begin + _FIRST)])), str(rules[numbers[order[begin]]]))
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]


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


def _mirrored(most: float) -> dict[str, object]:
    """An axis with zero in the middle that says how many, below as above."""
    most = max(most, 1.0)
    step = 10 ** np.floor(np.log10(most))
    tick = float(step * max(f for f in (1, 2, 5) if f * step <= most))
    return {
        "range": [-1.15 * most, 1.15 * most],
        "tickvals": [-tick, 0, tick],
        "ticktext": [f"{tick:g}", "0", f"{tick:g}"],
    }


def _every(width_s: float) -> str:
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if width_s >= seconds:
            return f", by {width_s / seconds:g} {unit}"
    return "" if width_s == 1 else f", by {width_s:g} s"


def _ms(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 10_000 else f"{ms / 1000:,.0f} s"
