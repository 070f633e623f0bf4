"""How the tuning charts look: their panels, places and colour scales, apart from the data. Drawing: `figures`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from workbench.charts.style import FLAGGED, GOOD, INK, P50, Panel, Place, trace

__all__ = ["METRICS", "PANELS", "PLACES", "Metric"]

_HOVER: Final = "%{hovertext}<extra></extra>"
_PALE: Final = "#F1F5F9"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of each rule: what it is called, how it is written and coloured, and whether it takes labels."""

    title: str
    form: str
    scale: tuple[tuple[float, str], ...]
    labelled: bool = True


def _scale(*colors: str) -> tuple[tuple[float, str], ...]:
    return tuple((i / (len(colors) - 1), color) for i, color in enumerate(colors))


_BLUES: Final = _scale(_PALE, "#9EC5E3", P50, "#08375A")
_ORANGES: Final = _scale(_PALE, "#F6C29C", FLAGGED, "#7A3000")
_PURPLES: Final = _scale(_PALE, "#CDB4D8", "#8C4A9E", "#43184F")

METRICS: Final[dict[str, Metric]] = {
    "f1": Metric("F1", ".3f", _BLUES),
    "precision": Metric("Precision", ".1%", _BLUES),
    "recall": Metric("Recall", ".1%", _BLUES),
    "cost": Metric("Cost", ",.0f", _PURPLES),
    "flagged_share": Metric("Flagged clicks", ".1%", _ORANGES, labelled=False),
}
"""The numbers a heat map can show, by the name they have in a Surface."""


# Rings, so that the colour of the cell below is seen; a white edge, so that the ring is seen on any.
_CHOSEN: Final = {"symbol": "circle", "size": 15, "color": "rgba(0,0,0,0)", "line": {"width": 3, "color": INK}}
_HALO: Final = {"symbol": "circle", "size": 18, "color": "rgba(0,0,0,0)", "line": {"width": 6, "color": "white"}}
_CURRENT: Final = {"symbol": "x-thin", "size": 10, "line": {"width": 2.5, "color": INK}}


def _points(name: str, marker: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return trace(name, type="scatter", mode="markers", marker=marker, hovertemplate=_HOVER, **more)


def _bars(name: str, color: str) -> dict[str, Any]:
    return trace(name, type="bar", orientation="h", marker={"color": color}, hovertemplate=_HOVER)


def _area(name: str, color: str) -> dict[str, Any]:
    line = {"shape": "hv", "color": color, "width": 1.5}
    return trace(name, type="scatter", mode="lines", line=line, fill="tozeroy", hovertemplate=_HOVER)


PANELS: Final[dict[str, Panel]] = {
    "heat": Panel(
        traces={
            "cells": {
                "name": "rules",
                "type": "heatmap",
                "xgap": 1,
                "ygap": 1,
                "showlegend": False,
                "hovertemplate": _HOVER,
                "colorbar": {"thickness": 8, "outlinewidth": 0, "ticklen": 0, "nticks": 6},
            },
            "halo": _points("halo", _HALO, showlegend=False, hoverinfo="skip") | {"hovertemplate": None},
            "chosen": _points("chosen rule", _CHOSEN),
            "current": _points("current rule", _CURRENT),
        },
        xaxis={"type": "category", "showgrid": False, "tickangle": 0, "nticks": 9, "title": {"text": "window"}},
        yaxis={"type": "category", "showgrid": False, "title": {"text": "threshold, clicks"}},
    ),
    "tradeoff": Panel(
        traces={
            "others": trace(
                "other thresholds",
                type="scatter",
                mode="lines",
                line={"color": GOOD, "width": 1.2},
                showlegend=False,
                hovertemplate=_HOVER,
            ),
            "line": trace(
                "this threshold",
                type="scatter",
                mode="lines+markers",
                line={"color": P50, "width": 2},
                marker={"size": 4},
                showlegend=False,
                hovertemplate=_HOVER,
            ),
            "chosen": _points("chosen rule", _CHOSEN, showlegend=False),
            "current": _points("current rule", _CURRENT, showlegend=False),
        },
        xaxis={},
        yaxis={"tickformat": ".0%", "rangemode": "tozero"},
    ),
    "gaps": Panel(
        traces={
            "good": _area("good clicks", GOOD),
            "fraud": _area("fraudulent clicks", FLAGGED),
            "window": trace(
                "window",
                type="scatter",
                mode="lines",
                line={"color": INK, "width": 1.5, "dash": "dash"},
                showlegend=False,
                hovertemplate=_HOVER,
            ),
        },
        xaxis={"type": "log", "dtick": 1, "showgrid": False},
        yaxis={"rangemode": "tozero", "title": {"text": "clicks"}},
    ),
    "changes": Panel(
        traces={
            "gained": _bars("newly flagged", FLAGGED),
            "lost": _bars("no longer flagged", P50),
        },
        xaxis={"title": {"text": "flagged clicks"}, "nticks": 6, "rangemode": "tozero"},
        yaxis={"fixedrange": True, "showgrid": False},
    ),
}

PLACES: Final[dict[str, Place]] = {
    "heat": ((0.0, 0.47), (0.61, 1.0)),
    "tradeoff": ((0.65, 1.0), (0.61, 1.0)),
    "gaps": ((0.0, 0.47), (0.0, 0.43)),
    "changes": ((0.71, 1.0), (0.0, 0.43)),
}
