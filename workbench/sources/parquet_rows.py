"""Rows of Parquet as cells: columns, places in nested ones, and values as whoever wrote them meant them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import IO, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import ClickError
from workbench.sources.parquet_nested import inside, python_values
from workbench.sources.paths import names_of, parse
from workbench.sources.rows import CHUNK_ROWS, Choose, Inexact, Rows
from workbench.text import quote

__all__ = ["parquet_names", "parquet_rows"]

_NAMED_FULLY: Final = 1000  # rows whose nested names are looked at
_SPARK: Final = b"org.apache.spark.version"
_UUID_BYTES: Final = 16
_AS_THEY_ARE: Final = (
    pa.types.is_timestamp, pa.types.is_floating, pa.types.is_integer, pa.types.is_string, pa.types.is_large_string,
)  # fmt: skip
_DIGITS: Final = {pa.float16(): 11, pa.float32(): 24, pa.float64(): 53}
"""Binary digits of floating-point numbers: from there on, two whole numbers may have become one."""

_BROKEN = (pa.ArrowException, OSError, ValueError, OverflowError, KeyError)


@dataclass(frozen=True)
class _Column:
    """A path of a file: the column that it leads to, and the way from there on."""

    path: str
    root: str
    inside: bool


def parquet_names(data: IO[bytes], name: str) -> list[str]:
    """Give the columns of a file and the paths of what is nested in them, as far as its first rows have them.

    Raises ClickError when the file is damaged.
    """
    try:
        return _names(_opened(data))
    except _BROKEN as error:
        raise _broken(name, error) from error


def parquet_rows(data: IO[bytes], name: str, choose: Choose) -> Iterator[Rows]:
    """Read a Parquet file.

    Parameters
    ----------
    data
        The file, in which one can go to and fro.
    name
        What messages call it.
    choose
        Gives the paths that are wanted, of the names there are. A path that leads nowhere is empty.

    Yields
    ------
    Rows
        At most `CHUNK_ROWS` rows. Times that have a zone are in UTC, others have none; whole numbers in a column of
        floating-point ones, which a missing value makes of ids, are whole, the large ones `Inexact`; UUIDs, dates and
        other bytes are text.

    Raises
    ------
    ClickError
        The file is damaged, a wanted column is there twice, or `choose` raises one.
    """
    try:
        file = _opened(data)
        names = _names(file)
    except _BROKEN as error:
        raise _broken(name, error) from error
    wanted = list(choose(names))
    try:
        yield from _read(file, wanted, name)
    except ClickError:
        raise
    except _BROKEN as error:
        raise _broken(name, error) from error


def _opened(data: IO[bytes]) -> pq.ParquetFile:
    return pq.ParquetFile(data, coerce_int96_timestamp_unit="us")


def _broken(name: str, error: Exception) -> ClickError:
    return ClickError(f"cannot read {name} as Parquet: {quote(str(error))}; write it anew")


def _names(file: pq.ParquetFile) -> list[str]:
    schema = file.schema_arrow
    nested = [field.name for field in schema if pa.types.is_nested(field.type)]
    inside: dict[str, list[str]] = {}
    first = next(file.iter_batches(_NAMED_FULLY, columns=nested), None) if nested else None
    if first is not None:
        for root in nested:
            values = python_values(first.column(root))
            found = (path for value in values if value is not None for path in names_of({root: value}))
            inside[root] = list(dict.fromkeys(found))
    return [path for field in schema for path in inside.get(field.name, [field.name])]


def _read(file: pq.ParquetFile, wanted: Sequence[str], name: str) -> Iterator[Rows]:
    columns = [_column(path, file.schema_arrow.names) for path in wanted]
    roots = list(dict.fromkeys(column.root for column in columns if column.root))
    for root in roots:
        if file.schema_arrow.names.count(root) > 1:
            raise ClickError(f"{name} has the column {root!r} more than once, and it is needed; rename one")
    doubtful = [root for root in roots if _is_number(file.schema_arrow.field(root).type)]
    whole = {root for root in doubtful if _is_whole(file, root)}
    in_utc = _written_in_utc(file, roots)
    first = 1
    for batch in file.iter_batches(CHUNK_ROWS, columns=roots):
        cells = {}
        for column in columns:
            if not column.root:
                cells[column.path] = pd.Series([None] * len(batch), dtype=object)
                continue
            array = batch.column(batch.schema.get_field_index(column.root))
            if column.inside:
                cells[column.path] = _inside(array, column)
            else:
                cells[column.path] = _flat(array, column.root in whole, column.root in in_utc)
        frame = pd.DataFrame(cells, index=pd.RangeIndex(len(batch)))
        nothing = np.full(len(batch), "", dtype=object)
        line = np.arange(first, first + len(batch), dtype=np.int64)
        yield Rows(frame, line, nothing, nothing.copy(), partial(_row_text, frame))
        first += len(batch)


def _row_text(frame: pd.DataFrame, i: int) -> str:
    return ", ".join(f"{name}={frame[name].iloc[i]}" for name in frame.columns)


def _column(path: str, names: Sequence[str]) -> _Column:
    if path in names:
        return _Column(path, path, inside=False)
    root = parse(path)[0]
    return _Column(path, root if isinstance(root, str) and root in names else "", inside=True)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_whole(file: pq.ParquetFile, root: str) -> bool:
    """Say whether a column of floating-point or decimal numbers has whole ones only."""
    for batch in file.iter_batches(CHUNK_ROWS, columns=[root]):
        numbers = batch.column(0).drop_null()
        if pa.types.is_floating(numbers.type):
            numbers = numbers.filter(pc.invert(pc.is_nan(numbers)))
            if not pc.all(pc.is_finite(numbers)).as_py() and len(numbers):
                return False
        if len(numbers) and not pc.all(pc.equal(pc.floor(numbers), numbers)).as_py():
            return False
    return True


def _written_in_utc(file: pq.ParquetFile, roots: Sequence[str]) -> set[str]:
    """Give the columns whose times are UTC's though they say no zone: INT96 of Spark's. Others write local time so."""
    if _SPARK not in (file.metadata.metadata or {}):
        return set()
    physical = {file.schema.column(i).path: file.schema.column(i).physical_type for i in range(len(file.schema))}
    return {root for root in roots if physical.get(root) == "INT96"}


def _flat(array: pa.Array, whole: bool, in_utc: bool) -> pd.Series[Any]:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_timestamp(kind) and (in_utc or kind.tz is not None):
        array = array.cast(pa.timestamp(kind.unit, "UTC"))
    if whole:
        digits = _DIGITS.get(kind)  # of a decimal every number is exact
        numbers = (None if value is None or value != value else int(value) for value in array.to_pylist())
        return _objects([Inexact(n) if digits and n is not None and abs(n) >= 2**digits else n for n in numbers])
    if any(is_kind(kind) for is_kind in _AS_THEY_ARE):
        typed: pd.Series[Any] = array.to_pandas(integer_object_nulls=True)
        return typed
    return _objects([_plain(value) for value in python_values(array)])


def _inside(array: pa.Array, column: _Column) -> pd.Series[Any]:
    found = inside(array, parse(column.path)[1:])
    return _flat(found, False, False) if isinstance(found, pa.Array) else _objects([_plain(value) for value in found])


def _objects(values: list[Any]) -> pd.Series[Any]:
    series = pd.Series([None] * len(values), dtype=object)
    series[:] = np.fromiter(values, dtype=object, count=len(values))
    return series


def _plain(value: object) -> Any:
    """Write what JSON does not have as text: the forms of UUIDs, dates, spans, decimals and other bytes."""
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, uuid.UUID | timedelta):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | time) and not isinstance(value, datetime):
        return value.isoformat()
    return value


def _text(value: bytes) -> str:
    """Read bytes as text, unless they are the 16 of a UUID, which hardly ever are any."""
    text = value.decode("utf-8", "backslashreplace")
    if len(value) == _UUID_BYTES and not (text.isprintable() and len(text.encode()) == _UUID_BYTES):
        return str(uuid.UUID(bytes=value))
    return text
