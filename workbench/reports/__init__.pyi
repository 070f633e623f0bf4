from . import evidence, findings, patterns
from .parts import table, tiles
from .run import run_notebook, summary, to_html, write_report

__all__ = [
    "evidence",
    "findings",
    "patterns",
    "run_notebook",
    "summary",
    "table",
    "tiles",
    "to_html",
    "write_report",
]
