"""The clicks that an audit judges anew: what a topic holds, without what its dead letters name. Nothing is judged."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from workbench.clicks.foreign import Record, Records
from workbench.clicks.mapping import Mapping
from workbench.clicks.record import TICK_VALUE, parse
from workbench.errors import ClickError
from workbench.verdicts.headers import Place

__all__ = ["AuditedClicks", "read_clicks"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 20_000
_NO_CLICK: Final = ("malformed", "no_visitor", "filtered")
"""Reasons of dead letters that can be looked up in the record; by the others it was a click."""


class _Click(NamedTuple):
    click_id: str
    session_id: str
    url: str
    us: int


@dataclass
class AuditedClicks:
    """What was read.

    frame: the clicks to be judged, click_id by its number. lost: records that are no click and have no dead letter.
    refused: clicks whose dead letter says that they are none. tipping: where a click is that tipped a verdict → its
    click_id.
    """

    frame: pd.DataFrame
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    tombstones: int = 0
    tipping: dict[Place, int] = field(default_factory=dict)


def read_clicks(
    records: Iterable[Any],
    letters: dict[Place, str],
    tipping: set[Place],
    numbers: dict[str, int],
    mapping: Mapping | None,
    topic: str,
) -> AuditedClicks:
    """Read the clicks to be judged, in columns; the texts that repeat are kept once.

    letters: where a record is that has a dead letter → its reason. tipping: where the clicks are that tipped a verdict.
    numbers: click_id → its number, filled up. mapping: as `topic_mapping` gives it; None for records of the workbench.
    """
    found = AuditedClicks(pd.DataFrame())
    ids, ts_us = array("q"), array("q")
    sessions: list[str] = []
    urls: list[str] = []
    texts: dict[str, str] = {}

    def to_look_at() -> Iterator[Record]:
        for record in records:
            if record.value is None:
                found.tombstones += 1
                continue
            place = record.partition, record.offset
            if record.value != TICK_VALUE and letters.get(place, "malformed") in _NO_CLICK:
                yield *place, record.value

    read = _clicks(to_look_at()) if mapping is None else _foreign_clicks(to_look_at(), Records(mapping, topic))
    for place, click in read:
        where = f"partition {place[0]} offset {place[1]}"
        if isinstance(click, str):
            if place not in letters:
                found.lost.append(f"{where}: {click}")
            continue
        if place in letters:
            found.refused.append(f"{where}: {click.click_id}")
            continue
        ids.append(click_id := numbers.setdefault(click.click_id, len(numbers)))
        if place in tipping:
            found.tipping[place] = click_id
        sessions.append(texts.setdefault(click.session_id, click.session_id))
        urls.append(texts.setdefault(click.url, click.url))
        ts_us.append(click.us)
    ts = pd.Series(np.frombuffer(ts_us, dtype=np.int64).view("datetime64[us]")).dt.tz_localize("UTC")
    text = {name: pd.Series(some, dtype=object) for name, some in {"session_id": sessions, "url": urls}.items()}
    found.frame = pd.DataFrame({"click_id": np.frombuffer(ids, dtype=np.int64), **text, "ts": ts})
    return found


def _clicks(records: Iterable[Record]) -> Iterator[tuple[Place, _Click | str]]:
    for partition, offset, value in records:
        try:
            click = parse(value)
        except ClickError as error:
            yield (partition, offset), str(error)
        else:
            us = (click.ts - _EPOCH) // timedelta(microseconds=1)
            yield (partition, offset), _Click(click.click_id, click.session_id, click.url, us)


def _foreign_clicks(records: Iterable[Record], taking: Records) -> Iterator[tuple[Place, _Click | str]]:
    waiting: list[Record] = []
    for record in records:
        waiting.append(record)
        if len(waiting) == _AT_ONCE:
            yield from _taken(waiting, taking)
            waiting = []
    yield from _taken(waiting, taking)


def _taken(records: list[Record], taking: Records) -> Iterator[tuple[Place, _Click | str]]:
    taken = taking.take(records)
    for frame in (taken.rejected, taken.aside):
        places = zip(frame["partition"].tolist(), frame["offset"].tolist(), strict=True)
        yield from zip(places, frame["reason"].tolist(), strict=True)
    clicks = taken.clicks
    us = clicks["ts"].dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64).tolist()
    places = zip(clicks["partition"].tolist(), clicks["offset"].tolist(), strict=True)
    columns = (clicks[name].tolist() for name in ("click_id", "session_id", "url"))
    yield from zip(places, map(_Click, *columns, us), strict=True)
