"""The notebooks: their form, the outputs that are stored, and that each runs to its end without a hand on it.

Short sibling: tests/notebooks/test_notebooks.py
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from workbench.broker import sender
from workbench.broker.topics import Connection, ensure_topics
from workbench.clicks.files import SAMPLE_LOG, read
from workbench.clicks.traffic import Traffic
from workbench.detector.handle import Detector
from workbench.reports.run import run_notebook, summary, write_report
from workbench.rule import Rule, judge

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))
LIVE = [name for name in NAMES if name.startswith(("00", "02"))]
CHECKED = "nbval-check-output"
PLOTLY = "application/vnd.plotly.v1+json"


def cells(name: str, kind: str = "code") -> list[NotebookNode]:
    return [cell for cell in nbformat.read(FOLDER / name, 4).cells if cell.cell_type == kind]


def tagged(name: str, tag: str) -> list[NotebookNode]:
    return [cell for cell in cells(name) if tag in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("name", NAMES)
class TestForm:
    def test_it_opens_with_what_one_does_learns_and_needs(self, name: str) -> None:
        first = nbformat.read(FOLDER / name, 4).cells[0]
        assert first.cell_type == "markdown"
        assert re.match(r"# \S", first.source)
        for promise in ("**You will**", "**You will learn**", "**You need**"):
            assert promise in first.source

    def test_its_cells_are_short_and_define_no_classes(self, name: str) -> None:
        code = cells(name)
        assert len(code) <= 30
        for cell in code:
            assert len(cell.source.splitlines()) <= 15, cell.source
            body = ast.parse(cell.source)
            assert not [node for node in ast.walk(body) if isinstance(node, ast.ClassDef | ast.FunctionDef)]

    def test_its_parameters_have_types_and_a_comment_each(self, name: str) -> None:
        (cell,) = tagged(name, "parameters")
        for line in cell.source.splitlines():
            assert re.fullmatch(r"[a-z_]+: (str|int|float|bool) = \S+  # \S.*", line), line

    def test_only_outputs_that_are_checked_are_stored(self, name: str) -> None:
        for cell in cells(name):
            checked = CHECKED in cell.metadata.get("tags", [])
            assert bool(cell.outputs) == (cell.execution_count is not None) == checked, cell.source

    def test_its_links_lead_to_notebooks_that_are_there(self, name: str) -> None:
        for cell in cells(name, "markdown"):
            for target in re.findall(r"\]\(([^)]+\.ipynb)\)", cell.source):
                assert (FOLDER / target).is_file(), target


def test_the_stored_outputs_are_what_the_cells_put_out() -> None:
    """nbval runs the notebooks with checked cells from top to bottom and compares those cells' outputs."""
    checked = [str(FOLDER / name) for name in NAMES if tagged(name, CHECKED)]
    assert checked
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider", "--no-cov", *checked]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=FOLDER, check=False)
    assert ran.returncode == 0, ran.stdout[-5000:]


def outputs(executed: Path) -> list[dict[str, Any]]:
    found = [output for cell in nbformat.read(executed, 4).cells for output in cell.get("outputs", [])]
    assert not [output for output in found if output.output_type == "error"]
    return [dict(output.get("data", {})) for output in found]


@pytest.mark.java
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name.startswith("02") else pytest.mark.long) for name in LIVE]
)
def test_a_live_notebook_runs_headless_to_its_end(name: str, connection: Connection, tmp_path: Path) -> None:
    parameters = {"brokers": connection.bootstrap, "seconds": 12, "rate": 150.0}
    executed = run_notebook(FOLDER / name, parameters, tmp_path / name, progress=False)
    figures = [
        data["application/vnd.plotly.v1+json"] for data in outputs(executed) if any("plotly" in of for of in data)
    ]
    assert [trace for figure in figures for trace in figure["data"] if len(trace.get("x") or ()) > 5]
    assert all(figure["config"]["showSendToCloud"] is False for figure in figures)
    if name.startswith("02"):
        found = summary(executed)
        assert found["clicks"] == 1800
        assert found["missing"] == found["dead_letters"] == found["dropped_by_watermark"] == 0
        assert 0.8 < found["precision"] <= 1
        assert found["recall_by_kind"]["burst_bot"] > 0.7
        assert found["recall_by_kind"]["drip_bot"] == 0  # under the threshold, on purpose


def test_the_rule_runs_into_a_report_without_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    out = write_report(FOLDER / "01_the_rule.ipynb", {"window": "30s"}, tmp_path / "rule.html", "t", progress=False)
    assert any(PLOTLY in data for data in outputs(out.with_suffix(".ipynb")))
    assert out.read_text("utf-8").count('class="figure"') >= 2


TUNING = "03_tune_window_and_threshold.ipynb"


def test_tuning_runs_without_java_and_leaves_the_board_as_a_static_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    chosen = {"window": "20s", "threshold": 4, "refused_good": 5.0, "windows": "5s..30s"}
    out = write_report(FOLDER / TUNING, chosen, tmp_path / "tuning.html", "t", progress=False)
    found = summary(out.with_suffix(".ipynb"))
    assert (found["chosen"], found["current"], found["labelled"]) == ("4-in-20s", "3-in-10s", True)
    assert 0.8 < found["precision"] <= 1
    assert found["lost"] > 0
    figures = [data[PLOTLY] for data in outputs(out.with_suffix(".ipynb")) if PLOTLY in data]
    assert [len(figure["data"]) > 10 for figure in figures] == [True, False]
    assert out.read_text("utf-8").count('class="figure"') == 2


@pytest.mark.long
def test_tuning_without_labels_shows_how_much_is_flagged(tmp_path: Path) -> None:
    executed = run_notebook(FOLDER / TUNING, {"source": str(SAMPLE_LOG)}, tmp_path / TUNING, progress=False)
    found = summary(executed)
    assert (found["labelled"], found["precision"], found["chosen"]) == (False, None, "3-in-10s")
    assert found["flagged"] == judge(read(SAMPLE_LOG).clicks, Rule())["fraud"].sum()


@pytest.mark.long
@pytest.mark.java
def test_tuning_reads_the_clicks_topic(connection: Connection, tmp_path: Path) -> None:
    ensure_topics(connection)
    clicks = Traffic(rate=100, duration="30s", seed=9).clicks(datetime.now(UTC))
    sender.send(clicks, connection, speed="max").wait()
    parameters = {"source": "topic", "brokers": connection.bootstrap}
    found = summary(run_notebook(FOLDER / TUNING, parameters, tmp_path / TUNING, progress=False))
    assert found["clicks"] >= len(clicks)  # other tests may have sent some before


@pytest.mark.long
@pytest.mark.java
@pytest.mark.skipif(not hasattr(Detector, "apply"), reason="needs Detector.apply")
def test_tuning_applies_its_choice_to_a_detector_that_is_running(connection: Connection, tmp_path: Path) -> None:
    parameters = {"brokers": connection.bootstrap, "live": True, "apply": True, "seconds": 60}
    found = summary(run_notebook(FOLDER / TUNING, parameters, tmp_path / TUNING, progress=False))
    assert found["judging"] == found["chosen"] == "4-in-40s"
    assert set(found["verdicts"]) == {"3-in-10s", "4-in-40s"}
    assert sum(found["verdicts"].values()) == 6_000
