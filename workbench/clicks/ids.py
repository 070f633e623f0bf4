"""Cells as texts and ids: numbers are written out, several are one visitor. What becomes of the rows is in `intake`.

The same is done in Spark's words in `detector.foreign`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.clicks.identity import is_visitor
from workbench.clicks.record import is_text
from workbench.sources.rows import Inexact
from workbench.text import BLANKS, LONGEST_TEXT

__all__ = ["LOST_DIGITS", "WHOLE", "Ids", "ids", "lost_digits", "no_text", "plain_value", "texts", "visitor"]

LOST_DIGITS: Final = r"[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}"
"""How spreadsheets and other programs write a number of which they kept the first digits, to be matched in full."""

WHOLE: Final = r"(-?(?:0|[1-9][0-9]{0,17}))\.0+"
"""A whole number that was written as a decimal one, to be matched in full; the number is the first group."""

_WHOLE = re.compile(rf"\A{WHOLE}\Z")


def visitor(parts: Sequence[str | None]) -> str | None:
    """Name the visitor that several values are together, so that no two are alike. None where there is no visitor.

    The first value is what must be there: without an address, all who have the same device would be one.

    >>> visitor(["87540", "1", None]), visitor(["a/b", "c"]), visitor(["(not set)", "1"])
    ('87540/1/', 'a%2Fb/c', None)
    """
    if parts[0] is None or not is_visitor(parts[0]):
        return None
    if len(parts) == 1:
        return parts[0]
    return "/".join((part or "").replace("%", "%25").replace("/", "%2F") for part in parts)


def texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """Give texts that can be ids. Whole numbers are written out, other kinds are None."""
    if values.dtype == object:
        try:
            array = pa.array(values, pa.string(), from_pandas=True)
        except (pa.ArrowException, UnicodeEncodeError):
            pass
        else:
            length = pc.utf8_length(array).fill_null(0).to_numpy()
            good = (length > 0) & (length <= LONGEST_TEXT)
            return values if good.all() else values.where(good, None)
    return pd.Series([_text(value) for value in values], index=values.index, dtype=object)


def _text(value: object) -> str | None:
    if isinstance(value, bool | np.bool_):
        value = str(bool(value)).lower()
    elif isinstance(value, int | np.integer):
        value = str(value)
    elif isinstance(value, Decimal):
        value = f"{value:f}"
    elif isinstance(value, float | np.floating) and np.isfinite(value):
        number = float(value)
        value = str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    return value if isinstance(value, str) and is_text(value) else None


@dataclass(frozen=True, eq=False)
class Ids:
    """Cells of a column as ids.

    Attributes
    ----------
    given : Series
        The texts, None where there is none. Shape (n,).
    tidy : Series
        The same as ids: without blanks around them, and without the ``.0`` that a missing value elsewhere in a column
        gives to whole numbers. The same id is so the same in all inputs.
    lost : array of bool
        Which of them have lost digits, so that several ids may have become one.
    changed : int
        How many are others than given.
    """

    given: pd.Series[Any]
    tidy: pd.Series[Any]
    lost: npt.NDArray[np.bool_]
    changed: int


def ids(values: pd.Series[Any]) -> Ids:
    """Read cells as ids, each by itself: of a column that lost digits in a spreadsheet, short ids kept theirs.

    >>> found = ids(pd.Series(["s1 ", "1000.0", "1.23E+12", 1000.0, 2.0**53]))
    >>> found.tidy.to_list(), found.lost.tolist()
    (['s1', '1000', '1.23E+12', '1000', None], [False, False, True, False, True])
    """
    lost = _inexact(values)
    given = texts(values).where(~lost, None) if lost.any() else texts(values)
    array = pa.array(given, pa.string(), from_pandas=True)
    trimmed = pc.utf8_trim(array, characters=BLANKS)
    lost |= _where(pc.match_substring_regex(trimmed, f"^(?:{LOST_DIGITS})$"))
    if _where(pc.match_substring_regex(trimmed, r"\.0+$")).any():
        trimmed = pa.array([None if t is None else _WHOLE.sub(r"\1", t) for t in trimmed.to_pylist()], pa.string())
    changed = _where(pc.not_equal(trimmed, array))
    if not changed.any():
        return Ids(given, given, lost, 0)
    tidy = pd.Series([text or None for text in trimmed.to_pylist()], index=given.index, dtype=object)
    return Ids(given, tidy, lost, int(changed.sum()))


def _where(found: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def _inexact(values: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    """Which cells are floating-point numbers that are no whole ones below the first that may stand for two."""
    if values.dtype.kind == "f":
        numbers = values.to_numpy()
        most = 2.0 ** (np.finfo(numbers.dtype).nmant + 1)
        exact = (np.floor(numbers) == numbers) & (np.abs(numbers) < most)
        return np.asarray(np.isfinite(numbers) & ~exact, np.bool_)
    if values.dtype != object:
        return np.zeros(len(values), np.bool_)
    return np.fromiter((not isinstance(v, str) and _is_inexact(v) for v in values), np.bool_, len(values))


def _is_inexact(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value) and not (value.is_integer() and abs(value) < 2**53)
    return isinstance(value, Inexact) or (isinstance(value, bytes) and not value)  # as JSON and Parquet give them


def lost_digits(field: str) -> str:
    """Why an id is refused that may stand for several."""
    return f"{field} has lost digits, as 1.23E+12 and other floating-point numbers have: export ids as text"


def no_text(field: str) -> str:
    """Why a value cannot be this field."""
    return f"{field} is not text of 1 to {LONGEST_TEXT} characters"


def plain_value(value: object) -> object:
    """A value to carry along: an object or a list as JSON."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else value
