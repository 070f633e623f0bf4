from . import evidence, findings, patterns
from .page import to_html
from .parts import table, tiles
from .run import Report, report, run_notebook, summary, write_report

__all__ = [
    "Report",
    "evidence",
    "findings",
    "patterns",
    "report",
    "run_notebook",
    "summary",
    "table",
    "tiles",
    "to_html",
    "write_report",
]
