from .files import SAMPLE_LOG, Recording, read, read_mapping
from .traffic import Mix, Traffic

__all__ = [
    "SAMPLE_LOG",
    "Mix",
    "Recording",
    "Traffic",
    "read",
    "read_mapping",
]
