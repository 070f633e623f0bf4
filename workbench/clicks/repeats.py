"""Clicks of a session on a URL so close together that they are one: a redirect, a reload, a form sent twice."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.distinct import groups
from workbench.durations import MICROSECOND

__all__ = ["repeats"]


def repeats(clicks: pd.DataFrame, closer_than: timedelta) -> npt.NDArray[np.bool_]:
    """Say of each click whether it repeats one that is kept: of its session and URL, and less than that before it.

    The first click is kept, and each that lies `closer_than` or more after the last that was kept: who goes on clicking
    keeps clicks.

    Parameters
    ----------
    clicks
        With session_id, url and ts, sorted by ts.
    closer_than
        The span.

    Returns
    -------
    ndarray of bool
        Of shape (n,).

    Examples
    --------
    >>> ts = pd.to_datetime([0, 1, 2, 3, 9], unit="s", utc=True)
    >>> repeats(pd.DataFrame({"session_id": "s1", "url": "/ad", "ts": ts}), timedelta(seconds=2)).tolist()
    [False, True, False, True, False]
    """
    us = clicks["ts"].dt.as_unit("us").astype("int64").to_numpy()
    group = groups(clicks["session_id"], clicks["url"])
    span = closer_than // MICROSECOND
    last: dict[int, int] = {}
    repeated = np.zeros(len(us), np.bool_)
    for i, (of, at) in enumerate(zip(group.tolist(), us.tolist(), strict=True)):
        if at - last.get(of, at - span) < span:
            repeated[i] = True
        else:
            last[of] = at
    return repeated
