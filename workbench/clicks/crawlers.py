"""Who says that it is no person: known crawlers, monitors and health checks, by user agent. It proves nothing."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["AGENT_READ", "crawlers"]

AGENT_READ: Final = 512
"""Characters of a user agent that are looked at. Some patterns look for two words in a row, which takes time that
grows with the square of the length; the agents of real crawlers are half as long as this."""

_NO_CRAWLERS: Final = {"http-library", "browser-automation"}
"""What anyone's program calls itself, a click bot's as well: these are judged like everyone else."""
_HEALTH_CHECKS: Final = (
    r"kube-probe/|ELB-HealthChecker|GoogleHC/|Health ?Check|HealthCheck|Route ?53|Prometheus/|Varnish|haproxy|Nagios"
)
_AT_ONCE: Final = 25  # patterns in one expression: with all in one it takes far longer


def crawlers(user_agents: pd.Series[Any]) -> pd.Series[bool]:
    """Say of each user agent whether it names a known crawler, monitor or health check. Empty ones do not.

    Each distinct agent is looked up once, and `AGENT_READ` characters of it. HTTP libraries and automated browsers are
    none: those are what bots are made of. Anyone can send any agent. Source: the list crawler-user-agents, by its tags,
    and the health checks that it lacks.

    Parameters
    ----------
    user_agents
        As clicks have them.

    Returns
    -------
    Series of bool
        With the index of `user_agents`.

    Examples
    --------
    >>> crawlers(pd.Series(["Googlebot/2.1", "kube-probe/1.29", "curl/8.5", "Firefox/140.0", None])).tolist()
    [True, True, False, False, False]
    """
    found = [_is_crawler(agent[:AGENT_READ]) if isinstance(agent, str) else False for agent in user_agents]
    is_crawler: npt.NDArray[np.bool_] = np.array(found, dtype=bool)
    return pd.Series(is_crawler, index=user_agents.index)


@lru_cache(maxsize=1 << 16)
def _is_crawler(agent: str) -> bool:
    return any(pattern.search(agent) for pattern in _patterns())


@cache
def _patterns() -> list[re.Pattern[str]]:
    import crawleruseragents  # type: ignore[import-untyped]

    listed = [
        entry["pattern"]
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA
        if not _NO_CRAWLERS.intersection(entry.get("tags", ()))
    ]
    parts = [_HEALTH_CHECKS, *listed]
    return [re.compile("|".join(parts[i : i + _AT_ONCE])) for i in range(0, len(parts), _AT_ONCE)]
