"""Bytes as text: UTF-8 or UTF-16, in physical lines of bounded length. What the lines say is read elsewhere."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import IO, Final

__all__ = ["LONGEST_LINE", "TOO_LONG", "Text", "encoding_of"]

LONGEST_LINE: Final = 1 << 20
"""Characters of a line that are kept; of a longer one there is one more, so that it can be told."""

TOO_LONG: Final = f"longer than {LONGEST_LINE:,} characters"
"""What is wrong with a line that is longer."""

_BLOCK: Final = 1 << 20
_BOMS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LOOKED_AT: Final = 4096


def encoding_of(head: bytes) -> str:
    r"""Tell the encoding of a text by its first bytes: by the mark, or by NULs in every other byte.

    >>> encoding_of(b"\xff\xfea\0"), encoding_of("session_id".encode("utf-16-be")), encoding_of(b"\0\0\0\0ab")
    ('utf-16', 'utf-16-be', 'utf-8-sig')
    """
    for bom, encoding in _BOMS.items():
        if head.startswith(bom):
            return encoding
    first = head[:_LOOKED_AT]
    half = len(first) // 2
    even, odd = first[0::2].count(0), first[1::2].count(0)
    if half >= 2 and odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le"
    if half >= 2 and even > 0.4 * half and odd < 0.1 * half:
        return "utf-16-be"
    return "utf-8-sig"


class Text:
    r"""A source as text. Bytes that are none become \xhh: different ones stay different, and JSON can carry them.

    Parameters
    ----------
    data
        The bytes, from their beginning.
    head
        The first of them.

    Attributes
    ----------
    encoding : str
        As Python names it.
    head : str
        The text of the first bytes, whose last character may be a piece of one.
    """

    def __init__(self, data: IO[bytes], head: bytes) -> None:
        self._data = data
        self.encoding = encoding_of(head)
        self.head = self._decoder().decode(head)
        # A file of an old Mac has no line feeds. Elsewhere a lone carriage return is a part of its line.
        self._end = "\r" if "\r" in self.head and "\n" not in self.head else "\n"

    def blocks(self) -> Iterator[str]:
        """Yield the text, piece by piece."""
        decoder = self._decoder()
        while data := self._data.read(_BLOCK):
            yield decoder.decode(data)
        yield decoder.decode(b"", True)

    def lines(self, blocks: Iterable[str] | None = None) -> Iterator[str]:
        """Yield the physical lines, without what ends them; of these blocks, where some were taken before."""
        rest = ""
        skipping = False  # the end of a line whose beginning was given
        for block in self.blocks() if blocks is None else blocks:
            first, *others = block.split(self._end)
            if not skipping:
                rest += first
            if not others:
                if len(rest) > LONGEST_LINE:
                    yield rest[: LONGEST_LINE + 1]
                    rest, skipping = "", True
                continue
            if not skipping:
                yield self._line(rest)
            rest, skipping = others.pop(), False
            if "\r" in block:
                yield from map(self._line, others)
            else:
                yield from others
        if rest:
            yield self._line(rest)

    def _decoder(self) -> codecs.IncrementalDecoder:
        return codecs.getincrementaldecoder(self.encoding)("backslashreplace")

    def _line(self, line: str) -> str:
        return line.rstrip("\r")[: LONGEST_LINE + 1]
