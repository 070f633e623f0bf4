"""`workbench report`: its options as parameters of the report, and what is printed. How: `reports.clicks_report`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from workbench.cli.console import say, topics_of
from workbench.text import printable

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["report"]


def report(args: Namespace) -> int:
    """Write the report, and the evidence where it is asked for. A failure leaves a report that says so, and raises."""
    from workbench.cli.mapping import mapping_of
    from workbench.reports.clicks_report import NOTEBOOK, report
    from workbench.reports.parameters import parse
    from workbench.reports.run import find_notebook

    values = _given(args) | parse(find_notebook(NOTEBOOK), args.parameter)
    made = report(
        mapping=mapping_of(args),
        out=args.output,
        brokers=args.brokers,
        topics=topics_of(args),
        parameters=values,
        progress=sys.stderr.isatty(),
        say=say,
    )
    found = made.figures
    for text in found["warnings"]:
        say(f"warning: {printable(text)}")
    print(printable(found["read"]))
    judged = f"{found['flagged']:,} of {found['clicks']:,} clicks flagged by {found['rule_id']}"
    print(f"{judged}, in {found['bursts']:,} bursts.")
    if count := found["by_crawlers"]:
        kept = found["crawlers"] == "keep"
        where, would = ("among them", "flags") if kept else ("set aside", "would flag")
        flagged = f"{found['flagged_by_crawlers']:,} of them the rule {would}"
        clicks = "1 click" if count == 1 else f"{count:,} clicks"
        print(f"{clicks} of known crawlers and health checks {where}; {flagged}.")
    if evidence := values.get("evidence_file"):
        print(f"evidence  {evidence}")
    print(f"report    {made.path}")
    return 0


def _given(args: Namespace) -> dict[str, Any]:
    """The parameters that options say; what none says is up to the notebook."""
    values = {
        "source": "\n".join(args.file) or None,
        "window": args.window,
        "threshold": args.threshold,
        "title": args.title,
        "fraud_labels": args.fraud_labels,
        "show_personal": args.show_personal or None,
        "evidence_file": str(args.evidence) if args.evidence else None,
    }
    return {name: value for name, value in values.items() if value is not None}
