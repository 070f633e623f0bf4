"""Whether inputs hold the same records: a file that is there twice, exports that overlap. Nothing is dropped."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Overlap"]

_ALIKE: Final = ("session_id", "url", "ip", "user_agent")
_KEPT: Final = 1 << 21  # clicks that are remembered; of more, every second, fourth, … one
_ONE_AFTER_THE_OTHER: Final = 0.9
_FEW: Final = 3

Ints = npt.NDArray[np.int64]


class Overlap:
    """Finds the clicks of an input that an earlier one has as well, alike in visitor, URL, time, address and agent.

    It holds 24 bytes for each of at most two million clicks; of more, a share is looked at, and counts are estimates.
    by_id: clicks have ids of their own, and are counted once.
    """

    def __init__(self, by_id: bool = False) -> None:
        self._by_id = by_id
        self._names: list[str] = []
        self._parts: list[Ints] = []
        self._held, self._every = 0, 1

    def add(self, name: str, clicks: pd.DataFrame) -> None:
        """Remember clicks of the input of this name. Clicks of one input come one after the other."""
        if not self._names or self._names[-1] != name:
            self._names.append(name)
        us = clicks["ts"].dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
        columns: list[list[Any]] = [clicks[column].to_list() for column in _ALIKE]
        if self._by_id:
            columns.append(clicks["click_id"].to_list())
        sign = np.fromiter(map(hash, zip(us.tolist(), *columns, strict=True)), np.int64, len(us))
        part = np.stack([sign, us, np.full(len(us), len(self._names) - 1)])
        self._parts.append(part[:, sign % self._every == 0])
        self._held += self._parts[-1].shape[1]
        while self._held > _KEPT:
            self._every *= 2
            self._parts = [part[:, part[0] % self._every == 0] for part in self._parts]
            self._held = sum(part.shape[1] for part in self._parts)

    def told(self) -> tuple[str, bool] | None:
        """What is to be said, and whether before any number: a run of records is there twice. None where none is."""
        if len(self._names) < 2:
            return None
        sign, us, of = np.concatenate(self._parts, axis=1)
        order = np.argsort(sign, kind="stable")  # in their order, so the first of those alike is of the first input
        new = np.append(True, np.diff(sign[order]) != 0)[: len(order)]
        first = np.empty(len(sign), np.int64)
        first[order] = of[order][np.flatnonzero(new)][np.cumsum(new) - 1]
        again = of != first
        if not again.any():
            return None
        most = int(np.bincount(of[again]).argmax())
        before = int(np.bincount(first[again & (of == most)]).argmax())
        count, about = int(again.sum()) * self._every, "about " if self._every > 1 else ""
        what = f"{about}{count:,} clicks are in two inputs alike, as in {self._names[before]} and {self._names[most]}"
        if self._by_id:
            return f"{what}; by their click_id they count once", False
        fix = "name one of them, or leave out what is there again: --merge-repeats 1ms"
        doubt = "is it one file twice, or do they overlap? They count twice"
        return f"{what}: {doubt}. Fix: {fix}", self._is_run(us[of == most], again[of == most])

    @staticmethod
    def _is_run(us: Ints, again: npt.NDArray[np.bool_]) -> bool:
        """Whether nearly all clicks from the first of those to the last are there again: no chance of one second."""
        inside = (us >= us[again].min()) & (us <= us[again].max())
        return int(again.sum()) >= _FEW and bool(again[inside].mean() >= _ONE_AFTER_THE_OTHER)
