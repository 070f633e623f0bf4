"""How a CSV file is written: what divides its cells, and where its header is. The rows are read in `csv_rows`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workbench.sources.csv_cells import Cells

__all__ = ["HEAD_LINES", "Header", "find_header"]

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
    line, end : int
        The first and the last line of the header, from 1; 0 when there is none.
    """

    divider: str
    names: list[str]
    line: int
    end: int


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
    Header(divider=';', names=['session_id', 'url', 'ts'], line=1, end=1)
    >>> find_header(["Click report", "January 2, 2026", "", "session_id,url,ts", "s1,/ad,1"]).line
    4
    """
    start = next((i for i, line in enumerate(lines) if line.strip()), None)
    if start is None:
        return Header(",", [], 0, 0)
    if said := _SEP.fullmatch(lines[start].strip(" \ufeff")):
        dividers, start = said[1], start + 1
    else:
        dividers = _DIVIDERS
    tables = {divider: _sample(lines[start:], divider) for divider in dividers}
    divider = max(tables, key=lambda divider: _fit([row for _, row in tables[divider]]))
    ends, rows = zip(*tables[divider], strict=True) if tables[divider] else ((), ())
    if not rows:
        return Header(divider, [], 0, 0)
    first = _first_header(rows)
    line = start + (ends[first - 1] if first else 0) + 1
    return Header(divider, list(rows[first]), line, start + ends[first])


def _sample(lines: Sequence[str], divider: str) -> list[tuple[int, list[str]]]:
    """Give the rows of some lines, and the line behind each."""
    cells = Cells(divider)
    rows = []
    at = 0
    while at < len(lines):
        line = lines[at]
        row = cells.of(cells.without_blanks(line) or line)
        end = at + 1
        if row is None and cells.is_open(line):
            closing = next((i for i in range(end, len(lines)) if lines[i].count('"') % 2), None)
            if closing is not None and (row := cells.of_whole("\n".join(lines[at : closing + 1]))):
                end = closing + 1
        rows.append((end, [" ".join(cell.strip().split("\n")) for cell in row or []]))
        at = end
    return rows


def _fit(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Say how well a divider fits: what share of the rows has as many cells as most, and how many these are."""
    cells, fitting = _usual(rows)
    return (fitting / len(rows) if rows and cells > 1 else 0, cells)


def _usual(rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    counts = Counter(len(row) for row in rows if len(row) > 1)
    return max(counts.items(), key=lambda item: (item[1], item[0]), default=(1, 0))


def _first_header(rows: Sequence[Sequence[str]]) -> int:
    first = next((i for i, row in enumerate(rows) if any(row)), 0)
    usual, _ = _usual(rows)
    if len(rows[first]) == usual and _filled(rows[first]) * 2 > usual:
        return first
    for i, row in enumerate(rows[first : first + _TITLE_LINES], first):
        fuller = _filled(row) > _filled(rows[first]) and _filled(row) * 2 > usual
        if fuller and len(row) == usual and not any(_VALUE.fullmatch(cell) for cell in row):
            return i
    return first


def _filled(row: Sequence[str]) -> int:
    return sum(cell != "" for cell in row)
