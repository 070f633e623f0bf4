r"""Which values of columns are one and the same: numbers for texts from strangers. Nothing is changed or judged here.

pandas cannot be asked. Where it groups, factorizes or drops repeated rows, a text ends at its first NUL, and two texts
with halves of surrogate pairs may be one: `pd.Series(["v\0a", "v\0b"]).nunique()` is 1. So every text that comes from
data is numbered here, and pandas groups the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

__all__ = ["count", "distinct", "groups", "repeated"]

if TYPE_CHECKING:
    Column = pd.Series[Any] | pd.Index[Any] | npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
_OF_OBJECTS: Final = (pd.CategoricalDtype, pd.StringDtype, pd.ArrowDtype)
"""Types beside object whose values, or categories, pandas would hash as texts."""


def distinct(values: Column) -> tuple[Ints, npt.NDArray[Any]]:
    r"""Number the distinct values of a column, as `pd.factorize` does, and exactly.

    Parameters
    ----------
    values
        Texts, or whatever a column has. Two texts are one when they have the same characters: no case, no look, no
        normal form of Unicode makes them one.

    Returns
    -------
    numbers : ndarray of int64
        Of shape (n,): 0, 1, … as the values appear, -1 where there is none (None, NaN).
    names : ndarray
        The value of each number.

    Examples
    --------
    >>> numbers, names = distinct(pd.Series(["v\0a", "v\0b", None, "v\0a"]))
    >>> numbers.tolist(), names.tolist()
    ([0, 1, -1, 0], ['v\x00a', 'v\x00b'])
    """
    column = pd.Series(values)
    numbers = _numbers(column)
    # A number appears for the first time where it is above all before it.
    first = np.flatnonzero(np.diff(np.maximum.accumulate(numbers), prepend=-1) > 0)
    return numbers, column.iloc[first].to_numpy()


def groups(*columns: Column) -> Ints:
    r"""Number the distinct rows of columns, as ``groupby(…, sort=False).ngroup()`` does, and exactly.

    Parameters
    ----------
    columns
        Each of shape (n,). A missing value is a value like any other.

    Returns
    -------
    ndarray of int64
        Of shape (n,): 0, 1, … as the rows appear.

    Examples
    --------
    >>> groups(pd.Series(["v\0a", "v\0b", "v\0a"]), pd.Series(["/ad", "/ad", "/ad"])).tolist()
    [0, 1, 0]
    """
    return _dense(_combined(columns))


def repeated(*columns: Column) -> npt.NDArray[np.bool_]:
    r"""Say of each row of columns whether it was there before, as ``duplicated()`` does, and exactly.

    Parameters
    ----------
    columns
        As for `groups`.

    Returns
    -------
    ndarray of bool
        Of shape (n,).

    Examples
    --------
    >>> repeated(pd.Series(["v\0a", "v\0b", "v\0a"])).tolist()
    [False, False, True]
    """
    return np.asarray(pd.Series(_combined(columns)).duplicated(), np.bool_)  # not text: numbers


def count(values: Column) -> int:
    r"""Count the distinct values of a column, missing ones left out, as ``nunique()`` does, and exactly.

    >>> count(pd.Series(["v\0a", "v\0b", None]))
    2
    """
    return int(_numbers(pd.Series(values)).max(initial=-1)) + 1


def _combined(columns: tuple[Column, ...]) -> Ints:
    """A number of each distinct row, none below 0."""
    found, *others = (_numbers(pd.Series(column)) + 1 for column in columns)
    for place, numbers in enumerate(others):
        dense = _dense(found) if place else found  # so that the products of two fit into 64 bits
        found = dense * (numbers.max(initial=0) + 1) + numbers
    return found


def _numbers(column: pd.Series[Any]) -> Ints:
    if column.dtype != object and not isinstance(column.dtype, _OF_OBJECTS):
        return pd.factorize(column)[0].astype(np.int64, copy=False)  # not text: its type says so
    cells = column.to_numpy(object)
    numbers = _of_texts(cells) if pd.api.types.infer_dtype(cells, skipna=True) == "string" else None
    return _of_any(cells) if numbers is None else numbers


def _of_texts(cells: npt.NDArray[np.object_]) -> Ints | None:
    """Arrow compares the bytes of UTF-8, as fast as pandas does. None where UTF-8 cannot carry a text."""
    try:
        found = pa.array(cells, pa.large_string(), from_pandas=True).dictionary_encode()
    except UnicodeEncodeError:
        return None
    numbers: Ints = found.indices.fill_null(-1).to_numpy().astype(np.int64)
    return numbers


def _of_any(cells: npt.NDArray[np.object_]) -> Ints:
    """Python's own comparison: exact for all that has a hash, and several times as slow."""
    seen: dict[Any, int] = {}
    missing = pd.isna(cells)
    return np.fromiter(
        (-1 if none else seen.setdefault(cell, len(seen)) for cell, none in zip(cells, missing, strict=True)),
        np.int64,
        len(cells),
    )


def _dense(numbers: Ints) -> Ints:
    return pd.factorize(numbers)[0].astype(np.int64, copy=False)  # not text: numbers
