from . import broker, charts, clicks, errors, reports, rule, tuning, verdicts
from .broker.connection import Connection
from .broker.recorded import read_topic
from .broker.sender import Sending, replay, send
from .broker.topics import Topics, connect
from .charts.live import LiveChart
from .cli.doctor import doctor
from .clicks.files import read
from .clicks.mapping import Mapping
from .clicks.recording import Recording
from .clicks.traffic import Mix, Traffic
from .detector.handle import Detector, detect
from .detector.live import Live, live
from .detector.settings import Tolerance
from .errors import WorkbenchError
from .reports.clicks_report import report
from .rule import Rule, judge
from .tuning.board import TuningBoard
from .tuning.outcome import Cost
from .tuning.surface import Surface, surface
from .verdicts.audit import audit
from .verdicts.evaluation import evaluate
from .verdicts.feed import VerdictFeed, follow
from .verdicts.shadow import Shadow

__version__: str
__all__ = [
    "Connection",
    "Cost",
    "Detector",
    "Live",
    "LiveChart",
    "Mapping",
    "Mix",
    "Recording",
    "Rule",
    "Sending",
    "Shadow",
    "Surface",
    "Tolerance",
    "Topics",
    "Traffic",
    "TuningBoard",
    "VerdictFeed",
    "WorkbenchError",
    "__version__",
    "audit",
    "broker",
    "charts",
    "clicks",
    "connect",
    "detect",
    "doctor",
    "errors",
    "evaluate",
    "follow",
    "judge",
    "live",
    "read",
    "read_topic",
    "replay",
    "report",
    "reports",
    "rule",
    "send",
    "surface",
    "tuning",
    "verdicts",
]
