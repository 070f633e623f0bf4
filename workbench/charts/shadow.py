"""What charts show of rules that change: where a challenger differs, when a rule took over. No Plotly here."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.charts.data import View, bins_of, epoch_us
from workbench.rule import Rule
from workbench.text import label

__all__ = ["differences", "rule_changes"]

_FIRST = 15  # clicks of a rule by which the moment it took over is told


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
        empty="" if n else "Waiting for the first verdict",
        yaxis=_mirrored(float(max(ups.max(initial=0), downs.max(initial=0)))),
    )


def rule_changes(verdicts: pd.DataFrame) -> list[tuple[int, str]]:
    """When each rule took over from another: event time in µs, and the rule's id, oldest first.

    The time is that of the first clicks which the rule judged: their median, as some of them are late.
    """
    numbers, rules = pd.factorize(verdicts["rule_id"])
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
