"""Durations as people write them, "10s" or "500ms", in whole microseconds. No times of day, and no rule."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from workbench.errors import RuleError

__all__ = ["MICROSECOND", "MILLISECOND", "duration", "format_duration"]

MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)

_UNIT_US = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_DURATION = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,6})?) ?(h|m|s|ms|us)")


def duration(value: timedelta | str) -> timedelta:
    """Read a duration of zero or more: a timedelta, or a number with one unit out of h, m, s, ms, us.

    >>> duration("10s"), duration("1.5m") == duration("90s") == timedelta(seconds=90)
    (datetime.timedelta(seconds=10), True)
    >>> duration("10")
    Traceback (most recent call last):
    workbench.errors.RuleError: not a duration: '10'; write a number and a unit, like '10s' or '500ms'

    Raises RuleError for anything else, and for what is finer than a microsecond.
    """
    if isinstance(value, timedelta):
        if value < timedelta(0):
            raise RuleError(f"a duration cannot be negative: got {value!r}; give zero or more")
        return value
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise RuleError(f"not a duration: {value!r}; write a number and a unit, like '10s' or '500ms'")
    micros = Decimal(found[1]) * _UNIT_US[found[2]]
    if micros != int(micros):
        raise RuleError(f"finer than a microsecond: {value!r}; round it to whole microseconds")
    try:
        return timedelta(microseconds=int(micros))
    except OverflowError:
        raise RuleError(f"longer than any duration can be: {value!r}; give fewer digits") from None


def format_duration(value: timedelta) -> str:
    """Write a duration as a whole number of the largest unit that fits; `duration` reads it back unchanged.

    >>> [format_duration(duration(text)) for text in ("10s", "120s", "90s", "1500ms", "0s")]
    ['10s', '2m', '90s', '1500ms', '0s']
    """
    micros = duration(value) // MICROSECOND
    if micros == 0:
        return "0s"
    unit = next(unit for unit, size in _UNIT_US.items() if micros % size == 0)
    return f"{micros // _UNIT_US[unit]}{unit}"
