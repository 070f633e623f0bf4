"""Notebooks run to their end with checked parameters. The page is in `page`, the report on clicks in `clicks_report`.

What takes long to import is imported where it is needed: a wrong parameter is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import errors
from workbench.errors import ReportError, SetupError
from workbench.machine.extras import extra
from workbench.reports.parameters import check
from workbench.text import first_line

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["find_notebook", "run_notebook", "summary", "write_report"]


def find_notebook(name: str) -> Path:
    """The notebook of that name in the source tree. Raises SetupError when the package was installed without it."""
    path = Path(__file__).resolve().parents[2] / "notebooks" / name
    if not path.is_file():
        raise SetupError(
            f"there is no {path}. Fix: the notebooks come with the source tree: clone it and run `make setup` there"
        )
    return path


def run_notebook(
    path: Path | str, parameters: Mapping[str, Any], output: Path | str, *, progress: bool = False
) -> Path:
    """Run a notebook with papermill, in the notebook's folder, and keep it with its outputs.

    Parameters
    ----------
    path
        The notebook.
    parameters
        Name → value. They are checked against the cell tagged "parameters" before a kernel starts.
    output
        Where to keep the run. Its folder is made where there is none.
    progress
        Show a bar on stderr.

    Returns
    -------
    Path
        `output`, absolute.

    Raises
    ------
    ReportError
        A parameter that the notebook does not take, of another type, or that is a secret; a cell that failed
        (`output` then holds the run up to it); a kernel that died.
    """
    path, output = Path(path).resolve(), Path(output).resolve()
    check(path, parameters)
    with extra("report"):
        import papermill
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillException, PapermillExecutionError

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
        what = error.evalue if error.ename in errors.__all__ else f"{error.ename}: {error.evalue}"
        failure = first_line(what, 1000)
        raise ReportError(f"{path.name} failed in its cell [{error.exec_count}]: {failure}; see {output}") from error
    except DeadKernelError as error:
        raise ReportError(f"{path.name}: its kernel died (out of memory?); the run so far is in {output}") from error
    except PapermillException as error:
        raise ReportError(f"{path.name} did not run: {first_line(error)}") from error
    return output


def write_report(
    path: Path | str,
    parameters: Mapping[str, Any],
    out: Path | str,
    title: str,
    *,
    executed: Path | str | None = None,
    code: bool = True,
    progress: bool = False,
) -> Path:
    """`run_notebook`, then `to_html`. When the run fails the report is written all the same, and says so at the top.

    Parameters
    ----------
    path, parameters
        As `run_notebook` takes them.
    out, title, code
        As `to_html` takes them.
    executed
        Where to keep the executed notebook; None keeps it beside `out`, as .ipynb.
    progress
        Show a bar on stderr while the notebook runs.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ReportError
        As `run_notebook` does.
    """
    from workbench.reports.page import to_html

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

    Parameters
    ----------
    executed
        The notebook with its outputs: its path, or read already.

    Returns
    -------
    dict
        What `numbers` was given.

    Raises
    ------
    ReportError
        There is no such cell, or no JSON object in its outputs.
    """
    from workbench.reports.page import read_notebook

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
