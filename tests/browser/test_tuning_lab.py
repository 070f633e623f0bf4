"""The tuning board in a real JupyterLab: sliders, a cell of the heat map, the metric and the Apply button.

Short sibling: tests/unit/tuning/test_figures.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytest.importorskip("playwright")
from browser import Lab, browser_page, chromium_path, error_outputs, menu, open_notebook, run_all
from playwright.sync_api import Page
from polling import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.java,
    pytest.mark.skipif(chromium_path() is None, reason="needs Chromium"),
]

ROOT = Path(__file__).parents[2]
NOTEBOOK = "03_tune_window_and_threshold.ipynb"
SHOTS = os.environ.get("WORKBENCH_TEST_SCREENSHOTS")
SETUP = f"""
import sys, time
sys.path[:0] = [{str(ROOT)!r}]
from datetime import UTC, datetime
from pathlib import Path
from workbench.errors import DetectorError
from workbench.rule import Rule
from workbench.clicks.traffic import Traffic
from workbench.tuning.board import TuningBoard
from workbench.tuning.grid import read_windows
clicks = Traffic(rate=100, duration="300s", seed=1).clicks(datetime(2026, 1, 2, tzinfo=UTC))

class Detector:
    rule, state = Rule(), "running"
    def apply(self, rule):
        while not Path("go_on").exists():
            time.sleep(0.05)
        if rule.threshold == 2:
            raise DetectorError("not below 3")
        self.rule = rule

handle = Detector()
"""
BOARD = """board = TuningBoard(clicks, read_windows("1s..60s"), range(2, 11), rule=Rule("20s", 5), handle=handle)
board"""
CHOSEN = """(() => {
  const plot = document.querySelector('.js-plotly-plot');
  const of = name => plot.data.find(trace => trace.meta === name);
  return [of('heat:chosen').x[0], of('heat:chosen').y[0], of('gaps:window').x[0],
          plot.layout.annotations.find(note => note.name === 'heat:title').text];
})()"""


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def chosen(page: Page) -> list[Any]:
    """What the browser has drawn: window and threshold of the mark, the line in the gaps, the heat map's title."""
    found: list[Any] = page.evaluate(CHOSEN)
    return found


def cell_place(page: Page, window: str, threshold: str) -> tuple[float, float]:
    """Where on the page a cell of the heat map lies."""
    place = page.evaluate(
        """([x, y]) => {
          const plot = document.querySelector('.js-plotly-plot'), full = plot._fullLayout;
          const box = plot.getBoundingClientRect();
          return [box.left + full.xaxis._offset + full.xaxis.d2p(x), box.top + full.yaxis._offset + full.yaxis.d2p(y)];
        }""",
        [window, threshold],
    )
    return place[0], place[1]


def click_cell(page: Page, window: str, threshold: str) -> None:
    """Click a cell of the heat map until the board has moved there: the page may still be moving itself."""

    def moved() -> bool:
        page.evaluate("document.querySelector('.js-plotly-plot').scrollIntoView({block: 'center'})")
        page.mouse.click(*cell_place(page, window, threshold))
        page.wait_for_timeout(200)
        return chosen(page)[:2] == [window, threshold]

    until(moved, 20, said=f"the charts follow the click on {threshold} in {window}")


def as_wide_as_its_cell(page: Page) -> bool:
    """Whether the charts fill the cell."""
    drawn, cell = page.evaluate(
        "['.js-plotly-plot .main-svg', '.jp-Cell-outputArea'].map(at => document.querySelector(at).clientWidth)"
    )
    return bool(drawn > 0.9 * cell)


def static_figures(path: Path) -> int:
    """How many static figures with data the saved notebook holds."""
    try:
        cells = nbformat.read(path, 4).cells
    except nbformat.reader.NotJSONError:
        return 0  # JupyterLab is writing it at this moment
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return sum("application/vnd.plotly.v1+json" in data for data in outputs)


def test_every_control_of_the_board_moves_all_of_it_and_apply_reaches_the_detector(lab: Lab) -> None:
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (SETUP, BOARD, "handle.rule")])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, lab.root / "board.ipynb")
    with browser_page(1400, 1250) as (page, heard):
        open_notebook(page, lab, "board.ipynb")
        run_all(page)
        page.wait_for_selector(".js-plotly-plot .heatmaplayer image", timeout=60_000)
        assert page.locator(".js-plotly-plot").count() == 1  # the widget, not the static figure beside it
        until(lambda: chosen(page)[:3] == ["20s", "5", 20], 20, said="it begins with the rule that was asked for")
        until(lambda: as_wide_as_its_cell(page), 20, said="the charts have the width of the cell")
        shot(page, "board")

        # A slider: the keyboard moves it by one step.
        handle = page.locator(".jp-OutputArea .noUi-handle, .jp-OutputArea .ui-slider-handle").first
        handle.focus()
        page.keyboard.press("ArrowRight")
        until(lambda: chosen(page)[:3] == ["25s", "5", 25], 20, said="the charts follow the slider")
        until(lambda: page.locator(".widget-readout").first.inner_text() == "25s", 20, said="its readout too")

        # A cell of the heat map.
        click_cell(page, "6s", "3")
        until(lambda: chosen(page)[2] == 6, 20, said="the gaps follow")
        until(
            lambda: page.locator(".widget-readout").all_inner_texts()[:2] == ["6s", "3"], 20, said="the sliders follow"
        )

        # The metric.
        page.locator(".jp-OutputArea select").first.select_option(label="Recall")
        until(lambda: "<b>Recall</b>" in chosen(page)[3], 20, said="the heat map shows recall")

        # Apply: the button is off while it is being applied, then the board says that the rule judges.
        button = page.locator("button.mod-primary")
        until(lambda: button.inner_text().strip() == "Apply 3-in-6s", 20, said="the button names the rule")
        button.click()
        page.wait_for_selector("text=Applying 3-in-6s", timeout=20_000)
        until(lambda: button.is_disabled(), 20, said="the button is off")
        click_cell(page, "40s", "4")  # the board is alive meanwhile
        (lab.root / "go_on").touch()
        page.wait_for_selector("text=/judges now; that took \\d/", timeout=20_000)
        until(lambda: button.is_enabled(), 20, said="the next rule can be applied")
        shot(page, "board_applied")

        click_cell(page, "40s", "2")
        until(lambda: button.inner_text().strip() == "Apply 2-in-40s", 20, said="the button names the rule")
        button.click()
        page.wait_for_selector("text=Not applied: not below 3", timeout=20_000)

        # The kernel's handle has the rule that was applied last.
        page.locator(".jp-CodeCell").last.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector("text=Rule(window='6s', threshold=3)", timeout=20_000)
        menu(page, "File", "Save Notebook")
        until(lambda: static_figures(lab.root / "board.ipynb") == 1, 20, said="a static figure is saved beside it")
        assert error_outputs(page) == []
        assert not [error for error in heard.errors if re.search("lotly|widget", error)], heard.errors


def test_the_notebook_applies_a_choice_to_a_detector_that_is_running(lab: Lab) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / NOTEBOOK, 4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    for said, asked in (("live: bool = False", "live: bool = True"), ("seconds: int = 120", "seconds: int = 900")):
        assert said in parameters.source
        parameters.source = parameters.source.replace(said, asked)
    nbformat.write(notebook, lab.root / NOTEBOOK)
    lab.keep_all_cells()
    with browser_page(1400, 1250) as (page, _):
        open_notebook(page, lab, NOTEBOOK)
        run_all(page)
        page.wait_for_selector(".jp-RenderedJSON", timeout=240_000)
        click_cell(page, "20s", "5")
        page.locator("button.mod-primary").click()
        page.wait_for_selector("text=/5-in-20s.* judges now; that took \\d/", timeout=120_000)
        shot(page, "board_live")
        table = page.locator(".jp-CodeCell", has_text="judged_by = running.feed.frame()")

        def judged_by_the_new_rule() -> bool:
            table.first.locator(".jp-InputArea-editor").click()
            page.keyboard.press("Control+Enter")
            return "5-in-20s" in table.first.locator(".jp-OutputArea").inner_text()

        until(judged_by_the_new_rule, 60, said="verdicts come by the new rule")
        assert error_outputs(page) == []
