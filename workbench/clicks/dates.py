"""How dates are written, as regular expressions that Python and Java read alike. What they mean is in `times`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from workbench.text import BLANKS

__all__ = ["DATED", "MONTHS", "WHOLE_NUMBER", "WORDED", "WRITTEN", "Parts", "is_whole", "parts_of"]

_ZONE: Final = r"[Zz]|UTC|GMT|[+-](?:(?:0[0-9]|1[0-7])(?::?[0-5][0-9])?|18(?::?00)?)"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"

DATED: Final = rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})[Tt ]({_CLOCK})(?:[.,]([0-9]{{1,9}}))? ?({_ZONE})?"
"""A date as most systems write it, to be matched in full: its parts, fraction, and the offset where there is one.

Offsets are of at most 18 h, the most that Java takes."""

MONTHS: Final = "janfebmaraprmayjunjulaugsepoctnovdec"
_MONTH: Final = "|".join(MONTHS[i : i + 3] for i in range(0, len(MONTHS), 3))

WORDED: Final = (
    rf"(?i)\[?(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{{0,6}}, ?)?([0-9]{{1,2}})[ /-]({_MONTH})[a-z]{{0,6}}[ /-]"
    rf"([0-9]{{4}}),?[ :]({_CLOCK})((?:[.,][0-9]{{1,9}})?) ?({_ZONE}|)\]?"
)
"""A date with the name of its month, as e-mail and web servers write it: day, month, year, clock, fraction, offset."""

_SHORT: Final = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ]{_CLOCK}(?:[.,][0-9]{{1,9}})?"
WRITTEN: Final = (
    # 20260310T120000Z, 2026/03/10 12:00:00, 2026-03-10T12:00:00+01:00[Europe/Paris], 2026-03-10 12:00:00 [UTC]
    (
        r"([0-9]{4})([0-9]{2})([0-9]{2})[Tt ]([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])"
        rf"((?:[.,][0-9]{{1,9}})? ?(?:{_ZONE})?)",
        "$1-$2-$3 $4:$5:$6$7",
    ),
    (
        rf"([0-9]{{4}})/([0-9]{{2}})/([0-9]{{2}})[Tt ]({_CLOCK}(?:[.,][0-9]{{1,9}})? ?(?:{_ZONE})?)",
        "$1-$2-$3 $4",
    ),
    (rf"({_SHORT} ?(?:{_ZONE})) ?\[[A-Za-z0-9_/+-]{{1,40}}\]", "$1"),
    (rf"({_SHORT}) ?\[(?:UTC|GMT|Etc/UTC|Z)\]", "$1Z"),
)
"""Other ways to write a date, to be matched in full, and each one's words for `DATED`; groups are named as in Java."""

WHOLE_NUMBER: Final = r"[0-9]{9,19}(?:\.[0-9]{0,9})?"
"""A number that is a time by itself, since 1970, and no clock or date."""

_dated = re.compile(DATED)
_worded = re.compile(WORDED, re.ASCII)
_written = [(re.compile(pattern), re.sub(r"\$([0-9])", r"\\\1", words)) for pattern, words in WRITTEN]
_whole_number = re.compile(WHOLE_NUMBER)


class Parts(NamedTuple):
    """A date as it is written."""

    year: str
    month: str
    day: str
    clock: str
    fraction: str | None
    offset: str | None


def parts_of(text: str) -> Parts | None:
    """The parts of a date; None where a text is none.

    >>> tuple(parts_of("Tue, 10 Mar 2026 12:00:00 GMT")), parts_of("20260310T120000.5Z").fraction, parts_of("12:00")
    (('2026', '03', '10', '12:00:00', None, 'GMT'), '5', None)
    """
    text = text.strip(BLANKS)
    found = _dated.fullmatch(text)
    if found is None and (worded := _worded.fullmatch(text)) is not None:
        day, month, year, clock, fraction, zone = worded.groups()
        number = MONTHS.index(month.lower()) // 3 + 1
        return Parts(year, f"{number:02}", day.zfill(2), clock, fraction[1:] or None, zone.upper() or None)
    if found is None:
        for pattern, words in _written:
            if (other := pattern.fullmatch(text)) is not None:
                found = _dated.fullmatch(other.expand(words))
                break
    return None if found is None else Parts(*found.groups())


def is_whole(text: str) -> bool:
    """Say whether a text is a time by itself, and not a part of one.

    >>> is_whole("2026-03-10 12:00:00"), is_whole("1773133200"), is_whole("2026-03-10"), is_whole("20260310")
    (True, True, False, False)
    """
    return parts_of(text) is not None or _whole_number.fullmatch(text) is not None
