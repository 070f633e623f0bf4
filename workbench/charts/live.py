"""The chart that moves: one Plotly widget, one thread that refreshes it. What it draws is in `figures`."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from workbench.charts.data import COLUMNS, View, epoch_us, iso, rule_changes
from workbench.charts.figures import apply, shadow_view, skeleton, views
from workbench.charts.style import FLAGGED, INK, OVERVIEW
from workbench.charts.widget import Chart, SharedFigure, StaticFigure
from workbench.machine.extras import extra
from workbench.rule import Rule
from workbench.text import label
from workbench.verdicts.shadow import Feed, compare

with extra("lab"):
    import anywidget  # noqa: F401 - Plotly's widget is one of its
    from IPython.display import DisplayHandle, display

__all__ = ["LiveChart"]

_MARKS: Final = 20
_FIRST_S: Final = 60.0  # how long `run` waits for something to draw before its seconds count


class LiveChart:
    """The chart that moves: `overview` of a feed's last `window_s` seconds, refreshed `hz` times a second.

    The window ends now while clicks keep coming, and at the newest click when they are older than that (a
    recording). The chart shows itself at the end of a cell, by `show()` or by `run(seconds)`; `stop()`
    leaves a static figure in its place. Zoom and hidden traces are kept while it moves. The updater stops
    at the first error, which is in `error` and on the chart. Where another rule took over, it draws a line.

    Parameters
    ----------
    feed
        Anything that holds verdicts and gives them as a frame, such as a `VerdictFeed`.
    hz
        Refreshes a second, from 1 to 4.
    window_s
        How many seconds are shown.
    challenger
        A rule to evaluate beside the running one, in a panel of its own that shows where they differ.
    clock
        Gives seconds since the epoch.

    Raises
    ------
    ValueError
        `hz` or `window_s` is out of range.
    """

    def __init__(
        self,
        feed: Feed,
        hz: float = 2,
        window_s: float = 60,
        *,
        challenger: Rule | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= hz <= 4:
            raise ValueError(f"hz is {hz!r}; the chart refreshes 1 to 4 times a second")
        if not window_s > 0:
            raise ValueError(f"window_s is {window_s!r}; it must be more than 0 seconds")
        self.error: Exception | None = None
        self._feed, self._period_s, self._window_us, self._clock = feed, 1 / hz, round(window_s * 1e6), clock
        self._challenger = challenger
        panels = [*OVERVIEW, *(["shadow"] if challenger else [])]
        self._widget = skeleton(SharedFigure("Live chart"), panels)
        self._widget.add_annotation(
            name="error",
            xref="paper",
            yref="paper",
            x=0,
            y=1,
            yshift=34,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            text="",
            align="left",
            visible=False,
            bgcolor="#FDECE3",
            bordercolor=FLAGGED,
            borderpad=4,
        )
        nothing = _no_verdicts()
        apply(self._widget, views(nothing) | self._shadow(nothing, None))
        self._marks: deque[tuple[int, str]] = deque(maxlen=_MARKS)
        self._handles: list[DisplayHandle] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._points = 0

    @property
    def points(self) -> int:
        """How many points are drawn now: bars, percentiles and clicks. Bounded, however long the feed is."""
        return self._points

    @property
    def running(self) -> bool:
        """Whether the updater is at work."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> LiveChart:
        """Start the updater, unless it runs. Returns at once."""
        if not self.running:
            self.error = None
            self._widget.update_annotations({"visible": False}, selector={"name": "error"})
            self._stopping.clear()
            self._thread = threading.Thread(target=self._keep_updating, name="live-chart", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stop the updater and leave a static figure wherever the chart is shown; once is enough."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10)  # a feed that hangs must not hang the notebook
            self._thread = None
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.update(StaticFigure(self.figure(), "Live chart, stopped"))

    def show(self) -> None:
        """Show the chart here, moving."""
        self.start()
        with self._widget.lock:
            handle = display(self._widget, display_id=True)
        if handle is not None:  # None outside of IPython, where there is nothing to show it on
            self._handles.append(handle)

    def run(self, seconds: float, *, progress: bool = False) -> None:
        """Keep the cell busy for `seconds` while the chart moves, then `stop()`.

        The seconds count from the first verdict that is drawn, which is waited for for a minute at most: a detector
        that has just started, or a busy machine, leaves no empty chart. Shows the chart unless it is shown already. An
        interrupt ends it early, with the static figure in place, and goes on as `KeyboardInterrupt`. An error of the
        updater ends it too and is raised.

        Parameters
        ----------
        seconds
            How long.
        progress
            Show a bar of the seconds below the chart.
        """
        if not self._handles:
            self.show()
        self.start()
        began = time.monotonic()
        try:
            with tqdm(
                total=seconds,
                disable=not progress,
                unit="s",
                leave=False,
                bar_format="{l_bar}{bar}| {n:.0f} of {total:.0f} s",
            ) as bar:
                while self.running and not self._points and time.monotonic() - began < _FIRST_S:
                    self._stopping.wait(0.1)
                began = time.monotonic()
                while self.running and (spent := time.monotonic() - began) < seconds:
                    bar.update(min(spent, seconds) - bar.n)
                    self._stopping.wait(min(0.25, seconds - spent))
                if self.error is None:
                    self.refresh()
                    bar.update(seconds - bar.n)
        finally:
            self.stop()
        if self.error is not None:
            raise self.error

    def mark(self, text: str) -> None:
        """Draw a vertical line with `text` at this moment. The last 20 that lie in the window are drawn."""
        self._marks.append((round(self._clock() * 1e6), text))

    def figure(self) -> Chart:
        """A static copy of what is drawn now."""
        with self._widget.lock:
            figure = Chart(self._widget)
        return figure

    def refresh(self) -> None:
        """Draw what the feed holds now. The updater does this by itself."""
        failed = getattr(self._feed, "error", None)
        if isinstance(failed, Exception):
            raise failed
        frame = self._feed.frame()
        recent, span_us = self._window(frame)
        shown = views(recent, span_us=span_us) | self._shadow(frame, span_us)
        low_us, high_us = span_us or (0, 0)
        marks = [*self._marks, *rule_changes(recent)]
        marks = [mark for mark in marks if low_us <= mark[0] <= high_us][-_MARKS:]
        with self._widget.lock, self._widget.batch_update():
            apply(self._widget, shown)
            self._widget.layout.shapes = [
                line for mark in marks for line in _lines(*mark, middle_us=(low_us + high_us) // 2)
            ]
        self._points = sum(
            len(trace["x"]) for view in shown.values() for name, trace in view.traces.items() if name != "span"
        )

    def _window(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[int, int] | None]:
        if frame.empty:
            return frame, None
        ts_us = epoch_us(frame["ts"])
        newest, now = int(ts_us.max()), round(self._clock() * 1e6)
        # A recording is over: its last second is whole, not unfinished.
        end = max(now, newest) if newest > now - self._window_us else (newest // 1_000_000 + 1) * 1_000_000
        start = end - self._window_us
        return frame.loc[ts_us > start, list(COLUMNS)], (start, end)

    def _shadow(self, frame: pd.DataFrame, span_us: tuple[int, int] | None) -> dict[str, View]:
        if self._challenger is None:
            return {}
        ts_us = epoch_us(frame["ts"])
        since = span_us[0] if span_us else 0
        # The window of the chart's first click reaches further back than the chart does.
        compared = compare(frame[ts_us > since - self._challenger.window_us], self._challenger)
        return shadow_view(compared[epoch_us(compared["ts"]) > since], self._challenger, span_us)

    def _keep_updating(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self.refresh()
            # Whatever it is, it must reach the one who looks at the chart.
            except Exception as error:  # noqa: BLE001
                self.error = error
                text = f"<b>Stopped:</b> {label(f'{type(error).__name__}: {error}', 120)}"
                with self._widget.lock, self._widget.batch_update():
                    self._widget.update_annotations({"text": text, "visible": True}, selector={"name": "error"})
                return
            if self._stopping.wait(max(self._period_s - (time.monotonic() - began), 0.05)):
                return

    def __enter__(self) -> LiveChart:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ipython_display_(self) -> None:
        self.show()

    def __repr__(self) -> str:
        return f"LiveChart({'running' if self.running else 'stopped'}, {self._points} points)"


def _lines(at_us: int, text: str, *, middle_us: int) -> list[dict[str, Any]]:
    """A line across each time panel on the left; the words on the upper one, on the side that has room."""
    (at,) = iso(np.array([at_us]))
    line = {
        "type": "line",
        "xref": "x",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "line": {"color": INK, "width": 1.5, "dash": "dash"},
    }
    words = {
        "text": label(text),
        "textangle": 0,
        "textposition": "end",
        "yanchor": "top",
        "xanchor": "left" if at_us < middle_us else "right",
        "padding": 4,
        "font": {"size": 11},
    }
    return [{**line, "yref": "y domain", "label": words}, {**line, "yref": "y3 domain", "xref": "x3"}]


def _no_verdicts() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})
