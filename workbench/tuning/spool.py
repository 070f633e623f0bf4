"""Clicks of files as Parquet in the state folder, for Spark: read chunk by chunk. Nothing is counted here."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.clicks import identity
from workbench.clicks.intake import Chunk
from workbench.clicks.labels import Labels, alike, label_text
from workbench.clicks.mapping import Mapping
from workbench.clicks.reading import Reading
from workbench.errors import ClickError
from workbench.machine.folders import state_dir
from workbench.sources.inputs import Source

__all__ = ["Spool", "spooled"]

_TEXTS: Final = ("session_id", "url", "click_id", "ip", "user_agent")
_SCHEMA: Final = pa.schema(
    [*((name, pa.string()) for name in _TEXTS), ("us", pa.int64()), ("fraud", pa.int32()), ("at", pa.int64())]
)

Objects = npt.NDArray[np.object_]


@dataclass(eq=False)
class Spool:
    """What was read: lines == clicks + rejected + sum of filtered. In `folder` are the clicks, `at` their place.

    private: how many come from private addresses. minutes, hours: how many are at whole ones.
    """

    folder: Path
    lines: int = 0
    clicks: int = 0
    rejected: int = 0
    private: int = 0
    minutes: int = 0
    hours: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    labels: Labels = field(default_factory=Labels)
    notes: list[str] = field(default_factory=list)

    def told(self) -> Iterator[str]:
        """Yield what to tell of the reading, line by line."""
        out = sum(self.filtered.values())
        yield f"{self.lines:,} lines: {self.clicks:,} clicks; {out:,} left out, {self.rejected:,} rejected"
        yield from self.notes
        yield from (f"left out: {count:,} {reason}" for reason, count in self.filtered.items() if count)


@contextlib.contextmanager
def spooled(source: Source, mapping: Mapping, bots: Collection[str], progress: bool = False) -> Iterator[Spool]:
    """Read files into a folder of Parquet, which is gone at the end. bots: the labels that mean fraud.

    Raises ClickError as `clicks.read` does, and where some clicks have a label and others do not.
    """
    spool = Spool(state_dir() / "tuning" / uuid.uuid4().hex)
    spool.folder.mkdir(parents=True)
    counts: Counter[str] = Counter()
    wanted = {alike(label) for label in bots}
    try:
        reading = Reading(source, mapping, progress)
        _write(pd.DataFrame(), np.zeros(0, object), wanted, spool)
        for _, chunk in reading:
            labels = _labels(chunk) if bots else np.full(len(chunk.clicks), "", object)
            counts.update(labels.tolist())
            _write(chunk.clicks, labels, wanted, spool)
            spool.lines += chunk.lines
            spool.rejected += len(chunk.rejected)
            spool.filtered.update(chunk.filtered)
        spool.notes = [*(f"warning: {text}" for text in (*reading.damage, *reading.doubts)), *reading.notes]
        empty = counts.pop("", 0)
        if counts and empty:
            fix = "fill them, or leave the labels out: --fraud-labels '' (bots=[])"
            raise ClickError(f"{empty:,} of {spool.clicks:,} clicks have no label. Fix: {fix}")
        fraud = tuple(name for name, _ in counts.most_common() if alike(name) in wanted)
        spool.labels = Labels(dict(counts.most_common()), fraud)
        yield spool
    finally:
        shutil.rmtree(spool.folder, ignore_errors=True)


def _labels(chunk: Chunk) -> Objects:
    return np.array([*map(label_text, chunk.clicks["label"]), ""], object)[:-1]


def _write(
    clicks: pd.DataFrame, labels: np.ndarray[tuple[int], np.dtype[np.object_]], wanted: set[str], to: Spool
) -> None:
    n = len(clicks)
    columns = {name: pa.array(clicks[name] if n else [], pa.string(), from_pandas=True) for name in _TEXTS}
    ts = clicks["ts"].dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64) if n else np.zeros(0, np.int64)
    fraud = [int(alike(label) in wanted) if label else None for label in labels]
    columns |= {"us": pa.array(ts, pa.int64()), "fraud": pa.array(fraud, pa.int32())}
    columns["at"] = pa.array(np.arange(to.clicks, to.clicks + n))
    number = len(list(to.folder.iterdir()))
    pq.write_table(pa.table(columns, _SCHEMA), to.folder / f"{number:06}.parquet")
    to.clicks += n
    if n:
        found = identity.whole(ts)
        to.private += identity.private(clicks["ip"])
        to.minutes, to.hours = to.minutes + found["minutes"], to.hours + found["hours"]
