"""The detector's checkpoint folder: whose it is, who uses it, how far it has come. Spark's own files are Spark's.

In it lies `workbench.json`, which says what the state was made for. State of another rule, topic or partition count
would give wrong verdicts without a word, so such a folder is refused. Spark's files are in a folder below, `0`; a rule
that took over has one of its own, named by the number of the hand-over, and `workbench.json` holds that hand-over.

Of each file there is a checksum: `workbench.json` has one in itself, Spark checks those of the state, and those of its
logs are checked here before Spark reads them (`sidecars`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from workbench.detector.hand_over import HandOver
from workbench.detector.sidecars import first_damaged
from workbench.errors import CheckpointMismatch, DetectorError

__all__ = ["Checkpoint", "disk_full"]

_IDENTITY = "workbench.json"
_LOCK = "workbench.lock"
_HAND_OVER = "hand_over"
_BEGIN = "begin"
_CHECKSUM = "sha256"
_FIX = "Fix: put a sound copy of the folder there, or begin anew with fresh=True (--fresh), which moves it aside"


class Checkpoint:
    """A checkpoint folder that this process holds until `close()`.

    spark_path: where Spark's files of the present rule are.
    hand_over: how the present rule took over, if it did.

    path: the folder, made if it is not there; None for a throw-away one below `scratch`, gone at `close()`.
    identity: what the state is for. It must equal that of a folder which has state already.
    fresh: move the state that is there aside, to `<path>.before`, and begin anew.
    A topic that has got more partitions since is the same one: `partitions` says for how many of them the state is.
    begin: the offset of each partition where a first rule begins. That of a folder which was made before wins: what
    came since is to be judged, though Spark may have ended before it had written anything.

    Raises CheckpointMismatch naming both values of each difference, or what is damaged; DetectorError when another
    process uses the folder or its disk is full.
    """

    def __init__(
        self,
        path: Path | None,
        identity: Mapping[str, object],
        *,
        scratch: Path,
        fresh: bool = False,
        begin: Mapping[int, int] | None = None,
    ) -> None:
        self._throw_away = path is None
        if path is None:
            _sweep(scratch)
        self.path = path or scratch / uuid.uuid4().hex
        with _told_when_full(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _hold(self.path)
        try:
            if fresh and (self.path / _IDENTITY).exists():
                self._move_aside()
            self._identity = dict(identity)
            found = self._read_identity()
            self.hand_over = self._read_hand_over(found or {})
            self.begin = self._read_begin(found or {}) or dict(begin or {})
            self.resumed = found is not None
            if found is None:
                self._write()
            elif _grown(found, identity):
                self._identity = dict(found)
            elif found != identity:
                raise CheckpointMismatch(_differences(self.path, found, identity))
            elif damaged := first_damaged(self.spark_path):
                raise CheckpointMismatch(f"{damaged} is damaged: its checksum does not fit. {_FIX}")
            self.drop_what_is_left()
        except BaseException:
            self._lock.close()
            raise

    @property
    def spark_path(self) -> Path:
        """The folder for Spark's files of the present rule."""
        return self.path / str(self.hand_over.number if self.hand_over else 0)

    @property
    def partitions(self) -> int:
        """How many partitions the state is for: those from 0 on."""
        return len(self.hand_over.begin if self.hand_over else self.begin)

    def take_over(self, hand_over: HandOver) -> None:
        """From now on the state is another rule's, or for more partitions. A restart goes on with it in any case."""
        self._identity |= {"rule": hand_over.rule.rule_id, "partitions": len(hand_over.begin)}
        self.hand_over = hand_over
        self._write()

    def drop_what_is_left(self) -> None:
        """Delete the state of rules that are not the present one."""
        for entry in self.path.iterdir():
            if entry.name.isdecimal() and entry != self.spark_path:
                shutil.rmtree(entry, ignore_errors=True)

    def committed(self, topic: str) -> dict[int, int]:
        """The offset to which each partition of the topic is judged for good; before a first commit where it began.

        Raises CheckpointMismatch when Spark's files do not tell.
        """
        offsets: dict[int, int] = {}
        files = self._begin_files()
        try:
            for path, head in files:
                for line in path.read_text().splitlines()[head:]:
                    offsets |= {int(number): int(offset) for number, offset in json.loads(line).get(topic, {}).items()}
            if files and not offsets:
                raise ValueError(f"no partition of {topic!r} is named")
        except (ValueError, TypeError, AttributeError) as error:
            raise CheckpointMismatch(
                f"the offsets in the checkpoint {self.path} are damaged ({error}). {_FIX}"
            ) from error
        return offsets

    def begins_at(self, topic: str) -> dict[int, int]:
        """Where a query on this checkpoint begins to read each partition; of a new checkpoint nothing is known."""
        begin = self.hand_over.begin if self.hand_over else self.begin if self.resumed else {}
        return {**begin, **self.committed(topic)}

    def pass_over(self, topic: str, lost: Mapping[int, range]) -> None:
        """Let a query on this checkpoint begin behind these offsets. Its state stays as it is."""
        self.begin = _behind(lost, self.begin)
        if self.hand_over is not None:
            self.hand_over = replace(self.hand_over, begin=_behind(lost, self.hand_over.begin))
        self._write()
        for path, head in self._begin_files():
            lines = path.read_text().splitlines(keepends=True)
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)  # of what is in it by now
            _write_whole(path, "".join(lines[:head] + [_passed_over(line, topic, lost) for line in lines[head:]]))

    def _begin_files(self) -> list[tuple[Path, int]]:
        """Spark's files that say where a query goes on, and how many lines of each come before the offsets.

        Of the latest commit, or before one, where the query began.
        """
        path = self.spark_path
        if done := _numbers(path / "commits") & _numbers(path / "offsets"):
            return [(path / "offsets" / str(max(done)), 2)]
        return [(first, 1) for first in sorted(path.glob("sources/*/0"))]

    def close(self) -> None:
        """Let go of the folder; a throw-away one is deleted. May be called again."""
        if not self._lock.closed:
            self._lock.close()
            if self._throw_away:
                shutil.rmtree(self.path, ignore_errors=True)

    def _read_identity(self) -> dict[str, object] | None:
        path = self.path / _IDENTITY
        if not path.exists():
            strangers = sorted(p.name for p in self.path.iterdir() if p.name not in (_LOCK, f"{_IDENTITY}.new"))
            if strangers:
                raise CheckpointMismatch(
                    f"{self.path} holds files but no checkpoint of the workbench ({', '.join(strangers[:3])}). "
                    "Fix: name an empty folder, or one that does not exist"
                )
            return None
        try:
            found = json.loads(path.read_text())
        except ValueError as error:
            raise CheckpointMismatch(f"{path} cannot be read ({error}). {_FIX}") from error
        if not isinstance(found, dict):
            return {}
        if found.pop(_CHECKSUM, None) not in (None, _checksum(found)):  # None: as it was written before there was one
            raise CheckpointMismatch(f"{path} is damaged: its checksum does not fit. {_FIX}")
        return found

    def _read_hand_over(self, found: dict[str, object]) -> HandOver | None:
        stored: Any = found.pop(_HAND_OVER, None)
        try:
            return None if stored is None else HandOver.from_json(stored)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointMismatch(
                f"{self.path / _IDENTITY} has a hand-over that cannot be read ({error!r}). {_FIX}"
            ) from error

    def _read_begin(self, found: dict[str, object]) -> dict[int, int]:
        stored: Any = found.pop(_BEGIN, {})
        try:
            return {int(number): int(offset) for number, offset in stored.items()}
        except (TypeError, ValueError, AttributeError) as error:
            raise CheckpointMismatch(
                f"{self.path / _IDENTITY} does not say where it began ({error!r}). {_FIX}"
            ) from error

    def _write(self) -> None:
        stored = {**self._identity, _BEGIN: {str(number): offset for number, offset in self.begin.items()}}
        stored |= {_HAND_OVER: self.hand_over.to_json()} if self.hand_over else {}
        stored[_CHECKSUM] = _checksum(stored)
        _write_whole(self.path / _IDENTITY, json.dumps(stored, indent=2) + "\n")

    def _move_aside(self) -> None:
        before = self.path.with_name(self.path.name + ".before")
        shutil.rmtree(before, ignore_errors=True)
        before.mkdir()
        for entry in self.path.iterdir():
            if entry.name != _LOCK:
                entry.rename(before / entry.name)


def _write_whole(path: Path, text: str) -> None:
    """All or nothing: a crash leaves the file as it was, or as it is to be."""
    written = path.with_name(f"{path.name}.new")
    with _told_when_full(path.parent):
        with written.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)


def disk_full(path: Path) -> DetectorError:
    """The error that says that a checkpoint could not be written for want of room."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    disk = shutil.disk_usage(there)
    return DetectorError(
        f"the disk is full: the checkpoint {path} cannot be written ({disk.free / 2**20:,.1f} MB free of "
        f"{disk.total / 2**20:,.1f}). Fix: make room; started again, the detector goes on from its checkpoint"
    )


@contextlib.contextmanager
def _told_when_full(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise disk_full(path) from error


def _behind(lost: Mapping[int, range], offsets: Mapping[int, int]) -> dict[int, int]:
    """The same offsets, with none in what is lost."""
    return {number: max(at, lost[number].stop) if number in lost else at for number, at in offsets.items()}


def _passed_over(line: str, topic: str, lost: Mapping[int, range]) -> str:
    """One line of Spark's offsets, with none of the topic in what is lost."""
    if f'"{topic}"' not in line:
        return line
    offsets = json.loads(line)
    for number, offset in offsets[topic].items():
        if int(number) in lost:
            offsets[topic][number] = max(offset, lost[int(number)].stop)
    return json.dumps(offsets, separators=(",", ":")) + line[len(line.rstrip("\n")) :]


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
    try:
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
    except OSError:
        with contextlib.suppress(OSError):  # it tries once more to write
            handle.close()
        raise
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


def _checksum(stored: Mapping[str, object]) -> str:
    """Of what `workbench.json` says: an offset in it that is another would give wrong verdicts in silence."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()


def _grown(found: Mapping[str, object], asked: Mapping[str, object]) -> bool:
    """Whether the topic has got more partitions since, and all else is the same."""
    before, now = found.get("partitions"), asked.get("partitions")
    return isinstance(before, int) and isinstance(now, int) and before < now and {**found, "partitions": now} == asked


def _differences(path: Path, found: Mapping[str, object], asked: Mapping[str, object]) -> str:
    names = [name for name in {**asked, **found} if found.get(name) != asked.get(name)]
    if "topic_id" in names and "clicks" not in names:  # then how many partitions there are is another topic's matter
        names = [name for name in names if name not in ("topic_id", "partitions")]
        there = [f"the topic {asked.get('clicks')} was deleted and made anew since"]
    else:
        there = []
    each = "; ".join([*there, *(f"{name} {found.get(name)} there, {asked.get(name)} asked" for name in names)])
    return (
        f"the checkpoint {path} was made for something else: {each}. "
        "Fix: name another folder, or begin anew with fresh=True (--fresh), which moves the old one aside"
    )
