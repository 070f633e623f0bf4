"""Recorded clicks: files into one frame. How they are read chunk by chunk is in `reading`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as MappingOf
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from workbench.clicks.mapping import Mapping
from workbench.clicks.reading import Reading
from workbench.clicks.record import FIELDS, OPTIONAL, TS_DTYPE
from workbench.clicks.recording import Recording
from workbench.clicks.repeats import repeats
from workbench.clicks.visits import visits
from workbench.durations import duration, format_duration
from workbench.sources.inputs import Source

__all__ = ["SAMPLE_LOG", "read"]

SAMPLE_LOG: Final = Path(__file__).parent / "data" / "sample-access.log.gz"
"""A small synthetic access log that comes with the package."""

_REJECTED: Final = ["file", "line", "reason", "text"]


def read(
    source: Source,
    mapping: Mapping | MappingOf[str, Any] | str | Path | None = None,
    *,
    progress: bool = False,
) -> Recording:
    """Read clicks from files: logs of web servers, CSV, JSON or Parquet, packed or not.

    Parameters
    ----------
    source
        A file, a folder, a pattern as "logs/access.log.*.gz", "-" for stdin, or a list of them.
    mapping
        How to read it: what `Mapping.of` takes. What it leaves open is told from the source, and noted.
    progress
        Show a bar on stderr.

    Returns
    -------
    Recording
        The clicks, and what became of every other line.

    Raises
    ------
    ClickError
        A file cannot be opened, its format cannot be told, columns are missing, or one cannot be what it is taken for.

    Examples
    --------
    >>> recording = read(SAMPLE_LOG)
    >>> recording.lines, len(recording.clicks), len(recording.rejected)
    (1800, 1018, 6)
    """
    reading = Reading(source, Mapping.of(mapping), progress)
    # Starting from no rows, so that a source without any still gives frames with all their columns.
    clicks, crawlers, rejected = [_no_clicks()], [_no_clicks()], [pd.DataFrame(columns=_REJECTED)]
    filtered: Counter[str] = Counter()
    lines = 0
    for name, chunk in reading:
        lines += chunk.lines
        filtered.update(chunk.filtered)
        clicks.append(chunk.clicks)
        crawlers.append(chunk.crawlers)
        if len(chunk.rejected):
            rejected.append(chunk.rejected.assign(file=name)[_REJECTED])
    found, aside = _in_order(clicks, reading.mapping), _in_order(crawlers, reading.mapping)
    if reading.mapping.merge_repeats is not None:
        closer_than = duration(reading.mapping.merge_repeats)
        again = repeats(found, closer_than)
        filtered[f"repeats within {format_duration(closer_than)}, merged"] += int(again.sum())
        found = found[~again].reset_index(drop=True)
    return Recording(
        clicks=found,
        lines=lines,
        rejected=pd.concat(rejected[1:] or rejected, ignore_index=True),
        filtered=dict(filtered),
        crawlers=aside,
        late=reading.late,
        mapping=reading.mapping,
        notes=tuple(reading.notes),
        damage=tuple(reading.damage),
        headers=reading.headers,
        doubts=tuple(reading.doubts),
    )


def _no_clicks() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=TS_DTYPE if name == "ts" else object) for name in (*FIELDS, *OPTIONAL)})


def _in_order(chunks: list[pd.DataFrame], mapping: Mapping) -> pd.DataFrame:
    """One frame of the chunks, sorted by time, with visits where there are no sessions, without empty columns."""
    columns: dict[str, Any] = {"ts": pd.concat([chunk["ts"] for chunk in chunks], ignore_index=True)}
    names = dict.fromkeys(name for chunk in chunks for name in chunk.columns if name not in ("ts", "line"))
    for name in names:  # by NumPy, since pandas looks into each value of a column that is empty in a chunk
        columns[name] = np.concatenate(
            [chunk[name].to_numpy(object) if name in chunk else np.full(len(chunk), None) for chunk in chunks]
        )
    order = [name for name in (*FIELDS, *OPTIONAL) if name in columns]
    clicks = pd.DataFrame(columns, columns=[*order, *(name for name in names if name not in order)], copy=False)
    clicks = clicks.sort_values("ts", kind="stable", ignore_index=True)
    chunks.clear()
    visit = clicks["session_id"].isna().to_numpy()
    if visit.any():
        of_visits = clicks[visit] if not visit.all() else clicks
        made = visits(of_visits["ip"], of_visits["user_agent"], of_visits["ts"], duration(mapping.idle_gap))
        clicks["session_id"] = made if visit.all() else clicks["session_id"].where(~visit, made)
    empty = [name for name in clicks.columns if name not in FIELDS and clicks[name].isna().all()]
    return clicks.drop(columns=empty)
