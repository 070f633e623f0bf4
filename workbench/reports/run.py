"""Notebooks run to their end with checked parameters, and the report on a file or a topic. The page is in `page`.

What takes long to import is imported where it is needed: a wrong parameter is told at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.broker.topics import Topics, connect
from workbench.durations import format_duration
from workbench.errors import ReportError, SetupError
from workbench.machine.extras import extra
from workbench.reports.parameters import check
from workbench.text import first_line

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from workbench.rule import Rule

__all__ = ["NOTEBOOK", "Report", "find_notebook", "report", "run_notebook", "summary", "write_report"]

NOTEBOOK: Final = "04_report.ipynb"
_FILES: Final = ("source", "evidence_file")


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written.

    Attributes
    ----------
    path : Path
        The HTML file.
    figures : mapping
        The findings in numbers, as `findings.Findings.figures` gives them.
    """

    path: Path
    figures: Mapping[str, Any]


def report(
    source: Path | str | None = None,
    out: Path | str | None = None,
    *,
    rule: Rule | None = None,
    title: str | None = None,
    show_ips: bool = False,
    evidence: Path | str | None = None,
    brokers: str | None = None,
    topics: Topics = Topics(),
    parameters: Mapping[str, Any] | None = None,
    progress: bool = False,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Judge the clicks of a file or a topic, and write the report on them: one HTML file that opens offline.

    Parameters
    ----------
    source
        An access log, CSV, Parquet or JSON Lines, packed with gzip or not. None reports on the clicks topic.
    out
        The HTML file; None makes it of the source's name, as `access-report.html`, in this folder.
    rule
        The rule to judge by; None takes 3 clicks in 10 s.
    title
        What heads the report; None makes it of the source's name.
    show_ips
        Show whole addresses instead of their networks, in the report and in the evidence.
    evidence
        Where to write each flagged click, and why, as CSV; None writes none.
    brokers, topics
        Without a source, where the clicks are. `brokers` as for `connect`.
    parameters
        Others of the report notebook by name, such as `format`, `mapping` and `idle_gap` of the file. They win.
    progress
        Show a bar on stderr while the notebook runs.
    say
        Is told what is reported on, once all is known to be right.

    Returns
    -------
    Report
        The HTML file, and the findings in numbers.

    Raises
    ------
    ReportError
        A parameter or a file's name that cannot be, before anything is started; a cell that failed. That leaves a
        report which says so.
    RuleError, BrokerError
        From the rule in `parameters`, and from `connect`.
    """
    notebook = find_notebook(NOTEBOOK)
    given = {
        "source": source and str(source),
        "window": rule and format_duration(rule.window),
        "threshold": rule and rule.threshold,
        "title": title,
        "show_ips": show_ips or None,
        "evidence_file": evidence and str(evidence),
    }
    values = {name: value for name, value in given.items() if value is not None} | {**(parameters or {})}
    check(notebook, values)
    # The notebook runs in its own folder.
    values |= {name: str(Path(values[name]).absolute()) for name in _FILES if values.get(name)}
    name = Path(values["source"]).name if values.get("source") else topics.clicks
    out = Path(f"{Path(name.removesuffix('.gz')).stem}-report.html") if out is None else Path(out)
    _check_files(values, out)

    from workbench.rule import Rule

    Rule(values.get("window", "10s"), values.get("threshold", 3))
    if not values.get("source"):
        places = {"clicks_topic": topics.clicks, "dead_letter_topic": topics.dead_letters}
        values = {"brokers": connect(brokers).bootstrap} | places | values
    if say is not None:
        say(f"Reporting on {name} …")
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        executed = Path(folder) / NOTEBOOK
        head = values.get("title") or f"Clicks of {name}"
        try:
            write_report(notebook, values, out, head, executed=executed, code=False, progress=progress)
        except ReportError as error:
            raise ReportError(str(error).replace(f"see {executed}", f"see {out}")) from error
        return Report(out, summary(executed))


def _check_files(values: Mapping[str, Any], out: Path) -> None:
    if out.suffix != ".html":
        raise ReportError(f"the report is to be {str(out)!r}: give the name of an .html file")
    if (source := values.get("source")) and not Path(source).is_file():
        raise ReportError(f"there is no file {source}; give the path of an access log, CSV, Parquet or JSON Lines")
    if (evidence := values.get("evidence_file")) and not Path(evidence).parent.is_dir():
        raise ReportError(f"there is no folder for the evidence {evidence}; make it first")


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
        failure = first_line(f"{error.ename}: {error.evalue}")
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
