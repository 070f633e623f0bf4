"""Records that other people's producers wrote to a topic: which mappings can be, and the clicks of such records.

Each record is read by itself, as it comes: nothing is told from the others. The detector does the same in Spark's
words, in `detector.foreign`, with the same outcome and the same reasons. No broker is here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from workbench.clicks.intake import Intake, notes_of
from workbench.clicks.mapping import FIELD_NAMES, Mapping
from workbench.clicks.urls import Merged
from workbench.errors import ClickError
from workbench.sources import paths
from workbench.sources.json_values import cell, decoder
from workbench.sources.rows import Rows
from workbench.text import quote

__all__ = [
    "FRAMED",
    "LIST",
    "NOT_ONE",
    "AnyMapping",
    "Record",
    "Records",
    "Taken",
    "decoded",
    "described",
    "topic_mapping",
]

NOT_ONE: Final = "not one JSON object in UTF-8"
LIST: Final = "a JSON array: clicks must be sent one in a record"
FRAMED: Final = "0 and the id of a schema, and then no JSON object: Avro and Protobuf are not read; send JSON"
"""What is said of records that are none."""

_NOT_FOR_TOPICS: Final = ("merge_repeats", "log_format")

AnyMapping = Mapping | MappingOf[str, Any] | str | Path
"""What users give for a mapping, see `Mapping.of`."""

Record = tuple[int, int, bytes]
"""Partition, offset and value."""


def topic_mapping(mapping: Mapping) -> Mapping:
    """Give the mapping of a topic: fields without a path have their own names, but click_id, which is made then.

    Crawlers are judged with the rest: a report counts them by themselves. Raises ClickError for what cannot be said of
    records that are judged as they come.

    >>> topic_mapping(Mapping(session_id="visitorId", time_unit="ms")).ts
    'ts'
    """
    default = Mapping()
    said = [name for name in _NOT_FOR_TOPICS if getattr(mapping, name) != getattr(default, name)]
    if said:
        raise ClickError(
            f"the records of a topic are judged one by one as they come, without {' and '.join(said)}. Fix: leave that "
            "out of the mapping"
        )
    if mapping.time_format is not None:
        raise ClickError(
            "the times of a topic's records are dates as 2026-01-02 03:04:05.678 +01:00, or numbers with time_unit: "
            "time_format is not read there. Fix: leave it out of the mapping"
        )
    if mapping.format not in (None, "jsonl"):
        raise ClickError(f"the records of a topic are JSON objects, not {mapping.format}. Fix: leave format out")
    own = {name: name for name in FIELD_NAMES if name not in ("session_id", "click_id", "method")}
    filled = {name: getattr(mapping, name) or path for name, path in own.items()}
    return mapping.but(session_id=mapping.session_id or ("session_id",), crawlers="keep", **filled)


def described(mapping: Mapping) -> str:
    """Say in one line how the records of a topic are read.

    >>> described(topic_mapping(Mapping(session_id=["ip", "os"], ts="when", time_unit="ms")))
    'session_id is read from ip+os, url, ts from when (numbers are ms); click_id is made of topic, partition and offset'
    """
    paths_of = {name: "+".join(mapping.paths_of(name)) for name in ("session_id", "url", "ts")}
    told = [name if name == path else f"{name} from {path}" for name, path in paths_of.items()]
    told[0] = f"session_id is read from {paths_of['session_id']}"
    if mapping.url_from is not None:
        told[1] = f"url from its parameter {mapping.url_from}"
    ways = [f"numbers are {mapping.time_unit}"] if mapping.time_unit else []
    ways += [f"without a zone in {mapping.tz}"] if mapping.tz else []
    told[2] += f" ({', '.join(ways)})" if ways else ""
    made = "made of topic, partition and offset" if mapping.click_id is None else f"read from {mapping.click_id}"
    only = f"; only where {' and '.join(mapping.where)}" if mapping.where else ""
    out = f"; what is of {' or '.join(map(quote, mapping.exclude))} is left out" if mapping.exclude else ""
    return f"{', '.join(told)}; click_id is {made}{only}{out}"


def decoded(value: bytes) -> dict[str, Any]:
    r"""Decode a record. A mark of the byte order, and 0 and the id of a schema before JSON, are passed over.

    >>> decoded(b'\0\0\0\0\7{"id": 12.0, "size": 0.5}')
    {'id': 12, 'size': Decimal('0.5')}
    >>> decoded(b'[{"id": 1}]')
    Traceback (most recent call last):
    workbench.errors.ClickError: a JSON array: clicks must be sent one in a record
    """
    framed = value[:1] == b"\0"
    try:
        text = (value[5:] if framed else value).decode("utf-8").removeprefix("\ufeff")
        record = decoder(text).decode(text)
    except (ValueError, RecursionError):
        raise ClickError(FRAMED if framed else LIST if _begins(value, b"[") else NOT_ONE) from None
    if not isinstance(record, dict):
        raise ClickError(FRAMED if framed else LIST if isinstance(record, list) else NOT_ONE)
    return record


@dataclass(frozen=True, eq=False)
class Taken:
    """What became of records: len(clicks) + len(rejected) + len(aside).

    Frames with partition and offset: clicks with their fields besides, rejected and aside with reason.
    """

    clicks: pd.DataFrame
    rejected: pd.DataFrame
    aside: pd.DataFrame


class Records:
    """Takes in the records of one topic. The mapping is one that `topic_mapping` gave."""

    def __init__(self, mapping: Mapping, topic: str) -> None:
        self._mapping, self._topic = mapping, topic
        self._paths = mapping.paths
        self._intakes: dict[int, Intake] = {}
        for path in self._paths:
            paths.parse(path)

    @property
    def notes(self) -> list[str]:
        """What was done to values so far, and exclusions that nothing was left out for."""
        told: Counter[str] = sum((intake.told for intake in self._intakes.values()), Counter())
        unused = set(self._mapping.exclude).intersection(*(intake.unused for intake in self._intakes.values()))
        merged = Merged()
        for intake in self._intakes.values():
            merged.update(intake.merged)
        return notes_of(merged, self._mapping.exclude, unused, told)

    def take(self, records: Iterable[Record]) -> Taken:
        """Sort them out, by partition and in their order."""
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(record[0], []).append(record)
        taken = [self._take(number, some) for number, some in sorted(by_partition.items())]
        if not taken:
            taken = [self._take(0, [])]
        return Taken(*(pd.concat(frames, ignore_index=True) for frames in zip(*taken, strict=True)))

    def _take(self, partition: int, records: Sequence[Record]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        if partition not in self._intakes:
            self._intakes[partition] = Intake(self._mapping, f"{self._topic}:{partition}", visits=False, alone=True)
        chunk = self._intakes[partition].take(self._rows(records))
        frames = (chunk.clicks, chunk.rejected.drop(columns="text"), chunk.aside)
        return tuple(frame.rename(columns={"line": "offset"}).assign(partition=partition) for frame in frames)  # type: ignore[return-value]

    def _rows(self, records: Sequence[Record]) -> Rows:
        cells: dict[str, list[Any]] = {path: [] for path in self._paths}
        problem = np.full(len(records), "", dtype=object)
        for i, (_, _, value) in enumerate(records):
            try:
                row = decoded(value)
            except ClickError as error:
                row, problem[i] = {}, str(error)
            for path, column in cells.items():
                found = paths.lookup(row, path)
                column.append(cell(found, path == self._mapping.ts))
        index = pd.RangeIndex(len(records))
        return Rows(
            cells=pd.DataFrame({path: pd.Series(column, index, dtype=object) for path, column in cells.items()}, index),
            line=np.array([offset for _, offset, _ in records], dtype=np.int64),
            problem=problem,
            aside=np.full(len(records), "", dtype=object),
            text=lambda i: records[i][2][:200].decode("utf-8", "replace"),
        )


def _begins(value: bytes, sign: bytes) -> bool:
    return value.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(sign)
