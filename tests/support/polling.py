"""Waiting for what comes to be, without sleeping for it. What is waited for is the caller's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["until"]


def until(what: Callable[[], Any], seconds: float = 60, *, every: float = 0.05, said: str = "it comes to that") -> Any:
    """Poll `what` until it is true; its value. AssertionError with `said` when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {said}"
        time.sleep(every)
    return value
