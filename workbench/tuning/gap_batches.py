"""Sorted clicks that come in Arrow batches, counted as they pass: what Spark's workers do. Nothing of Spark is here.

However many clicks a session has, a batch and as many moments as the highest threshold are held at once. Spark sends
this module to its workers as it is, with `gaps`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.clicks.gaps import Ints, Moments, Tally

__all__ = ["SCHEMA", "tally_batches"]

SCHEMA: Final = "place int, flagged long, hits long, sessions long"
"""What comes of it: one row for each place in the flattened surface, and at place -1 clicks, fraud and sessions."""


def tally_batches(
    batches: Iterable[pa.RecordBatch], windows_us: list[int], thresholds: list[int]
) -> Iterator[pa.RecordBatch]:
    """Count what every window and threshold flags, in one batch of the columns of SCHEMA.

    batches: sorted by session_id, url and us, with those columns and clicks and fraud (how many there are at that
    microsecond). No session may be in two calls.
    """
    tally, most = Tally(windows_us, thresholds), thresholds[-1]
    totals = np.zeros(3, np.int64)
    kept: list[Ints] = [np.empty(0, np.int64)] * 5
    ends: dict[str, Any] = {}
    for batch in batches:
        if not batch.num_rows:
            continue
        new_session = _changes(batch.column("session_id"), ends.get("session_id"))
        new_url = new_session | _changes(batch.column("url"), ends.get("url"))
        ends = {name: batch.column(name)[-1:] for name in ("session_id", "url")}
        us, clicks, fraud = (batch.column(name).to_numpy().astype(np.int64) for name in ("us", "clicks", "fraud"))
        totals += (clicks.sum(), fraud.sum(), new_session.sum())
        session, url = (
            (before[-1] if before.size else 0) + np.cumsum(new)
            for before, new in zip(kept, (new_session, new_url), strict=False)
        )
        since = kept[0].size
        kept = [np.concatenate(pair) for pair in zip(kept, (session, url, us, clicks, fraud), strict=True)]
        tally.add(Moments.of(kept[0], kept[1], kept[2], kept[3], kept[4], most), since, goes_on=not new_session[0])
        kept = [array[-most:].copy() for array in kept]  # not a view, which would keep the batch
    tally.close()
    places = np.arange(-1, len(windows_us) * len(thresholds), dtype=np.int32)
    counts = (tally.flagged, tally.hits, tally.sessions)
    columns = [np.append(total, count.ravel()) for total, count in zip(totals, counts, strict=True)]
    yield pa.RecordBatch.from_arrays([pa.array(column) for column in (places, *columns)], names=_names())


def _names() -> list[str]:
    return [column.split()[0] for column in SCHEMA.split(", ")]


def _changes(column: pa.Array, before: pa.Array | None) -> Any:
    """Which values are not the one before. Shape (n,), booleans."""
    changed = np.ones(len(column), np.bool_)
    changed[1:] = pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    if before is not None:
        changed[0] = column[0].as_py() != before[0].as_py()
    return changed
