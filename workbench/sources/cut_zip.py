"""The members of a zip archive whose end is missing, where its list would be: told by what stands before each.

What they hold is unpacked in `packing`.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

__all__ = ["Stored", "begin", "members", "unpacking"]

_HEADER: Final = struct.Struct("<4s5H3I2H")
_PIECE: Final = 1 << 16
_LONGEST_DESCRIPTOR: Final = 24
_IS_UTF_8: Final = 0x800


class Stored:
    """Takes bytes as they are, up to so many, as an unpacking object of `zlib` would."""

    def __init__(self, size: int) -> None:
        self._left, self.unused_data, self.eof = size, b"", size == 0

    def decompress(self, piece: bytes) -> bytes:
        """Give what of a piece belongs to it."""
        taken = piece[: self._left]
        self._left -= len(taken)
        self.unused_data, self.eof = piece[len(taken) :], self._left == 0
        return taken


def members(raw: IO[bytes]) -> list[zipfile.ZipInfo]:
    """Find those that begin before the archive ends, the last of which may be cut.

    The search ends at a member that is packed by neither of the two usual ways, or that nothing tells the end of.
    """
    return list(_members(raw, raw.seek(0, os.SEEK_END)))


def begin(raw: IO[bytes], member: zipfile.ZipInfo) -> None:
    """Go to where the bytes of a member begin."""
    raw.seek(member.header_offset)
    header = _HEADER.unpack(raw.read(_HEADER.size))
    raw.seek(header[-2] + header[-1], os.SEEK_CUR)


def unpacking(member: zipfile.ZipInfo) -> Any:
    """Make the object that unpacks a member."""
    return zlib.decompressobj(-15) if member.compress_type == zipfile.ZIP_DEFLATED else Stored(member.compress_size)


def _members(raw: IO[bytes], size: int) -> Iterator[zipfile.ZipInfo]:
    at = 0
    while size - at >= _HEADER.size:
        raw.seek(at)
        sign, _, flags, method, _, _, _, packed, plain, name_size, more_size = _HEADER.unpack(raw.read(_HEADER.size))
        name = raw.read(name_size)
        if sign != b"PK\x03\x04" or len(name) < name_size or method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return
        member = zipfile.ZipInfo(name.decode("utf-8" if flags & _IS_UTF_8 else "cp437", "replace") or "-")
        member.header_offset, member.flag_bits, member.compress_type = at, flags, method
        member.compress_size, member.file_size = packed, plain
        at += _HEADER.size + name_size + more_size
        if method == zipfile.ZIP_DEFLATED:
            begin(raw, member)
            member.compress_size, member.file_size = _sizes(raw, unpacking(member))
        elif flags & 8 and not member.is_dir():  # nothing tells where it ends
            return
        yield member
        at += member.compress_size
        if flags & 8:
            raw.seek(at)
            at += max(0, raw.read(_LONGEST_DESCRIPTOR + 4).find(b"PK\x03\x04"))


def _sizes(raw: IO[bytes], one: Any) -> tuple[int, int]:
    """How many bytes a packed member takes, as far as it is there, and how many it holds."""
    packed = plain = 0
    try:
        while not one.eof and (piece := raw.read(_PIECE)):
            plain += len(one.decompress(piece))
            packed += len(piece)
    except zlib.error:
        return packed, plain + 1
    return packed - len(one.unused_data), plain
