"""A notebook run with checked parameters, and what came of it. How the report looks is in `report_page`."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillException, PapermillExecutionError

from workbench.errors import ReportError
from workbench.report_page import first_line, read_notebook, to_html

__all__ = ["run_notebook", "summary", "to_html", "write_report"]

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (float, int),
    "int": (int,),
    "list": (list,),
    "str": (str,),
}


def run_notebook(path: Path | str, parameters: Mapping[str, Any], output: Path | str, *, progress: bool = True) -> Path:
    """Run a notebook with papermill, in the notebook's folder, and keep it with its outputs in `output`.

    Parameters are checked against the cell tagged "parameters" before a kernel starts. Papermill reads that
    cell line by line: ``name: type = default  # comment``.

    Raises
    ------
    ReportError
        A parameter that the notebook does not take, or of another type; a cell that failed (`output` then
        holds the run up to it); a kernel that died.
    """
    path, output = Path(path).resolve(), Path(output).resolve()
    _check(path, parameters)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            path,
            output,
            dict(parameters),
            cwd=path.parent,
            progress_bar=progress,
            store_widget_state=False,  # it would hold plotly.js once more for each live chart
            extra_arguments=["--log-level=ERROR"],
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
    path: Path | str, parameters: Mapping[str, Any], out: Path | str, title: str, *, progress: bool = True
) -> Path:
    """`run_notebook`, then `to_html`: the executed notebook lies beside `out`, with the suffix .ipynb.

    When the run fails the report is written all the same, says so at the top, and ReportError is raised.
    """
    out = Path(out)
    executed = out.with_suffix(".ipynb")
    executed.unlink(missing_ok=True)  # what lies there after a failure must be of this run
    try:
        run_notebook(path, parameters, executed, progress=progress)
    finally:
        if executed.exists():
            to_html(executed, out, title)
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


def _check(path: Path, parameters: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise ReportError(f"no notebook at {path}; give the path of an .ipynb file")
    read_notebook(path)
    known: dict[str, dict[str, str]] = papermill.inspect_notebook(path)
    takes = ", ".join(f"{name}: {_type(of)} = {of['default']}" for name, of in known.items())
    takes = f"{path.name} takes {takes}" if known else f'{path.name} has no parameters (no cell tagged "parameters")'
    for name, value in parameters.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ReportError(f"no parameter {name!r}{hint}; {takes}")
        if not _fits(value, wanted := _type(known[name])):
            got = f"{first_line(repr(value))} ({type(value).__name__})"
            raise ReportError(f"parameter {name!r} is {got}, expected {wanted}; {takes}")


def _type(parameter: Mapping[str, str]) -> str:
    """The declared type of a parameter, else that of its default, else "any"."""
    if parameter["inferred_type_name"] != "None":
        return parameter["inferred_type_name"]
    try:
        default = ast.literal_eval(parameter["default"])
    except (ValueError, SyntaxError):
        return "any"
    return "any" if default is None else type(default).__name__


def _fits(value: object, wanted: str) -> bool:
    types = _TYPES.get(wanted.partition("[")[0].strip())
    return types is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool)))
