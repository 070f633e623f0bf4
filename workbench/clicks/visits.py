"""Lines of a log put together to visits, where nothing else names a visitor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

from workbench.distinct import groups, repeated

__all__ = ["visits"]


def visits(ip: pd.Series[Any], user_agent: pd.Series[Any], ts: pd.Series[Any], idle_gap: timedelta) -> pd.Series[Any]:
    """Name the session of each request: one visit of one user agent at one address.

    All are of shape (n,), sorted by ts. A visit ends when more than `idle_gap` passes without a request.
    A name is the address, which of its user agents it is, and which visit of that one; these two are counted
    from 1 as they appear.

    >>> ts = pd.to_datetime(pd.Series([0, 60, 61, 9999]), unit="s", utc=True)
    >>> agent = pd.Series(["Firefox", "Firefox", "Safari", "Firefox"])
    >>> visits(pd.Series(["192.0.2.7"] * 4), agent, ts, timedelta(minutes=30)).to_list()
    ['192.0.2.7/a1/v1', '192.0.2.7/a1/v1', '192.0.2.7/a2/v1', '192.0.2.7/a1/v2']
    """
    visitor = groups(ip, user_agent.fillna("-"))
    # Visitors are numbered as they appear, which is the order of those that were not there before.
    hosts = pd.Series(groups(ip)[~repeated(visitor)])
    nth_agent = hosts.groupby(hosts).cumcount().to_numpy()[visitor] + 1  # not text: numbers
    came_back = ts.groupby(visitor).diff() > idle_gap  # not text: numbers
    nth_visit = came_back.groupby(visitor).cumsum().astype(int) + 1  # not text: numbers
    return ip + "/a" + pd.Series(nth_agent, index=ip.index).astype(str) + "/v" + nth_visit.astype(str)
