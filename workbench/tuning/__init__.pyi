from .board import TuningBoard
from .figures import changed_sessions, gap_distribution, heat_map, overview, tradeoff
from .grid import read_thresholds, read_windows
from .outcome import Cost, Outcome
from .surface import Surface, changes

__all__ = [
    "Cost",
    "Outcome",
    "Surface",
    "TuningBoard",
    "changed_sessions",
    "changes",
    "gap_distribution",
    "heat_map",
    "overview",
    "read_thresholds",
    "read_windows",
    "tradeoff",
]
