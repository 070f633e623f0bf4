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
    order = np.lexsort((us, group))
    group, us, span = group[order], us[order], closer_than // MICROSECOND
    # All groups on one line, where what lies further apart than the span is drawn one span apart.
    line = np.zeros(len(us), np.int64)
    line[1:] = np.cumsum(np.where(np.diff(group) != 0, span, np.minimum(np.diff(us), span)))
    following = np.searchsorted(line, line + span)
    kept = np.zeros(len(us), np.bool_)
    last = np.flatnonzero(np.diff(group, prepend=-1))
    while len(last):  # as often as the group that keeps most clicks keeps one
        kept[last] = True
        after = following[last]
        inside = after < len(us)
        after, of = after[inside], group[last[inside]]
        last = after[group[after] == of]
    repeated = np.zeros(len(us), np.bool_)
    repeated[order] = ~kept
    return repeated
