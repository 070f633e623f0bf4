"""Numbers that are times: seconds, milliseconds, microseconds or nanoseconds since 1970, or a spreadsheet's days.

The unit of a column is the one in which its numbers lie between 1990 and tomorrow. None or several fit: it is refused.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.errors import ClickError
from workbench.text import quote

__all__ = ["DAY_ZERO_US", "EARLIEST_S", "LEAST_US", "MOST_US", "NUMBER", "SPARE_S", "UNITS", "Epochs", "digits"]

EARLIEST_S: Final = 631_152_000  # 1990-01-01
_EARLIEST_NS: Final = 946_684_800_000_000_000  # 2000-01-01: .NET's ticks of today would be nanoseconds of 1990
SPARE_S: Final = 2 * 86_400
"""How far after now a number may lie and still be a time."""

UNITS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0, "days": 86_400_000_000}
"""Microseconds in one; a nanosecond has less than one."""

NUMBER: Final = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,38}\s*", re.ASCII)
_SINCE_1970 = (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))
DAY_ZERO_US = -2_209_161_600_000_000  # 1899-12-30, from which spreadsheets count
LEAST_US, MOST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999
_MOST_WRONG = 0.5  # of a column's numbers, for it still to be a column of times
_TICKS: Final = (
    (6.27e17, 7e17, "ticks of .NET: write (n - 621355968000000000) / 10, which are microseconds since 1970"),
    (1.2e17, 1.6e17, "ticks of Windows: write (n - 116444736000000000) / 10, which are microseconds since 1970"),
    (1.2e16, 1.6e16, "times of WebKit: write n - 11644473600000000, which are microseconds since 1970"),
)
"""Between which numbers what else is counted in lies, of 1990 and later, and how to make times of them."""
_COMPACT = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}

Ints = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]


class Epochs:
    """Reads the numbers of one column, chunk by chunk; the first chunk decides the unit, and no later one may differ.

    unit: None tells it from the numbers. where: column and source, for the messages.
    """

    def __init__(self, unit: str | None, column: str, source: str) -> None:
        self.unit = unit
        self._told = unit is not None
        self._column, self._source = column, source
        self._latest_s = time.time() + SPARE_S

    def __call__(self, values: Objects, among_dates: bool) -> tuple[Ints, Objects]:
        """Give microseconds since 1970, and why there are none: "" where there are. Both of shape (n,).

        among_dates: whether the column has dates too, so that a number that is no time is one wrong value.

        Raises ClickError when the numbers are no times, or of several units.
        """
        whole, part = _numbers(values)
        size = whole.astype(np.float64)
        if self._told:
            return self._micros(whole, part, np.ones(len(whole), np.bool_))
        kinds = np.full(len(size), "", dtype=object)
        for unit, each in _SINCE_1970:
            earliest = _EARLIEST_NS / 1e9 if unit == "ns" else EARLIEST_S
            kinds[(size >= earliest * each) & (size <= self._latest_s * each)] = unit
        there = sorted({str(kind) for kind in kinds if kind} | ({self.unit} if self.unit else set()))
        wrong = kinds == ""
        if len(there) > 1:
            fix = f"say what they count, as --time-unit {there[0]}, and the others are rejected"
            raise ClickError(f"{self._source} mixes times in {' and '.join(there)} in {self._column}; {fix}")
        if self.unit is None:
            if not among_dates and (not there or wrong.mean() > _MOST_WRONG):
                raise self._implausible(values[wrong])
            self.unit = there[0] if there else None
        micros, reason = self._micros(whole, part, ~wrong)
        reason[wrong] = "ts is a number that is no time between 1990 and now"
        return micros, reason

    def _micros(self, whole: Ints, part: npt.NDArray[np.float64], there: npt.NDArray[np.bool_]) -> tuple[Ints, Objects]:
        unit = self.unit or "s"
        each, shift = UNITS[unit], DAY_ZERO_US if unit == "days" else 0
        about = whole / 1e3 if unit == "ns" else whole.astype(np.float64) * each
        inside = there & (about + shift >= LEAST_US) & (about + shift <= MOST_US)
        micros, reason = np.zeros(len(whole), np.int64), np.full(len(whole), "", dtype=object)
        if unit == "ns":
            micros[inside] = whole[inside] // 1000
        else:
            micros[inside] = whole[inside] * each + np.round(part[inside] * each).astype(np.int64) + shift
        inside &= micros <= MOST_US
        reason[~inside] = f"ts is no time in {unit}"
        return micros, reason

    def _implausible(self, values: Objects) -> ClickError:
        numbers = sorted(values.tolist(), key=_size)
        shown = f"{quote(numbers[0])} to {quote(numbers[-1])}"
        fix, option, text = "name another column: --map ts=…", "", digits(numbers[0])
        first = _size(numbers[0])
        counted = next((what for low, high, what in _TICKS if low < first < high), "")
        if text.isdigit() and text[:2] in ("19", "20") and len(text) in _COMPACT:
            fix, option = "they look like dates: ", f"--time-format {_COMPACT[len(text)]} --tz UTC"
        elif text.isdigit() and len(text) == 8 and 0 < int(text[2:4]) <= 12:
            fix, option = "they look like dates: ", "--time-format %y%m%d%H --tz UTC"
        elif 30_000 <= first < 60_000:
            fix, option = "they look like a spreadsheet's days: ", "--time-unit days --tz UTC"
        elif counted:
            fix = f"they may be {counted}, or {fix}"
        elif 0 <= first < EARLIEST_S:
            fix = f"they may count from the data's own beginning: add its time since 1970 to each, or {fix}"
        what = "no times in s, ms, us or ns since 1970 between 1990 and now"
        return ClickError(f"{self._source}: the numbers in {self._column} are {what}: {shown}; {fix}{option}", option)


def _size(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def digits(value: object) -> str:
    """The text of a value; that of a whole number has no fraction.

    >>> digits(14102100.0), digits(" 7 ")
    ('14102100', '7')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _numbers(values: Objects) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Whole numbers, texts of them up to 38 digits, and the fractions beside them. Beyond int64 its ends."""
    whole, part = np.zeros(len(values), np.int64), np.zeros(len(values))
    for i, value in enumerate(values.tolist()):
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if isinstance(value, int):
            whole[i] = max(-(2**63) + 1, min(2**63 - 1, value))
            continue
        number: Any = float(value)
        floor = np.floor(number)
        whole[i] = int(max(-9.2e18, min(9.2e18, floor)))
        part[i] = number - floor if abs(number) < 9e15 else 0.0
    return whole, part
