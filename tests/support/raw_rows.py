"""What a reader of tables gives, put together: the cells of rows, and what became of all other lines. No tests here."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from workbench.sources.csv_rows import csv_rows
from workbench.sources.decoding import Text
from workbench.sources.inputs import inputs_of
from workbench.sources.json_rows import json_rows
from workbench.sources.packing import HEAD_BYTES
from workbench.sources.parquet_rows import parquet_rows
from workbench.sources.rows import Rows

__all__ = ["FIELD", "Read", "read_csv", "read_file", "read_json", "read_parquet"]

FIELD: Final = Path(__file__).parents[1] / "data" / "field"
"""Files as other programs write them."""


@dataclass
class Read:
    """names: those there are. rows: line → cells. problem, aside: line → why. texts: of all lines, in order."""

    names: list[str] = field(default_factory=list)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    problem: dict[int, str] = field(default_factory=dict)
    aside: dict[int, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    wanted: Sequence[str] | None = None

    def choose(self, names: Sequence[str]) -> Sequence[str]:
        self.names = list(names)
        return self.names if self.wanted is None else self.wanted

    def take(self, all_rows: Iterator[Rows]) -> Read:
        for rows in all_rows:
            assert len(rows.cells) == len(rows.line) == len(rows.problem) == len(rows.aside)
            assert list(rows.cells.columns) == list(self.wanted if self.wanted is not None else self.names)
            assert rows.cells.index.tolist() == list(range(len(rows.cells)))
            self.notes.update(rows.notes)
            all_cells = rows.cells.to_dict("records") if len(rows.cells.columns) else [{}] * len(rows.line)
            for i, (line, cells) in enumerate(zip(rows.line.tolist(), all_cells, strict=True)):
                self.lines.append(line)
                self.texts.append(rows.text(i))
                assert not (rows.problem[i] and rows.aside[i])
                if rows.problem[i]:
                    self.problem[line] = rows.problem[i]
                elif rows.aside[i]:
                    self.aside[line] = rows.aside[i]
                else:
                    self.rows[line] = {str(name): value for name, value in cells.items()}
        return self

    def column(self, name: str) -> list[Any]:
        return [cells[name] for cells in self.rows.values()]


def read_csv(data: bytes | str, wanted: Sequence[str] | None = None) -> Read:
    read = Read(wanted=wanted)
    return read.take(csv_rows(_text(data).lines(), "x.csv", read.choose))


def read_json(data: bytes | str, wanted: Sequence[str] | None = None) -> Read:
    read = Read(wanted=wanted)
    return read.take(json_rows(_text(data), read.choose))


def read_parquet(data: bytes, wanted: Sequence[str] | None = None) -> Read:
    read = Read(wanted=wanted)
    return read.take(parquet_rows(io.BytesIO(data), "x.parquet", read.choose))


def read_file(name: str, wanted: Sequence[str] | None = None) -> Read:
    """Read a file of `FIELD` whose name says its format."""
    read = {".csv": read_csv, ".parquet": read_parquet}.get(Path(name).suffix, read_json)
    [one], _ = inputs_of(FIELD / name)
    with one.open() as (unpacked, _):
        return read(unpacked.data.read(), wanted)


def _text(data: bytes | str) -> Text:
    data = data.encode() if isinstance(data, str) else data
    return Text(io.BytesIO(data), data[:HEAD_BYTES])
