"""Recorded clicks: a file into one frame. Lines of logs are read in `access_log`, rows of tables in `tables`.

Files are read in chunks. What cannot be read as a click is kept with its line and the reason, and stops
nothing. Each line ends as a click, as rejected or as filtered, so the three always add up.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Final, Literal, cast, get_args

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from workbench.clicks import access_log
from workbench.clicks.record import FIELDS, OPTIONAL, TS_DTYPE
from workbench.clicks.tables import CHUNK_ROWS, Part, csv_parts, json_parts, parquet_parts
from workbench.durations import duration
from workbench.errors import ClickError
from workbench.text import quote

__all__ = ["SAMPLE_LOG", "Format", "Recording", "read", "read_mapping"]

Format = Literal["log", "csv", "parquet", "jsonl"]

SAMPLE_LOG: Final = Path(__file__).parent / "data" / "sample-access.log.gz"
"""A small synthetic access log that comes with the package."""

_FORMATS: Final = get_args(Format)
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
_HEAD_BYTES = 1 << 16
_TEXT_SHOWN = 200


@dataclass(frozen=True, eq=False)
class Recording:
    """What a file held: lines == len(clicks) + len(rejected) + filtered.

    Attributes
    ----------
    clicks : DataFrame
        A frame of clicks sorted by ts; clicks at one moment stay in the order of the file.
    lines : int
        Lines of a log or of JSON, records of a CSV file without its header, rows of a Parquet file.
    rejected : DataFrame
        Columns line (from 1; in a CSV file the header is line 1), reason and text (shortened).
    filtered : int
        Requests in a log that are no clicks on pages.
    late : int
        Clicks dated before one above them in the file.
    """

    clicks: pd.DataFrame
    lines: int
    rejected: pd.DataFrame
    filtered: int
    late: int = 0

    def __str__(self) -> str:
        kept, bad = len(self.clicks), len(self.rejected)
        return f"{self.lines:,} lines: {kept:,} clicks, {self.filtered:,} filtered out, {bad:,} rejected"


def read(
    path: str | Path,
    format: Format | None = None,
    mapping: Mapping[str, str] | None = None,
    assets: bool = False,
    idle_gap: timedelta | str = "30m",
    progress: bool = False,
) -> Recording:
    """Read a file of clicks, packed with gzip or not.

    Parameters
    ----------
    path
        The file.
    format
        "log" (Apache Common or Combined), "csv", "parquet" or "jsonl"; None tells it from the first line, and where
        that does not say it from the name.
    mapping
        For tables, field of a click → column in the file, as {"session_id": "visitor"}. Fields that are not named have
        columns of their own name.
    assets
        For logs, keep stylesheets, scripts, images, fonts, favicons and robots.txt as well.
    idle_gap
        For logs, the pause that ends a session; see `access_log.sessions`.
    progress
        Show a bar on stderr.

    Returns
    -------
    Recording
        The clicks, and what became of every other line.

    Raises
    ------
    ClickError
        The file cannot be opened or unpacked, its format cannot be told, or a column is missing.

    Notes
    -----
    In tables ts is RFC 3339 with an offset or a number: seconds since 1970 below 10^11, milliseconds below
    10^14, else microseconds. Without a click_id, ids are made of the file's name and the line, as
    "access.log:17".

    Examples
    --------
    >>> print(read(SAMPLE_LOG))
    1,800 lines: 1,018 clicks, 776 filtered out, 6 rejected
    """
    path, idle = Path(path), duration(idle_gap)
    if format is not None and format not in _FORMATS:
        raise ClickError(f"no such format: {format!r}; use one of {', '.join(_FORMATS)}")
    # Starting from no rows, so that a file without any still gives frames with all their columns.
    chunks = [_sort_out(Part(pd.DataFrame({"problem": []}), [], str), "")]
    with _opened(path) as (raw, data):
        head = data.read(_HEAD_BYTES)
        data.seek(0)
        kind = format or _guess(path, head)
        name = path.name.removesuffix(".gz")
        size = path.stat().st_size
        with tqdm(total=size, unit="B", unit_scale=True, desc=name, disable=not progress) as bar:
            for part in _parts(kind, data, name, mapping or {}, assets):
                chunks.append(_sort_out(part, name))
                bar.update(max(0, raw.tell() - bar.n))
    as_recorded = pd.concat([chunk.clicks for chunk in chunks])
    clicks = as_recorded.sort_values("ts", kind="stable", ignore_index=True)
    if kind == "log":
        clicks["session_id"] = access_log.sessions(clicks["ip"], clicks["user_agent"], clicks["ts"], idle)
    return Recording(
        clicks=clicks.drop(columns=[field for field in OPTIONAL if clicks[field].isna().all()]),
        lines=sum(chunk.lines for chunk in chunks),
        rejected=pd.concat([chunk.rejected for chunk in chunks], ignore_index=True),
        filtered=sum(chunk.filtered for chunk in chunks),
        late=int((as_recorded["ts"] < as_recorded["ts"].cummax()).sum()),
    )


def read_mapping(text: str) -> dict[str, str]:
    """Read the columns of a table as one writes them, field=column and a comma between two.

    Parameters
    ----------
    text
        As "session_id=visitor,url=page". Which fields and columns there are is up to `read`.

    Returns
    -------
    dict
        Field of a click → column.

    Raises
    ------
    ClickError
        What is not written so.

    Examples
    --------
    >>> read_mapping("session_id=visitor, url=page")
    {'session_id': 'visitor', 'url': 'page'}
    """
    mapping = {}
    for pair in filter(None, text.split(",")):
        field, _, column = (part.strip() for part in pair.partition("="))
        if not (field and column):
            raise ClickError(f"columns are named FIELD=COLUMN, as session_id=visitor: got {quote(pair)}")
        mapping[field] = column
    return mapping


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Give the file as it is, which tells how far it is read, and the file unpacked."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.open(raw) if packed else nullcontext(raw) as data:
                yield raw, cast(IO[bytes], data)
    except (OSError, EOFError, zlib.error) as error:
        problem = getattr(error, "strerror", None) or error
        fix = "check the path and that the file is whole"
        raise ClickError(f"cannot read {path}: {problem}; {fix}") from error


def _guess(path: Path, head: bytes) -> Format:
    if head.startswith(b"PAR1"):
        return "parquet"
    first = head.split(b"\n", 1)[0].decode("utf-8-sig", "backslashreplace").strip()
    if first.startswith("{"):
        return "jsonl"
    if access_log.LINE.fullmatch(first):
        return "log"
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in _SUFFIXES:
        fix = f"pass the format, one of {', '.join(_FORMATS)}"
        raise ClickError(f"cannot tell the format of {path}: its first line is {quote(first)}; {fix}")
    return _SUFFIXES[suffix]


def _parts(kind: Format, data: IO[bytes], name: str, mapping: Mapping[str, str], assets: bool) -> Iterator[Part]:
    if kind == "parquet":
        yield from parquet_parts(data, name, mapping)
        return
    # Bytes that are no UTF-8 become \xhh: different ones stay different, and JSON can carry them.
    newline = "" if kind == "csv" else "\n"
    with TextIOWrapper(data, "utf-8-sig", "backslashreplace", newline=newline) as lines:
        if kind == "csv":
            yield from csv_parts(lines, name, mapping)
        elif kind == "jsonl":
            yield from json_parts(lines, name, mapping)
        elif mapping:
            raise ClickError(f"{name} is an access log, which has no columns to map; leave the mapping out")
        else:
            yield from _log_parts(lines, assets)


def _log_parts(text: TextIOWrapper, assets: bool) -> Iterator[Part]:
    first = 1
    while lines := [line.rstrip("\r\n") for line in islice(text, CHUNK_ROWS)]:
        rows = access_log.requests(lines, assets=assets)
        yield Part(rows, range(first, first + len(lines)), lines.__getitem__)
        first += len(lines)


@dataclass(frozen=True, eq=False)
class _Chunk:
    clicks: pd.DataFrame
    lines: int
    rejected: pd.DataFrame
    filtered: int


def _sort_out(part: Part, name: str) -> _Chunk:
    rows, line = part.rows, np.asarray(part.lines, dtype=np.int64)
    if "click_id" not in rows:
        rows["click_id"] = [f"{name}:{number}" for number in line.tolist()]
    if "filtered" not in rows:
        rows["filtered"] = False
    bad = rows["problem"].to_numpy() != ""
    filtered = rows["filtered"].to_numpy(dtype=bool) & ~bad
    clicks = rows[~bad & ~filtered].reindex(columns=[*FIELDS, *OPTIONAL])
    rejected = {
        "line": line[bad],
        "reason": rows["problem"].to_numpy(dtype=object)[bad],
        "text": pd.Series([part.text(i)[:_TEXT_SHOWN] for i in np.flatnonzero(bad).tolist()], dtype=object),
    }
    return _Chunk(
        clicks=clicks.astype({field: TS_DTYPE if field == "ts" else object for field in clicks.columns}),
        lines=len(rows),
        rejected=pd.DataFrame(rejected),
        filtered=int(filtered.sum()),
    )
