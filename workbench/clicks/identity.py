"""Whether what should tell visitors apart does: what is said before any number, where it does not."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.text import quote

__all__ = ["NO_VISITOR", "is_visitor", "private", "warnings", "warnings_of"]

NO_VISITOR: Final = frozenset({
    "", "-", "--", "?", "(not set)", "(none)", "(not provided)", "(null)", "<null>", "null", "none", "nil", "nan", "na",
    "n/a", "#n/a", "undefined", "undef", "unknown", "unset", "not set", "missing", "empty", "false", "true", "\\n",
    "[object object]", "00000000-0000-0000-0000-000000000000", "anonymous", "anon", "guest", "visitor", "other",
    "(other)", "default", "redacted", "[redacted]", "***", "optout", "-1", "undefined.undefined", "#ref!", "#name?",
})  # fmt: skip
"""Texts, in small letters, that stand where no id was known. So do texts of nothing but zeros."""

_ENOUGH: Final = 20
_MOST: Final = 0.5
_NEARLY_EACH: Final = 0.95


def is_visitor(text: str) -> bool:
    """Say whether a text names a visitor, and not that there is none.

    >>> is_visitor("s1"), is_visitor("(not set)"), is_visitor("0"), is_visitor("NULL ")
    (True, False, False, False)
    """
    plain = text.strip(" \t\n\r\f\v").lower()
    return plain not in NO_VISITOR and plain.strip("0.") != ""


def warnings(clicks: pd.DataFrame) -> list[str]:
    """What is wrong with the visitors of a frame of clicks, one sentence each; none where nothing is.

    Parameters
    ----------
    clicks
        With session_id, and ip where there is one.

    Returns
    -------
    list of str
        To be shown before any number that is counted by session.

    Examples
    --------
    >>> warnings(pd.DataFrame({"session_id": ["10.0.0.5/a1/v1"] * 30}))[0][:35]
    'one session has 100% of the clicks '
    """
    if clicks.empty:
        return []
    names, counts = _counts(clicks["session_id"])
    top = int(np.argmax(counts))
    from_private = private(clicks["ip"]) if "ip" in clicks else 0
    return warnings_of(len(clicks), len(names), (names[top], int(counts[top])), from_private)


def warnings_of(clicks: int, sessions: int, top: tuple[str, int], from_private: int) -> list[str]:
    """What is wrong by these counts. top: the session with most clicks, and how many; from_private: `private` of all.

    >>> warnings_of(100, 50, ("s1", 3), 60)[0][:45]
    '60% of the clicks come from private addresses'
    """
    said = []
    if clicks >= _ENOUGH:
        if top[1] >= _MOST * clicks:
            said.append(
                f"one session has {top[1] / clicks:.0%} of the clicks ({quote(top[0])}): what is taken "
                "for the visitor may be a proxy, or be the same for all. Name the visitor: --map session_id=…, --client"
            )
        elif sessions >= _NEARLY_EACH * clicks:
            said.append(
                f"{sessions:,} sessions for {clicks:,} clicks: nearly each click has its own, so that no "
                "rule can see a second one. Name the visitor: --map session_id=…"
            )
    if (share := from_private / clicks) > 0.5:
        said.append(
            f"{share:.0%} of the clicks come from private addresses, as behind a proxy or a balancer: visitors may "
            "be taken for one. Log the client's address (X-Forwarded-For), or name the field: --map ip=…, --client"
        )
    return said


def _counts(texts: pd.Series[Any]) -> tuple[list[str], Any]:
    found = pc.value_counts(pa.array(texts, pa.string(), from_pandas=True))
    return found.field("values").to_pylist(), found.field("counts").to_numpy()


def private(ip: pd.Series[Any]) -> int:
    """How many of the addresses are private."""
    names, counts = _counts(ip)
    return sum(int(n) for name, n in zip(names, counts, strict=True) if name is not None and _is_private(name))


def _is_private(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or any(address in network for network in _PRIVATE)


_PRIVATE = [
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]
