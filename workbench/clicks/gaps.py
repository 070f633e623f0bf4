"""How long before each click the earlier ones lie: the arithmetic of tuning on arrays. No frames, no Spark.

The gap of a click at a threshold is the time since the (threshold − 1)-th click before it, of the same session and
URL; clicks at one microsecond look back from the last of them. A click is flagged when its gap is shorter than the
window: so one look back for each threshold answers for all windows, and a higher threshold never has a shorter gap.

    s   0....1....2....3....4....5
        a         b    c         d      gaps of d at the thresholds 1 to 4: 0 s, 2 s, 3 s, 5 s

Nothing of the workbench is imported here: Spark sends this module to its workers as it is, and they call
`tally_batches`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["NEVER", "SCHEMA", "Bins", "Moments", "Tally", "tally_batches"]

Ints = npt.NDArray[np.int64]

NEVER: Final = np.iinfo(np.int64).max
"""The gap of a click that has too few clicks before it."""

SCHEMA: Final = "place int, flagged long, hits long, sessions long"
"""What `tally_batches` gives: one for each place in the flattened surface, and at -1 the totals."""

_CELLS: Final = 1 << 16
_MOST_STEPS: Final = 4
_WORTH_SHRINKING: Final = 0.9


@dataclass(frozen=True, eq=False)
class Moments:
    """Clicks sorted by session, URL and time; those of one session and URL at one microsecond are one moment.

    session, us, clicks, fraud, last, start: shape (m,), one entry a moment: the number of its session (never falling),
    its time, how many clicks it has and how many of them are labelled as fraud, where its last click stands in `ts_us`,
    and where the first click of its session and URL does. ts_us: shape (n,), the time of every click.
    """

    session: Ints
    us: Ints
    clicks: Ints
    fraud: Ints
    last: Ints
    start: Ints
    ts_us: Ints

    @classmethod
    def of(cls, session: Ints, url: Ints, us: Ints, clicks: Ints, fraud: Ints, at_most: int | None = None) -> Moments:
        """Make them of sorted moments. at_most: clicks of one moment that `ts_us` holds; no threshold may be higher."""
        held = clicks if at_most is None else np.minimum(clicks, at_most)
        last = np.cumsum(held) - 1
        first = np.ones(len(us), np.bool_)
        first[1:] = (session[1:] != session[:-1]) | (url[1:] != url[:-1])
        starts = (last - held + 1)[first]
        return cls(session, us, clicks, fraud, last, starts[np.cumsum(first) - 1], np.repeat(us, held))

    def gaps(self, threshold: int) -> Ints:
        """The gap of each moment's clicks in microseconds, or NEVER. Shape (m,)."""
        back = self.last - (threshold - 1)
        there = back >= self.start
        return np.where(there, self.us - self.ts_us[np.where(there, back, self.last)], NEVER)

    def gaps_below(self, limit_us: int, thresholds: Sequence[int], since: int) -> Iterator[tuple[int, Ints, Ints]]:
        """For each rising threshold: its place in `thresholds`, the moments that have a gap below the limit, the gaps.

        since: the first moment to look at. Those at the limit or above need no further look; while they are few they
        are still given, at the limit. Thresholds at which no gap is below it are not given.
        """
        left = np.arange(since, len(self.us))
        last, start, us = self.last[since:], self.start[since:], self.us[since:]
        for place, threshold in enumerate(thresholds):
            back = last - (threshold - 1)
            gap = us - self.ts_us[np.maximum(back, 0)]
            kept = (back >= start) & (gap < limit_us)
            if (few := np.count_nonzero(kept)) == 0:
                return
            if few < _WORTH_SHRINKING * len(kept):
                left, last, start, us, gap = left[kept], last[kept], start[kept], us[kept], gap[kept]
            elif few < len(kept):
                gap[~kept] = limit_us
            yield place, left, gap


class Bins:
    """Counts, for each gap, the windows that are not longer: from that one on, windows flag the click.

    >>> Bins([5, 10, 20])(np.array([0, 5, 9, 25])).tolist()
    [0, 1, 1, 3]

    A binary search, or where the windows lie far enough apart for it a table, which is five times as fast.
    """

    def __init__(self, windows_us: Sequence[int] | Ints) -> None:
        self._edges = np.asarray(windows_us, np.int64)
        self._longest = int(self._edges[-1])
        self._shift = (self._longest // _CELLS).bit_length()
        cells = np.arange((self._longest >> self._shift) + 1, dtype=np.int64) << self._shift
        self._table = np.searchsorted(self._edges, cells, side="right")
        self._steps = int(np.diff(self._table, append=len(self._edges)).max())
        self._padded = np.append(self._edges, NEVER)

    def __call__(self, gaps: Ints) -> Ints:
        """Give how many of the edges each gap has reached."""
        if self._steps > _MOST_STEPS:
            return np.searchsorted(self._edges, gaps, side="right")
        gaps = np.minimum(gaps, self._longest)
        found: Ints = self._table[gaps >> self._shift]
        for _ in range(self._steps):
            found = found + (self._padded[found] <= gaps)
        return found


class Tally:
    """Counts what every window and threshold flags, from moments that may come in parts.

    windows_us, thresholds: rising. After `close`, `flagged`, `hits` (flagged clicks labelled as fraud) and `sessions`
    (with a flagged click) have the shape (windows, thresholds).
    """

    def __init__(self, windows_us: Sequence[int], thresholds: Sequence[int]) -> None:
        self._limit, self._thresholds = int(windows_us[-1]), list(thresholds)
        self._bins, self._width = Bins(windows_us), len(windows_us)
        shape = (len(self._thresholds), self._width)
        self._flagged, self._hits, self._sessions = (np.zeros(shape, np.int64) for _ in range(3))
        self._open = np.full(len(self._thresholds), NEVER)

    def add(self, moments: Moments, since: int = 0, goes_on: bool = False) -> None:
        """Count the moments from number `since` on; those before are only looked back at.

        goes_on: whether the first of them is of the session that the last call ended with. Its least gaps are kept
        open until another session comes.
        """
        if since == len(moments.us):
            return
        if not goes_on:
            self.close()
        first, last = moments.session[since], moments.session[-1]
        carried, opened = self._open, np.full(len(self._thresholds), NEVER)
        ones, some = bool((moments.clicks == 1).all()), bool(moments.fraud.any())
        previous: Ints | None = None
        for place, found, gap in moments.gaps_below(self._limit, self._thresholds, since):
            if found is not previous:  # often the same ones are left at the next threshold
                previous, session = found, moments.session[found]
                clicks, fraud = None if ones else moments.clicks[found], moments.fraud[found]
                starts = np.flatnonzero(np.diff(session, prepend=session[0] - 1))
                head, tail = int(session[0] == first), int(session[-1] == last != first)
            bins = self._bins(gap)
            if ones and some:  # a click is fraud or not: one count for both
                both = np.bincount(2 * bins + fraud, minlength=2 * self._width)[: 2 * self._width].reshape(-1, 2)
                self._flagged[place] += both.sum(axis=1)
                self._hits[place] += both[:, 1]
            else:
                self._flagged[place] += self._count(bins, clicks)
                self._hits[place] += self._count(bins, fraud)
            least = np.minimum.reduceat(gap, starts)
            if head:
                carried[place] = min(carried[place], least[0])
            if tail:
                opened[place] = least[-1]
            self._sessions[place] += self._count(self._bins(least[head : len(least) - tail]), None)
        if first == last:
            self._open = carried
        else:
            self._flush(carried)
            self._open = opened

    def close(self) -> None:
        """Count the session that is still open."""
        self._flush(self._open)
        self._open = np.full(len(self._thresholds), NEVER)

    @property
    def flagged(self) -> Ints:
        """Flagged clicks, of shape (windows, thresholds)."""
        return self._flagged.cumsum(axis=1).T

    @property
    def hits(self) -> Ints:
        """Flagged clicks that are labelled as fraud, of shape (windows, thresholds)."""
        return self._hits.cumsum(axis=1).T

    @property
    def sessions(self) -> Ints:
        """Sessions with a flagged click, of shape (windows, thresholds)."""
        return self._sessions.cumsum(axis=1).T

    def _count(self, bins: Ints, weights: Ints | None) -> Ints:
        counts = np.bincount(bins, weights, minlength=self._width)
        return counts[: self._width].astype(np.int64)  # exact: float64 holds whole numbers up to 2^53

    def _flush(self, least: Ints) -> None:
        for place in np.flatnonzero(least < self._limit).tolist():
            self._sessions[place, self._bins(least[place : place + 1])[0]] += 1


def tally_batches(
    batches: Iterable[pa.RecordBatch], windows_us: list[int], thresholds: list[int]
) -> Iterator[pa.RecordBatch]:
    """Count what every window and threshold flags of clicks that come in Arrow batches.

    However many clicks a session has, a batch and as many moments as the highest threshold are held at once.

    Parameters
    ----------
    batches
        Sorted by session_id, url and us, with those columns and clicks and fraud (how many there are at that
        microsecond). No session may be in two calls.
    windows_us, thresholds
        As for `Tally`.

    Yields
    ------
    One batch of the columns of SCHEMA.
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
