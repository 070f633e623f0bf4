"""Plotly figures of tuning: pure functions of a surface, sorted clicks and changed sessions. The board is elsewhere.

Every figure marks the chosen rule. Without labels nothing says how good a rule is, and the figures say so: they show
how much it flags, and how sensitive that is to the window and the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from workbench.charts import figures
from workbench.charts.data import View
from workbench.charts.widget import Chart
from workbench.clicks.order import ClickOrder, order
from workbench.rule import Rule
from workbench.tuning.style import PANELS, PLACES
from workbench.tuning.surface import Surface
from workbench.tuning.views import changes_view, gaps_view, heat_view, tradeoff_view

__all__ = ["changed_sessions", "gap_distribution", "heat_map", "overview", "skeleton", "tradeoff", "views"]

_SESSIONS_SHOWN: Final = 12


def heat_map(surface: Surface, chosen: Rule, metric: str | None = None, current: Rule | None = None) -> Chart:
    """One number of every window and threshold, with the chosen rule marked.

    Parameters
    ----------
    surface
        What the rules flag.
    chosen, current
        The rules to mark.
    metric
        One of `style.METRICS`; None takes F1 with labels and the share of flagged clicks without.

    Returns
    -------
    Chart
        For a cell to put out.

    Raises
    ------
    RuleError
        Another metric, or one that takes labels where there are none; a chosen rule that is not on the grid.
    """
    return _figure({"heat": heat_view(surface, chosen, metric, current)})


def tradeoff(surface: Surface, chosen: Rule, current: Rule | None = None) -> Chart:
    """Precision against recall, one curve a threshold as the window grows; without labels flagged clicks by window.

    Parameters
    ----------
    surface
        What the rules flag.
    chosen, current
        The rules to mark.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure({"tradeoff": tradeoff_view(surface, chosen, current)})


def gap_distribution(clicks: pd.DataFrame | ClickOrder, chosen: Rule) -> Chart:
    """How long before each click the (threshold − 1)-th one before it lies, by label: what a window cuts through.

    Parameters
    ----------
    clicks
        As `surface` takes them.
    chosen
        The rule whose threshold and window are shown.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure({"gaps": gaps_view(order(clicks), chosen)})


def changed_sessions(changes: pd.DataFrame, sessions: int = _SESSIONS_SHOWN) -> Chart:
    """The sessions with most flagged clicks that only one of two rules flags, newly flagged or no longer.

    Parameters
    ----------
    changes
        As `changes` gives them.
    sessions
        How many of them.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure({"changes": changes_view(changes, sessions)})


def overview(
    surface: Surface,
    clicks: pd.DataFrame | ClickOrder,
    changes: pd.DataFrame,
    chosen: Rule,
    current: Rule,
    metric: str | None = None,
) -> Chart:
    """All four in one figure: what the board shows.

    Parameters
    ----------
    surface, chosen, current, metric
        As `heat_map` takes them.
    clicks
        As `surface` takes them.
    changes
        What `changes` gives of them and the two rules.

    Returns
    -------
    Chart
        For a cell to put out.
    """
    return _figure(views(surface, order(clicks), changes, chosen, current, metric))


def views(
    surface: Surface,
    clicks: ClickOrder,
    changes: pd.DataFrame,
    chosen: Rule,
    current: Rule,
    metric: str | None = None,
    *,
    cells: bool = True,
) -> dict[str, View]:
    """What each panel of the overview shows. cells: False leaves those of the heat map as they are drawn."""
    return {
        "heat": heat_view(surface, chosen, metric, current, cells=cells),
        "tradeoff": tradeoff_view(surface, chosen, current),
        "gaps": gaps_view(clicks, chosen),
        "changes": changes_view(changes, _SESSIONS_SHOWN),
    }


def skeleton(figure: figures.AnyFigure, panels: Sequence[str] = tuple(PANELS)) -> figures.AnyFigure:
    """Put the empty panels into an empty figure or figure widget."""
    figures.skeleton(figure, panels, PANELS, PLACES)
    if len(panels) > 1:
        (_, right), (bottom, top) = PLACES["heat"]
        bar = {"x": right + 0.01, "y": (bottom + top) / 2, "len": top - bottom, "xpad": 0, "ypad": 0}
        figure.update_traces({"colorbar": bar}, selector={"type": "heatmap"})
        figure.update_layout(height=640)
    return figure


def _figure(shown: dict[str, View]) -> Chart:
    figure = skeleton(Chart(), tuple(shown))
    figures.apply(figure, shown)
    return figure
