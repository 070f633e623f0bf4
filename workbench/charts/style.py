"""How charts look: settings, colours, the template, and what of each panel does not depend on the data. No figures.

What is drawn is in `figures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

__all__ = [
    "BESIDE_SHADOW",
    "CONFIG",
    "FLAGGED",
    "GOOD",
    "INK",
    "MUTED",
    "OVERVIEW",
    "P50",
    "P99",
    "PANELS",
    "TEMPLATE",
    "TIME",
    "Panel",
    "Place",
    "trace",
]

CONFIG: Final[dict[str, Any]] = {
    # On by default since plotly.js 4: one click would send the data to a public server.
    "showSendToCloud": False,
    "displaylogo": False,
    "responsive": True,
    "typesetMath": False,  # labels come from data: a dollar sign is a dollar sign
}
"""Plotly.js settings: what is drawn here shows itself with them. For `write_html(config=…)` and the like."""

# They differ in lightness too: told apart by every kind of colour vision, and in print.
GOOD: Final = "#A9BDD1"
FLAGGED: Final = "#D55E00"
P50: Final = "#0072B2"
P99: Final = "#8C4A9E"
INK: Final = "#1F2933"
MUTED: Final = "#5F6B7A"
_GRID: Final = "#E6EAEF"

_AXIS: Final = {
    "gridcolor": _GRID,
    "zeroline": False,
    "linecolor": "#C5CDD6",
    "ticks": "",
    "ticklabelstandoff": 4,
    "tickfont": {"size": 11, "color": MUTED},
    "title": {"font": {"size": 11, "color": MUTED}, "standoff": 6},
    "automargin": True,
}
TEMPLATE: Final = go.layout.Template(
    layout={
        "font": {
            "family": "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
            "size": 12,
            "color": INK,
        },
        # An opaque card, not a transparent one: it reads the same on a dark page.
        "paper_bgcolor": "white",
        "plot_bgcolor": "#F8FAFC",
        "colorway": [P50, FLAGGED, P99, GOOD],
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hoverlabel": {
            "bgcolor": "white",
            "bordercolor": "#C5CDD6",
            "font": {"color": INK, "size": 12},
            "align": "left",
        },
        "legend": {"orientation": "h", "font": {"size": 12}, "itemsizing": "trace", "tracegroupgap": 0},
        # The upload button once more: a layout travels with its figure wherever the figure is drawn.
        "modebar": {"remove": ["sendChartToCloud", "select2d", "lasso2d"], "bgcolor": "rgba(255,255,255,0)"},
        "hovermode": "closest",
        "barmode": "relative",  # stacked, and what is negative hangs down
        "bargap": 0.12,
    }
)

TIME: Final = {
    "type": "date",
    "showgrid": False,
    "nticks": 6,
    "title": {"text": "time of the click (UTC)"},
    "tickformatstops": [
        {"dtickrange": [None, 1000], "value": "%H:%M:%S.%L"},
        {"dtickrange": [1000, 60_000], "value": "%H:%M:%S"},
        {"dtickrange": [60_000, 3_600_000], "value": "%H:%M"},
        {"dtickrange": [3_600_000, 86_400_000], "value": "%H:%M\n%-d %b %Y"},  # the day, where it changes
    ],
}
_HOVER: Final = "%{hovertext}<extra></extra>"
_AT: Final = "<br>%{x|%Y-%m-%d %H:%M:%S} UTC<extra></extra>"
_RATE: Final = "%{fullData.name}: %{y:,.1f} clicks/s<br>share flagged: %{customdata:.1f}%" + _AT
_ONLY: Final = "%{fullData.name}: %{customdata:,.1f} clicks/s" + _AT
_LATENCY: Final = "%{fullData.name}: %{y:,.0f} ms" + _AT


@dataclass(frozen=True, slots=True)
class Panel:
    """What does not depend on the data: the traces by name, and the two axes."""

    traces: Mapping[str, Mapping[str, Any]]
    xaxis: Mapping[str, Any]
    yaxis: Mapping[str, Any]


def trace(name: str, **properties: Any) -> dict[str, Any]:
    """The properties of a trace that goes by this name, in the legend too."""
    return {"name": name, "legendgroup": name, "showlegend": True, **properties}


# Unseen: holds a time axis to the whole span, so that one nobody touched slides by itself.
_SPAN: Final = trace(
    "span", type="scatter", mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False, y=[1, 1]
)

PANELS: Final[dict[str, Panel]] = {
    "rates": Panel(
        traces={
            "good": trace("not flagged", type="bar", marker={"color": GOOD}, hovertemplate=_RATE),
            "flagged": trace("flagged", type="bar", marker={"color": FLAGGED}, hovertemplate=_RATE),
            "span": {**_SPAN, "y": [0, 0]},  # a log of days has far less than one click a second
        },
        xaxis=TIME,
        yaxis={"rangemode": "tozero", "title": {"text": "clicks/s"}},
    ),
    "latency": Panel(
        traces={
            "p50": trace(
                "p50",
                type="scatter",
                mode="lines+markers",
                line={"color": P50, "width": 2},
                marker={"size": 3},
                hovertemplate=_LATENCY,
            ),
            "p99": trace(
                "p99",
                type="scatter",
                mode="lines+markers",
                line={"color": P99, "width": 2, "dash": "dot"},
                marker={"size": 3},
                hovertemplate=_LATENCY,
            ),
            # From 1 to 100 ms at the least, so that a steady detector draws a steady line and not its own noise.
            "span": {**_SPAN, "y": [1, 100]},  # autorangeoptions.include would cut a log axis off at its end
        },
        xaxis=TIME,
        yaxis={"type": "log", "dtick": 1, "title": {"text": "ms"}},
    ),
    "timeline": Panel(
        traces={
            "good": trace(
                "not flagged",
                type="scatter",
                mode="markers",
                hovertemplate=_HOVER,
                marker={"color": "#8FA6BD", "size": 6},
            ),
            "flagged": trace(
                "flagged",
                type="scatter",
                mode="markers",
                hovertemplate=_HOVER,
                marker={"color": FLAGGED, "size": 8, "symbol": "diamond"},
            ),
            "span": _SPAN,
        },
        xaxis=TIME,
        yaxis={"fixedrange": True},
    ),
    "top": Panel(
        traces={
            "flagged": trace("flagged", type="bar", orientation="h", marker={"color": FLAGGED}, hovertemplate=_HOVER),
            "good": trace("not flagged", type="bar", orientation="h", marker={"color": GOOD}, hovertemplate=_HOVER),
        },
        xaxis={"rangemode": "tozero", "title": {"text": "clicks"}, "nticks": 6},
        yaxis={"fixedrange": True, "showgrid": False},
    ),
    "shadow": Panel(
        traces={
            "challenger": trace("challenger only", type="bar", marker={"color": P50}, hovertemplate=_ONLY),
            "champion": trace("running rule only", type="bar", marker={"color": P99}, hovertemplate=_ONLY),
            "span": {**_SPAN, "y": [0, 0]},
        },
        xaxis=TIME,
        yaxis={"title": {"text": "clicks/s"}, "zeroline": True, "zerolinecolor": "#8A97A6", "zerolinewidth": 1},
    ),
}

Place = tuple[tuple[float, float], tuple[float, float]]
"""Where a panel lies in a figure: its part of the width and of the height."""

OVERVIEW: Final[dict[str, Place]] = {
    "rates": ((0.0, 0.5), (0.64, 1.0)),
    "latency": ((0.66, 1.0), (0.64, 1.0)),
    "timeline": ((0.0, 0.5), (0.0, 0.5)),
    "top": ((0.66, 1.0), (0.0, 0.5)),
}

# The same four above a fifth, which is as wide as both columns.
BESIDE_SHADOW: Final = {
    "rates": ((0.0, 0.5), (0.74, 1.0)),
    "latency": ((0.66, 1.0), (0.74, 1.0)),
    "timeline": ((0.0, 0.5), (0.30, 0.64)),
    "top": ((0.66, 1.0), (0.30, 0.64)),
    "shadow": ((0.0, 1.0), (0.0, 0.2)),
}
