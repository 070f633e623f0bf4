"""Values of JSON as Spark's variants have them, so that files and topics give the same. Rows are in `json_rows`."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import numpy as np

__all__ = ["LOOSE", "cell", "decoder"]

LOOSE: Final = r"[:,\[ \t\r\n](?:[+-]INF|\+Infinity)"
"""Where this is found in a record it may have no NaN and the like: Java would take these for numbers too."""

_LONGEST_NUMBER: Final = 1000  # digits; Java's reader refuses longer ones
_DIGITS: Final = 38  # of a number that Spark keeps as it is; others become floating-point numbers
_EXACT: Final = 2**53


def decoder(text: str) -> json.JSONDecoder:
    r"""Give what decodes a text. It raises ValueError, and RecursionError, for what is no JSON.

    Whole numbers of up to 38 digits are int, other decimal ones Decimal, all else float. Of a name that comes twice the
    last one counts.

    >>> decoder("").decode('{"id": 12.0, "size": 0.5, "odd": 1e3}')
    {'id': 12, 'size': Decimal('0.5'), 'odd': 1000.0}
    """
    return _decoder(re.search(LOOSE, text) is not None, re.search(r"\\u[dD]", text) is not None)


def cell(value: Any, is_time: bool) -> Any:
    """Give a value as a cell.

    Floating-point numbers whose text Java and Python write in different ways are no texts, and no ids.
    """
    if is_time:
        return float(value) if isinstance(value, Decimal) else value
    if isinstance(value, float) and np.isfinite(value) and not (value.is_integer() and abs(value) < _EXACT):
        return b""
    return value


@lru_cache
def _decoder(loose: bool, halves: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_float=_decimal,
        parse_int=_whole,
        parse_constant=_refused if loose else float,
        object_pairs_hook=_whole_pairs if halves else None,
    )


def _whole(digits: str) -> int | float:
    found: int | float = _number(digits, int(digits) if len(digits.lstrip("-")) <= _DIGITS else None)
    return found


def _decimal(digits: str) -> int | float | Decimal:
    kept: int | Decimal | None = None
    if not ("e" in digits or "E" in digits):
        number = Decimal(digits)
        _, figures, exponent = number.as_tuple()
        if len(figures) <= _DIGITS and -int(exponent) <= _DIGITS:
            kept = int(number) if number == int(number) else number.normalize()
    found: int | float | Decimal = _number(digits, kept)
    return found


def _number(digits: str, kept: Any) -> Any:
    if len(digits) > _LONGEST_NUMBER and sum(map(str.isdigit, digits)) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} characters")
    return float(digits) if kept is None else kept


def _whole_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Fails where there is half of a surrogate pair."""
    try:
        json.dumps(pairs, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair is no text") from None
    return dict(pairs)


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
