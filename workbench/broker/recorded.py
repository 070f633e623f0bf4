"""Recorded clicks: what a topic holds into one frame. Files are read in `clicks.files`, judging is in `rule`.

The topic is read from one offset to another and left as it is. What cannot be read as a click is counted and kept with
the reason, and stops nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import pandas as pd
from tqdm.auto import tqdm

from workbench.broker.records import records
from workbench.broker.topics import Connection, Topics, describe, offsets_at
from workbench.clicks import record as clicks
from workbench.clicks.foreign import AnyMapping, Record, Records, topic_mapping
from workbench.clicks.mapping import Mapping
from workbench.clicks.record import OPTIONAL, TICK_VALUE, Click
from workbench.durations import duration
from workbench.errors import ClickError

__all__ = ["MOST_RECORDS", "TopicClicks", "read_topic"]

MOST_RECORDS: Final = 1_000_000
_REJECTED_KEPT: Final = 1_000
_AT_ONCE: Final = 20_000
_REJECTED_COLUMNS: Final = ["partition", "offset", "reason"]


@dataclass(frozen=True, eq=False)
class TopicClicks:
    """What was read from a topic: records == len(clicks) + invalid + filtered + tombstones + ticks.

    Attributes
    ----------
    clicks : DataFrame
        A frame of clicks sorted by ts, redelivered ones as often as they are there.
    records : int
        Records that were read. Those of transactions that were aborted, or are still open, are none.
    invalid : int
        How many of them are no clicks.
    rejected : DataFrame
        The first 1,000 of those. Columns partition, offset and reason.
    ticks : int
        Records that only keep the watermark moving.
    older : int
        Records before the first that was read, left out by `limit` or `since`. Told by offsets: where some of those
        have no record, it is at most so many.
    tombstones : int
        Records without a value: marks that a session's records are to be deleted.
    filtered : dict
        Reason → records that are well and no clicks by the mapping, as those without a visitor.
    notes : tuple of str
        What was done to values so that they could be read, and exclusions that nothing was left out for.
    """

    clicks: pd.DataFrame
    records: int
    invalid: int
    rejected: pd.DataFrame
    ticks: int
    older: int
    tombstones: int = 0
    filtered: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.records:,} records: {len(self.clicks):,} clicks, {self.invalid:,} invalid, {self.ticks:,} ticks"
        text += f", {self.tombstones:,} tombstones" if self.tombstones else ""
        text += "".join(f", {n:,} left out ({reason})" for reason, n in self.filtered.items())
        return text + (f"; {self.older:,} older ones left out" if self.older else "")


def read_topic(
    connection: Connection,
    topic: str = Topics().clicks,
    *,
    since: datetime | timedelta | str | None = None,
    until: datetime | None = None,
    limit: int | None = MOST_RECORDS,
    mapping: AnyMapping | None = None,
    progress: bool = False,
) -> TopicClicks:
    """Read the clicks that a topic holds at the call.

    `since` and `until` go by the records' Kafka timestamps, which broker or sender gave.

    Parameters
    ----------
    connection, topic
        Where the clicks are.
    since
        A moment, or how long ago, as "10m"; None begins with the oldest.
    until
        A moment; None ends with the newest.
    limit
        Read at most so many, the newest of each partition, in the proportion of what the partitions hold; None reads
        all.
    mapping
        How records that other producers wrote are read as clicks, as for `wb.detect`; with the fields that it carries
        along. None: records are as `wb.send` writes them.
    progress
        Show a bar on stderr.

    Returns
    -------
    TopicClicks
        The clicks, and what became of every other record.

    Raises
    ------
    TopicError
        There is no such topic.
    BrokerError
        There is no broker, or it falls silent.
    ClickError
        A bound or a mapping that cannot be.
    """
    if limit is not None and limit < 1:
        raise ClickError(f"limit must be at least 1: got {limit}; None reads all")
    held_now = describe(connection, [topic])[topic]
    begin = oldest = held_now.begin
    end = held_now.end
    if since is not None:
        moment = since if isinstance(since, datetime) else datetime.now(UTC) - duration(since)
        begin = offsets_at(connection, topic, _aware("since", moment))
    if until is not None:
        end = {p: min(end[p], offset) for p, offset in offsets_at(connection, topic, _aware("until", until)).items()}
    held = {p: max(0, end[p] - begin[p]) for p in end}
    total = sum(held.values())
    if limit is not None and total > limit:
        begin = {p: end[p] - held[p] * limit // total for p in end}
        total = sum(end[p] - begin[p] for p in end)

    taking = _Clicks() if mapping is None else _Foreign(topic_mapping(Mapping.of(mapping)), topic)
    ticks = tombstones = read = 0
    with tqdm(total=total, unit=" records", unit_scale=True, desc=topic, disable=not progress) as bar:
        for record in records(connection, topic, begin, end, bar):
            read += 1
            if record.value == TICK_VALUE:
                ticks += 1
                continue
            if record.value is None:
                tombstones += 1
                continue
            taking.add(record.partition, record.offset, record.value)
    return TopicClicks(
        clicks=taking.frame().sort_values("ts", kind="stable", ignore_index=True),
        records=read,
        invalid=taking.invalid,
        rejected=pd.DataFrame(taking.rejected, columns=_REJECTED_COLUMNS),
        ticks=ticks,
        older=sum(max(0, begin[p] - oldest[p]) for p in end),
        tombstones=tombstones,
        filtered=dict(taking.filtered),
        notes=tuple(taking.notes),
    )


class _Clicks:
    """Takes the values of records as clicks of the workbench."""

    def __init__(self) -> None:
        self.invalid, self.filtered = 0, Counter[str]()
        self.rejected: list[tuple[int, int, str]] = []
        self._found: list[Click] = []

    @property
    def notes(self) -> list[str]:
        """What is to be told of the reading."""
        return []

    def add(self, partition: int, offset: int, value: bytes) -> None:
        try:
            self._found.append(clicks.parse(value))
        except ClickError as error:
            self._reject((partition, offset, str(error)))

    def frame(self) -> pd.DataFrame:
        """The clicks, in the order in which they came."""
        return clicks.frame(self._found)

    def _reject(self, *some: tuple[int, int, str]) -> None:
        self.invalid += len(some)
        self.rejected += some[: max(0, _REJECTED_KEPT - len(self.rejected))]


class _Foreign(_Clicks):
    """Takes them as records of other producers, many at once."""

    def __init__(self, mapping: Mapping, topic: str) -> None:
        super().__init__()
        self._records, self._waiting = Records(mapping, topic), list[Record]()
        self._frames: list[pd.DataFrame] = []

    def add(self, partition: int, offset: int, value: bytes) -> None:
        self._waiting.append((partition, offset, value))
        if len(self._waiting) >= _AT_ONCE:
            self._take()

    def frame(self) -> pd.DataFrame:
        self._take()
        found = pd.concat(self._frames, ignore_index=True).drop(columns=["partition", "offset"])
        return found.drop(columns=[name for name in OPTIONAL if found[name].isna().all()])

    @property
    def notes(self) -> list[str]:
        return self._records.notes

    def _take(self) -> None:
        taken, self._waiting = self._records.take(self._waiting), []
        self._frames.append(taken.clicks)
        self._reject(*taken.rejected[_REJECTED_COLUMNS].itertuples(index=False, name=None))
        self.filtered.update(taken.aside["reason"].tolist())


def _aware(name: str, moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ClickError(f"{name} is {moment!r}, without a time zone: give an aware time, as datetime.now(UTC)")
    return moment
