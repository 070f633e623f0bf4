"""One row of CSV as cells: quotes, and other ways of writing them. Which lines are rows is in `csv_rows`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

__all__ = ["Cells", "unescaped"]

_ESCAPED = re.compile(r'\\(["\\])')


class Cells:
    r"""Splits single lines into cells, as RFC 4180 has it. One reader of `csv` serves all of them.

    Examples
    --------
    >>> cells = Cells(",")
    >>> cells.of('s1,"a ""b"", c"'), cells.of('s1,5"'), cells.of('s1,"open'), cells.of('s1,"a"b')
    (['s1', 'a "b", c'], ['s1', '5"'], None, None)
    """

    def __init__(self, divider: str) -> None:
        sign = re.escape(divider)
        inside = '[^"]*+(?:""[^"]*+)*+'
        cell = f'(?:"{inside}"|[^"{sign}]*+)'
        self._whole = re.compile(f"{cell}(?:{sign}{cell})*+")
        self._each = re.compile(rf"(?:\A|{sign}){cell}")
        self._open = re.compile(f'(?:{cell}{sign})*+"{inside}')
        self._blanks = re.compile(f'(?<={sign}) +(?=")')
        self._blank_before_quote = f'{divider} "'
        self._line: str | None = None
        self._reader = csv.reader(self, delimiter=divider, strict=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._line = self._line, None
        if line is None:
            raise StopIteration
        return line

    def of(self, line: str) -> list[str] | None:
        """Give the cells of a line, None where a quote has no end, an end before the cell's, or a cell is huge."""
        stand_in = ""
        if "\r" in line:  # which a reader takes for the end of the line
            stand_in = next((c for c in map(chr, range(0xE000, 0xF900)) if c not in line), "\r")
            line = line.replace("\r", stand_in)
        self._line = line
        try:
            cells = next(self._reader)
        except csv.Error:
            return None
        finally:
            self._line = None
        return [cell.replace(stand_in, "\r") for cell in cells] if stand_in else cells

    def of_whole(self, text: str) -> list[str] | None:
        """Give the cells of a row, which may hold line breaks, if all its quotes are in their places."""
        return self.of(text) if self._whole.fullmatch(text) else None

    def how_many(self, text: str) -> int:
        """Count the cells of a row that may be too long for `of`; 0 where its quotes are not in their places."""
        return sum(1 for _ in self._each.finditer(text)) if self._whole.fullmatch(text) else 0

    def is_open(self, line: str) -> bool:
        """Say whether a line is a row whose quotes are all in their places, but that its last cell has no end."""
        return self._open.fullmatch(line) is not None

    def bare(self, line: str) -> str:
        """Give the line, or a piece of a row, without blanks before its quotes."""
        return self._blanks.sub("", line)

    def without_blanks(self, line: str) -> str | None:
        """Give the line without blanks before its quotes; None where there are none, or where it is no row then."""
        if self._blank_before_quote not in line:
            return None
        text = self.bare(line)
        return text if self._whole.fullmatch(text) else None


def unescaped(line: str) -> str:
    r"""Write quotes that backslashes escape as RFC 4180 has them.

    >>> print(unescaped(r'"a \"b\" c:\\"'))
    "a ""b"" c:\"
    """
    return _ESCAPED.sub(lambda escaped: '""' if escaped[1] == '"' else "\\", line)
