"""The click: one record, its JSON and its data frame. Reading files is in `files`, judging in `rule`.

A click on the wire is a JSON object, keyed by its session:

    {"click_id": "c1", "session_id": "s1", "url": "/ad", "ts": "2026-01-02T03:04:05.000006Z"}

and with ip, user_agent and label (the truth, which a generator knows) where there are any. A data frame of
clicks has the same names: text in all columns but ts, which is datetime64[us, UTC]. Further columns, as campaign or
cost, are carried along, and go over the wire as further fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from workbench.distinct import distinct
from workbench.errors import ClickError
from workbench.text import LONGEST_TEXT, quote

__all__ = [
    "FIELDS",
    "OPTIONAL",
    "TICK_KEY",
    "TICK_VALUE",
    "TS_DTYPE",
    "TS_PATTERN",
    "Click",
    "check",
    "frame",
    "further",
    "is_text",
    "parse",
    "records",
]

FIELDS: Final = ("click_id", "session_id", "url", "ts")
OPTIONAL: Final = ("ip", "user_agent", "label")
TS_DTYPE: Final = pd.DatetimeTZDtype("us", "UTC")

TICK_KEY: Final = b"fcd-tick"
TICK_VALUE: Final = b'{"tick":true}'
"""A record on the topic of clicks that is no click: it keeps the watermark of an idle partition moving."""

TS_PATTERN: Final = (
    r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]"
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]((0[0-9]|1[0-7]):[0-5][0-9]|18:00))"
)
"""RFC 3339 with an offset of at most 18 h (the most that Java takes), to be matched in full; no leap seconds.

Python and Java read it alike."""

_TS = re.compile(TS_PATTERN)
_TEXT = f"text of 1 to {LONGEST_TEXT} characters"
_IDS = ("click_id", "session_id", "url")
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def is_text(value: object) -> bool:
    r"""Say whether a value can be an id: text that is not empty, not too long, and that UTF-8 can carry.

    >>> is_text("s1"), is_text(""), is_text(1), is_text("\ud800")
    (True, False, False, False)
    """
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
        return False
    return True


@dataclass(frozen=True, slots=True)
class Click:
    """One click of a session on a URL at event time ts (any zone; kept in UTC).

    Raises
    ------
    ClickError
        A field is wrong; the message names it.

    Examples
    --------
    >>> Click("c1", "s1", "/ad", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)).to_json()
    b'{"click_id":"c1","session_id":"s1","url":"/ad","ts":"2026-01-02T03:04:05.000006Z"}'
    """

    click_id: str
    session_id: str
    url: str
    ts: datetime
    ip: str | None = None
    user_agent: str | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        for name in _IDS:
            _require_text(name, getattr(self, name))
        for name in OPTIONAL:
            value = getattr(self, name)
            if value is not None and value != "":
                _require_text(name, value)
        if not isinstance(self.ts, datetime) or self.ts.utcoffset() is None:
            raise ClickError(f"ts must be a datetime with a time zone: got {quote(self.ts)}")
        try:
            object.__setattr__(self, "ts", self.ts.astimezone(UTC))
        except OverflowError:
            raise ClickError(f"ts must lie in the years 1 to 9999 UTC: got {quote(self.ts)}") from None

    def to_json(self) -> bytes:
        """Write the click as it goes to the broker: compact UTF-8, ts in UTC to the microsecond."""
        ts = self.ts.isoformat(timespec="microseconds").replace("+00:00", "Z")
        row = {"click_id": self.click_id, "session_id": self.session_id, "url": self.url, "ts": ts}
        row |= {name: value for name in OPTIONAL if (value := getattr(self, name)) is not None}
        return _json.encode(row).encode()


def parse(value: bytes) -> Click:
    """Read a click from the bytes of a record. Unknown fields are ignored.

    An optional field that is not text is left out: the rule does not depend on it, so the click counts.

    Raises
    ------
    ClickError
        Names the field that is wrong and quotes what it holds.

    Examples
    --------
    >>> parse(b'{"click_id":"c1","session_id":"","url":"/ad","ts":"2026-01-02T03:04:05Z"}')
    Traceback (most recent call last):
    workbench.errors.ClickError: session_id must be text of 1 to 8192 characters: got ''
    """
    try:
        row = json.loads(value.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        problem = quote(str(error))
        raise ClickError(f"a click must be a JSON object in UTF-8: got {quote(value)}; {problem}") from None
    if not isinstance(row, dict):
        raise ClickError(f"a click must be a JSON object: got {quote(value)}")
    for name in FIELDS:
        if name not in row:
            raise ClickError(f"{name} is missing: got {quote(value)}")
    extra = {name: row[name] for name in OPTIONAL if is_text(row.get(name))}
    return Click(row["click_id"], row["session_id"], row["url"], _parse_ts(row["ts"]), **extra)


def frame(clicks: Iterable[Click]) -> pd.DataFrame:
    """Put clicks into a data frame, in their order. Optional columns appear where any click has them."""
    rows = list(clicks)
    columns: dict[str, pd.Series[Any]] = {}
    for name in _IDS:
        columns[name] = pd.Series([getattr(c, name) for c in rows], dtype=object)
    # Through naive UTC: pandas then keeps the microseconds of any year from 1 to 9999.
    naive = np.array([c.ts.replace(tzinfo=None) for c in rows], dtype="datetime64[us]")
    columns["ts"] = pd.Series(naive).dt.tz_localize("UTC")
    for name in OPTIONAL:
        values = [getattr(c, name) for c in rows]
        if any(value is not None for value in values):
            columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def check(clicks: pd.DataFrame) -> pd.DataFrame:
    """Return the frame itself when it is a frame of clicks.

    Raises ClickError naming the column that is missing, doubled, of another type, or has an empty cell.
    """
    if not isinstance(clicks, pd.DataFrame):
        raise ClickError(f"clicks are a DataFrame: got {type(clicks).__name__}. Fix: give its `clicks`, if it has any")
    for name in FIELDS:
        if name not in clicks.columns:
            raise ClickError(f"clicks lack the column {name!r}: got {list(map(str, clicks.columns))}")
    for name in (*FIELDS, *OPTIONAL):
        if name in clicks.columns and isinstance(clicks[name], pd.DataFrame):
            raise ClickError(f"clicks have the column {name!r} more than once; keep one")
    for name in further(clicks):
        if isinstance(clicks[name], pd.DataFrame):
            raise ClickError(f"clicks have the column {name!r} more than once; keep one")
    for name in _IDS:
        _check_column(clicks[name], optional=False)
    for name in OPTIONAL:
        if name in clicks.columns:
            _check_column(clicks[name], optional=True)
    ts = clicks["ts"]
    if ts.dtype != TS_DTYPE:
        fix = 'use pd.to_datetime(df["ts"], utc=True).dt.as_unit("us")'
        raise ClickError(f"column 'ts' must be {TS_DTYPE}: got {ts.dtype}; {fix}")
    if ts.isna().any():
        raise ClickError("column 'ts' has an empty cell; drop such rows")
    return clicks


def further(clicks: pd.DataFrame) -> list[str]:
    """The columns beyond those of a click, each once: what is carried along.

    >>> further(pd.DataFrame(columns=["click_id", "session_id", "url", "ts", "label", "campaign"]))
    ['campaign']
    """
    return [name for name in dict.fromkeys(clicks.columns) if name not in (*FIELDS, *OPTIONAL)]


def records(clicks: pd.DataFrame) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield each click of a frame as a Kafka record: key (session_id), value (JSON), event time in ms.

    Values are those of `Click.to_json`, and behind them further columns: numbers as they are, all else as text of at
    most `LONGEST_TEXT` characters, empty cells not at all. Raises ClickError, before the first record, as `check` does.
    """
    check(clicks)
    names = [name for name in (*FIELDS, *OPTIONAL) if name in clicks.columns]
    ts = clicks["ts"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    columns: dict[str, list[Any]] = {name: clicks[name].to_list() for name in _IDS}
    columns["ts"] = np.datetime_as_string(ts, unit="us", timezone="UTC").tolist()
    for name in names[len(FIELDS) :]:
        columns[name] = clicks[name].astype(object).where(clicks[name].notna(), None).to_list()
    for name in further(clicks):
        names.append(str(name))
        columns[str(name)] = [_carried(value) for value in clicks[name].to_list()]
    ts_ms = (ts.astype(np.int64) // 1000).tolist()
    rows = zip(*(columns[name] for name in names), strict=True)
    return (_record(dict(zip(names, row, strict=True)), ms) for row, ms in zip(rows, ts_ms, strict=True))


def _carried(value: Any) -> str | float | bool | None:
    """A value of a further column as JSON can have it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    return str(value)[:LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()


def _record(row: dict[str, Any], ts_ms: int) -> tuple[bytes, bytes, int]:
    filled = {name: value for name, value in row.items() if value is not None}
    return filled["session_id"].encode(), _json.encode(filled).encode(), ts_ms


def _parse_ts(value: object) -> datetime:
    if not isinstance(value, str) or not _TS.fullmatch(value):
        wanted = "RFC 3339 with an offset, like 2026-01-02T03:04:05.000006Z"
        raise ClickError(f"ts must be {wanted}: got {quote(value)}")
    try:
        return datetime.fromisoformat(value.upper())  # cuts what is finer than a microsecond
    except ValueError as error:
        raise ClickError(f"ts is no date: got {quote(value)} ({error})") from None


def _require_text(name: str, value: object) -> None:
    if not is_text(value):
        raise ClickError(f"{name} must be {_TEXT}: got {quote(value)}")


def _check_column(column: pd.Series[Any], *, optional: bool) -> None:
    name = column.name
    kind = pd.api.types.infer_dtype(column, skipna=optional)
    if kind not in ("string", "empty"):
        fix = f"use df[{name!r}].astype(str)"
        raise ClickError(f"column {name!r} must be text: got {kind} ({column.dtype}); {fix}")
    for value in distinct(column)[1]:
        if not is_text(value) and not (optional and value == ""):
            raise ClickError(f"column {name!r} must be {_TEXT}: got {quote(value)}; drop such rows")
