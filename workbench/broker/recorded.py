"""Recorded clicks: what a topic holds into one frame. Files are read in `clicks.files`, judging is in `rule`.

The topic is read from one offset to another and left as it is. What cannot be read as a click is counted and kept with
the reason, and stops nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pandas as pd
from tqdm.auto import tqdm

from workbench.broker.records import records
from workbench.broker.topics import Connection, Topics, describe, offsets_at
from workbench.clicks import record as clicks
from workbench.clicks.record import TICK_VALUE, Click
from workbench.durations import duration
from workbench.errors import ClickError

__all__ = ["MOST_RECORDS", "TopicClicks", "read_topic"]

MOST_RECORDS: Final = 1_000_000
_REJECTED_KEPT: Final = 1_000
_REJECTED_COLUMNS: Final = ["partition", "offset", "reason"]


@dataclass(frozen=True, eq=False)
class TopicClicks:
    """What was read from a topic: records == len(clicks) + invalid + tombstones + ticks.

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
    """

    clicks: pd.DataFrame
    records: int
    invalid: int
    rejected: pd.DataFrame
    ticks: int
    older: int
    tombstones: int = 0

    def __str__(self) -> str:
        text = f"{self.records:,} records: {len(self.clicks):,} clicks, {self.invalid:,} invalid, {self.ticks:,} ticks"
        text += f", {self.tombstones:,} tombstones" if self.tombstones else ""
        return text + (f"; {self.older:,} older ones left out" if self.older else "")


def read_topic(
    connection: Connection,
    topic: str = Topics().clicks,
    *,
    since: datetime | timedelta | str | None = None,
    until: datetime | None = None,
    limit: int | None = MOST_RECORDS,
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
        A bound that cannot be.
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

    found: list[Click] = []
    rejected: list[tuple[int, int, str]] = []
    invalid = ticks = tombstones = read = 0
    with tqdm(total=total, unit=" records", unit_scale=True, desc=topic, disable=not progress) as bar:
        for record in records(connection, topic, begin, end, bar):
            read += 1
            if record.value == TICK_VALUE:
                ticks += 1
                continue
            if record.value is None:
                tombstones += 1
                continue
            try:
                found.append(clicks.parse(record.value))
            except ClickError as error:
                invalid += 1
                if len(rejected) < _REJECTED_KEPT:
                    rejected.append((record.partition, record.offset, str(error)))
    return TopicClicks(
        clicks=clicks.frame(found).sort_values("ts", kind="stable", ignore_index=True),
        records=read,
        invalid=invalid,
        rejected=pd.DataFrame(rejected, columns=_REJECTED_COLUMNS),
        ticks=ticks,
        older=sum(max(0, begin[p] - oldest[p]) for p in end),
        tombstones=tombstones,
    )


def _aware(name: str, moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ClickError(f"{name} is {moment!r}, without a time zone: give an aware time, as datetime.now(UTC)")
    return moment
