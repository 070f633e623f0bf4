"""The tuning board: sliders, a heat map to click and four linked charts in a notebook, and a button that applies.

What it draws is in `figures`, what it counts in `surface`.
"""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

import pandas as pd

from workbench.charts.figures import apply
from workbench.charts.style import FLAGGED, MUTED
from workbench.charts.widget import Chart, SharedFigure, StaticFigure
from workbench.clicks.labels import FRAUD_LABELS
from workbench.clicks.order import ClickOrder, order
from workbench.errors import WorkbenchError
from workbench.machine.extras import extra
from workbench.rule import Rule
from workbench.text import label
from workbench.tuning.figures import skeleton, views
from workbench.tuning.outcome import Cost
from workbench.tuning.style import METRICS
from workbench.tuning.surface import Surface, changes, surface
from workbench.tuning.views import HOW_MUCH, default_metric, short_window

with extra("lab"):
    import ipywidgets
    from IPython.display import display

__all__ = ["Controls", "Running", "TuningBoard"]

_GREEN: Final = "#1B7F4B"
_NO_HANDLE: Final = "To apply a rule, start a detector and hand it over: <code>TuningBoard(…, handle=handle)</code>."


class Running(Protocol):
    """A running detector, as far as the board needs it."""

    @property
    def rule(self) -> Rule:
        """The rule that judges now."""
        ...

    @property
    def state(self) -> str:
        """What it is doing: "running" when a rule can be applied."""
        ...

    def apply(self, rule: Rule) -> object:
        """Judge by this rule from now on; return when it does. Raises WorkbenchError."""
        ...


@dataclass(frozen=True, slots=True)
class Controls:
    """The widgets of a board around its charts: what moves them, and what they say in words."""

    window: ipywidgets.SelectionSlider
    threshold: ipywidgets.SelectionSlider
    metric: ipywidgets.Dropdown
    apply: ipywidgets.Button
    numbers: ipywidgets.HTML
    status: ipywidgets.HTML


class TuningBoard:
    """Windows and thresholds to choose from, on recorded clicks.

    Every control moves all charts: the sliders, a click on a cell of the heat map, the buttons for the best rule, and
    `choose`. It shows itself at the end of a cell, with a static picture beside it for reports and HTML.

    Parameters
    ----------
    clicks, windows, thresholds, cost, bots
        As for `surface.surface`. The current and the chosen rule are added to the grid.
    rule
        The rule that is chosen first; None takes the best one, or without labels the current one.
    current
        The rule to compare with; None takes the handle's, else 3 in 10 s.
    handle
        A running detector to apply the chosen rule to, or None.
    """

    def __init__(
        self,
        clicks: pd.DataFrame | ClickOrder,
        windows: Iterable[timedelta | str],
        thresholds: Iterable[int],
        *,
        rule: Rule | None = None,
        current: Rule | None = None,
        handle: Running | None = None,
        cost: Cost = Cost(),
        bots: Collection[str] = FRAUD_LABELS,
    ) -> None:
        self.current = current or (handle.rule if handle is not None else Rule())
        self.handle, self._clicks = handle, order(clicks, bots)
        also = [one for one in (rule, self.current) if one is not None]
        windows, thresholds = [*windows, *(o.window for o in also)], [*thresholds, *(o.threshold for o in also)]
        self.surface: Surface = surface(self._clicks, windows, thresholds, cost=cost)
        self.rule = rule or (self.surface.best() if self.surface.fraud else self.current)
        self._lock, self._moving = threading.RLock(), False
        self._applying: threading.Thread | None = None
        self._figure = skeleton(SharedFigure("Tuning board"))
        self.controls = self._make_controls()
        self._widget = self._arranged()
        self._draw(cells=True)
        self._figure.data[0].on_click(self.cell_clicked)

    @property
    def changes(self) -> pd.DataFrame:
        """The sessions that the chosen rule would gain and lose: `surface.changes`."""
        return changes(self._clicks, self.current, self.rule)

    def choose(self, rule: Rule) -> None:
        """Choose a rule of the grid; all charts and controls follow. Raises RuleError when it is not on the grid."""
        self.surface.at(rule)
        with self._lock:
            if rule != self.rule:
                self.rule = rule
                self._draw()

    def cell_clicked(self, _: object, points: Any, __: object) -> None:
        """Choose the rule of a cell of the heat map: Plotly calls it with what was clicked on."""
        for row, column in points.point_inds[:1]:
            self.choose(Rule(self.surface.windows[column], self.surface.thresholds[row]))

    def apply(self) -> None:
        """Do what the button does: apply the chosen rule to the running detector. Returns at once."""
        with self._lock:
            if self._why_not() or self.handle is None:
                self._say_state()
                return
            self._applying = threading.Thread(target=self._apply, args=(self.rule,), name="tuning-apply", daemon=True)
            self._say(f"Applying {self.rule.rule_id} …")
            self.controls.apply.disabled = True
            self._applying.start()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until what `apply` began is done."""
        applying = self._applying
        if applying is not None:
            applying.join(timeout)

    @property
    def status(self) -> str:
        """What the board says beside the button, as HTML."""
        return str(self.controls.status.value)

    def figure(self) -> Chart:
        """A static copy of the charts."""
        with self._figure.lock:
            return Chart(self._figure)

    def _make_controls(self) -> Controls:
        wide = ipywidgets.Layout(width="340px")
        spans = [(short_window(window), window) for window in self.surface.windows]
        shown = [(of.title, name) for name, of in METRICS.items() if self.surface.labelled or not of.labelled]
        first = default_metric(self.surface)
        controls = Controls(
            window=ipywidgets.SelectionSlider(options=spans, value=self.rule.window, description="Window", layout=wide),
            threshold=ipywidgets.SelectionSlider(
                options=[*self.surface.thresholds], value=self.rule.threshold, description="Threshold", layout=wide
            ),
            metric=ipywidgets.Dropdown(
                options=shown, value=first, description="Colour", layout=ipywidgets.Layout(width="220px")
            ),
            apply=ipywidgets.Button(description="Apply", button_style="primary", icon="check"),
            numbers=ipywidgets.HTML(),
            status=ipywidgets.HTML(),
        )
        controls.window.observe(self._slid, "value")
        controls.threshold.observe(self._slid, "value")
        controls.metric.observe(lambda _: self._draw(cells=True), "value")
        controls.apply.on_click(lambda _: self.apply())
        return controls

    def _arranged(self) -> ipywidgets.VBox:
        """All of the board: the controls around the charts."""
        of = self.controls
        buttons = [of.apply]
        if self.surface.fraud:
            for name, by in (("Best F1", "f1"), ("Lowest cost", "cost")):
                button = ipywidgets.Button(description=name)
                button.on_click(lambda _, by=by: self.choose(self.surface.best(by)))
                buttons.append(button)
        above, below = [of.window, of.threshold, of.metric], [*buttons, of.status]
        return ipywidgets.VBox([ipywidgets.HBox(above), of.numbers, self._figure, ipywidgets.HBox(below)])

    def _slid(self, _: object) -> None:
        if not self._moving:
            self.choose(Rule(self.controls.window.value, self.controls.threshold.value))

    def _draw(self, *, cells: bool = False) -> None:
        """Bring all charts, sliders and numbers to the chosen rule; the cells only when they change."""
        with self._lock:
            metric = self.controls.metric.value
            shown = views(self.surface, self._clicks, self.changes, self.rule, self.current, metric, cells=cells)
            with self._figure.lock, self._figure.batch_update():
                apply(self._figure, shown)
            self._moving = True
            try:
                self.controls.window.value, self.controls.threshold.value = self.rule.window, self.rule.threshold
            finally:
                self._moving = False
            self.controls.numbers.value = self._rule_table()
            if not self._busy():
                self._say_state()

    def _rule_table(self) -> str:
        """The chosen and the current rule, number by number, as an HTML table."""
        forms = {"flagged_clicks": ("flagged clicks", ",d"), "flagged_sessions": ("sessions", ",d")}
        if self.surface.labelled:
            forms |= {name: (METRICS[name].title, METRICS[name].form) for name in ("precision", "recall", "f1", "cost")}
        cell = "<td style='text-align:right;padding:0 14px'>"
        head = "".join(f"{cell}{title.lower() if name != 'f1' else title}</td>" for name, (title, _) in forms.items())
        rows = [f"<tr style='color:{MUTED}'><td></td><td></td>{head}</tr>"]
        for name, rule, weight in (("chosen", self.rule, 600), ("current", self.current, 400)):
            values = [(getattr(self.surface.at(rule), number), form) for number, (_, form) in forms.items()]
            cells = "".join(f"{cell}{'none' if value is None else format(value, form)}</td>" for value, form in values)
            first = f"<td style='color:{MUTED}'>{name}</td>{cell}{rule.rule_id}</td>"
            rows.append(f"<tr style='font-weight:{weight}'>{first}{cells}</tr>")
        return f"{self._told()}<table style='line-height:1.5'>{''.join(rows)}</table>"

    def _told(self) -> str:
        """What is to be known before any number, as HTML: visitors that are not told apart, and what labels mean."""
        said = [f"<div style='color:{FLAGGED}'><b>{label(text, 600)}</b></div>" for text in self.surface.warnings]
        note = f"{label(str(self.surface.labels), 600)}{'' if self.surface.fraud else f': {HOW_MUCH}'}"
        return f"{''.join(said)}<div style='color:{MUTED}'>{note}</div>"

    def _busy(self) -> bool:
        return self._applying is not None

    def _why_not(self) -> str:
        """Why the chosen rule cannot be applied now, as HTML; empty when it can."""
        if self.handle is None:
            return _NO_HANDLE
        if self._busy():
            return "The rule before is still being applied."
        if (state := self.handle.state) != "running":
            return f"The detector is {html.escape(state)}: a rule can be applied while it runs."
        return f"{self.rule.rule_id} is the rule that judges now." if self.rule == self.current else ""

    def _say_state(self) -> None:
        reason = self._why_not()
        self.controls.apply.disabled = bool(reason)
        self.controls.apply.description = f"Apply {self.rule.rule_id}"
        self._say(reason or f"Judging now: {self.current.rule_id}.")

    def _say(self, text: str, color: str = MUTED) -> None:
        self.controls.status.value = f"<span style='color:{color}'>{text}</span>"

    def _apply(self, rule: Rule) -> None:
        assert self.handle is not None
        began = time.monotonic()
        try:
            self.handle.apply(rule)
            outcome = f"<b>{rule.rule_id}</b> judges now; that took {time.monotonic() - began:.1f} s.", _GREEN
        except WorkbenchError as error:
            outcome = f"<b>Not applied:</b> {html.escape(str(error))}", FLAGGED
        # Whatever it is, it must reach the one who pressed the button.
        except Exception as error:  # noqa: BLE001
            outcome = f"<b>Not applied:</b> {html.escape(f'{type(error).__name__}: {error}')}", FLAGGED
        with self._lock:
            self._applying = None
            if outcome[1] == _GREEN:
                self.current = rule
            self._draw()
            self._say(*outcome)

    def _ipython_display_(self) -> None:
        with self._figure.lock:
            bundle = StaticFigure(self.figure(), "Tuning board")._repr_mimebundle_()
            display(self._widget._repr_mimebundle_() | bundle, raw=True)

    def __repr__(self) -> str:
        return f"TuningBoard({self.rule!r} of {len(self.surface.windows)} × {len(self.surface.thresholds)} rules)"
