"""Packed bytes as they were before: what packs them is told by their first bytes, and as much is given as can be.

Which files there are is in `inputs`, what their bytes say as text in `decoding`.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, Any, Final

import zstandard

from workbench.errors import ClickError
from workbench.sources import cut_zip

__all__ = ["HEAD_BYTES", "Unpacked", "unpacked"]

HEAD_BYTES: Final = 1 << 16
"""How much of the beginning is looked at to tell what a source is."""

_MAGIC = re.compile(
    rb"(?P<gzip>\x1f\x8b\x08)|(?P<bzip2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))|(?P<xz>\xfd7zXZ\0)"
    rb"|(?P<zstd>\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)"
)
_LONGEST_MAGIC: Final = 10
_NEW: Final[dict[str, Callable[[], Any]]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
_PIECE: Final = 1 << 10  # packed bytes at once: little, as each may unpack to much, and is lost where it is damaged
_ZIP_PIECE: Final = 1 << 12
_DAMAGED = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
_DEEPEST: Final = 3

_UNREAD: Final = {
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old workbook of Excel", "save it as CSV (UTF-8)"),
    rb"PK\x03\x04": ("a zip archive, of which the end is needed first", "save it as a file, or unpack it"),
    rb".{257}ustar": ("a tar archive", "unpack it with tar -xf, and give the folder"),
    rb"\x04\x22\x4d\x18": ("packed with lz4", "unpack it with lz4 -d"),
    rb"\xff\x06\0\0sNaPpY": ("packed with snappy", "unpack it first"),
    rb"\x1f\x9d": ("packed with compress", "unpack it with gzip -d"),
    rb"LZIP\x01": ("packed with lzip", "unpack it with lzip -d"),
    rb"7z\xbc\xaf'\x1c": ("a 7z archive", "unpack it with 7z x, and give the folder"),
    rb"Rar!\x1a\x07": ("a RAR archive", "unpack it, and give the folder"),
    rb"Obj\x01": ("an Avro file", "write it as Parquet or JSON Lines"),
    rb"ARROW1": ("an Arrow file", "write it as Parquet"),
    rb"SQLite format 3\0": ("a database of SQLite", "export the table as CSV"),
    rb"%PDF-": ("a PDF", "ask for the figures as CSV"),
}
_UNREADABLE = [(re.compile(magic, re.DOTALL), *said) for magic, said in _UNREAD.items()]


@dataclass(eq=False)
class Unpacked:
    """A source of bytes, unpacked, from its beginning.

    Attributes
    ----------
    data : binary file
        The bytes.
    head : bytes
        The first of them, at most `HEAD_BYTES`; they are in data as well.
    notes, warnings : list of str
        What was passed over, and what is missing since it could not be unpacked. They grow while data is read.
    """

    data: IO[bytes]
    head: bytes
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def seekable(self) -> IO[bytes]:
        """Give the bytes as a file in which one can go to and fro: where they are none, as a temporary copy on disk."""
        if self.data.seekable():
            return self.data
        copy = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with `data`, or when nothing holds it any more
        while block := self.data.read(1 << 20):
            copy.write(block)
        copy.seek(0)
        self.data = copy
        return copy


def unpacked(raw: IO[bytes], name: str, member: zipfile.ZipInfo | None = None) -> Unpacked:
    """Unpack what packs the bytes of a source: gzip, bzip2, xz or zstd, one in another too.

    Parameters
    ----------
    raw
        The source, at its beginning.
    name
        What messages call it.
    member
        Of a zip archive, the member that is wanted.

    Returns
    -------
    Unpacked
        What it holds. A source that was cut or is damaged gives what can be unpacked, and warns of the rest.

    Raises
    ------
    ClickError
        It is of a kind that is not read, or nothing of it can be unpacked.
    """
    found = Unpacked(raw, b"")
    if member is not None:
        warnings = found.warnings
        read = _zipped if zipfile.is_zipfile(raw) else _cut_short
        found = _with_head(read(raw, member, name, warnings))
        found.warnings = warnings
    elif raw.seekable():
        head = raw.read(HEAD_BYTES)
        raw.seek(0)
        found = Unpacked(raw, head)
    else:
        found = _with_head(iter(lambda: raw.read(HEAD_BYTES), b""))
    for _ in range(_DEEPEST):
        packing = _packing(found.head)
        if packing is None:
            break
        members = _Members(found.data, packing, name, found.notes, found.warnings)
        inner = _with_head(members.blocks())
        if not inner.head and found.warnings:
            raise ClickError(f"cannot read {name}: nothing of it can be unpacked; {found.warnings[-1]}")
        inner.notes, inner.warnings = found.notes, found.warnings
        found = inner
    _refuse_what_is_not_read(found.head, name)
    return found


def _zipped(raw: IO[bytes], member: zipfile.ZipInfo, name: str, warnings: list[str]) -> Iterator[bytes]:
    size = 0
    try:
        with zipfile.ZipFile(raw) as archive, archive.open(member) as data:
            while block := data.read(_ZIP_PIECE):
                size += len(block)
                yield block
    except (*_DAMAGED, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        if not size:
            raise ClickError(
                f"cannot read {name}: nothing of it can be unpacked ({error}); unpack the archive"
            ) from error
        warnings.append(f"{name} is damaged ({error}): {size:,} bytes were unpacked; what comes after is missing")


def _cut_short(raw: IO[bytes], member: zipfile.ZipInfo, name: str, warnings: list[str]) -> Iterator[bytes]:
    cut_zip.begin(raw, member)
    return _Members(raw, "zip", name, [], warnings, lambda: cut_zip.unpacking(member)).blocks()


def _packing(head: bytes) -> str | None:
    magic = _MAGIC.match(head)
    return magic.lastgroup if magic else None


def _refuse_what_is_not_read(head: bytes, name: str) -> None:
    for magic, what, fix in _UNREADABLE:
        if magic.match(head):
            raise ClickError(f"cannot read {name}: it is {what}; {fix}")
    suffix = re.search(r"\.(gz|bz2|xz|zst)$", name.lower())
    if suffix and b"\0" in head[:64] and not head.startswith((b"PAR1", b"\xff\xfe", b"\xfe\xff")):
        fix = "check that it is whole"
        raise ClickError(f"cannot read {name}: it does not begin as a {suffix[0]} file, nor as text; {fix}")


def _with_head(blocks: Iterator[bytes]) -> Unpacked:
    first: list[bytes] = []
    size = 0
    for block in blocks:
        first.append(block)
        size += len(block)
        if size >= HEAD_BYTES:
            break
    data = io.BufferedReader(_Blocks(chain(first, blocks)), 1 << 16)
    return Unpacked(data, b"".join(first)[:HEAD_BYTES])


class _Blocks(io.RawIOBase):
    """Blocks of bytes as a file to read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class _Members:
    """What is packed in a file: several members one after the other, or one, where it is said what unpacks it."""

    def __init__(
        self,
        data: IO[bytes],
        packing: str,
        name: str,
        notes: list[str],
        warnings: list[str],
        one: Callable[[], Any] | None = None,
    ) -> None:
        self._data, self._packing, self._name = data, packing, name
        self._new, self._is_one = one or _NEW[packing], one is not None
        self._notes, self._warnings = notes, warnings
        self._waiting = b""
        self._read = self._bytes = self._lines = 0

    def blocks(self) -> Iterator[bytes]:
        """Yield what is unpacked, as far as that goes."""
        new = self._new
        one = new()
        zeros = 0
        while piece := self._next():
            if one is None:
                held = piece.lstrip(b"\0")
                zeros += len(piece) - len(held)
                if not held:
                    continue
                while len(held) < _LONGEST_MAGIC and (more := self._next()):
                    held += more
                if _packing(held) != self._packing:
                    self._garbage(len(held))
                    break
                one, piece = new(), held
            before = one.copy() if hasattr(one, "copy") else None
            try:
                block = one.decompress(piece)
            except _DAMAGED as error:
                if before is not None:
                    yield from self._counted(_byte_by_byte(before, piece))
                self._end(f"is damaged ({error})")
                return
            yield from self._counted([block])
            if one.eof and self._is_one:
                return
            if one.eof:
                self._waiting, one = one.unused_data, None
        if one is not None:
            self._end("was cut, or is still being written")
        if zeros:
            what = f"{zeros:,} zero bytes after the end of the {self._packing} data"
            self._notes.append(f"{self._name}: {what} are passed over")

    def _next(self) -> bytes:
        if self._waiting:
            piece, self._waiting = self._waiting, b""
            return piece
        piece = self._data.read(_PIECE)
        self._read += len(piece)
        return piece

    def _counted(self, blocks: list[bytes]) -> Iterator[bytes]:
        for block in blocks:
            if block:
                self._bytes += len(block)
                self._lines += block.count(b"\n")
                yield block

    def _end(self, why: str) -> None:
        got = f"{self._bytes:,} bytes with {self._lines:,} whole lines were unpacked"
        at = f"{got} from its first {self._read:,} bytes of {self._packing}"
        self._warnings.append(f"{self._name} {why}: {at}; what comes after is missing")

    def _garbage(self, size: int) -> None:
        while piece := self._next():
            size += len(piece)
        what = f"{size:,} bytes after the end of the {self._packing} data are no {self._packing}"
        self._warnings.append(f"{self._name}: {what}, and were passed over")


def _byte_by_byte(one: Any, piece: bytes) -> list[bytes]:
    blocks = []
    try:
        for i in range(len(piece)):
            blocks.append(one.decompress(piece[i : i + 1]))
    except _DAMAGED:
        pass  # said by the caller
    return blocks
