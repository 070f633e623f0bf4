"""`workbench report`: the report notebook on a file or a topic, and one HTML file of it. What is in it: the notebook.

Nothing heavy is imported, and no kernel and no broker started, before the parameters are known to be right.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli import notebooks
from workbench.cli.console import connect, say
from workbench.errors import ReportError
from workbench.reports import parameters

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["report"]

_NOTEBOOK = "04_report.ipynb"
_FILES = ("source", "evidence_file")


def report(args: Namespace) -> int:
    """Write the report, and the evidence where it is asked for. A failure leaves a report that says so, and raises."""
    notebook = notebooks.find(_NOTEBOOK)
    values = _given(args) | parameters.parse(notebook, args.parameter)
    parameters.check(notebook, values)
    # The notebook runs in its own folder.
    values |= {name: str(Path(values[name]).absolute()) for name in _FILES if values.get(name)}
    source = values.get("source")
    name = Path(source).name if source else args.clicks_topic
    out: Path = args.output or Path(f"{Path(name.removesuffix('.gz')).stem}-report.html")
    _check_files(values, out)
    title = values.get("title") or f"Clicks of {name}"

    from workbench.reports.run import summary, write_report
    from workbench.rule import Rule

    Rule(values.get("window", "10s"), values.get("threshold", 3))
    if not source:
        topics = {"clicks_topic": args.clicks_topic, "dead_letter_topic": args.dead_letter_topic}
        values = {"brokers": connect(args).bootstrap} | topics | values
    say(f"Reporting on {name} …")
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        executed = Path(folder) / _NOTEBOOK
        try:
            write_report(notebook, values, out, title, executed=executed, code=False, progress=sys.stderr.isatty())
        except ReportError as error:
            raise ReportError(str(error).replace(f"see {executed}", f"see {out}")) from error
        found = summary(executed)
    judged = f"{found['flagged']:,} of {found['clicks']:,} clicks flagged by {found['rule_id']}"
    print(f"{judged}, in {found['bursts']:,} bursts.")
    if values.get("evidence_file"):
        print(f"evidence  {args.evidence or values['evidence_file']}")
    print(f"report    {out}")
    return 0


def _given(args: Namespace) -> dict[str, Any]:
    """The parameters that options say; what none says is up to the notebook."""
    values = {
        "source": str(args.file) if args.file else None,
        "window": args.window,
        "threshold": args.threshold,
        "title": args.title,
        "show_ips": args.show_ips or None,
        "evidence_file": str(args.evidence) if args.evidence else None,
        "format": args.format,
        "mapping": ",".join(args.map) or None,
        "assets": args.assets or None,
        "idle_gap": args.idle_gap,
    }
    return {name: value for name, value in values.items() if value is not None}


def _check_files(values: dict[str, Any], out: Path) -> None:
    if out.suffix != ".html":
        raise ReportError(f"--output is {str(out)!r}: give the name of an .html file")
    if (source := values.get("source")) and not Path(source).is_file():
        raise ReportError(f"there is no file {source}; give the path of an access log, CSV, Parquet or JSON Lines")
    if (evidence := values.get("evidence_file")) and not Path(evidence).parent.is_dir():
        raise ReportError(f"there is no folder for the evidence {evidence}; make it first")
