"""Cells as texts and ids: numbers are written out, several are one visitor. What becomes of the rows is in `intake`.

The same is done in Spark's words in `detector.foreign`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.clicks.identity import is_visitor
from workbench.clicks.record import is_text
from workbench.text import LONGEST_TEXT

__all__ = ["no_text", "plain_value", "texts", "visitor"]


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


def no_text(field: str) -> str:
    """Why a value cannot be this field."""
    return f"{field} is not text of 1 to {LONGEST_TEXT} characters"


def plain_value(value: object) -> object:
    """A value to carry along: an object or a list as JSON."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else value
