"""How dates may be written that are not read by themselves: what `--time-format` could say, told by all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pandas as pd

from workbench.text import BLANKS

__all__ = ["forms_like"]

_CLOCK = (
    r"(?:(,? |T)([0-9]{1,2}:[0-9]{2})(:[0-9]{2})?([.,][0-9]{1,6})?(?: ?([AaPp][Mm]))?"
    r"(?: ([A-Z]{1,5}(?:[+-][0-9:]{1,5})?))?)?"
)
_NUMBERED = re.compile(rf"([0-9]{{1,2}})([./-])([0-9]{{1,2}})\2([0-9]{{4}}|[0-9]{{2}}){_CLOCK}")
_YEAR_FIRST = re.compile(rf"[0-9]{{4}}([./-])[0-9]{{1,2}}\1[0-9]{{1,2}}{_CLOCK}")
_HOURS = re.compile(r"(?:GMT|UTC)([+-])0?([0-9]|1[0-4])(?::?00)?")
_ZONES: Final = {
    "UTC": 0, "GMT": 0, "WET": 0, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "JST": 9, "KST": 9, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
"""Hours before UTC of names that mean one zone; CST, IST and BST mean several."""


def forms_like(texts: Sequence[str]) -> list[tuple[str, str]]:
    """How texts may be written that begin with a date of numbers, in the signs of strptime, and in which zone.

    The likeliest is the first; there are two where no text has a day after the 12th.

    >>> forms_like(["31.12.2026 23:59"]), forms_like(["01/02/2026", "01/31/2026"]), forms_like(["yesterday 7"])
    ([('%d.%m.%Y %H:%M', 'UTC')], [('%m/%d/%Y', 'UTC')], [])
    >>> forms_like(["2026-03-10 12:00:10 CET"])
    [('%Y-%m-%d %H:%M:%S CET', 'Etc/GMT-1')]
    """
    text = texts[0].strip(BLANKS)
    if (match := _NUMBERED.fullmatch(text)) is not None:
        sign, year = match[2], "%Y" if len(match[4]) == 4 else "%y"
        dates = [f"{first}{sign}{second}{sign}{year}" for first, second in (("%d", "%m"), ("%m", "%d"))]
        if sign == "/" and match[9] is not None:  # as those write it who have the month first
            dates.reverse()
        parts = match.groups()[4:]
    elif (match := _YEAR_FIRST.fullmatch(text)) is not None:
        dates, parts = [f"%Y{match[1]}%m{match[1]}%d"], match.groups()[1:]
    else:
        return []
    between, clock, seconds, fraction, half, zone = parts
    tz = "UTC" if zone is None else _zone(zone)
    if tz is None:
        return []
    if clock is not None:
        behind = (
            f"{between}{'%I' if half else '%H'}:%M{':%S' if seconds else ''}{f'{fraction[0]}%f' if fraction else ''}"
        )
        behind += f"{' %p' if half else ''}{f' {zone}' if zone else ''}"
        dates = [f"{date}{behind}" for date in dates]
    stripped = pd.Series([one.strip(BLANKS) for one in texts], dtype=object)
    fitting = {form: int(pd.to_datetime(stripped, format=form, errors="coerce").notna().sum()) for form in dates}
    return [(form, tz) for form, n in fitting.items() if n == max(fitting.values()) > 0]


def _zone(name: str) -> str | None:
    """The zone that a name behind a clock means, as zoneinfo calls it; None where that is not plain.

    >>> _zone("CET"), _zone("GMT+1"), _zone("UTC-05:00"), _zone("IST")
    ('Etc/GMT-1', 'Etc/GMT-1', 'Etc/GMT+5', None)
    """
    if (match := _HOURS.fullmatch(name)) is not None:
        hours: int | None = int(match[1] + match[2])
    else:
        hours = _ZONES.get(name)
    return None if hours is None else "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"  # its signs are turned round
