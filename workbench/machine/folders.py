"""The workbench's folders on this machine, and the locks and logs in them. Java is in `java`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import platformdirs

from workbench.errors import SetupError

__all__ = ["cache_dir", "locked", "open_log", "state_dir"]

_APP = "click-fraud-workbench"


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of what can be fetched again (jars): `WORKBENCH_CACHE_DIR`, or the user's cache folder."""
    chosen = environ.get("WORKBENCH_CACHE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path(_APP)


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of data, checkpoints and logs: `WORKBENCH_STATE_DIR`, or the user's state folder."""
    chosen = environ.get("WORKBENCH_STATE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_state_path(_APP)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` (made if need be): one process at a time is inside."""
    if sys.platform == "win32":
        raise SetupError("Windows is not supported: run the workbench in WSL 2, where it is a Linux program")
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def open_log(name: str, keep: int = 5) -> IO[bytes]:
    """Open `state_dir()/logs/<name>`, "spark-1.log" say, and delete all but the `keep` newest of its kind."""
    path = state_dir() / "logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("wb")
    family = sorted(path.parent.glob(f"{name.split('-')[0]}-*.log"), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in family[keep:]:
        old.unlink(missing_ok=True)
    return handle
