"""The rule on the clicks of one session and URL, one click at a time: for the engines that call Python per record.

No engine lives here: each keeps the list that `judge` works on in its own kind of state.
"""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from datetime import UTC, datetime, timedelta
from typing import Any

THRESHOLD = 3
WINDOW_US = 10_000_000
LATE_US = 3_000_000

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = timedelta(microseconds=1)


def parse(value: bytes) -> dict[str, Any] | None:
    """The click with its time in µs as `us`, or None where the record holds none."""
    try:
        row = json.loads(value)
        us = (datetime.fromisoformat(row["ts"]) - EPOCH) // US
        return {"click_id": row["click_id"], "session_id": row["session_id"], "url": row["url"], "us": us}
    except (ValueError, KeyError, TypeError):
        return None


def judge(seen: list[tuple[int, str]], click: dict[str, Any]) -> list[dict[str, Any]]:
    """Add a click to those seen, sorted by time, and say what changes: its verdict, and later ones that it tips over.

    `seen` loses what no click that is at most `LATE_US` late can still need.
    """
    us, me = click["us"], (click["us"], click["click_id"])
    here = bisect_left(seen, me)
    if here < len(seen) and seen[here] == me:
        return []  # delivered twice
    insort(seen, me)

    def count(at: int) -> int:
        return bisect_left(seen, (at + 1,)) - bisect_left(seen, (at - WINDOW_US + 1,))

    verdicts = [verdict(click, me[1], count(us) >= THRESHOLD)]
    first = bisect_left(seen, (us,))
    # The one THRESHOLD places on has so many before it without this click, or lies outside of its window.
    for at, other in seen[first : first + THRESHOLD + 1]:
        if other != me[1] and at < us + WINDOW_US and count(at) == THRESHOLD:
            verdicts.append(verdict(click, other, True, revised=True))
    del seen[: bisect_left(seen, (seen[-1][0] - WINDOW_US - LATE_US,))]
    return verdicts


def verdict(click: dict[str, Any], click_id: str, fraud: bool, revised: bool = False) -> dict[str, Any]:
    """The verdict on a click of the same session and URL."""
    answer = {"fraudClick": "Yes" if fraud else "No", "revised": revised}
    return {"click_id": click_id, "session_id": click["session_id"], "url": click["url"], **answer}
