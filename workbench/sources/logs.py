"""Lines of an access log as rows of raw cells, chunk by chunk. Formats: `presets`; opening files: `inputs`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np
import pandas as pd

from workbench.errors import ClickError
from workbench.sources.log_compile import narrowed
from workbench.sources.log_format import COLUMNS, LogFormat
from workbench.sources.log_lines import ABSOLUTE, NO_LINE, Cells, finished, read_lines
from workbench.sources.log_w3c import W3c
from workbench.sources.log_wraps import unwrap, wrap_of
from workbench.sources.presets import find, fits, guess, nearest, sample
from workbench.sources.rows import CHUNK_ROWS, Rows
from workbench.text import quote

__all__ = ["OtherFormats", "log_rows"]

_NAMED: Final = 500  # lines of a chunk that the nearest format is looked up for, since that takes its time
_ENOUGH: Final = 0.01  # of a log's lines, for it to be told that they are in another format
_OTHER = re.compile(r"not a line of ([^\s;]+)(?:; it is one of (\S+))?")
_NUL = "NUL bytes inside the line"
_NUL_ONLY = "nothing but NUL bytes"
_NUL_OFF = "lines with NUL bytes before them, read without these"


def log_rows(
    lines: Iterable[str],
    format: LogFormat | str | None = None,
    columns: Collection[str] | None = None,
    name: str = "the log",
) -> Iterator[Rows]:
    """Read the lines of a log.

    Parameters
    ----------
    lines
        With or without their line ends. What log shippers put around them is taken off.
    format
        A format, its name or a format string; None tells it from the first lines.
    columns
        The columns that are wanted; None is all of them, which takes longer.
    name
        What messages call the source.

    Yields
    ------
    Rows
        At most `CHUNK_ROWS` lines each. Columns are those of `COLUMNS`, and what else the format has: ip as the line
        has it, a list where there are proxies; ts in RFC 3339, without an offset where the line has none, or a number
        as it stands; url without scheme and host; None for what is "-".

    Raises
    ------
    ClickError
        There is no such format, the lines are in none that has a name, or a column that is wanted is not in it.

    Examples
    --------
    >>> read = next(log_rows(['h.example - - [02/Jan/2026:03:04:05 +0100] "GET /ad HTTP/1.1" 200 5', "oops"]))
    >>> read.cells[["url", "ts"]]
        url                         ts
    0   /ad  2026-01-02T03:04:05+01:00
    1  None                       None
    >>> read.problem.tolist()
    ['', 'not a line of common']
    """
    ahead = iter(lines)
    first = list(islice(ahead, CHUNK_ROWS))
    seen = sample(first[: CHUNK_ROWS // 10])
    chosen = find(format) if isinstance(format, str) else format or guess(seen)
    if chosen is None:
        raise ClickError(_in_no_format(name, seen))
    if chosen.json is not None and seen and (unwrap(seen, wrap_of(seen) or "syslog")[0])[0].startswith("{"):
        chosen = find(chosen.json)
    _refuse_unknown(name, chosen, columns or ())
    wrap = _wrap(seen, chosen)
    chosen = chosen if columns is None else narrowed(chosen, columns)
    w3c = W3c(chosen) if chosen.kind == "w3c" else None
    number = 1
    while first:
        yield _rows(first, number, chosen, wrap, w3c, columns)
        number += len(first)
        first = list(islice(ahead, CHUNK_ROWS))


class OtherFormats:
    """Counts the lines that were rejected because they are in another format than the rest of their log."""

    def __init__(self) -> None:
        self._lines = 0
        self._rejected: Counter[str] = Counter()
        self._others: Counter[tuple[str, str]] = Counter()

    def add(self, lines: int, reasons: Iterable[str]) -> None:
        """Take in how many lines there are, and why some were rejected."""
        self._lines += lines
        for reason in reasons:
            if (found := _OTHER.match(reason)) is not None:
                self._rejected[found[1]] += 1
                if found[2]:
                    self._others[found[1], found[2]] += 1

    def warnings(self) -> list[str]:
        """What to say before any number: which format would read what was rejected.

        >>> others = OtherFormats()
        >>> others.add(9, ["not a line of common; it is one of alb"] * 3)
        >>> others.warnings()[0][:64]
        '3 of 9 lines are not in the format common and were rejected; at '
        """
        said = []
        for format, count in self._rejected.items():
            others = [(other, n) for (of, other), n in self._others.most_common() if of == format]
            if others and count >= _ENOUGH * self._lines:
                told = " and ".join(f"at least {n:,} are in {other}" for other, n in others[:2])
                said.append(
                    f"{count:,} of {self._lines:,} lines are not in the format {format} and were rejected; {told}: "
                    f"--log-format {others[0][0]} reads these"
                )
        return said


def _rows(
    lines: list[str],
    number: int,
    format: LogFormat,
    wrap: str | None,
    w3c: W3c | None,
    wanted: Collection[str] | None,
) -> Rows:
    notes: Counter[str] = Counter()
    as_read = [line.rstrip("\r\n") for line in lines]
    if number == 1:
        as_read[0] = as_read[0].removeprefix("\ufeff")
    damaged = _without_nuls(as_read, notes)
    if wrap is not None:
        as_read, wrapped = unwrap(as_read, wrap)
        notes[f"lines inside those of {wrap}"] += wrapped
    aside = [""] * len(lines)
    if w3c is not None:
        cells, aside = w3c(as_read)
    else:
        cells = read_lines(as_read, format)
    problem = cells.problem
    for i, reason in damaged.items():
        problem[i], aside[i] = reason, ""
    columns = finished(Cells(cells.raw, problem, notes), format.unit)
    if format.knows_host and (wanted is None or "host" in wanted):
        notes.pop(ABSOLUTE, None)  # their hosts stand beside their paths, as those of all lines do
    _name_nearest(as_read, problem, format)
    for i, reason in enumerate(aside):
        if reason:
            problem[i] = ""
    nothing = [None] * len(lines)
    # From an iterator: numpy looks into each value of a list, which takes as long as all of the reading.
    objects = {
        name: np.fromiter(columns.get(name, nothing), dtype=object, count=len(lines))
        for name in dict.fromkeys((*COLUMNS, *columns) if wanted is None else wanted)
    }
    return Rows(
        cells=pd.DataFrame(objects, copy=False),
        line=np.arange(number, number + len(lines), dtype=np.int64),
        problem=np.array(problem, dtype=object),
        aside=np.array(aside, dtype=object),
        text=lambda i: lines[i].rstrip("\r\n"),
        notes=+notes,
    )


def _without_nuls(lines: list[str], notes: Counter[str]) -> dict[int, str]:
    """Take NULs off the beginnings of lines, as a log has them that was cut while it was written to."""
    damaged = {}
    for i, line in enumerate(lines):
        if "\0" in line:
            lines[i] = line.lstrip("\0")
            if not lines[i]:
                damaged[i] = _NUL_ONLY
            elif "\0" in lines[i]:
                damaged[i] = _NUL
            else:
                notes[_NUL_OFF] += 1
    return damaged


def _wrap(seen: Sequence[str], format: LogFormat) -> str | None:
    """What is around the lines; None where more of them are in the format as they stand."""
    wrap = wrap_of(seen)
    if wrap is None or format.kind == "w3c":
        return wrap
    inside, _ = unwrap(seen, wrap)
    return wrap if fits(inside, format) > fits(seen, format) else None


def _name_nearest(lines: Sequence[str], problem: list[str], format: LogFormat) -> None:
    """Say of lines that are not in the format which other they are in, or come closest to."""
    left = _NAMED
    for i, reason in enumerate(problem):
        if reason != NO_LINE:
            continue
        problem[i] = f"not a line of {format.name}"
        if not lines[i].strip():
            problem[i] = "empty line"
        elif left > 0:
            left -= 1
            problem[i] += _nearest(lines[i], format)


def _nearest(line: str, format: LogFormat) -> str:
    other = guess([line])
    if other is not None and other.name != format.name:
        return f"; it is one of {other.name}"
    close = nearest(line)
    if close is None:
        return ""
    return f"; nearest is {close[0].name}, as far as its {close[1]}"


def _refuse_unknown(name: str, format: LogFormat, columns: Collection[str]) -> None:
    """Raise ClickError for columns that the format does not have. What a W3C log has, its lines say."""
    if format.kind == "w3c":
        return
    there = list(dict.fromkeys((*COLUMNS, *format.columns, *format.paths)))
    unknown = [column for column in columns if column not in there]
    if unknown:
        has = f"a log in the format {format.name} has {', '.join(there)}"
        fix = "name one of these, or give the format string of the server's settings: --log-format"
        raise ClickError(f"{name} has no {' or '.join(map(quote, unknown))}: {has}; {fix}")


def _in_no_format(name: str, seen: Sequence[str]) -> str:
    fix = "name its format, or give the format string of the server's settings: --log-format"
    if not seen:
        return f"{name} holds no lines to tell its format from; {fix}"
    close = nearest(seen[0])
    hint = "" if close is None else f", nearest is {close[0].name}, as far as its {close[1]}"
    return f"the first lines of {name} are in no log format that has a name{hint}: got {quote(seen[0])}; {fix}"
