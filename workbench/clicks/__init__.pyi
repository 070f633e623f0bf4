from .files import SAMPLE_LOG, read
from .mapping import Mapping
from .recording import Recording
from .traffic import Mix, Traffic

__all__ = [
    "SAMPLE_LOG",
    "Mapping",
    "Mix",
    "Recording",
    "Traffic",
    "read",
]
