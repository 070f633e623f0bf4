from . import evidence, findings, patterns
from .page import to_html
from .parts import numbers, table, tiles, versions
from .run import Report, report, run_notebook, summary, write_report

__all__ = [
    "Report",
    "evidence",
    "findings",
    "numbers",
    "patterns",
    "report",
    "run_notebook",
    "summary",
    "table",
    "tiles",
    "to_html",
    "versions",
    "write_report",
]
