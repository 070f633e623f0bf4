from .figures import clicks_per_second, latency, overview, session_timeline, top_sessions
from .live import LiveChart

__all__ = [
    "LiveChart",
    "clicks_per_second",
    "latency",
    "overview",
    "session_timeline",
    "top_sessions",
]
