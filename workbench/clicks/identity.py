"""Whether visitors, times and ads are told apart: what is said before any number, where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.clicks.urls import new_with_each
from workbench.sources.hosts import is_private
from workbench.text import quote

__all__ = [
    "MINUTE_US", "NO_VISITOR", "URLS_LOOKED_AT", "Counts", "is_visitor", "private", "warnings", "warnings_of", "whole",
]  # fmt: skip

NO_VISITOR: Final = frozenset({
    "", "-", "--", "?", "(not set)", "(none)", "(not provided)", "(null)", "<null>", "null", "none", "nil", "nan", "na",
    "n/a", "#n/a", "undefined", "undef", "unknown", "unset", "not set", "missing", "empty", "false", "true", "\\n",
    "[object object]", "00000000-0000-0000-0000-000000000000", "anonymous", "anon", "guest", "visitor", "other",
    "(other)", "default", "redacted", "[redacted]", "***", "optout", "-1", "undefined.undefined", "#ref!", "#name?",
})  # fmt: skip
"""Texts, in small letters, that stand where no id was known. So do texts of nothing but zeros."""

MINUTE_US: Final = 60_000_000
URLS_LOOKED_AT: Final = 1000

_ENOUGH: Final = 50  # clicks; of fewer, shares say nothing
_MOST: Final = 0.5
_NEARLY_EACH: Final = 0.95
_SAME_TIME: Final = 0.9
_SEVERAL: Final = 3
_LOG_IT: Final = "Log the client's address (X-Forwarded-For), or name the field: --map ip=…, --client"
_NAMED: Final = 3


def is_visitor(text: str) -> bool:
    """Say whether a text names a visitor, and not that there is none.

    >>> is_visitor("s1"), is_visitor("(not set)"), is_visitor("0"), is_visitor("NULL ")
    (True, False, False, False)
    """
    plain = text.strip(" \t\n\r\f\v").lower()
    return plain not in NO_VISITOR and plain.strip("0.") != ""


@dataclass(frozen=True)
class Counts:
    """What warnings are told by. None of it needs the clicks once more.

    Attributes
    ----------
    clicks, sessions, urls : int
        How many there are.
    session : tuple
        The session with most clicks, and how many.
    address : tuple
        The address with most clicks, how many, how many user agents they have, and how many of the clicks are of
        sessions whose names hold the address.
    private : int
        Clicks from private addresses.
    moment : int
        Clicks at the time that most clicks have.
    minutes, hours : int
        Clicks at whole minutes, and at whole hours of UTC.
    some_urls : tuple of str
        URLs to look at, not all of them.
    """

    clicks: int
    sessions: int = 0
    urls: int = 0
    session: tuple[str, int] = ("", 0)
    address: tuple[str, int, int, int] = ("", 0, 0, 0)
    private: int = 0
    moment: int = 0
    minutes: int = 0
    hours: int = 0
    some_urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, clicks: pd.DataFrame) -> Self:
        """Count a frame of clicks. Columns that it lacks count as nothing."""
        found: dict[str, Any] = {}
        names, counts = _counts(clicks["session_id"])
        found |= {"sessions": len(names), "session": _most(names, counts)}
        if "url" in clicks:
            urls, _ = _counts(clicks["url"])
            found |= {"urls": len(urls), "some_urls": tuple(urls[:URLS_LOOKED_AT])}
        if "ts" in clicks:
            us = clicks["ts"].dt.as_unit("us").astype("int64").to_numpy()
            moments = pc.value_counts(pa.array(us)).field("counts").to_numpy()
            found |= {"moment": int(moments.max(initial=0)), **whole(us)}
        if "ip" in clicks:
            found |= {"private": private(clicks["ip"]), "address": _address(clicks)}
        return cls(len(clicks), **found)


def whole(us: npt.NDArray[np.int64]) -> dict[str, int]:
    """Count the times, in microseconds since 1970, that are whole minutes, and whole hours.

    >>> whole(np.array([0, 60_000_000, 61_000_000]))
    {'minutes': 2, 'hours': 1}
    """
    return {"minutes": int((us % MINUTE_US == 0).sum()), "hours": int((us % (60 * MINUTE_US) == 0).sum())}


def warnings(clicks: pd.DataFrame) -> list[str]:
    """What is wrong with the visitors, times and URLs of a frame of clicks, one sentence each; none where nothing is.

    Parameters
    ----------
    clicks
        With session_id, and url, ts, ip and user_agent where they are there.

    Returns
    -------
    list of str
        To be shown before any number that is counted by session.

    Examples
    --------
    >>> warnings(pd.DataFrame({"session_id": ["10.0.0.5/a1/v1"] * 60}))[0][:35]
    'one session has 100% of the clicks '
    """
    return [] if clicks.empty else warnings_of(Counts.of(clicks))


def warnings_of(counts: Counts) -> list[str]:
    """What is wrong by these counts, one sentence each, with the fix. Of a few clicks little can be said.

    >>> warnings_of(Counts(100, sessions=50, private=60))[0][:45]
    '60% of the clicks come from private addresses'
    """
    clicks, said = counts.clicks, []
    from_inside = counts.private > 0.5 * clicks
    if clicks >= _ENOUGH:
        said += [*_of_visitors(counts, from_inside), *_of_times(counts), *_of_urls(counts)]
    if from_inside:
        said.append(
            f"{counts.private / clicks:.0%} of the clicks come from private addresses, as behind a proxy or a "
            f"balancer: visitors may be taken for one. {_LOG_IT}"
        )
    return said


def _of_visitors(counts: Counts, from_inside: bool) -> Iterator[str]:
    clicks, (who, n) = counts.clicks, counts.session
    address, from_it, agents, named_so = counts.address
    if n >= _MOST * clicks:
        yield (
            f"one session has {n / clicks:.0%} of the clicks ({quote(who)}): what is taken "
            "for the visitor may be a proxy, or be the same for all. Name the visitor: --map session_id=…, --client"
        )
    elif counts.sessions >= _NEARLY_EACH * clicks:
        yield (
            f"{counts.sessions:,} sessions for {clicks:,} clicks: nearly each click has its own, so that no "
            "rule can see a second one. Name the visitor: --map session_id=…"
        )
    elif from_it >= _MOST * clicks and agents >= _SEVERAL and named_so >= _MOST * from_it and not from_inside:
        yield (
            f"one address has {from_it / clicks:.0%} of the clicks, by {agents:,} user agents ({quote(address)}): a "
            "proxy or a balancer may stand where the client should be, and all who have one agent are one visitor. "
            f"{_LOG_IT}"
        )


def _of_times(counts: Counts) -> Iterator[str]:
    clicks = counts.clicks
    if counts.moment >= _SAME_TIME * clicks:
        yield (
            f"{counts.moment / clicks:.0%} of the clicks have one and the same time: it is not each click's own, and "
            "no rule can tell a burst by it. Name the column that is: --map ts=…"
        )
    elif counts.minutes >= _NEARLY_EACH * clicks:
        what = "hours or days" if counts.hours >= _NEARLY_EACH * clicks else "minutes"
        yield (
            f"the times of {counts.minutes / clicks:.0%} of the clicks are whole {what}: a window of seconds sees all "
            "clicks of such a time at once, and none beside it. Name a column that has seconds: --map ts=…"
        )


def _of_urls(counts: Counts) -> Iterator[str]:
    clicks = counts.clicks
    if counts.urls < _NEARLY_EACH * clicks:
        return
    names = new_with_each(counts.some_urls)
    fix = "Say what the ad is: --url-from PARAMETER, --map url=…"
    if names:
        listed = ",".join(names[:_NAMED])
        fix = f"If {listed.replace(',', ', ')} is the click's own and not the ad's, leave it out: --url-drop {listed}"
    yield (
        f"{counts.urls:,} URLs for {clicks:,} clicks: nearly each click has its own, as of an id that is new with "
        f"each, so that no rule can see a second click on it. {fix}"
    )


def _address(clicks: pd.DataFrame) -> tuple[str, int, int, int]:
    """The address with most clicks, see `Counts`."""
    address, n = _most(*_counts(clicks["ip"].dropna()))
    if n < _MOST * len(clicks) or "user_agent" not in clicks:
        return address, n, 0, 0
    of_it = clicks[(clicks["ip"] == address).to_numpy()]
    named_so = sum(address in session for session in of_it["session_id"].to_list() if isinstance(session, str))
    return address, n, len(_counts(of_it["user_agent"].dropna())[0]), named_so


def _most(names: list[str], counts: npt.NDArray[np.int64]) -> tuple[str, int]:
    if not names:
        return "", 0
    top = int(np.argmax(counts))
    return names[top], int(counts[top])


def _counts(texts: pd.Series[Any]) -> tuple[list[str], npt.NDArray[np.int64]]:
    found = pc.value_counts(pa.array(texts, pa.string(), from_pandas=True))
    return found.field("values").to_pylist(), found.field("counts").to_numpy()


def private(ip: pd.Series[Any]) -> int:
    """How many of the addresses are private."""
    names, counts = _counts(ip)
    return sum(int(n) for name, n in zip(names, counts, strict=True) if name is not None and is_private(name))
