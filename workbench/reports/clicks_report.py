"""The report on the clicks of files or a topic: what it is asked for, checked, and its notebook run to a page.

How a notebook is run is in `run`, what it reports in `findings`. What takes long to import is imported where it is
needed: a wrong parameter is told at once.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench import errors
from workbench.broker.topics import Topics, connect
from workbench.clicks.mapping import Mapping
from workbench.durations import format_duration
from workbench.errors import ReportError
from workbench.reports.parameters import check
from workbench.reports.run import find_notebook, summary, write_report
from workbench.text import first_line

if TYPE_CHECKING:
    from workbench.rule import Rule
    from workbench.sources.inputs import Source

__all__ = ["NOTEBOOK", "Report", "report"]

NOTEBOOK: Final = "04_report.ipynb"


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
    figures: MappingOf[str, Any]


def report(
    source: Source | None = None,
    out: Path | str | None = None,
    *,
    rule: Rule | None = None,
    mapping: Mapping | MappingOf[str, Any] | str | Path | None = None,
    title: str | None = None,
    show_personal: bool = False,
    evidence: Path | str | None = None,
    brokers: str | None = None,
    topics: Topics = Topics(),
    parameters: MappingOf[str, Any] | None = None,
    progress: bool = False,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Judge the clicks of files or a topic, and write the report on them: one HTML file that opens offline.

    Parameters
    ----------
    source
        What `read` takes: logs, CSV, JSON or Parquet, packed or not. None reports on the clicks topic.
    out
        The HTML file; None makes it of the source's name, as `access-report.html`, in this folder.
    rule
        The rule to judge by; None takes 3 clicks in 10 s.
    mapping
        How to read the source: what `Mapping.of` takes.
    title
        What heads the report; None makes it of the source's name.
    show_personal
        Mask nothing in the report and in the evidence: no addresses, e-mail addresses, phone numbers, secrets, names
        or queries.
    evidence
        Where to write each flagged click, and why, as CSV; None writes none.
    brokers, topics
        Without a source, where the clicks are. `brokers` as for `connect`.
    parameters
        Others of the report notebook by name, such as `fraud_labels`. They win.
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
    ClickError
        A source that is not there, or a mapping that cannot be.
    RuleError, BrokerError
        From the rule in `parameters`, and from `connect`.
    """
    notebook = find_notebook(NOTEBOOK)
    given = {
        "source": "\n".join(map(str, [source] if isinstance(source, str | Path) else source or ())) or None,
        "window": rule and format_duration(rule.window),
        "threshold": rule and rule.threshold,
        "mapping": Mapping.of(mapping).to_toml() or None,
        "title": title,
        "show_personal": show_personal or None,
        "evidence_file": evidence and str(evidence),
    }
    values = {name: value for name, value in given.items() if value is not None} | {**(parameters or {})}
    check(notebook, values)
    values |= {"mapping": Mapping.of(values["mapping"]).to_toml()} if values.get("mapping") else {}
    _check_files(values, out)
    sources = list(filter(None, values.get("source", "").splitlines()))
    name = _name(sources) if sources else topics.clicks
    out = Path(f"{Path(name.removesuffix('.gz')).stem}-report.html") if out is None else Path(out)

    from workbench.rule import Rule

    Rule(values.get("window", "10s"), values.get("threshold", 3))
    if not sources:
        places = {"clicks_topic": topics.clicks, "dead_letter_topic": topics.dead_letters}
        values = {"brokers": connect(brokers).bootstrap} | places | values
    head = values.get("title") or f"Clicks of {name}{_and_more(sources)}"
    if say is not None:
        say(f"Reporting on {name}{_and_more(sources)} …")
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        # The notebook runs in its own folder, and has no stdin.
        values |= {"source": "\n".join(_absolute(one, Path(folder)) for one in sources)}
        if values.get("evidence_file"):
            values["evidence_file"] = str(Path(values["evidence_file"]).absolute())
        executed = Path(folder) / NOTEBOOK
        try:
            write_report(notebook, values, out, head, executed=executed, code=False, progress=progress)
        except ReportError as error:
            said = _own_words(error) or str(error).replace(f"see {executed}", f"see {out}")
            raise ReportError(said) from error
        return Report(out, summary(executed))


def _name(sources: list[str]) -> str:
    """What the report calls its sources: the first of them, where it is a file or a folder, else the first in it."""
    from workbench.sources.inputs import inputs_of

    path = Path(sources[0]).expanduser()
    first = inputs_of(sources)[0][0]
    return path.absolute().name if path.exists() and path.absolute().name else first.name


def _and_more(sources: list[str]) -> str:
    return f" and {len(sources) - 1} more" if len(sources) > 1 else ""


def _absolute(path: str, folder: Path) -> str:
    """Where it is; stdin is kept as a file in the folder."""
    from workbench.sources.inputs import STDIN

    if path != STDIN:
        return str(Path(path).expanduser().absolute())
    with (folder / "stdin").open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return str(folder / "stdin")


def _own_words(error: ReportError) -> str:
    """What a cell that failed said by an error of ours, whose text names the fix; empty for any other failure."""
    cause = error.__cause__
    return first_line(getattr(cause, "evalue", ""), 1000) if getattr(cause, "ename", "") in errors.__all__ else ""


def _check_files(values: MappingOf[str, Any], out: Path | str | None) -> None:
    if out is not None and Path(out).suffix != ".html":
        raise ReportError(f"the report is to be {str(out)!r}: give the name of an .html file")
    if (evidence := values.get("evidence_file")) and not Path(evidence).parent.is_dir():
        raise ReportError(f"there is no folder for the evidence {evidence}; make it first")
