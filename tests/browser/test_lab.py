"""The live chart in a real JupyterLab, looked at by a real browser.

Short sibling: tests/unit/charts/test_figures.py
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("playwright")
from browser import (
    Lab,
    browser_page,
    chromium_path,
    drawn_points,
    error_outputs,
    menu,
    open_notebook,
    run_all,
)
from playwright.sync_api import Page
from polling import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.java,
    pytest.mark.skipif(chromium_path() is None, reason="needs Chromium"),
]

TESTS = Path(__file__).parents[1]
FEED = f"""
import sys, time
sys.path[:0] = [{str(TESTS / "support")!r}, {str(TESTS.parent)!r}]
import pandas as pd
from verdict_frames import verdict_frame
from workbench.charts.live import LiveChart

class Growing:
    def __init__(self):
        self.start = pd.Timestamp.now("UTC")
        self.all = verdict_frame(60_000, rate=300, bots=0.15, start=self.start)
    def frame(self):
        return self.all[self.all.ts <= pd.Timestamp.now("UTC")]

feed = Growing()
"""
BUTTONS = "Array.from(document.querySelectorAll('.modebar-btn'), b => b.dataset.title)"
X_RANGE = (
    "document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range"
    ".map(t => new Date(t.replace(' ', 'T') + 'Z').getTime())"
)
SHOTS = os.environ.get("WORKBENCH_TEST_SCREENSHOTS")


def notebook(lab: Lab, name: str, *cells: str) -> str:
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, lab.root / name)
    return name


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def bars(page: Page) -> int:
    count: int = page.evaluate("document.querySelector('.js-plotly-plot').data[0].y.length")
    return count


def shown_ms(page: Page) -> float:
    low, high = page.evaluate(X_RANGE)
    return float(high - low)


def no_upload_no_logo(page: Page) -> bool:
    titles: list[str] = page.evaluate(BUTTONS)
    return bool(titles) and not [title for title in titles if "loud" in title or "Produced" in title]


def static_output(notebook: Path, cell: int) -> bool:
    """Whether the saved notebook's cell holds a static figure with data, and no live widget."""
    try:
        cells = nbformat.read(notebook, 4).cells
    except nbformat.reader.NotJSONError:
        return False  # JupyterLab is writing it at this moment
    outputs = [output.get("data", {}) for output in cells[cell].outputs]
    figures = [data["application/vnd.plotly.v1+json"] for data in outputs if "application/vnd.plotly.v1+json" in data]
    return bool(figures and figures[0]["data"][0]["x"] and not figures[0]["config"]["showSendToCloud"])


def test_the_chart_grows_while_its_cell_runs_keeps_its_zoom_and_leaves_a_static_figure(lab: Lab) -> None:
    name = notebook(
        lab,
        "live.ipynb",
        FEED,
        "chart = LiveChart(feed, hz=4)\nchart.mark('<b>here</b>')\nchart.run(40)",
        "6 * 7",
    )
    with browser_page(1400, 1400) as (page, heard):
        open_notebook(page, lab, name)
        run_all(page)
        first = until(lambda: drawn_points(page), 60, said="something is drawn")
        until(lambda: drawn_points(page) > first + 20, 20, said="the chart grows")
        shot(page, "lab_live")

        # A drag across the bars zooms; from then on the time axis must stay where it was put.
        def zoomed() -> bool:
            plot = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
            assert plot
            y = plot["y"] + plot["height"] / 2
            page.mouse.move(plot["x"] + plot["width"] * 0.8, y)
            page.mouse.down()
            page.mouse.move(plot["x"] + plot["width"] * 0.95, y, steps=5)
            page.mouse.up()
            page.wait_for_timeout(200)
            return shown_ms(page) < 30_000

        until(zoomed, 20, said="the chart is zoomed")  # a drag may be cut short where the chart is drawn meanwhile
        low, high = page.evaluate(X_RANGE)
        before = bars(page)
        until(lambda: bars(page) > before + 2, 20, said="it moves on")
        assert page.evaluate(X_RANGE) == [low, high]
        assert no_upload_no_logo(page)
        shot(page, "lab_zoomed")
        page.wait_for_selector(".jp-OutputArea-executeResult:has-text('42')", timeout=90_000)
        page.wait_for_selector(".jp-RenderedPlotly .main-svg, .jp-OutputArea-output .js-plotly-plot .main-svg")
        until(lambda: page.locator(".js-plotly-plot").count() == 1, 20, said="one chart is left")
        until(lambda: no_upload_no_logo(page), 20, said="it has its buttons")
        shot(page, "lab_after")
        assert error_outputs(page) == []
        menu(page, "File", "Save Notebook")
        until(lambda: static_output(lab.root / name, 1), 20, said="the saved notebook holds the static figure")
        assert not [error for error in heard.errors if "lotly" in error], heard.errors


def test_an_interrupt_ends_the_run_and_leaves_the_chart_and_the_kernel_usable(lab: Lab) -> None:
    name = notebook(lab, "stop.ipynb", FEED, "chart = LiveChart(feed, hz=4)\nchart.run(600)")
    with browser_page(1400, 1400) as (page, _):
        open_notebook(page, lab, name)
        run_all(page)
        until(lambda: drawn_points(page), 60, said="something is drawn")
        menu(page, "Kernel", "Interrupt Kernel")
        errors = until(lambda: error_outputs(page), 20, said="the cell ends")
        assert len(errors) == 1
        assert "KeyboardInterrupt" in errors[0]
        until(lambda: page.locator(".js-plotly-plot").count() == 1, 20, said="one chart is left")
        run_all(page)
        until(
            lambda: not error_outputs(page) and drawn_points(page),
            60,
            said="it runs again in the same kernel",
        )
        menu(page, "Kernel", "Interrupt Kernel")
        until(lambda: error_outputs(page), 20, said="the cell ends again")
