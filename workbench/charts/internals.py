"""What is used of Plotly's and ipywidgets' insides for want of a public way, and by no other module.

A figure widget cannot be given settings of Plotly.js, and does not say that it came onto a page: both are known to its
private traits only. Where a version has these no more, the first widget that is made says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import plotly.graph_objects as go

__all__ = ["on_new_view", "use_settings"]


def use_settings(widget: go.FigureWidget, settings: Mapping[str, Any]) -> None:
    """Have it drawn with these settings of Plotly.js wherever it is shown.

    Raises
    ------
    AttributeError
        This version of Plotly keeps them elsewhere.
    """
    _require(widget, "_config")
    widget._config = dict(settings)


def on_new_view(widget: go.FigureWidget, call: Callable[[int], object]) -> None:
    """Call this with the number of its views each time that it comes onto a page, or leaves one.

    Raises
    ------
    AttributeError
        This version of ipywidgets counts them elsewhere.
    """
    _require(widget, "_view_count")
    widget.observe(lambda change: call(change["new"]), "_view_count")


def _require(widget: go.FigureWidget, trait: str) -> None:
    if not widget.has_trait(trait):
        raise AttributeError(f"a figure widget of the Plotly or ipywidgets installed has no trait {trait!r} any more")
