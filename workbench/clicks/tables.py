"""Rows of CSV, JSON Lines and Parquet into the columns of clicks. Opening files is in `files`."""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from itertools import chain, islice
from typing import IO, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.clicks.access_log import first_problem
from workbench.clicks.record import FIELDS, LONGEST_TEXT, OPTIONAL, TS_DTYPE, TS_PATTERN, is_text
from workbench.errors import ClickError
from workbench.text import quote

__all__ = ["CHUNK_ROWS", "Part", "csv_parts", "find_divider", "json_parts", "parquet_parts"]

CHUNK_ROWS: Final = 100_000

_TS = re.compile(TS_PATTERN)
_LEAST_US, _MOST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999
_NO_TS = "ts is neither RFC 3339 with an offset nor a number of seconds, ms or us since 1970"


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one chunk of a file.

    rows: fields of a click as columns, empty where they cannot be read, and problem ("" or what is wrong).
    lines: the line of each row. text: gives the i-th row as it stood in the file.
    """

    rows: pd.DataFrame
    lines: Sequence[int]
    text: Callable[[int], str]


def find_divider(header: str) -> str:
    """Which of the signs , ; tab and | divides the cells of a table with this header.

    >>> find_divider("session_id;url;ts")
    ';'
    """
    return max(",;\t|", key=header.count)


def csv_parts(lines: TextIOWrapper, name: str, mapping: Mapping[str, str]) -> Iterator[Part]:
    """Read CSV with a header; the header tells which of , ; tab and | divides the cells.

    Raises ClickError when a column is missing or there are two of one name.
    """
    first = lines.readline()
    divider = find_divider(first)
    reader = csv.reader(chain([first], lines), delimiter=divider)
    try:
        header = [column.strip() for column in next(reader, [])]
    except csv.Error as error:
        raise ClickError(f"{name} has no header line of columns: {error}") from error
    for column in header:
        if column and header.count(column) > 1:
            raise ClickError(f"{name} has the column {column!r} more than once; rename one")

    def rows() -> Iterator[_Row]:
        while True:
            cells: list[str] = []
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield reader.line_num, "", f"not CSV: {error}"
                continue
            found: dict[str, Any] | str = dict(zip(header, cells, strict=False))
            if len(cells) != len(header):
                found = f"{len(cells)} cells, not {len(header)}" if cells else "empty line"
            yield reader.line_num, divider.join(cells), found

    return _parts(rows(), name, mapping, header)


def json_parts(lines: TextIOWrapper, name: str, mapping: Mapping[str, str]) -> Iterator[Part]:
    """Read one JSON object a line. The columns are the names in the first chunk.

    Raises ClickError when none of those objects has a name that is needed.
    """

    def rows() -> Iterator[_Row]:
        for number, line in enumerate(lines, 1):
            text = line.strip()
            try:
                found = json.loads(text) if text else "empty line"
            except (ValueError, RecursionError):
                found = "not JSON"
            else:
                if text and not isinstance(found, dict):
                    found = "not a JSON object"
            yield number, text, found

    return _parts(rows(), name, mapping, None)


def parquet_parts(data: IO[bytes], name: str, mapping: Mapping[str, str]) -> Iterator[Part]:
    """Read a Parquet file.

    Raises ClickError when it is damaged, a column is missing, or the column for ts has times without a zone.
    """
    first = 1
    try:
        file = pq.ParquetFile(data)
        columns = _columns(mapping, file.schema_arrow.names, name)
        for batch in file.iter_batches(CHUNK_ROWS, columns=sorted(set(columns.values()))):
            table = batch.to_pandas(integer_object_nulls=True, ignore_metadata=True)
            values = pd.DataFrame({field: table[column] for field, column in columns.items()})
            lines = range(first, first + len(values))
            rows = _rows(values, np.full(len(values), "", dtype=object), name)
            yield Part(rows, lines, partial(_row_text, values))
            first += len(values)
    except pa.ArrowException as error:
        raise ClickError(f"cannot read {name} as Parquet: {quote(str(error))}; write it anew") from error


def _row_text(values: pd.DataFrame, i: int) -> str:
    return ", ".join(f"{field}={value}" for field, value in values.iloc[i].items())


_Row = tuple[int, str, dict[str, Any] | str]
"""The line, its text, and its cells by column or, as text, what is wrong with it."""


def _parts(rows: Iterator[_Row], name: str, mapping: Mapping[str, str], header: list[str] | None) -> Iterator[Part]:
    columns = None if header is None else _columns(mapping, header, name)
    while block := list(islice(rows, CHUNK_ROWS)):
        cells = [found if isinstance(found, dict) else {} for _, _, found in block]
        if columns is None and any(cells):
            columns = _columns(mapping, list(dict.fromkeys(chain.from_iterable(cells))), name)
        # An optional name may turn up later than in the first chunk.
        wanted = {field: field for field in OPTIONAL if field not in mapping} | (columns or {})
        values = pd.DataFrame({f: [c.get(col) for c in cells] for f, col in wanted.items()}, dtype=object)
        problem = np.array([found if isinstance(found, str) else "" for _, _, found in block], dtype=object)
        texts = [text for _, text, _ in block]
        yield Part(_rows(values, problem, name), [line for line, _, _ in block], texts.__getitem__)


def _columns(mapping: Mapping[str, str], available: list[str], name: str) -> dict[str, str]:
    """Say which column of the file holds which field."""
    for field in mapping:
        if field not in (*FIELDS, *OPTIONAL):
            fields = ", ".join((*FIELDS, *OPTIONAL))
            raise ClickError(f"the mapping names {field!r}, no field of a click; the fields are {fields}")
    columns = {field: mapping.get(field, field) for field in (*FIELDS, *OPTIONAL)}
    for field, column in columns.items():
        if column not in available and (field in mapping or field in ("session_id", "url", "ts")):
            near = {a.lower(): a for a in available}
            close = [near[key] for key in difflib.get_close_matches(column.lower(), near, n=3, cutoff=0.5)]
            hint = f"did you mean {' or '.join(map(repr, close))}" if close else f"it has {quote(available)}"
            fix = f"say which one holds {field}, as mapping={{{field!r}: '<column>'}}"
            raise ClickError(f"{name} has no column {column!r} for {field}; {hint}? {fix}")
    return {field: column for field, column in columns.items() if column in available}


def _rows(values: pd.DataFrame, problem: np.ndarray[Any, Any], name: str) -> pd.DataFrame:
    rows = pd.DataFrame(index=values.index)
    problems: dict[str, pd.Series[bool]] = {}
    for field in values.columns:
        if field == "ts":
            rows["ts"] = _times(values["ts"], name)
            problems[_NO_TS] = rows["ts"].isna()
        else:
            rows[field] = pd.Series([_text(value) for value in values[field]], dtype=object)
            if field not in OPTIONAL:
                problems[f"{field} is not text of 1 to {LONGEST_TEXT} characters"] = rows[field].isna()
    rows["problem"] = np.where(problem == "", first_problem(problems), problem) if problems else problem
    return rows


def _text(value: object) -> str | None:
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and is_text(value) else None


def _times(values: pd.Series[Any], name: str) -> pd.Series[Any]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.astype(TS_DTYPE)
    if values.dtype.kind == "M":
        fix = "write it with a time zone, in pandas df[...].dt.tz_localize('UTC')"
        raise ClickError(f"{name} has times without a time zone in the column for ts; {fix}")
    dated = np.array([isinstance(v, str) and _TS.fullmatch(v) is not None for v in values], dtype=bool)
    texts = pd.Series([v.upper() if d else None for v, d in zip(values, dated, strict=True)], dtype=object)
    dates = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    return dates.astype(TS_DTYPE).where(dated, _epochs(values.astype(object).where(~dated)))


def _epochs(values: pd.Series[Any]) -> pd.Series[Any]:
    truth = np.array([isinstance(v, bool) for v in values], dtype=bool)  # which to_numeric takes for 0 and 1
    number = pd.to_numeric(values.where(~truth), errors="coerce").astype("float64")
    number = number.where(number.between(_LEAST_US, _MOST_US))
    valid = number.notna().to_numpy()
    value = number.fillna(0).to_numpy()
    us_each = np.select([np.abs(value) < 1e11, np.abs(value) < 1e14], [1_000_000, 1_000], 1)
    whole = np.floor(value)  # apart from the fraction, so that whole seconds and milliseconds stay exact
    micros = whole.astype(np.int64) * us_each + np.round((value - whole) * us_each).astype(np.int64)
    valid &= (micros >= _LEAST_US) & (micros <= _MOST_US)
    times = pd.Series(np.where(valid, micros, 0).view("datetime64[us]")).dt.tz_localize("UTC")
    return times.where(valid)
