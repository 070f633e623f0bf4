"""Sources of clicks, chunk by chunk: each input is opened, its format told, its rows taken in. Bounded memory.

What is made of the chunks is up to the caller: `files.read` puts them together, `tuning.on_spark` hands them to Spark.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from workbench.clicks.addresses import Addresses
from workbench.clicks.columns import MissingColumns, doubts, resolved
from workbench.clicks.intake import Chunk, Intake, notes_of
from workbench.clicks.kinds import Kinds, columns_of_kinds
from workbench.clicks.mapping import Format, Mapping
from workbench.clicks.overlap import Overlap
from workbench.clicks.record import OPTIONAL
from workbench.clicks.urls import Merged
from workbench.errors import ClickError
from workbench.sources import presets
from workbench.sources.csv_header import Header
from workbench.sources.csv_rows import csv_rows
from workbench.sources.decoding import Text
from workbench.sources.inputs import Input, Source, inputs_of
from workbench.sources.json_rows import json_rows
from workbench.sources.log_format import LogFormat
from workbench.sources.logs import OtherFormats, log_rows
from workbench.sources.packing import Unpacked
from workbench.sources.parquet_rows import parquet_names, parquet_rows
from workbench.sources.rows import Choose, Rows
from workbench.text import quote

__all__ = ["Reading"]

_SUFFIXES: Final[dict[str, Format]] = {
    ".log": "log",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_PLACEHOLDER: Final = re.compile(r"\{\w+\}")  # as Adjust calls the columns of its CSV
_LOG_FIELDS: Final = ("url", "ts", "ip", "user_agent", "method")


class Reading:
    """Reads the inputs of a source, once. What is known of them all stands here after the last chunk.

    Attributes
    ----------
    mapping : Mapping
        As given, with the guesses that were made for the last input.
    notes, damage, doubts : list of str
        Guesses and repairs; what could not be unpacked; what the records say against counting them as clicks.
    headers : dict
        The input's name → how its lines are divided and their cells called, where it is CSV.
    late : int
        Clicks dated before one above them in their input.
    name : str
        The input's name, of the first where there are several.
    """

    def __init__(self, source: Source, mapping: Mapping, progress: bool = False) -> None:
        self._inputs, self.notes = inputs_of(source)
        self._given = self._settled = self.mapping = mapping
        self._progress = progress
        self._told: Counter[str] = Counter()
        self._unused = set(mapping.exclude)
        self._unread = 0
        self._hosts: set[str] = set()
        self._merged = Merged()
        self._names: list[str] = []
        self._kinds, self._others, self._addresses = Kinds(), OtherFormats(), Addresses()
        self._overlap: Overlap | None = None
        self.damage: list[str] = []
        self.headers: dict[str, Header] = {}
        self.doubts: list[str] = []
        self.late = 0
        self.name = self._inputs[0].name

    def __iter__(self) -> Iterator[tuple[str, Chunk]]:
        """Yield the name of the input and what became of its next rows, until all are read.

        Raises
        ------
        ClickError
            An input cannot be opened or unpacked, its format cannot be told, or a column is missing or is not what it
            is taken for.
        """
        total = sum(one.size for one in self._inputs)
        with tqdm(total=total, unit="B", unit_scale=True, desc=self.name, disable=not self._progress) as bar:
            before = 0
            for one in self._inputs:
                with one.open() as (unpacked, position):
                    newest = np.datetime64("0001-01-01", "us")
                    for chunk in self._chunks(one, unpacked):
                        ts = chunk.clicks["ts"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
                        so_far = np.maximum.accumulate(np.append(newest, ts))
                        self.late += int((ts < so_far[1:]).sum())
                        newest = so_far[-1]
                        self._others.add(chunk.lines, chunk.rejected["reason"])
                        self._compare(one.name, chunk)
                        yield one.name, chunk
                        bar.update(max(0, before + position() - bar.n))
                    self.damage += unpacked.warnings
                    self.notes += unpacked.notes
                before += one.size
        self.doubts += [*self._addresses.warnings(), *self._others.warnings(), *self._kinds.warnings()]
        if self._overlap is not None and (said := self._overlap.told()):
            (self.doubts if said[1] else self.notes).append(said[0])
        self.notes += self._kinds.notes(self._given.where)
        if self._hosts:
            many = f"{len(self._hosts):,} host{'s' * (len(self._hosts) > 1)}"
            self._note([f"URLs begin with the host of the site that was asked: {many}"])
        self.notes += notes_of(self._merged, self._given.exclude, self._unused, self._told)

    def _compare(self, name: str, chunk: Chunk) -> None:
        """Remember clicks, to find those that are in two inputs; where repeats are merged they are found anyway."""
        if len(self._inputs) > 1 and self._given.merge_repeats is None:
            if self._overlap is None:
                self._overlap = Overlap(by_id=self.mapping.click_id is not None)
            self._overlap.add(name, chunk.clicks)

    def _chunks(self, one: Input, unpacked: Unpacked) -> Iterator[Chunk]:
        intakes: list[Intake] = []

        def choose(names: Sequence[str]) -> list[str]:
            # A part of a table may lack a column that another has. A file that was named by itself is to have all.
            self._names = list(dict.fromkeys([*self._names, *names, *one.partition]))
            there = [*names, *one.partition] if one.named else self._names
            try:
                self.mapping, notes = resolved(self._settled, there, one.name)
            except MissingColumns as error:
                fix = self._asked_next(one, error)
                raise error.and_then(fix) from None
            # What tells visitors, ads and times is the same in all inputs, and not guessed again.
            self._settled = self._settled.but(
                session_id=self.mapping.session_id, url=self.mapping.url, ts=self.mapping.ts
            )
            self._note(notes)
            self.doubts += [text for text in doubts(self.mapping, there) if text not in self.doubts]
            # An optional field may turn up later than in the first lines.
            full = self.mapping.but(**{name: name for name in OPTIONAL if getattr(self.mapping, name) is None})
            kinds = columns_of_kinds(there, full.but(carry={}).paths)
            intakes.append(Intake(full, one.name, False, kinds=self._kinds, kinds_in=kinds, addresses=self._addresses))
            return [path for path in dict.fromkeys((*full.paths, *kinds)) if path not in one.partition]

        for rows in self._rows(one, unpacked, choose, intakes):
            if rows.header is not None:
                self.headers[one.name] = rows.header
            for column, value in one.partition.items():
                rows.cells[column] = pd.Series([value] * len(rows.line), dtype=object)
            # Without a record so far there is nothing to take in, and all is rejected.
            yield (intakes or [Intake(self._given, one.name, visits=False)])[0].take(rows)
        for intake in intakes:
            self._told.update(intake.told)
            self._unused &= intake.unused
            self._hosts |= intake.hosts
            self._merged.update(intake.merged)
            if intake.unit is not None and self._given.time_unit is None:
                self._note([f"{'+'.join(self.mapping.paths_of('ts'))} counts {intake.unit} since 1970"])

    def _asked_next(self, one: Input, missing: MissingColumns) -> str:
        """The options that a file would want next, with the columns that it is told to name."""
        if one.path is None:
            return ""
        try:
            for _ in islice(Reading(one.path, self._given.but(**missing.likely, carry={}, where=())), 2):
                pass
        except MissingColumns:
            return ""
        except ClickError as error:
            return error.fix
        return ""

    def _rows(self, one: Input, unpacked: Unpacked, choose: Choose, intakes: list[Intake]) -> Iterator[Rows]:
        if self._given.format == "parquet" or unpacked.head.startswith(b"PAR1"):
            if not one.named and not self._names:
                self._names = list(self._names_of_parts())
            return parquet_rows(unpacked.seekable(), one.name, choose)
        if not unpacked.head:
            self._note([f"{one.name} is empty"])
            return iter(())
        text = Text(unpacked.data, unpacked.head)
        kind, log = self._kind(one, text.head.splitlines()[:-1] or text.head.splitlines())
        if kind is None:
            self._note([f"{one.name} is passed over: its first lines are of no format that is read"])
            return iter(())
        if kind == "csv":
            return csv_rows(text.lines(), one.name, choose)
        if kind == "jsonl":
            return json_rows(text, choose, lambda: self.mapping.paths_of("ts"))
        usual: dict[str, Any] = {name: name for name in _LOG_FIELDS if getattr(self._given, name) is None}
        if "url" in usual and log is not None and log.knows_host:
            usual["url"] = ("host", "url")
        named = None if log is None or log.name == "custom" else log.name
        self.mapping = self._given.but(**usual, log_format=self._given.log_format or named)
        intakes.append(Intake(self.mapping, one.name, True, kinds=self._kinds, addresses=self._addresses))
        return log_rows(text.lines(), log, self.mapping.paths, one.name)

    def _names_of_parts(self) -> Iterator[str]:
        """Yield the columns of all Parquet files that are read."""
        for one in self._inputs:
            if one.path is None or not one.path.is_file():  # what can be read once only is left for its turn
                continue
            with one.open() as (unpacked, _):
                if unpacked.head.startswith(b"PAR1"):
                    yield from parquet_names(unpacked.seekable(), one.name)

    def _kind(self, one: Input, head: list[str]) -> tuple[Format | None, LogFormat | None]:
        """What an input is, by what was said, by its first lines, then by its name. Folders may hold other files."""
        given = self._given
        if given.log_format is not None:
            return "log", presets.find(given.log_format)
        if given.format not in (None, "log"):
            return given.format, None
        lines = [line for line in head if line.strip()]
        first = lines[0].lstrip("\ufeff \0") if lines else ""
        is_json = first.startswith(("{", "[")) and _PLACEHOLDER.match(first) is None
        is_mapped = any(getattr(given, name) for name in ("session_id", "url", "ts"))
        log = None if is_json and is_mapped and given.format is None else presets.guess(lines)
        if log is not None or given.format == "log":
            if log is not None:
                self._note([f"read as a log in the format {log.name}"])
            return "log", log
        if is_json:
            return "jsonl", None
        ends = reversed(PurePath(one.member.filename if one.member else one.name).suffixes)
        kind = next((_SUFFIXES[end.lower()] for end in ends if end.lower() in _SUFFIXES), None)
        if kind is None and not self._is_last_hope(one):
            return None, None
        if kind is None:
            first = quote(lines[0]) if lines else "missing"
            fix = "pass --format, one of log, csv, parquet, jsonl"
            raise ClickError(f"cannot tell the format of {one.name}: its first line is {first}; {fix}")
        return kind, None

    def _is_last_hope(self, one: Input) -> bool:
        """Say whether a file of a format that cannot be told was named by itself, or nothing else was read."""
        self._unread += 1
        return one.named or self._unread == len(self._inputs)

    def _note(self, notes: Sequence[str]) -> None:
        self.notes += [note for note in notes if note not in self.notes]
