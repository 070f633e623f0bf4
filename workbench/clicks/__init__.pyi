from .files import SAMPLE_LOG, read
from .labels import FRAUD_LABELS
from .mapping import Mapping
from .recording import Recording
from .traffic import Mix, Traffic

__all__ = [
    "FRAUD_LABELS",
    "SAMPLE_LOG",
    "Mapping",
    "Mix",
    "Recording",
    "Traffic",
    "read",
]
