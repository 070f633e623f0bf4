"""What the tuning charts show, as bounded arrays. No Plotly here: `figures` draws it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.charts.data import View
from workbench.clicks.gaps import NEVER
from workbench.clicks.order import ClickOrder
from workbench.durations import format_duration
from workbench.errors import RuleError
from workbench.rule import Rule
from workbench.text import label
from workbench.tuning.outcome import Outcome
from workbench.tuning.style import METRICS
from workbench.tuning.surface import Surface

__all__ = [
    "HOW_MUCH",
    "changes_view",
    "default_metric",
    "describe",
    "gaps_view",
    "heat_view",
    "short_window",
    "tradeoff_view",
]

HOW_MUCH: Final = "how much is flagged, not how well"
_LINES: Final = 12
_BINS_A_DECADE: Final = 12

Floats = npt.NDArray[np.float64]


def default_metric(surface: Surface) -> str:
    """F1 where there are labels, else how much is flagged."""
    return "f1" if surface.fraud else "flagged_share"


def heat_view(
    surface: Surface, chosen: Rule, metric: str | None = None, current: Rule | None = None, *, cells: bool = True
) -> View:
    """One number of every rule as cells, the chosen and the current rule as points. cells: False leaves them out."""
    name = metric or default_metric(surface)
    if name not in METRICS:
        raise RuleError(f"no metric {name!r}: choose one of {', '.join(METRICS)}")
    of = METRICS[name]
    if of.labelled and not surface.labelled:
        raise RuleError(f"{name} takes labelled clicks, and these have no labels: choose 'flagged_share'")
    value = getattr(surface.at(chosen), name)
    detail = f"{chosen.rule_id}: {'none' if value is None else format(value, of.form)}"

    def place(one: Outcome) -> tuple[str, str]:
        return short_window(one.rule.window), str(one.rule.threshold)

    return View(
        traces={
            "cells": _cells(surface, name) if cells else {},
            "halo": {"x": [short_window(chosen.window)], "y": [str(chosen.threshold)]},
            "chosen": _point(surface, chosen, place),
            "current": _point(surface, current, place),
        },
        title=of.title,
        detail=detail if surface.fraud else f"{detail} · {_lack(surface)}: {HOW_MUCH}",
        yaxis={"categoryarray": [str(threshold) for threshold in surface.thresholds]},
        xaxis={"categoryarray": [short_window(window) for window in surface.windows]},
    )


def _lack(surface: Surface) -> str:
    return "no label means fraud" if surface.labelled else "no labels"


def _cells(surface: Surface, name: str) -> dict[str, Any]:
    values: Floats = getattr(surface, name)
    return {
        "x": [short_window(window) for window in surface.windows],
        "y": [str(threshold) for threshold in surface.thresholds],
        "z": values.T,
        "hovertext": [
            [describe(surface.at(Rule(window, threshold))) for window in surface.windows]
            for threshold in surface.thresholds
        ],
        "colorscale": [list(stop) for stop in METRICS[name].scale],
        "colorbar.tickformat": METRICS[name].form,
    }


def tradeoff_view(surface: Surface, chosen: Rule, current: Rule | None = None) -> View:
    """One curve for each of a dozen thresholds, as the window grows; that of the chosen rule apart."""
    labelled = bool(surface.fraud)
    seconds = [window.total_seconds() for window in surface.windows]

    def place(one: Outcome) -> tuple[Any, Any]:
        if labelled:
            return one.recall, one.precision
        return one.rule.window.total_seconds(), one.flagged_share

    def line(threshold: int) -> tuple[list[Any], list[Any], list[str]]:
        ones = [surface.at(Rule(window, threshold)) for window in surface.windows]
        x, y = zip(*map(place, ones), strict=True)
        return [*x, None], [*y, None], [*map(describe, ones), ""]

    rest = [threshold for threshold in surface.thresholds if threshold != chosen.threshold]
    drawn = [rest[i] for i in np.unique(np.linspace(0, len(rest) - 1, _LINES).round().astype(int))] if rest else []
    others: tuple[list[Any], list[Any], list[str]] = ([], [], [])
    for threshold in drawn:
        for all_of, part in zip(others, line(threshold), strict=True):
            all_of += part
    x, y, hover = line(chosen.threshold)
    if labelled:
        title, axes = "Precision and recall", ({"text": "recall"}, {"text": "precision"})
        xaxis: dict[str, Any] = {"type": "linear", "range": [-0.02, 1.02], "tickformat": ".0%", "title": axes[0]}
        yaxis: dict[str, Any] = {"title": axes[1]}
        detail = f"one curve a threshold, {chosen.threshold} in blue"
    else:
        title, detail = "Sensitivity", f"one curve a threshold, {chosen.threshold} in blue"
        dtick = "D2" if max(seconds) / min(seconds) < 1_000 else 1
        xaxis = {"type": "log", "dtick": dtick, "title": {"text": "window, seconds"}, **_log_range(seconds)}
        yaxis = {"title": {"text": "flagged clicks"}}
    return View(
        traces={
            "others": {"x": others[0], "y": others[1], "hovertext": others[2]},
            "line": {"x": x, "y": y, "hovertext": hover},
            "chosen": _point(surface, chosen, place),
            "current": _point(surface, current, place),
        },
        title=title,
        detail=detail,
        xaxis=xaxis,
        yaxis=yaxis,
    )


def gaps_view(clicks: ClickOrder, chosen: Rule) -> View:
    """Clicks by their gap at the chosen threshold, in bins of equal width on a logarithmic axis, and the window."""
    moments, window_s = clicks.moments, chosen.window.total_seconds()
    gap = moments.gaps(chosen.threshold)
    there = gap != NEVER
    seconds = np.maximum(gap[there], 1_000) / 1e6  # below a millisecond: no window is shorter
    bounds = np.append(seconds, window_s)
    low, high = np.floor(np.log10(bounds.min())), np.ceil(np.log10(bounds.max()))
    count = max(1, round(high - low)) * _BINS_A_DECADE
    edges = np.logspace(low, high if high > low else low + 1, count + 1)
    bins = np.clip(np.searchsorted(edges, seconds, side="right") - 1, 0, count - 1)
    fraud = np.bincount(bins, moments.fraud[there], minlength=count)
    all_of = np.bincount(bins, moments.clicks[there], minlength=count)
    spans = [f"{_seconds(a)} to {_seconds(b)}" for a, b in itertools.pairwise(edges)]
    labelled = clicks.fraud is not None
    parts = {"good": all_of - fraud, "fraud": fraud}
    kinds = {"good": "good clicks" if labelled else "clicks", "fraud": "fraudulent clicks"}
    traces: dict[str, dict[str, Any]] = {
        name: {
            "name": kinds[name],
            "visible": labelled or name == "good",
            "x": edges,
            "y": np.append(part, part[-1]),
            "hovertext": [f"{n:,.0f} {kinds[name]}<br>gap {at}" for n, at in zip(part, spans, strict=True)] + [""],
        }
        for name, part in parts.items()
    }
    top = float(max(part.max(initial=1) for part in parts.values()))
    edge = f"window {format_duration(chosen.window)}: flagged is what lies left of it"
    traces["window"] = {"x": [window_s, window_s], "y": [0, top * 1.05], "hovertext": [edge, edge]}
    before = chosen.threshold - 1
    back = "itself" if before == 0 else "the click before" if before == 1 else f"{before} clicks before"
    none = int(moments.clicks[~there].sum())
    return View(
        traces=traces,
        title=f"Time since {back}" if before else "Every click reaches a threshold of 1",
        detail=f"left of the line is flagged; {none:,} have fewer" if before else "",
        xaxis={"title": {"text": "seconds, logarithmic"}, **_log_range([float(edges[0]), float(edges[-1])])},
    )


def changes_view(changed: pd.DataFrame, sessions: int) -> View:
    """The sessions with most flagged clicks that one rule alone flags: the gained ones on top, and half of each."""
    some, rest = (changed[changed["change"] == change] for change in ("gained", "lost"))
    shown = max(sessions - len(rest), (sessions + 1) // 2)
    top = pd.concat([some.head(shown), rest.head(sessions - min(shown, len(some)))]).iloc[::-1]
    rows = np.arange(len(top), dtype=np.float64)
    gained = (top["change"] == "gained").to_numpy(bool)
    fraud = top["fraud"] if "fraud" in top else [None] * len(top)
    hover = np.array(
        [
            f"<b>{label(name)}</b><br>{flagged:,} of {clicks:,} clicks {'would be' if new else 'are no longer'} flagged"
            + ("" if bad is None else f"<br>{bad:,} are labelled as fraud")
            for name, flagged, clicks, bad, new in zip(
                top.index, top["flagged"], top["clicks"], fraud, gained, strict=True
            )
        ],
        dtype=object,
    )
    return View(
        traces={
            name: {"x": top["flagged"].to_numpy(np.float64)[of], "y": rows[of], "hovertext": hover[of].tolist()}
            for name, of in {"gained": gained, "lost": ~gained}.items()
        },
        title="Changed sessions",
        detail=f"{len(some):,} gained, {len(rest):,} lost",
        empty="" if len(changed) else "Both rules flag the same sessions",
        yaxis={
            "tickvals": rows,
            "ticktext": [label(name, 22) for name in top.index],
            "range": [-0.6, max(len(top), 1) - 0.4],
        },
    )


def describe(one: Outcome) -> str:
    """What a rule does, for a label of a chart.

    >>> describe(Outcome(Rule(), 12, 3, 0.06, None, None, None, None))
    '<b>3-in-10s</b><br>12 clicks (6.0%) of 3 sessions flagged'
    """
    lines = [
        f"<b>{one.rule.rule_id}</b>",
        f"{one.flagged_clicks:,} clicks ({one.flagged_share or 0:.1%}) of {one.flagged_sessions:,} sessions flagged",
    ]
    quality = [
        f"{METRICS[name].title.lower()} {getattr(one, name):{METRICS[name].form}}"
        for name in ("precision", "recall")
        if getattr(one, name) is not None
    ]
    lines += [", ".join(quality)] if quality else []
    if one.cost is not None:
        lines.append(f"F1 {'none' if one.f1 is None else format(one.f1, '.3f')}, cost {one.cost:,.0f}")
    return "<br>".join(lines)


def _point(surface: Surface, rule: Rule | None, place: Any) -> dict[str, Any]:
    if rule is None or rule.window not in surface.windows or rule.threshold not in surface.thresholds:
        return {"x": [], "y": [], "hovertext": []}
    one = surface.at(rule)
    x, y = place(one)
    return {"x": [x], "y": [y], "hovertext": [describe(one)]}


def short_window(window: timedelta) -> str:
    """A window as short as it can be written: 1.5s rather than 1500ms, and no two windows alike."""
    text, seconds = format_duration(window), window.total_seconds()
    return f"{seconds:.10g}s" if text.endswith("ms") and seconds > 1 else text


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:,.3g} s" if seconds < 100 else f"{seconds:,.0f} s"


def _log_range(values: list[float]) -> dict[str, Any]:
    low, high = float(np.log10(min(values))), float(np.log10(max(values)))
    return {"range": [low - 0.05, high + 0.05]}
