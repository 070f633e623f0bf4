"""A broker of a command's own, for as long as that takes, after which nothing runs any more. No command is in here."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.broker.security import SECURITY_VARIABLE

if TYPE_CHECKING:
    import psutil

    from workbench.broker.connection import Connection

__all__ = ["leaving_nothing", "private_broker", "unsecured"]

_MARK = "WORKBENCH_RUN"
_EXIT_S = 15.0


@contextlib.contextmanager
def private_broker() -> Iterator[Connection]:
    """Run a broker in a folder of its own, on a free port and without logins, and end all that was started inside."""
    from workbench.broker.embedded import EmbeddedBroker

    with tempfile.TemporaryDirectory(prefix="workbench-") as folder, leaving_nothing(), unsecured():
        broker = EmbeddedBroker(Path(folder) / "broker", port=0)
        try:
            yield broker.up()
        finally:
            broker.down()


@contextlib.contextmanager
def leaving_nothing() -> Iterator[None]:
    """End, on leaving, every process that was started inside, directly or not, and still runs.

    They are found by a mark in their environment: Spark's JVM is a child of the notebook's kernel, and has lost its
    parent when the kernel was killed.
    """
    mark = uuid.uuid4().hex
    os.environ[_MARK] = mark
    try:
        yield
    finally:
        del os.environ[_MARK]
        with _undisturbed():
            _end(mark)


@contextlib.contextmanager
def unsecured() -> Iterator[None]:
    """Set aside, inside, how to log in to another broker: the private one has no logins."""
    before = os.environ.get(SECURITY_VARIABLE)
    os.environ[SECURITY_VARIABLE] = "plaintext"
    try:
        yield
    finally:
        del os.environ[SECURITY_VARIABLE]
        if before is not None:
            os.environ[SECURITY_VARIABLE] = before


def _end(mark: str) -> None:
    import psutil

    # A JVM ends by itself when its kernel is gone, and then tidies up behind itself.
    _, left = psutil.wait_procs(_marked(mark), timeout=_EXIT_S)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(left, timeout=_EXIT_S)
    for process in _marked(mark):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _marked(mark: str) -> list[psutil.Process]:
    import psutil

    # The environment of another user's process cannot be read, and it is not ours.
    return [p for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get(_MARK) == mark]


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second Ctrl-C not cut the tidying up short."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
