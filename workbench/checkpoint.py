"""The detector's checkpoint folder: whose it is, who uses it, how far it has come. Spark's own files are Spark's.

Beside Spark's own files lies `workbench.json`, which says what the state in the folder was made for. State of another
rule, topic or partition count would give wrong verdicts without a word, so such a folder is refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from workbench.errors import CheckpointMismatch, DetectorError

__all__ = ["Checkpoint"]

_IDENTITY = "workbench.json"
_LOCK = "workbench.lock"


class Checkpoint:
    """A checkpoint folder that this process holds until `close()`.

    path: the folder, made if it is not there; None for a throw-away one below `scratch`, gone at `close()`.
    identity: what the state is for. It must equal that of a folder which has state already.
    fresh: move the state that is there aside, to `<path>.before`, and begin anew.

    Raises CheckpointMismatch naming both values of each difference, DetectorError when another process uses the folder.
    """

    def __init__(
        self, path: Path | None, identity: Mapping[str, object], *, scratch: Path, fresh: bool = False
    ) -> None:
        self._throw_away = path is None
        if path is None:
            _sweep(scratch)
        self.path = path or scratch / uuid.uuid4().hex
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(self.path)
        try:
            if fresh and (self.path / _IDENTITY).exists():
                self._move_aside()
            found = self._read_identity()
            self.resumed = found is not None
            if found is None:
                text = json.dumps(dict(identity), indent=2)
                (self.path / _IDENTITY).write_text(text + "\n")
            elif found != identity:
                raise CheckpointMismatch(_differences(self.path, found, identity))
        except BaseException:
            self._lock.close()
            raise

    def committed(self, topic: str) -> dict[int, int]:
        """The offset to which each partition of the topic is judged for good; before a first commit where it began."""
        done = _numbers(self.path / "commits") & _numbers(self.path / "offsets")
        if done:
            lines = (self.path / "offsets" / str(max(done))).read_text().splitlines()[2:]
        else:
            lines = [first.read_text().partition("\n")[2] for first in sorted(self.path.glob("sources/*/0"))]
        offsets: dict[int, int] = {}
        for line in lines:
            offsets |= {int(number): offset for number, offset in json.loads(line).get(topic, {}).items()}
        return offsets

    def close(self) -> None:
        """Let go of the folder; a throw-away one is deleted. May be called again."""
        if not self._lock.closed:
            self._lock.close()
            if self._throw_away:
                shutil.rmtree(self.path, ignore_errors=True)

    def _read_identity(self) -> dict[str, object] | None:
        path = self.path / _IDENTITY
        if not path.exists():
            strangers = sorted(p.name for p in self.path.iterdir() if p.name != _LOCK)
            if strangers:
                raise CheckpointMismatch(
                    f"{self.path} holds files but no checkpoint of the workbench ({', '.join(strangers[:3])}). "
                    "Fix: name an empty folder, or one that does not exist"
                )
            return None
        try:
            found = json.loads(path.read_text())
        except ValueError as error:
            raise CheckpointMismatch(
                f"{path} cannot be read ({error}). Fix: begin anew with fresh=True (--fresh)"
            ) from error
        return found if isinstance(found, dict) else {}

    def _move_aside(self) -> None:
        before = self.path.with_name(self.path.name + ".before")
        shutil.rmtree(before, ignore_errors=True)
        before.mkdir()
        for entry in self.path.iterdir():
            if entry.name != _LOCK:
                entry.rename(before / entry.name)


def _hold(path: Path) -> IO[str]:
    handle = (path / _LOCK).open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        handle.close()
        raise DetectorError(
            f"another detector (process {holder}) uses the checkpoint {path}. Fix: stop it, or name another folder"
        ) from None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _sweep(scratch: Path) -> None:
    """Delete the throw-away checkpoints of processes that ended without closing theirs."""
    for folder in scratch.glob("*"):
        try:
            _hold(folder).close()
        except (DetectorError, OSError):
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _numbers(folder: Path) -> set[int]:
    return {int(entry.name) for entry in folder.glob("*") if entry.name.isdecimal()}


def _differences(path: Path, found: Mapping[str, object], asked: Mapping[str, object]) -> str:
    names = [name for name in asked if found.get(name) != asked[name]]
    each = "; ".join(f"{name} {found.get(name)} there, {asked[name]} asked" for name in names)
    return (
        f"the checkpoint {path} was made for something else: {each}. "
        "Fix: name another folder, or begin anew with fresh=True (--fresh), which moves the old one aside"
    )
