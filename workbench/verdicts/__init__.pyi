from .audit import Audit
from .evaluation import Evaluation, Latency, evaluate, latency
from .feed import Verdict, VerdictFeed, follow
from .shadow import Agreement, Shadow, compare
from .table import Counts

__all__ = [
    "Agreement",
    "Audit",
    "Counts",
    "Evaluation",
    "Latency",
    "Shadow",
    "Verdict",
    "VerdictFeed",
    "compare",
    "evaluate",
    "follow",
    "latency",
]
