"""Plotly figures for notebooks: with our settings, for two threads, and one that stays. What they show is elsewhere."""

from __future__ import annotations

import threading
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio

from workbench.charts.internals import on_new_view, use_settings
from workbench.charts.style import CONFIG

__all__ = ["Chart", "SharedFigure", "StaticFigure"]


class Chart(go.Figure):  # type: ignore[misc]
    """A figure that is shown with the settings of `CONFIG`, by whatever renderer. Figures of others are left alone."""

    def show(self, *args: Any, **options: Any) -> None:
        """Show it, as Plotly's `Figure.show` does; `config` adds to the settings."""
        super().show(*args, **{**options, "config": {**CONFIG, **(options.get("config") or {})}})

    def _repr_mimebundle_(self, include: object = None, exclude: object = None, **options: Any) -> Any:
        return super()._repr_mimebundle_(include, exclude, **{"config": CONFIG, **options})

    def _ipython_display_(self) -> None:
        if pio.renderers.render_on_display and pio.renderers.default:
            self.show()
        else:
            print(repr(self))


class SharedFigure(go.FigureWidget):  # type: ignore[misc]
    """A figure widget for two threads: an updater's, and the kernel's when the browser reports a zoom or a click.

    While the kernel applies what the browser says, it holds back every message to the browser and keeps
    only the last of each name: an update sent from another thread in that moment would be lost. So whoever updates it
    holds `lock`.
    """

    def __init__(self, name: str) -> None:
        self._shared_lock, self._shared_name = threading.RLock(), name
        super().__init__()
        use_settings(self, CONFIG)
        on_new_view(self, self._fit)

    @property
    def lock(self) -> threading.RLock:
        """Held by whoever changes the figure."""
        return self._shared_lock

    def _fit(self, views: int) -> None:
        """Have it drawn again once it is on a page: before, it cannot know how wide the page is.

        Any change of the layout makes plotly.js measure anew.
        """
        with self._shared_lock:
            self.layout.meta = f"view {views}"

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take in what the browser says, while no other thread changes the figure."""
        with self._shared_lock:
            super().set_state(sync_data)

    def __repr__(self) -> str:  # a notebook stores it beside the picture, and Plotly's holds all the data
        return self._shared_name


class StaticFigure:
    """A figure as the one MIME type that JupyterLab, papermill and the report all draw."""

    def __init__(self, figure: go.Figure, name: str) -> None:
        self._figure, self._name = figure, name

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {
            "application/vnd.plotly.v1+json": {**self._figure.to_plotly_json(), "config": CONFIG},
            "text/plain": self._name,
        }
