"""How a CSV file is written: what divides its cells, and where its header is. The rows are read in `csv_rows`."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["HEAD_LINES", "Cells", "Header", "find_header"]

HEAD_LINES: Final = 50
"""Lines that are looked at to find the header."""

_DIVIDERS: Final = ",;\t|"
_TITLE_LINES: Final = 20
_SEP = re.compile(r'"?sep=([^\w"])"?', re.IGNORECASE)
# What no column is called, but a cell may hold: a number, a date, an address of the web or of a machine.
_VALUE = re.compile(r"[+-]?[\d.,]+%?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|.*\d:\d\d.*|https?:.*|/.*|.*@.*|--|-", re.DOTALL)


@dataclass(frozen=True)
class Header:
    """How a file is written.

    Attributes
    ----------
    divider : str
        What stands between two cells: , ; tab or |.
    names : list of str
        The cells of the header, without blanks around them.
    line : int
        The line of the header, from 1; 0 when there is none.
    """

    divider: str
    names: list[str]
    line: int


class Cells:
    r"""Splits single lines into cells, as RFC 4180 has it. One reader of `csv` serves all of them.

    Examples
    --------
    >>> cells = Cells(",")
    >>> cells.of('s1,"a ""b"", c"'), cells.of('s1,5"'), cells.of('s1,"open'), cells.of('s1,"a"b')
    (['s1', 'a "b", c'], ['s1', '5"'], None, None)
    """

    def __init__(self, divider: str) -> None:
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


def find_header(lines: Sequence[str]) -> Header:
    """Find the header among the first lines: titles may stand before it, and empty lines.

    Parameters
    ----------
    lines
        The first of a file.

    Returns
    -------
    Header
        The first line is one, if nothing tells otherwise.

    Examples
    --------
    >>> find_header(["session_id;url;ts", "s1;/ad,7;2026-01-02"])
    Header(divider=';', names=['session_id', 'url', 'ts'], line=1)
    >>> find_header(["Click report", "January 2, 2026", "", "session_id,url,ts", "s1,/ad,1"]).line
    4
    """
    start = next((i for i, line in enumerate(lines) if line.strip()), None)
    if start is None:
        return Header(",", [], 0)
    if said := _SEP.fullmatch(lines[start].strip(" \ufeff")):
        dividers, start = said[1], start + 1
    else:
        dividers = _DIVIDERS
    tables = {divider: [Cells(divider).of(line) or [] for line in lines[start:]] for divider in dividers}
    divider = max(tables, key=lambda divider: _fit(tables[divider]))
    rows = [[cell.strip() for cell in row] for row in tables[divider]]
    if not rows:
        return Header(divider, [], 0)
    first = _first_header(rows)
    return Header(divider, rows[first], start + first + 1)


def _fit(rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Say how well a divider fits: how many lines have as many cells as most, and how many that are."""
    cells, lines = _usual(rows)
    return (lines, cells) if cells > 1 else (0, cells)


def _usual(rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    counts = Counter(len(row) for row in rows if len(row) > 1)
    return max(counts.items(), key=lambda item: (item[1], item[0]), default=(1, 0))


def _first_header(rows: Sequence[Sequence[str]]) -> int:
    first = next((i for i, row in enumerate(rows) if any(row)), 0)
    usual, _ = _usual(rows)
    for i, row in enumerate(rows[first : first + _TITLE_LINES], first):
        named = i == first or not any(_VALUE.fullmatch(cell) for cell in row)
        if named and len(row) == usual and _filled(row) * 2 > usual:
            return i
    return first


def _filled(row: Sequence[str]) -> int:
    return sum(cell != "" for cell in row)
