"""Plotly figures of verdicts: pure functions and their one look. The chart that moves is in `live`.

Every figure takes a frame of verdicts (`click_id`, `session_id`, `url`, `ts`, `fraud`, `clicks_in_window`,
`revised`, `rule_id`, `judged_at`, `latency_ms`), in any order, and holds a bounded number of points however
long the frame is; `data` and `sessions` reduce it, `style` has the colours. Times are event times in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from workbench.charts.data import View, differences, epoch_us, iso, latency_view, rates_view
from workbench.charts.sessions import timeline_view, top_view
from workbench.charts.style import BESIDE_SHADOW, FLAGGED, GOOD, MUTED, OVERVIEW, PANELS, TEMPLATE, TIME, Panel, Place
from workbench.charts.widget import Chart
from workbench.durations import format_duration
from workbench.rule import Rule, window_bounds

__all__ = [
    "apply",
    "click_windows",
    "clicks_per_second",
    "latency",
    "overview",
    "session_timeline",
    "shadow_view",
    "skeleton",
    "top_sessions",
    "views",
]

AnyFigure = TypeVar("AnyFigure", bound=go.Figure)


def skeleton(
    figure: AnyFigure,
    panels: Sequence[str] = tuple(OVERVIEW),
    styles: Mapping[str, Panel] = PANELS,
    places: Mapping[str, Place] | None = None,
) -> AnyFigure:
    """Put the empty panels into an empty figure or figure widget: one fills it, four or five make the overview."""
    if len(panels) == 1:
        places = {panels[0]: ((0.0, 1.0), (0.0, 1.0))}
    elif places is None:
        places = BESIDE_SHADOW if "shadow" in panels else OVERVIEW
    layout: dict[str, Any] = {
        "template": TEMPLATE,
        # Said aloud, or a widget keeps the width it had before it was on the page.
        "autosize": True,
        "height": {1: 400, 4: 680, 5: 900}[len(panels)],
        "margin": {"l": 60, "r": 24, "t": 76, "b": 48},
        "uirevision": "kept",
        # Top left: the mode bar has the right.
        "legend": {"x": 0, "xref": "paper", "y": 0.99, "yref": "container", "yanchor": "top"},
        "annotations": [],
    }
    in_legend: set[str] = set()
    for number, name in enumerate(panels, start=1):
        panel, suffix = styles[name], str(number) if number > 1 else ""
        x, y = places[name]
        matches = {"matches": "x"} if number > 1 and panel.xaxis is TIME else {}
        layout[f"xaxis{suffix}"] = {"domain": x, "anchor": f"y{suffix}", **panel.xaxis, **matches}
        layout[f"yaxis{suffix}"] = {"domain": y, "anchor": f"x{suffix}", **panel.yaxis}
        at = {"xref": "paper", "yref": "paper", "showarrow": False}
        layout["annotations"] += [
            {
                **at,
                "name": f"{name}:title",
                "x": x[0],
                "xanchor": "left",
                "y": y[1],
                "yanchor": "bottom",
                "yshift": 6,
                "align": "left",
                "text": "",
            },
            {
                **at,
                "name": f"{name}:empty",
                "x": sum(x) / 2,
                "xanchor": "center",
                "y": sum(y) / 2,
                "yanchor": "middle",
                "text": "",
                "font": {"size": 13, "color": MUTED},
            },
        ]
        for key, properties in panel.traces.items():
            seen = properties["name"] in in_legend
            in_legend.add(properties["name"])
            axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}", "meta": f"{name}:{key}"}
            figure.add_trace({**properties, **axes, **({"showlegend": False} if seen else {})})
    figure.update_layout(layout)
    return figure


def views(
    verdicts: pd.DataFrame,
    panels: Sequence[str] = tuple(OVERVIEW),
    *,
    sessions: int = 20,
    n: int = 15,
    span_us: tuple[int, int] | None = None,
) -> dict[str, View]:
    """Reduce a frame of verdicts to what each panel shows. `span_us` since the epoch fixes the time axis."""
    reduce = {
        "rates": lambda: rates_view(verdicts, span_us),
        "latency": lambda: latency_view(verdicts, span_us),
        "timeline": lambda: timeline_view(verdicts, sessions),
        "top": lambda: top_view(verdicts, n),
    }
    shown = {name: reduce[name]() for name in panels}
    ts_us = epoch_us(verdicts["ts"])
    # A trace without times would begin in 1970, and the axis with it.
    span = span_us or ((int(ts_us.min()), int(ts_us.max())) if len(ts_us) else ())
    for name, view in shown.items():
        if "span" in PANELS[name].traces:
            view.traces["span"] = {"x": iso(np.array(span, np.int64))}
    return shown


def apply(figure: go.Figure, shown: Mapping[str, View]) -> None:
    """Fill a `skeleton` with views, trace by trace in place: a figure widget keeps its zoom."""
    notes = {note.name: note for note in figure.layout.annotations}
    for trace in figure.data:
        panel, key = trace.meta.split(":")
        trace.update(shown[panel].traces.get(key, {}), overwrite=True)
        view, y_name = shown[panel], (trace.yaxis or "y").replace("y", "yaxis")
        figure.layout[y_name].update(view.yaxis)
        figure.layout[y_name.replace("y", "x", 1)].update(view.xaxis)
        # Without data a date axis would read 2000, and a value axis minus one to six.
        blank = bool(view.empty)
        figure.layout[y_name].visible = not blank
        figure.layout[y_name.replace("y", "x", 1)].visible = not blank
        notes[f"{panel}:empty"].text = view.empty
        notes[f"{panel}:title"].text = f"<b>{view.title}</b>" + (
            f"  <span style='color:{MUTED}'>{view.detail}</span>" if view.detail else ""
        )


def shadow_view(compared: pd.DataFrame, challenger: Rule, span_us: tuple[int, int] | None = None) -> dict[str, View]:
    """Reduce what `shadow.compare` made to the panel that shows where the rules differ."""
    view = differences(compared, challenger, span_us)
    if span_us:
        view.traces["span"] = {"x": iso(np.array(span_us))}
    return {"shadow": view}


def _figure(verdicts: pd.DataFrame, *panels: str, **options: Any) -> Chart:
    figure = skeleton(Chart(), panels)
    apply(figure, views(verdicts, panels, **options))
    return figure


def clicks_per_second(verdicts: pd.DataFrame) -> Chart:
    """Clicks per second, the flagged ones on top. The title has the flagged share, the hover each bar's.

    Parameters
    ----------
    verdicts
        As a feed gives them.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure(verdicts, "rates")


def session_timeline(verdicts: pd.DataFrame, sessions: int = 20) -> Chart:
    """Every click of the most flagged sessions, each session on its row; flagged clicks are strong diamonds.

    Parameters
    ----------
    verdicts
        As a feed gives them.
    sessions
        How many of them.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure(verdicts, "timeline", sessions=sessions)


def top_sessions(verdicts: pd.DataFrame, n: int = 15) -> Chart:
    """The sessions with the most flagged clicks.

    Parameters
    ----------
    verdicts
        As a feed gives them.
    n
        How many of them.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure(verdicts, "top", n=n)


def latency(verdicts: pd.DataFrame) -> Chart:
    """From click (event time) to verdict (Kafka timestamp) in ms: p50 and p99 by second, on a log scale.

    Parameters
    ----------
    verdicts
        As a feed gives them.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure(verdicts, "latency")


def click_windows(ts_us: ArrayLike, rule: Rule) -> Chart:
    """The windows of a few clicks of one session on one URL: what lies in each, and which clicks are flagged.

    A row a click, its window as a bar and the clicks in it as points.

    Parameters
    ----------
    ts_us
        Event times in whole microseconds, rising. They are shown as seconds.
    rule
        The rule to judge by.

    Returns
    -------
    Chart
        For a cell to put out.

    Raises
    ------
    ClickError
        The times are not whole, or do not rise.
    """
    times = np.asarray(ts_us)
    first, last = window_bounds(np.zeros(len(times), np.int64), times, rule)
    window_s, seconds = rule.window.total_seconds(), times / 1e6
    figure = Chart(layout={"template": TEMPLATE, "height": 320, "showlegend": False})
    names = []
    for row, (at, begin, end) in enumerate(zip(seconds, first, last, strict=True)):
        count = end - begin + 1
        color = FLAGGED if count >= rule.threshold else GOOD
        names.append(f"click at {at:g} s: {count} in the window")
        bar = {"color": color, "width": 14}
        figure.add_scatter(x=[at - window_s, at], y=[row, row], mode="lines", line=bar, opacity=0.25, hoverinfo="skip")
        inside = seconds[begin : end + 1]
        figure.add_scatter(x=inside, y=[row] * count, mode="markers", marker={"color": color, "size": 10})
    figure.update_yaxes(tickvals=np.arange(len(names)), ticktext=names, autorange="reversed", showgrid=False)
    figure.update_xaxes(title_text="seconds")
    title = f"Windows of {format_duration(rule.window)}: {rule.threshold} clicks inside are fraud"
    figure.update_layout(title_text=title, margin_t=56)
    return figure


def overview(verdicts: pd.DataFrame, sessions: int = 20, n: int = 15) -> Chart:
    """All four in one figure: what the live chart shows.

    Parameters
    ----------
    verdicts
        As a feed gives them.
    sessions, n
        As `session_timeline` and `top_sessions` have them.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure(verdicts, *OVERVIEW, sessions=sessions, n=n)
