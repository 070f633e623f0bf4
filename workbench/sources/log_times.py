"""Times as logs write them, into RFC 3339; without an offset where there is none. Zones are settled in `times`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["NOT_A_TIME", "PER_SECOND", "log_time", "log_times"]

PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""How many of a unit make a second."""

NOT_A_TIME: Final = "time is not like 02/Jan/2026:03:04:05 +0100, nor a time of another kind"
_LEAP: Final = "time is a leap second, which no click can be ordered by"

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_FRACTION = r"(?:[.,]([0-9]{1,9}))?"
_ZONE = r"(?: ?(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?"
_CLF = re.compile(rf"([0-9]{{1,2}})/([A-Z][a-z]{{2}})/([0-9]{{4}})[: ]({_CLOCK}){_FRACTION}{_ZONE}")
_ISO = re.compile(rf"([0-9]{{4}})[-/]([0-9]{{2}})[-/]([0-9]{{2}})[Tt ]({_CLOCK}){_FRACTION}{_ZONE}", re.IGNORECASE)
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_HTTP = re.compile(rf"{_DAY}, ([0-9]{{1,2}})[ -]([A-Z][a-z]{{2}})[ -]([0-9]{{4}}) ({_CLOCK}){_FRACTION}{_ZONE}")
_C = re.compile(rf"{_DAY} ([A-Z][a-z]{{2}})  ?([0-9]{{1,2}}) ({_CLOCK}){_FRACTION}{_ZONE} ([0-9]{{4}})")
_NUMBER = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,9})[0-9]*)?")
_IS_LEAP = re.compile(r"[0-9/A-Za-z-]{8,12}[:T ][0-2][0-9]:[0-5][0-9]:60\b.*")
# Month names are read by hand, since strptime reads them in the language of the locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name: f"{number:02}" for number, name in enumerate(_MONTHS, 1)}
_START = datetime(1970, 1, 1, tzinfo=UTC)


def log_times(texts: Iterable[str | None], unit: str | None = None) -> tuple[list[str | None], list[str]]:
    """Read times, and say what is wrong with each that is none, "" where nothing is.

    >>> log_times(["02/Jan/2026:03:04:05.5 +0100", "30/Jun/2015:23:59:60 +0000"])[0]
    ['2026-01-02T03:04:05.5+01:00', None]
    """
    texts = list(texts)
    read = {text: log_time(text, unit) for text in set(texts)}
    return [read[text][0] for text in texts], [read[text][1] for text in texts]


def log_time(text: str | None, unit: str | None = None) -> tuple[str | None, str]:
    """Read one time: RFC 3339, or that without an offset where it names none, and "" or what is wrong with it.

    `unit` is what a number counts since 1970, one of `PER_SECOND`.

    >>> log_time("1722377868.638059", "s"), log_time("02/Jan/2026:03:04:06")
    (('2024-07-30T22:17:48.638059Z', ''), ('2026-01-02T03:04:06', ''))
    """
    if text is None:
        return None, NOT_A_TIME
    if (found := _CLF.fullmatch(text) or _HTTP.fullmatch(text)) is not None:
        day, month, year, clock, fraction, zone = found.groups()
        month = _MONTH.get(month, "00")
    elif (found := _ISO.fullmatch(text)) is not None:
        year, month, day, clock, fraction, zone = found.groups()
    elif (found := _C.fullmatch(text)) is not None:
        month, day, clock, fraction, zone, year = found.groups()
        month = _MONTH.get(month, "00")
    elif unit is not None and (found := _NUMBER.fullmatch(text)) is not None:
        return _since_1970(found[1], found[2] or "", unit)
    else:
        return None, _LEAP if _IS_LEAP.fullmatch(text) else NOT_A_TIME
    if not _is_day(int(year), int(month), int(day)):
        return None, NOT_A_TIME
    offset = _offset(zone)
    if offset is None:
        return None, NOT_A_TIME
    moment = f"{year}-{month}-{int(day):02}T{clock}"
    return f"{moment}.{fraction}{offset}" if fraction else moment + offset, ""


def _offset(zone: str | None) -> str | None:
    if zone is None:
        return ""
    if zone[0] not in "+-":
        return "Z"
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return f"{zone[:3]}:{zone[-2:]}" if minutes < 60 and hours * 60 + minutes <= 18 * 60 else None


def _since_1970(whole: str, fraction: str, unit: str) -> tuple[str | None, str]:
    each = PER_SECOND[unit]
    seconds, rest = divmod(int(whole), each)
    micros = rest * 1_000_000 // each + int((fraction + "000000")[:6]) // each
    try:
        moment = _START + timedelta(seconds=seconds, microseconds=micros)
    except OverflowError:
        return None, NOT_A_TIME
    return moment.isoformat().replace("+00:00", "Z"), ""


@lru_cache(maxsize=4096)
def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
