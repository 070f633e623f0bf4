"""Private traits of figure widgets: they are there under the names that we use, and their lack is told by name."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest
from ipywidgets import DOMWidget
from traitlets import HasTraits

from workbench.charts import internals


def test_plotly_keeps_the_settings_of_a_widget_in_config_and_sends_them() -> None:
    assert go.FigureWidget.class_traits(sync=True).keys() >= {"_config"}, "plotly renamed FigureWidget._config"
    widget = go.FigureWidget()
    internals.use_settings(widget, {"displaylogo": False})
    assert widget.get_state()["_config"] == {"displaylogo": False}


def test_ipywidgets_counts_views_in_view_count() -> None:
    assert DOMWidget.class_traits(sync=True).keys() >= {"_view_count"}, "ipywidgets renamed Widget._view_count"
    widget, seen = go.FigureWidget(), list[int]()
    internals.on_new_view(widget, seen.append)
    widget.set_state({"_view_count": 2})
    assert seen == [2]


def test_a_trait_that_is_gone_is_named() -> None:
    with pytest.raises(AttributeError, match="no trait '_config' any more"):
        internals.use_settings(HasTraits(), {})
    with pytest.raises(AttributeError, match="no trait '_view_count' any more"):
        internals.on_new_view(HasTraits(), print)
