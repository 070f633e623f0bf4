"""`workbench run`, the main job: a broker of its own, the live notebook, a report. It leaves nothing running.

The notebook does the work; here stands what it runs on, and what is told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.console import say
from workbench.cli.private import private_broker
from workbench.errors import DetectorError, ReportError

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["describe", "run"]

_NOTEBOOK = "02_live_detection.ipynb"


def run(args: Namespace) -> int:
    """Run the live notebook on a private broker, write the report and print what came of it."""
    from workbench.durations import format_duration
    from workbench.reports.run import find_notebook, summary, write_report
    from workbench.rule import Rule

    out: Path = args.out
    if out.suffix != ".html":
        raise ReportError(f"--out is {str(out)!r}: give the name of an .html file")
    rule, notebook = Rule(args.window, args.threshold), find_notebook(_NOTEBOOK)
    say("Starting a private Kafka broker …")
    with private_broker() as connection:
        parameters = {
            "brokers": connection.bootstrap,
            "window": format_duration(rule.window),
            "threshold": rule.threshold,
            "seconds": args.seconds,
            "rate": args.rate,
            "seed": args.seed,
        }
        say(f"Running {_NOTEBOOK}: {args.seconds} s of live traffic, {args.rate} clicks a second …")
        write_report(notebook, parameters, out, "Click fraud, caught live", progress=True)
    found = summary(out.with_suffix(".ipynb"))
    print(describe(found, out))
    faults = [f"{found[name]:,} {text}" for name, text in _FAULTS.items() if found[name]]
    if faults:
        raise DetectorError(f"the detector is not to be trusted: {' and '.join(faults)}. Fix: see {out}")
    return 0


_FAULTS = {"missing": "clicks have no verdict", "dropped_by_watermark": "rows were dropped by the watermark"}
_LINES = {
    "precision": ("precision", "{:.3f}"),
    "recall": ("recall", "{:.3f}"),
    "clicks": ("clicks", "{:,}"),
    "flagged": ("flagged", "{:,}"),
    "missing": ("missing", "{:,}"),
    "dead_letters": ("dead letters", "{:,}"),
    "dropped_by_watermark": ("dropped by the watermark", "{:,}"),
    "latency_p50_ms": ("latency p50", "{:.0f} ms"),
    "latency_p99_ms": ("latency p99", "{:.0f} ms"),
}


def describe(found: Mapping[str, Any], out: Path) -> str:
    """What the notebook's summary says, one aligned line for each figure. Raises ReportError when one is not there."""
    if lacking := [name for name in ("rule_id", "recall_by_kind", *_LINES) if name not in found]:
        raise ReportError(f"the summary of {_NOTEBOOK} lacks {', '.join(lacking)}; see {out}")
    lines = [("rule", str(found["rule_id"]))]
    for name, (text, form) in _LINES.items():
        lines.append((text, _written(found[name], form)))
        if name == "recall":
            kinds: Mapping[str, Any] = found["recall_by_kind"]
            lines += [(f"  of {kind.replace('_', ' ')}s", _written(of, form)) for kind, of in kinds.items()]
    width = max(len(text) for text, _ in lines)
    return "\n".join([*(f"{text:<{width}}  {value:>9}" for text, value in lines), f"{'report':<{width}}  {out}"])


def _written(value: float | None, form: str) -> str:
    return "none" if value is None else form.format(value)
