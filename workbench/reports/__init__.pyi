from . import beside, evidence, findings, patterns
from .clicks_report import Report, report
from .page import to_html
from .parts import lines, notices, numbers, table, tiles, versions
from .run import run_notebook, summary, write_report

__all__ = [
    "Report",
    "beside",
    "evidence",
    "findings",
    "lines",
    "notices",
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
