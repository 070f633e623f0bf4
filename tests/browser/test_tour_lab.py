"""The tour in a real JupyterLab, as a newcomer runs it: the chart moves, a cell can be stopped, a kernel restarted.

Short sibling: tests/notebooks/test_notebooks.py
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import nbformat
import psutil
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
from processes import has_ended, words

pytestmark = [
    pytest.mark.long,
    pytest.mark.java,
    pytest.mark.skipif(chromium_path() is None, reason="needs Chromium"),
    pytest.mark.timeout(1500),
]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SHOTS = os.environ.get("WORKBENCH_TEST_SCREENSHOTS")
RAN_S = 300  # a newcomer's machine may be slow, or busy


def set_parameter(lab: Lab, name: str, parameter: str, value: object) -> None:
    """Change a line of the cell tagged "parameters", as a user does before running all."""
    notebook = nbformat.read(lab.root / name, 4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source = re.sub(rf"(?m)^({parameter}: \w+ =) \S+", rf"\1 {value!r}", cell.source)
    nbformat.write(notebook, lab.root / name)


def kernel_jvms() -> list[psutil.Process]:
    """The Spark JVMs of the kernels of this lab: they are the only ones below its server."""
    below = psutil.Process().children(recursive=True)  # the browser's too, which come and go
    kernels = [process for process in below if "ipykernel_launcher" in words(process)]
    return [jvm for kernel in kernels for jvm in kernel.children() if "pyspark-shell" in words(jvm)]


def outputs_with(page: Page, text: str) -> int:
    return page.locator(".jp-OutputArea-output", has_text=text).count()


def clear(page: Page) -> None:
    """Take every output off the page, so that what is there later is of another run."""
    menu(page, "Edit", "Clear Outputs of All Cells")
    until(
        lambda: not (drawn_points(page) or error_outputs(page) or outputs_with(page, "burst_bot")),
        30,
        said="the outputs are gone",
    )


def test_the_tour_moves_its_chart_survives_a_stop_and_leaves_nothing_with_its_kernel(lab: Lab) -> None:
    shutil.copy(NOTEBOOKS / "00_tour.ipynb", lab.root)
    set_parameter(lab, "00_tour.ipynb", "seconds", 20)
    with browser_page(1400, 1600) as (page, heard):
        open_notebook(page, lab, "00_tour.ipynb")
        run_all(page)
        first = until(lambda: drawn_points(page), RAN_S, said="the chart draws its first points")
        until(lambda: drawn_points(page) > first + 20, 30, said="the chart grows while its cell runs")
        page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / "tour_live.png")
        until(lambda: outputs_with(page, "burst_bot"), RAN_S, said="it has run to its end")
        assert error_outputs(page) == []
        if SHOTS:
            page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
            page.screenshot(path=Path(SHOTS) / "tour_after.png")

        # Stopped in the middle: Spark is still usable, and the next run needs no new one.
        (jvm,) = kernel_jvms()
        clear(page)
        run_all(page)
        until(lambda: drawn_points(page), RAN_S, said="the chart moves again")
        menu(page, "Kernel", "Interrupt Kernel")
        until(lambda: error_outputs(page), 30, said="the interrupted cell ends")
        assert "KeyboardInterrupt" in error_outputs(page)[0]
        clear(page)
        run_all(page)
        until(lambda: outputs_with(page, "burst_bot"), RAN_S, said="the third run has run to its end")
        assert [process.pid for process in kernel_jvms()] == [jvm.pid]

        # A restarted kernel leaves no JVM, and the broker is found again.
        clear(page)
        menu(page, "Kernel", "Restart Kernel and Run All Cells…")
        page.locator(".jp-Dialog button", has_text="Restart").click()
        until(lambda: has_ended(jvm.pid), 60, said="Spark ends with its kernel")
        until(lambda: outputs_with(page, "burst_bot"), RAN_S, said="it runs to its end in the new kernel")
        assert error_outputs(page) == []
        assert not [error for error in heard.errors if "lotly" in error], heard.errors
