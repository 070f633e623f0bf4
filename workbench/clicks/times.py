"""Times of other people's records: what a column means is decided once, by all of its values, and never guessed of one.

Texts are dates with an offset; without one, the zone is to be named. What numbers count is told in `epochs`.
"""

from __future__ import annotations

import re
import zoneinfo
from collections import Counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.clicks.date_forms import forms_like
from workbench.clicks.dates import parts_of
from workbench.clicks.epochs import EARLIEST_S, NUMBER, SPARE_S, Epochs, digits
from workbench.clicks.mapping import Mapping
from workbench.errors import ClickError
from workbench.text import quote

__all__ = ["NOT_PLAUSIBLE", "NO_TIME", "NO_TIME_AT_ALL", "NO_UNIT", "NO_ZONE", "Times", "left_out"]

NO_TIME, NO_TIME_AT_ALL, NO_ZONE = "ts is no time", "ts is empty", "ts has no zone; name it with --tz"
NOT_PLAUSIBLE: Final = "ts is not between 1990 and now"
NO_UNIT: Final = "ts is a number; say what it counts with --time-unit"

_STRICT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:0[0-9]|1[0-7]):[0-5][0-9])"
)
_DATE_DIGITS = 4  # that a text has at least which may be a date
_FIRST, _LAST = np.datetime64("0001-01-02", "us"), np.datetime64("9999-12-30", "us")
_EARLIEST, _SPARE = np.datetime64(EARLIEST_S, "s"), np.timedelta64(SPARE_S, "s")

Moments = npt.NDArray[np.datetime64]
"""datetime64[us] in UTC, NaT where there is none."""
Objects = npt.NDArray[np.object_]
Places = npt.NDArray[np.intp]


class Times:
    """Reads one column of times, chunk by chunk. What an earlier chunk decided holds for the later ones.

    alone: each value is read by itself, as a record that comes by itself must be: nothing is told from the others, and
    what only they could tell is a reason.

    Attributes
    ----------
    told : Counter
        What was found, by how many values.
    """

    def __init__(self, mapping: Mapping, column: str, source: str, alone: bool = False) -> None:
        self.told: Counter[str] = Counter()
        self._epochs = Epochs(mapping.time_unit, column, source)
        self._days, self._format = mapping.time_unit == "days", mapping.time_format
        self._tz = None if mapping.tz is None else zoneinfo.ZoneInfo(mapping.tz)
        self._alone, self._some_zoned, self._some_read = alone, alone, False
        self._column, self._source = column, source

    @property
    def unit(self) -> str | None:
        """What numbers count; None where there were none."""
        return self._epochs.unit

    def __call__(self, values: pd.Series[Any]) -> tuple[pd.Series[Any], Objects]:
        """Give the time of each value (datetime64[us, UTC]), and why it has none: "" where it has. Shape (n,).

        Raises
        ------
        ClickError
            The column's numbers are no times, or of several units; no time has a zone and none was named.
        """
        reason: Objects = np.full(len(values), "", dtype=object)
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            found = _utc(values)
        elif values.dtype.kind == "M":
            found = self._zone(_micros(values.to_numpy()), np.arange(len(values)), reason)
        elif self._format is not None:
            found = self._of_format(values, reason)
        else:
            found = self._of_any(values.astype(object).to_numpy(), reason)
        if not self._alone:
            found = self._plausible(found, reason)
        reason[np.isnat(found) & (reason == "")] = NO_TIME
        reason[values.isna().to_numpy()] = NO_TIME_AT_ALL
        self._some_read |= bool((reason == "").any())
        if not self._some_read and not self._alone:
            self._refuse_unread(values, reason)
        return pd.Series(found).dt.tz_localize("UTC"), reason

    @staticmethod
    def _plausible(found: Moments, reason: Objects) -> Moments:
        """Times that can be those of clicks: others stand where nothing is known, or where units are mixed."""
        with np.errstate(invalid="ignore"):
            odd = ~np.isnat(found) & ((found < _EARLIEST) | (found > np.datetime64("now") + _SPARE))
        reason[odd & (reason == "")] = NOT_PLAUSIBLE
        return np.where(odd, np.datetime64("NaT"), found)

    def _refuse_unread(self, values: pd.Series[Any], reason: Objects) -> None:
        """Raise ClickError when the column has texts, and none could be read: how they are written is to be said."""
        texts = [text for text in values[reason == NO_TIME] if isinstance(text, str)]
        dates = [text for text in texts if sum(map(str.isdigit, text)) >= _DATE_DIGITS]
        if not dates or self._format is not None:
            return
        forms = [f'--time-format "{form}" --tz {tz}' for form, tz in forms_like(dates)]
        options = forms[0] if forms else ""
        fix = f"say how: {', or '.join(forms)}" if forms else "name another column: --map ts=…"
        what = f"{self._source} has no times in {self._column} that can be read"
        raise ClickError(f"{what}: the first is {quote(dates[0])}; {fix}", options)

    def _of_any(self, values: Objects, reason: Objects) -> Moments:
        strict, dates, numbers = _kinds(values)
        found = np.full(len(values), "NaT", dtype="datetime64[us]")
        self._some_zoned |= bool(len(strict))
        found[strict] = _parsed(values[strict])
        if len(dates):
            found[dates] = self._of_dates(values, dates, reason)
        if len(numbers) and self._alone and self.unit is None:
            reason[numbers] = NO_UNIT
        elif len(numbers):
            micros, reason[numbers] = self._epochs(values[numbers], among_dates=self._some_zoned)
            there = numbers[reason[numbers] == ""]
            found[numbers] = micros.view("datetime64[us]")
            found[np.setdiff1d(numbers, there)] = np.datetime64("NaT")
            if self._days:
                found[there] = self._zone(found[there], there, reason)
        return found

    def _of_dates(self, values: Objects, places: Places, reason: Objects) -> Moments:
        """Dates that are not written as RFC 3339 writes them, or without an offset."""
        parts = [part for i in places.tolist() if (part := parts_of(str(values[i]))) is not None]
        texts: Objects = np.array([_rfc_3339(*part) for part in parts], dtype=object)
        naive = np.array([part.offset is None for part in parts], dtype=bool)
        found = _parsed(texts, ~naive)
        self._some_zoned |= not naive.all()
        if naive.any():
            local = _parsed(np.array([f"{text}Z" for text in texts], dtype=object), naive)[naive]
            found[naive] = self._zone(local, places[naive], reason)
        return found

    def _zone(self, local: Moments, places: Places, reason: Objects) -> Moments:
        """Times of the named zone in UTC. An hour that comes twice is the first one; one left out is no time."""
        there = ~np.isnat(local)
        if self._tz is None:
            if there.any() and not self._some_zoned:
                example = quote(str(local[there][0]).replace("T", " "))
                raise ClickError(
                    f"{self._source} has times without a zone in {self._column}, as {example}; "
                    "say which: --tz UTC, or as Europe/Berlin",
                    "--tz UTC",
                )
            reason[places[there]] = NO_ZONE
            return np.full(len(local), "NaT", dtype="datetime64[us]")
        self._some_zoned = True
        local = np.where((local < _FIRST) | (local > _LAST), np.datetime64("NaT"), local)  # where no zone leads out of
        there = ~np.isnat(local)
        clock = pd.Series(local).dt
        first, second = (
            _utc(clock.tz_localize(self._tz, ambiguous=np.full(len(local), summer), nonexistent="NaT"))
            for summer in (True, False)
        )
        gap = there & np.isnat(first)
        if twice := int(((first != second) & there & ~gap).sum()):
            self.told[f"times in the hour that {self._tz} has twice, taken for the first"] += twice
        reason[places[gap]] = left_out(str(self._tz))
        return first

    def _of_format(self, values: pd.Series[Any], reason: Objects) -> Moments:
        form = str(self._format)
        texts = pd.Series([None if pd.isna(value) else digits(value) for value in values], dtype=object)
        try:
            found = pd.to_datetime(texts, format=form, errors="coerce", utc="%z" in form)
        except (ValueError, re.error) as error:
            raise ClickError(f"--time-format {form!r} is none: {error}; write it as %d/%m/%Y %H:%M:%S") from None
        there = texts.notna().to_numpy()
        if there.any() and found.isna().all() and not self._alone and not self._some_read:
            first = quote(texts[there].iloc[0])
            raise ClickError(f"{self._source}: no time in {self._column} is like {form}: the first is {first}")
        reason[found.isna().to_numpy() & there] = f"ts is not like {form}"
        if isinstance(found.dtype, pd.DatetimeTZDtype):
            return _utc(found)
        return self._zone(_micros(found.to_numpy()), np.arange(len(found)), reason)


def left_out(tz: str) -> str:
    """Why a time that clocks of a zone pass over is none."""
    return f"ts is in the hour that {tz} leaves out"


def _kinds(values: Objects) -> tuple[Places, Places, Places]:
    """The places of dates as RFC 3339 writes them, of other dates, and of numbers."""
    kinds = np.zeros(len(values), np.int8)
    for i, value in enumerate(values.tolist()):
        if isinstance(value, str):
            if _STRICT.fullmatch(value):
                kinds[i] = 1
            elif NUMBER.fullmatch(value):
                kinds[i] = 3
            elif parts_of(value) is not None:
                kinds[i] = 2
        elif isinstance(value, pd.Timestamp):
            kinds[i] = 2
        elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
            kinds[i] = 3 if not isinstance(value, float | np.floating) or np.isfinite(value) else 0
    return np.flatnonzero(kinds == 1), np.flatnonzero(kinds == 2), np.flatnonzero(kinds == 3)


def _parsed(texts: Objects, which: npt.NDArray[np.bool_] | None = None) -> Moments:
    series = pd.Series(texts, dtype=object)
    series = series if which is None else series.where(which, None)
    return _utc(pd.to_datetime(series, format="ISO8601", utc=True, errors="coerce"))


def _utc(times: pd.Series[Any]) -> Moments:
    return _micros(times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())


def _micros(moments: npt.NDArray[Any]) -> Moments:
    """Moments in microseconds; those of years that a date cannot have are none."""
    years = moments.astype("datetime64[Y]").astype(np.int64) + 1970
    known = np.where(np.isnat(moments) | (years < 1) | (years > 9999), np.datetime64("NaT"), moments)
    return known.astype("datetime64[us]")


def _rfc_3339(year: str, month: str, day: str, clock: str, fraction: str | None, offset: str | None) -> str:
    clock = clock if len(clock) == 8 else f"{clock}:00"
    moment = f"{year}-{month}-{day}T{clock}.{fraction or '0'}"
    if not offset:
        return moment
    if offset in ("UTC", "GMT", "Z", "z"):
        return f"{moment}Z"
    figures = offset[1:].replace(":", "")
    return f"{moment}{offset[0]}{figures[:2]}:{figures[2:] or '00'}"
