"""What a source of clicks held, and what became of each line. Reading it is in `files` and `broker.recorded`."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from workbench import distinct
from workbench.clicks import identity
from workbench.clicks.mapping import Mapping
from workbench.sources.csv_header import Header

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False)
class Recording:
    """What files held: lines == len(clicks) + len(rejected) + sum of filtered.

    Attributes
    ----------
    clicks : DataFrame
        A frame of clicks sorted by ts; clicks at one moment stay in the order of the file. Fields that were carried
        along stand behind those of a click.
    lines : int
        Physical lines of logs, CSV (its header left out) and JSON, rows of Parquet.
    rejected : DataFrame
        Columns file, line (from 1; in a CSV file the header is line 1), reason and text (shortened).
    filtered : mapping
        Why lines are no clicks to be judged, though nothing is wrong with them → how many.
    crawlers : DataFrame
        The clicks of known crawlers and health checks, which `filtered` counts.
    late : int
        Clicks dated before one above them in their file.
    mapping : Mapping
        How it was read, guesses included.
    notes : tuple of str
        Guesses that were made, and what was done to lines and values so that they could be read.
    damage : tuple of str
        What is missing since it could not be unpacked.
    headers : mapping
        Of CSV, a file's name → how its lines are divided, and what their cells are called.
    doubts : tuple of str
        What the records say against counting them as clicks, as kinds of events among them.
    """

    clicks: pd.DataFrame
    lines: int
    rejected: pd.DataFrame
    filtered: MappingOf[str, int]
    crawlers: pd.DataFrame
    late: int = 0
    mapping: Mapping = field(default_factory=Mapping)
    notes: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    headers: MappingOf[str, Header] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @cached_property
    def warnings(self) -> list[str]:
        """What is to be said before any number: damaged files, kinds of records, visitors that are not told apart."""
        return [*self.damage, *self.doubts, *identity.warnings(self.clicks)]

    def told(self) -> Iterator[str]:
        """Yield what to tell of the reading, line by line: warnings first, then notes, then what was left out.

        Yields
        ------
        str
            A line.
        """
        yield from (f"warning: {text}" for text in self.warnings)
        yield from self.notes
        yield from (f"left out: {count:,} {reason}" for reason, count in self.filtered.items() if count)

    def __str__(self) -> str:
        kept, bad, out = len(self.clicks), len(self.rejected), sum(self.filtered.values())
        sessions = distinct.count(self.clicks["session_id"])
        who = f" of {sessions:,} sessions" if kept else ""
        ts = self.clicks["ts"].dt.tz_localize(None)  # of any year, which strftime does not write
        when = f" from {ts.min().isoformat(' ', 'seconds')} to {ts.max().isoformat(' ', 'seconds')} UTC" if kept else ""
        return f"{self.lines:,} lines: {kept:,} clicks{who}{when}; {out:,} left out, {bad:,} rejected"
