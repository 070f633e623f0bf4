"""A bounded table of verdicts, one per click, Yes before No. Where they come from is in `feed`.

The columns are NumPy arrays used as a ring: the oldest click makes room for the newest. So a frame of
everything is a copy of a few arrays, cheap enough to be drawn several times a second while verdicts arrive.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.errors import VerdictError
from workbench.text import quote

__all__ = ["NOT_A_TIME", "Counts", "VerdictFields", "VerdictTable", "parse_times_us", "read_fields", "to_frame"]

NOT_A_TIME = np.iinfo(np.int64).min  # what NumPy's NaT is as an integer
_COLUMNS: dict[str, Any] = {
    "click_id": object, "session_id": object, "url": object, "ts_us": np.int64, "fraud": np.bool_,
    "clicks_in_window": np.int64, "revised": np.bool_, "rule_id": object, "judged_ms": np.int64,
    "seq": np.int64,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decode = json.JSONDecoder().decode
_pick = itemgetter("click_id", "session_id", "url", "ts", "fraudClick", "clicks_in_window", "revised", "rule_id")


class VerdictFields(NamedTuple):
    """A verdict as it is on the wire, checked. Its time is still text: `parse_times_us` reads many at once."""

    click_id: str
    session_id: str
    url: str
    ts: str
    fraud: bool
    clicks_in_window: int
    revised: bool
    rule_id: str


def read_fields(value: bytes | None) -> VerdictFields:
    """Read the value of a verdict record. Raises VerdictError saying what is wrong with it.

    >>> read_fields(b'{"click_id":"c1"}')
    Traceback (most recent call last):
    workbench.errors.VerdictError: a verdict lacks 'session_id': got b'{"click_id":"c1"}'
    """
    if value is None:
        raise VerdictError("a verdict must be a JSON object: got a record without a value")
    try:
        click_id, session_id, url, ts, answer, clicks, revised, rule_id = _pick(_decode(value.decode()))
    except KeyError as error:
        raise VerdictError(f"a verdict lacks {error}: got {quote(value)}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise VerdictError(f"a verdict must be a JSON object in UTF-8: got {quote(value)} ({quote(error)})") from None
    if not (str is type(click_id) is type(session_id) is type(url) is type(ts) is type(rule_id)):
        raise VerdictError(f"click_id, session_id, url, ts and rule_id of a verdict must be text: got {quote(value)}")
    if answer != "Yes" and answer != "No":
        raise VerdictError(f'fraudClick must be "Yes" or "No": got {quote(answer)}')
    if type(clicks) is not int or type(revised) is not bool or not 0 <= clicks < 2**63:
        raise VerdictError(f"clicks_in_window must be a number and revised true or false: got {quote(value)}")
    return VerdictFields(click_id, session_id, url, ts, answer == "Yes", clicks, revised, rule_id)


def parse_times_us(texts: Iterable[str]) -> npt.NDArray[np.int64]:
    """Read RFC 3339 times in bulk, in µs since the epoch; NOT_A_TIME where there is none.

    >>> parse_times_us(["1970-01-01T00:00:01.000002Z", "1970-01-01T01:00:00+01:00"]).tolist()
    [1000002, 0]
    >>> parse_times_us(["yesterday"])[0] == NOT_A_TIME
    np.True_
    """
    texts = list(texts)
    if all(text[-1:] == "Z" and len(text) == 27 for text in texts):  # as the detector writes them
        try:
            return np.array([text[:-1] for text in texts], dtype="datetime64[us]").astype(np.int64)
        except ValueError:
            pass  # one of them is no date: read them one by one
    return np.array([_parse_time_us(text) for text in texts], dtype=np.int64)


def _parse_time_us(text: str) -> int:
    try:
        ts = datetime.fromisoformat(text.upper())
    except ValueError:
        return NOT_A_TIME
    return NOT_A_TIME if ts.tzinfo is None else (ts - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Counts:
    """What has been seen, in numbers. A click that has left the table and is judged again counts again.

    Attributes
    ----------
    records : int
        Verdict records.
    clicks, flagged : int
        Distinct clicks, and those of them that are flagged.
    revised : int
        Verdicts revised from No to Yes.
    repeated : int
        Records that said nothing new.
    malformed : int
        Records that are no verdict.
    dead_letters : dict
        Reason → dead letters.
    """

    records: int = 0
    clicks: int = 0
    flagged: int = 0
    revised: int = 0
    repeated: int = 0
    malformed: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)


class VerdictTable:
    """The verdicts of the last `limit` clicks, in the order of their first verdicts. Its owner locks it.

    A second verdict on a click replaces the first only if it says Yes where that said No.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise VerdictError(f"limit is {limit}: give how many verdicts to keep, at least 1")
        self.limit = limit
        self.records = self.clicks = self.flagged = self.revised = self.repeated = self.malformed = 0
        self.seq = 0
        self._columns = {name: np.zeros(limit, dtype=kind) for name, kind in _COLUMNS.items()}
        self._slot: dict[str, int] = {}
        self._yes = bytearray(limit)  # as the column fraud, but quick to look at one by one
        self._next = 0

    def __len__(self) -> int:
        return len(self._slot)

    def add(self, values: Iterable[tuple[bytes | None, int]]) -> list[int]:
        """Merge records, each a value and its Kafka timestamp in ms. What is no verdict is only counted.

        Returns the µs from its event time to its verdict of each click that got its first one.
        """
        read: list[tuple[VerdictFields, int]] = []
        for value, judged_ms in values:
            self.records += 1
            try:
                read.append((read_fields(value), judged_ms))
            except VerdictError:
                self.malformed += 1
        return self._merge(read) if read else []

    def _merge(self, read: list[tuple[VerdictFields, int]]) -> list[int]:
        first: list[int] = []
        slots: list[int] = []
        rows: list[tuple[Any, ...]] = []
        ids, slot_of, yes = self._columns["click_id"], self._slot, self._yes
        for (verdict, judged_ms), ts_us in zip(read, parse_times_us(v.ts for v, _ in read).tolist(), strict=True):
            click_id, session_id, url, _, fraud, clicks, revised, rule_id = verdict
            slot = slot_of.get(click_id)
            if ts_us == NOT_A_TIME:
                self.malformed += 1
                continue
            if slot is None:
                slot = self._next
                self._next = (slot + 1) % self.limit
                if len(slot_of) == self.limit:
                    del slot_of[ids[slot]]
                slot_of[click_id] = slot
                ids[slot] = click_id
                self.clicks += 1
                first.append(judged_ms * 1000 - ts_us)
            elif yes[slot] or not fraud:
                self.repeated += 1
                continue
            yes[slot] = fraud
            self.flagged += fraud
            self.revised += revised
            self.seq += 1
            slots.append(slot)
            rows.append((click_id, session_id, url, ts_us, fraud, clicks, revised, rule_id, judged_ms, self.seq))
        if rows:
            for (name, column), values in zip(self._columns.items(), zip(*rows, strict=True), strict=True):
                if name != "click_id":
                    column[slots] = values  # where a slot comes twice, the last value stays
        return first

    def rows(self, last_us: int | None = None, after: int = 0) -> dict[str, npt.NDArray[Any]]:
        """Copy the columns: all rows, or those within `last_us` of the newest, changed since `after`."""
        # A ring that is full begins at the next slot; two slices copy faster than picking each row does.
        begin = self._next if len(self) == self.limit else 0
        end = self.limit if begin else len(self)

        def in_order(name: str) -> npt.NDArray[Any]:
            column = self._columns[name]
            return np.concatenate((column[begin:end], column[:begin]))

        if last_us is None and not after:
            return {name: in_order(name) for name in self._columns}
        ts_us = in_order("ts_us")
        wanted = in_order("seq") > after
        if last_us is not None and len(ts_us):
            wanted &= ts_us > ts_us.max() - last_us
        picked = (np.flatnonzero(wanted) + begin) % self.limit
        return {name: column[picked] for name, column in self._columns.items()}


def to_frame(rows: dict[str, npt.NDArray[Any]]) -> pd.DataFrame:
    """Columns of `VerdictTable.rows` as a frame of verdicts."""
    ts_us, judged_ms = rows["ts_us"], rows["judged_ms"]
    columns: dict[str, Any] = {
        **{name: rows[name] for name in ("click_id", "session_id", "url")},
        "ts": pd.Series(ts_us.view("datetime64[us]")).dt.tz_localize("UTC"),
        **{name: rows[name] for name in ("fraud", "clicks_in_window", "revised", "rule_id")},
        "judged_at": pd.Series(judged_ms.view("datetime64[ms]")).dt.tz_localize("UTC"),
        "latency_ms": (judged_ms * 1000 - ts_us) / 1000,
    }
    return pd.DataFrame(columns, copy=False)
