"""A notebook run with checked parameters, and what came of it. How the report looks is in `report_page`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillException, PapermillExecutionError

from workbench.errors import ReportError
from workbench.reports.page import first_line, read_notebook, to_html
from workbench.reports.parameters import check

__all__ = ["run_notebook", "summary", "to_html", "write_report"]


def run_notebook(path: Path | str, parameters: Mapping[str, Any], output: Path | str, *, progress: bool = True) -> Path:
    """Run a notebook with papermill, in the notebook's folder, and keep it with its outputs in `output`.

    Parameters are checked against the cell tagged "parameters" before a kernel starts.

    Raises
    ------
    ReportError
        A parameter that the notebook does not take, of another type, or that is a secret; a cell that failed
        (`output` then holds the run up to it); a kernel that died.
    """
    path, output = Path(path).resolve(), Path(output).resolve()
    check(path, parameters)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            path,
            output,
            dict(parameters),
            cwd=path.parent,
            progress_bar=progress,
            store_widget_state=False,  # it would hold plotly.js once more for each live chart
            extra_arguments=["--log-level=CRITICAL"],  # an interrupt while the kernel ends is an ERROR to it
        )
    except PapermillExecutionError as error:
        told = first_line(f"{error.ename}: {error.evalue}")
        raise ReportError(f"{path.name} failed in its cell [{error.exec_count}]: {told}; see {output}") from error
    except DeadKernelError as error:
        raise ReportError(f"{path.name}: its kernel died (out of memory?); the run so far is in {output}") from error
    except PapermillException as error:
        raise ReportError(f"{path.name} did not run: {first_line(str(error))}") from error
    return output


def write_report(
    path: Path | str,
    parameters: Mapping[str, Any],
    out: Path | str,
    title: str,
    *,
    executed: Path | str | None = None,
    code: bool = True,
    progress: bool = True,
) -> Path:
    """`run_notebook`, then `to_html`. The executed notebook is kept in `executed`, else beside `out` as .ipynb.

    When the run fails the report is written all the same, says so at the top, and ReportError is raised.
    """
    out = Path(out)
    kept = out.with_suffix(".ipynb") if executed is None else Path(executed)
    kept.unlink(missing_ok=True)  # what lies there after a failure must be of this run
    try:
        run_notebook(path, parameters, kept, progress=progress)
    finally:
        if kept.exists():
            to_html(kept, out, title, code=code)
    return out


def summary(executed: Path | str | NotebookNode) -> dict[str, Any]:
    """What the cell tagged "summary" put out as JSON (``IPython.display.JSON(...)``).

    Raises ReportError when there is no such cell, or no JSON object in its outputs.
    """
    for cell in read_notebook(executed).cells:
        if "summary" in cell.metadata.get("tags", ()):
            found = [
                output.data["application/json"]
                for output in cell.get("outputs", ())
                if "application/json" in output.get("data", {})
            ]
            if found and isinstance(found[-1], dict):
                return dict(found[-1])
            raise ReportError('the cell tagged "summary" put out no JSON object; end it with IPython.display.JSON(…)')
    raise ReportError('the notebook has no cell tagged "summary"; tag the one whose JSON is the result')
