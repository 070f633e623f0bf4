"""Looking at processes that may end while they are looked at. No tests here."""

from __future__ import annotations

import psutil


def has_ended(pid: int) -> bool:
    """Whether a process has ended. One that nobody has reaped yet has too."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def words(process: psutil.Process) -> list[str]:
    """What a process was called with; nothing for one that has ended."""
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []
