"""How people and bots click: the numbers of each kind of visitor, and the drawing of its clicks. How many: `traffic`.

Every kind is drawn the same way, as sessions of visits of clicks: a visit is one or more clicks on one ad in
quick succession, a session is a number of visits with pauses between them. The kinds differ in the numbers:

    person         several ads, pauses of seconds to minutes; now and then a double click, rarely a triple one
    double_click   the same, but clicks everything twice within a second
    burst_bot      hammers one ad, 5 to 30 clicks within a few seconds, and comes back for more
    drip_bot       one ad, one click every 6 to 12 s: never three within 10 s
    rotating_bot   one ad, a click every second or so, under a new session every two clicks

Times are drawn on a circle as long as the traffic: what would run over the end is at the beginning, as a
visitor who had come before. So the rate is the same from the first second to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["BOT_LABELS", "LABELS", "draw"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Draws = Callable[[np.random.Generator, int], Floats]
Counts = Callable[[np.random.Generator, int], Ints]

LABELS = ("person", "double_click", "burst_bot", "drip_bot", "rotating_bot")
BOT_LABELS = ("burst_bot", "drip_bot", "rotating_bot")

_MOZILLA, _WEBKIT = "Mozilla/5.0", "AppleWebKit/537.36 (KHTML, like Gecko)"
_PEOPLE_AGENTS = (
    f"{_MOZILLA} (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/131.0.0.0 Safari/537.36",
    f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Chrome/131.0.0.0 Safari/537.36",
    f"{_MOZILLA} (Linux; Android 10; K) {_WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36",
    f"{_MOZILLA} (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    f"{_MOZILLA} (iPhone; CPU iPhone OS 18_1 like Mac OS X) {_WEBKIT} CriOS/131.0 Mobile/15E148 Safari/604.1",
)
# A bot that wants its clicks paid for says that it is a browser, as people's do; the lazy ones do not bother.
_BOT_AGENTS = (
    *_PEOPLE_AGENTS[:2],
    f"{_MOZILLA} (X11; Linux x86_64) {_WEBKIT} HeadlessChrome/131.0.0.0 Safari/537.36",
    "python-requests/2.32.3",
)


@dataclass(frozen=True)
class _Kind:
    """How one kind of visitor is drawn. Pauses and paces are in seconds, one per visit."""

    visits: Counts  # visits of each session
    clicks: Counts  # clicks of each visit
    pause: Draws
    pace: Draws
    browses: bool = False
    rotates_every: int = 0


def _lognormal(median: float, sigma: float, least: float) -> Draws:
    return lambda rng, n: np.maximum(least, rng.lognormal(np.log(median), sigma, n))


def _uniform(low: float, high: float) -> Draws:
    return lambda rng, n: rng.uniform(low, high, n)


def _whole(low: int, high: int) -> Counts:
    return lambda rng, n: rng.integers(low, high + 1, n)


_KINDS: dict[str, _Kind] = {
    "person": _Kind(
        visits=lambda rng, n: rng.geometric(1 / 6, n),
        clicks=lambda rng, n: rng.choice(np.array([1, 2, 3]), size=n, p=[0.935, 0.06, 0.005]),
        pause=_lognormal(9, 0.8, 1.5),
        pace=_uniform(0.15, 0.45),
        browses=True,
    ),
    "double_click": _Kind(
        visits=lambda rng, n: rng.geometric(1 / 4, n),
        clicks=_whole(2, 2),
        pause=_lognormal(14, 0.6, 5),
        pace=_uniform(0.1, 0.5),
        browses=True,
    ),
    "burst_bot": _Kind(visits=_whole(1, 3), clicks=_whole(5, 30), pause=_uniform(15, 40), pace=_uniform(0.05, 0.15)),
    "drip_bot": _Kind(visits=_whole(10, 40), clicks=_whole(1, 1), pause=_uniform(6, 12), pace=_uniform(1, 1)),
    "rotating_bot": _Kind(
        visits=_whole(10, 30),
        clicks=_whole(2, 2),
        pause=_uniform(0.6, 2),
        pace=_uniform(0.4, 1.2),
        rotates_every=2,
    ),
}


def draw(rng: np.random.Generator, label: str, n: int, length_us: int, ads: Sequence[str], tag: str) -> pd.DataFrame:
    """Draw `n` clicks of one kind of visitor, spread evenly over [0, length_us).

    Returns the columns session_id (ending in `tag`), url, ts (int64, µs), ip, user_agent and label, unsorted.
    """
    kind = _KINDS[label]
    # Enough sessions for n clicks: draw sizes until the sum is there, and cut the last session short.
    visits: Ints = np.empty(0, np.int64)
    sizes: Ints = np.empty(0, np.int64)
    while sizes.sum() < n:
        more = kind.visits(rng, max(16, n // 8))
        visits = np.concatenate((visits, more))
        sizes = np.concatenate((sizes, kind.clicks(rng, int(more.sum()))))
    click_visit = np.repeat(np.arange(len(sizes)), sizes)[:n]
    visit_session = np.repeat(np.arange(len(visits)), visits)
    click_session = visit_session[click_visit]
    sessions = int(click_session[-1]) + 1

    # A pause before each visit, a pace within it; the first click stands where the session begins.
    pause = kind.pause(rng, len(sizes))[click_visit]
    pace = kind.pace(rng, len(sizes))[click_visit] * rng.uniform(0.5, 1.5, n)
    gap = np.where(_first(click_visit), pause, pace)
    gap[_first(click_session)] = 0
    since_us = np.cumsum(gap) * 1e6
    since_us -= since_us[_first(click_session)][click_session]
    # One start in each of `sessions` equal slices, at random within it, keeps the rate steady.
    begin_us = (np.arange(sessions) + rng.random(sessions)) / sessions * length_us
    at_us = np.floor(begin_us[click_session] + since_us).astype(np.int64)

    # What a session leaves on each lap of the circle is a visitor of its own.
    lap = at_us // length_us
    visitor = np.cumsum(_first(click_session) | _first(lap)) - 1
    visitors = int(visitor[-1]) + 1
    alias = visitor
    if kind.rotates_every:
        place = np.arange(n) - np.flatnonzero(_first(visitor))[visitor]
        alias = np.cumsum(place % kind.rotates_every == 0) - 1
    name = label.replace("_", "-")
    ids = np.array([f"{name}-{i}-{tag}" for i in range(1, int(alias[-1]) + 2)], dtype=object)
    if kind.browses:
        url = _browse(rng, visit_session, len(ads))[click_visit]
    else:
        url = rng.integers(len(ads), size=sessions)[click_session]
    agents = _BOT_AGENTS if label in BOT_LABELS else _PEOPLE_AGENTS
    return pd.DataFrame(
        {
            "session_id": ids[alias],
            "url": np.array(ads, dtype=object)[url],
            "ts": at_us % length_us,
            "ip": _addresses(rng, visitors)[visitor],
            "user_agent": np.array(agents, dtype=object)[rng.integers(len(agents), size=visitors)[visitor]],
            "label": np.full(n, label, dtype=object),
        }
    )


def _browse(rng: np.random.Generator, visit_session: Ints, ads: int) -> Ints:
    """One ad per visit, the first a popular one, and never the same twice in a row where there are two."""
    weight = 1 / np.arange(1, ads + 1) ** 0.7
    first = rng.choice(ads, size=len(visit_session), p=weight / weight.sum())
    if ads == 1:
        return np.zeros(len(visit_session), np.int64)
    # Walk round the ads by a step that is never a full turn.
    new = _first(visit_session)
    walk = np.where(new, 0, rng.integers(1, ads, size=len(visit_session))).cumsum()
    head = np.flatnonzero(new)[np.cumsum(new) - 1]
    return np.asarray((first[head] + walk - walk[head]) % ads, dtype=np.int64)


def _first(group: Ints) -> npt.NDArray[np.bool_]:
    """Where a new group begins in an array of group numbers."""
    new = np.ones(len(group), dtype=bool)
    np.not_equal(group[1:], group[:-1], out=new[1:])
    return new


def _addresses(rng: np.random.Generator, n: int) -> npt.NDArray[np.object_]:
    """Addresses kept for documentation (RFC 5737, RFC 3849): mostly IPv6, of which there are enough."""
    nets = ("192.0.2", "198.51.100", "203.0.113")
    high, low = rng.integers(1, 65536, n).tolist(), rng.integers(1, 255, n).tolist()
    drawn = zip(high, low, (rng.random(n) < 0.4).tolist(), strict=True)
    texts = [f"{nets[h % 3]}.{lo}" if v4 else f"2001:db8:{h:x}::{lo:x}" for h, lo, v4 in drawn]
    return np.array(texts, dtype=object)
