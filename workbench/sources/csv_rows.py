"""Rows of CSV as cells, with a physical line for each. What divides them and the header are found in `csv_header`.

A cell in quotes may hold line breaks. A stray quote looks as if it opened such a cell, and would swallow what follows.
So a row goes over several lines only if nothing speaks against it, and otherwise costs its first line alone.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count, islice
from typing import Final

import numpy as np
import pandas as pd

from workbench.errors import ClickError
from workbench.sources.csv_cells import Cells, unescaped
from workbench.sources.csv_header import HEAD_LINES, Header, find_header
from workbench.sources.decoding import LONGEST_LINE, TOO_LONG
from workbench.sources.rows import CHUNK_ROWS, Choose, Rows
from workbench.text import LONGEST_TEXT

__all__ = [
    "AMBIGUOUS", "CONTINUATION", "HEADER", "HEADER_AGAIN", "LONG_CELL", "OPEN_QUOTE", "STRAY_QUOTE", "TITLE", "TOTAL",
    "csv_rows",
]  # fmt: skip

TITLE: Final = "title above the header"
HEADER: Final = "header"
HEADER_AGAIN: Final = "header once more"
TOTAL: Final = "total"
CONTINUATION: Final = "continuation of a quoted cell"

OPEN_QUOTE: Final = "opening quote without an end"
STRAY_QUOTE: Final = "a quote inside a quoted cell that is not doubled"
AMBIGUOUS: Final = "quotes around whole rows: a cell with line breaks, or a stray quote before and one behind them"
LONG_CELL: Final = f"a cell in quotes over several lines of more than {LONGEST_TEXT:,} characters"
_BACKSLASHES: Final = "rows whose quotes are escaped by backslashes"
_BLANKS: Final = "rows with blanks before quotes"
_EMPTY_CELLS: Final = "rows with empty cells behind the last column"
_AHEAD: Final = 64
_BEGINS_TOTAL = re.compile('"?(?:grand )?total', re.IGNORECASE)
_TOTAL = re.compile(r"(?:grand )?totals?\s*(?:[:–-].*)?", re.IGNORECASE | re.DOTALL)
_FIGURE = re.compile(r"\s*(?:[^\w\s]{0,3}\s*[\d.,' ]+\s*(?:%|\w{3})?|-{1,2}|)\s*")


def csv_rows(lines: Iterator[str], name: str, choose: Choose) -> Iterator[Rows]:
    """Read CSV with a header.

    Parameters
    ----------
    lines
        The physical lines, without what ends them.
    name
        What messages call the source.
    choose
        Gives the columns that are wanted, of the names there are. A column that is not there is empty.

    Yields
    ------
    Rows
        At most about `CHUNK_ROWS` lines; the header and what stands above it are lines too.

    Raises
    ------
    ClickError
        There is no header, `choose` raises one, or a wanted column is there twice.
    """
    head = list(islice(lines, HEAD_LINES))
    header = find_header(head)
    wanted = list(choose(list(dict.fromkeys(filter(None, header.names)))))
    for column in wanted:
        if header.names.count(column) > 1:
            raise ClickError(f"{name} has the column {column!r} more than once, and it is needed; rename one")
    yield _above(head[: header.end], header, wanted)
    header_line = head[header.line - 1] if header.line and header.line == header.end else None
    reader = _Reader(chain(head[header.end :], lines), header, header_line)
    first = header.end + 1
    for block in reader.blocks():
        yield reader.rows(block, first, wanted)
        first += len(block)


def _above(lines: list[str], header: Header, wanted: Sequence[str]) -> Rows:
    before = max(0, header.line - 1)
    aside = [TITLE] * before + [HEADER] * (header.line > 0) + [CONTINUATION] * (header.end - header.line)
    return _rows(lines, [None] * len(lines), {}, dict(enumerate(aside)), 1, dict.fromkeys(wanted))


def _rows(
    lines: list[str],
    cells: Sequence[list[str] | None],
    problem: dict[int, str],
    aside: dict[int, str],
    first: int,
    places: dict[str, int | None],
    notes: dict[str, int] | None = None,
    header: Header | None = None,
) -> Rows:
    columns = {
        column: [None] * len(cells) if at is None else [row[at] if row is not None else None for row in cells]
        for column, at in places.items()
    }
    return Rows(
        cells=pd.DataFrame(columns, index=pd.RangeIndex(len(lines)), dtype=object),
        line=np.arange(first, first + len(lines), dtype=np.int64),
        problem=_texts(problem, len(lines)),
        aside=_texts(aside, len(lines)),
        text=lines.__getitem__,
        notes=notes or {},
        header=header,
    )


def _texts(said: dict[int, str], size: int) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    texts = np.full(size, "", dtype=object)
    for i, text in said.items():
        texts[i] = text
    return texts


class _Reader:
    """Reads lines that are divided alike, block by block."""

    def __init__(self, lines: Iterator[str], header: Header, header_line: str | None) -> None:
        self._lines = lines
        self._ahead: list[str] = []
        self._divider, self._names, self._width = header.divider, header.names, len(header.names)
        self._header, self._header_line = header, header_line
        self._cells = Cells(header.divider)

    def blocks(self) -> Iterator[list[str]]:
        """Yield the lines, in blocks."""
        while block := [*self._ahead, *islice(self._lines, max(0, CHUNK_ROWS - len(self._ahead)))]:
            self._ahead = []
            yield block

    def rows(self, block: list[str], first: int, wanted: Sequence[str]) -> Rows:
        """Give the rows of a block, which grows where its last row goes on in the lines behind it."""
        divider, width = self._divider, self._width
        rows: list[list[str] | None] = [line.split(divider) if '"' not in line else None for line in block]
        problem: dict[int, str] = {}
        aside: dict[int, str] = {}
        notes: dict[str, int] = {}
        until = 0
        for i in [i for i, row in enumerate(rows) if row is None or len(row) != width]:
            if i < until:
                continue
            rows[i], until, note = self._row(block, i)
            if note in (AMBIGUOUS, LONG_CELL):
                problem |= dict.fromkeys(range(i, until), note)
                rows[i:until] = [None] * (until - i)
                continue
            if note:
                notes[note] = notes.get(note, 0) + 1
            if rows[i] is None:
                problem[i] = self._problem(block[i])
            for j in range(i + 1, until):
                rows[j : j + 1] = [None]
                aside[j] = CONTINUATION
        self._tell_apart(block, rows, problem, aside)
        places = {column: self._names.index(column) if column in self._names else None for column in wanted}
        return _rows(block, rows, problem, aside, first, places, notes, self._header)

    def _row(self, block: list[str], i: int) -> tuple[list[str] | None, int, str]:
        """Give the cells of the row that begins in a line, the line behind it, and what had to be done to it."""
        line = block[i]
        bare = self._cells.without_blanks(line)
        if bare is not None and (cells := self._fitting(bare)):
            return cells[: self._width], i + 1, _BLANKS
        for plain, note in ((str, ""), (unescaped, _BACKSLASHES), (self._cells.bare, _BLANKS)):
            if cells := self._fitting(plain(line)):
                return cells[: self._width], i + 1, note or (_EMPTY_CELLS if len(cells) > self._width else "")
            if (found := self._joined(block, i, plain)) is not None:
                cells, until, why = found
                if (behind := until - len(block)) > 0:
                    block += self._ahead[:behind]
                    self._ahead = self._ahead[behind:]
                return cells, until, why or note
        return None, i + 1, ""

    def _fitting(self, text: str) -> list[str] | None:
        """Give the cells of a text that is a row; there may be empty ones behind its last."""
        cells = self._cells.of(text)
        if not cells or len(cells) < self._width or any(cells[self._width :]):
            return None
        return cells if len(cells) == self._width or self._width > 1 else None

    def _joined(self, block: list[str], i: int, plain: Callable[[str], str]) -> tuple[list[str], int, str] | None:
        """Give the cells of the row that goes on behind a line, the line behind it, and why it is rejected, or "".

        None where the line's quote stands open by mistake.
        """
        # A line with an odd number of quotes ends the row, or the search. As only such lines begin one, each line is
        # looked at once by one search, however many quotes stand open.
        # Lines inside that are rows by themselves may be anyone's text in a cell: no cells are given for them.
        parts = [plain(block[i])]
        if not self._cells.is_open(parts[0]):
            return None
        size, rows_inside = 0, False
        for j in count(i + 1):
            line = self._line(block, j)
            if line is None:
                return None
            parts.append(plain(line))
            size += len(line) + 1
            if size > LONGEST_LINE:
                return None
            if parts[-1].count('"') % 2 == 0:
                rows_inside = rows_inside or self._is_row(parts[-1])
                continue
            text = "\n".join(parts)
            cells = self._cells.of_whole(text)
            if cells is None and len(text) > csv.field_size_limit() and self._cells.how_many(text) == self._width:
                return [], j + 1, AMBIGUOUS if rows_inside else LONG_CELL
            if cells is None or len(cells) < self._width or any(cells[self._width :]):
                return None
            if rows_inside or block[i].count(self._divider) == line.count(self._divider) == self._width - 1:
                return [], j + 1, AMBIGUOUS
            if len(max(cells, key=len)) > LONGEST_TEXT:
                return [], j + 1, LONG_CELL
            return None if len(cells) > self._width else (cells, j + 1, "")
        return None

    def _line(self, block: list[str], i: int) -> str | None:
        behind = i - len(block)
        if behind < 0:
            return block[i]
        if behind >= len(self._ahead):
            self._ahead += islice(self._lines, _AHEAD)
        return self._ahead[behind] if behind < len(self._ahead) else None

    def _is_row(self, line: str) -> bool:
        if '"' not in line:
            return line.count(self._divider) == self._width - 1
        cells = self._cells.of_whole(line)
        return cells is not None and len(cells) == self._width

    def _problem(self, line: str) -> str:
        if not line.strip():
            return "empty line"
        if self._cells.is_open(line):
            return OPEN_QUOTE
        cells = self._cells.of(line)
        if cells is None:
            huge = len(line) > csv.field_size_limit()
            return f"a cell of more than {csv.field_size_limit():,} characters" if huge else STRAY_QUOTE
        return f"{len(cells)} cells, not {self._width}"

    def _tell_apart(
        self, block: list[str], rows: list[list[str] | None], problem: dict[int, str], aside: dict[int, str]
    ) -> None:
        """Set aside what is no row of data, and refuse what is too long."""
        for i, line in enumerate(block):
            if line == self._header_line or (line[:1] == "\ufeff" and line[1:] == self._header_line):
                aside[i] = HEADER_AGAIN
            elif line[:1] in '"GTgt' and _BEGINS_TOTAL.match(line):
                cells = rows[i] or self._cells.of(line) or [line]
                if _TOTAL.fullmatch(cells[0]) and all(map(_FIGURE.fullmatch, cells[1:])):
                    aside[i] = TOTAL
            elif len(line) > LONGEST_LINE:
                problem[i] = TOO_LONG
                rows[i] = None
        for i in aside:
            problem.pop(i, None)
            if aside[i] != CONTINUATION:
                rows[i] = None
