from .figures import click_windows, clicks_per_second, latency, overview, session_timeline, top_sessions
from .live import LiveChart

__all__ = [
    "LiveChart",
    "click_windows",
    "clicks_per_second",
    "latency",
    "overview",
    "session_timeline",
    "top_sessions",
]
