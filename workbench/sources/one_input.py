"""One input of clicks: a file, a member of an archive or stdin, and opening it. Finding inputs is in `inputs`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from zipfile import ZipInfo

from workbench.errors import ClickError
from workbench.sources.packing import Unpacked, unpacked

__all__ = ["Input", "unreadable"]


@dataclass(frozen=True)
class Input:
    """One input: a file, a member of a zip archive, or stdin.

    Attributes
    ----------
    name : str
        What messages and made ids call it; no other input of the same run has this name.
    path : Path or None
        Where it is; None for stdin.
    size : int
        Bytes as they are stored; 0 where that is not known.
    member : ZipInfo or None
        The member of a zip archive; None for what is none. Several of one archive may have one name.
    named : bool
        Whether the user named it, rather than a folder or a pattern that it is in.
    partition : dict
        Column → value, of the folders of a partitioned table, as in ``dt=2026-01-02/``; None for no value.
    """

    name: str
    path: Path | None
    size: int
    member: ZipInfo | None = None
    named: bool = True
    partition: dict[str, str | None] = field(default_factory=dict)

    @contextmanager
    def open(self) -> Iterator[tuple[Unpacked, Callable[[], int]]]:
        """Open it: what it holds, unpacked, and how many of its stored bytes are read by now.

        Raises
        ------
        ClickError
            It cannot be opened or read, or nothing of it can be unpacked.
        """
        try:
            with nullcontext(sys.stdin.buffer) if self.path is None else self.path.open("rb") as raw:
                found = unpacked(raw, self.name, self.member)
                try:
                    yield found, lambda: _position(raw, self.size)
                finally:
                    if found.data is not raw:
                        found.data.close()
        except OSError as error:
            raise unreadable(self.name, error) from error


def _position(raw: IO[bytes], size: int) -> int:
    return min(raw.tell(), size) if size and raw.seekable() else 0


def unreadable(name: str, error: Exception) -> ClickError:
    """Make the error of an input that cannot be opened or read."""
    problem = getattr(error, "strerror", None) or error
    return ClickError(f"cannot read {name}: {problem}; check the path and that the file is whole")
