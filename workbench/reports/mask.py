"""Addresses of people, hidden: the last 8 bits of an IPv4 address, all but the first 48 of an IPv6 one.

What a report or a file of evidence hands on should tell visitors apart without saying where they live. Session names
of access logs begin with the address, so they are masked with it, and one address has one name throughout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address
from typing import Any, Final

import pandas as pd

from workbench.distinct import distinct

__all__ = ["mask_text", "masked"]

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|0{0,2}[0-9]{1,2})"
_IPV4 = re.compile(rf"(?<![0-9])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9])")
# What may be one, or an address of version 4 with something before it. As all repetitions are bounded, a long text
# takes a time in proportion to its length.
_IPV6 = re.compile(
    rf"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_IPV4.pattern}|[0-9A-Fa-f]{{0,4}}(?![0-9A-Fa-f]))"
)
_IN_NAMES: Final = ("ip", "session_id")
_IN_TEXTS: Final = ("click_id", "url")

Address = str
"""An address in the one form that Python gives it."""


def mask_text(text: str) -> str:
    """Mask every address in a text.

    >>> mask_text("203.0.113.9 asked 2001:db8:1:2::3 at 10:05:03")
    '203.0.113.x asked 2001:db8:1:x at 10:05:03'
    """
    return _replaced(text, _network)


def masked(clicks: pd.DataFrame) -> pd.DataFrame:
    """The same clicks with every address masked, in all columns of text that a click has.

    Where several addresses share a network each has a number, in the order of the rows, so that what was told apart
    stays apart. A host in the column ip that is no address becomes "host#1" and so on. In user agents, where versions
    look like addresses, only those are masked that the columns ip or session_id hold.

    >>> ip = ["203.0.113.9", "203.0.113.7", "198.51.100.1"]
    >>> clicks = pd.DataFrame({"ip": ip, "session_id": [f"{one}/a1/v1" for one in ip]})
    >>> masked(clicks)["session_id"].tolist()
    ['203.0.113.x#1/a1/v1', '203.0.113.x#2/a1/v1', '198.51.100.x/a1/v1']
    """
    people = _addresses(clicks[name] for name in _IN_NAMES if name in clicks)
    names = _named(people | _addresses(clicks[name] for name in _IN_TEXTS if name in clicks))
    out = clicks.copy(deep=False)
    for name in (*_IN_NAMES, *_IN_TEXTS):
        if name in clicks:
            out[name] = _mapped(clicks[name], lambda text: _replaced(text, names.get))
    if "user_agent" in clicks:
        personal = {address: names[address] for address in people}
        out["user_agent"] = _mapped(clicks["user_agent"], lambda text: _replaced(text, personal.get))
    return _without_hosts(out, clicks["ip"]) if "ip" in clicks else out


def _without_hosts(clicks: pd.DataFrame, ip: pd.Series[Any]) -> pd.DataFrame:
    """Hide the hosts that are no addresses, in the column ip and where a session's name begins with its host."""
    names = [text for text in _texts(ip) if not _found(text)]
    hosts = {host: f"host#{number}" for number, host in enumerate(names, 1)}
    if not hosts:
        return clicks
    rows = zip(clicks["session_id"], ip, strict=True)
    sessions = [hosts[h] + s[len(h) :] if h in hosts and s.startswith(f"{h}/") else s for s, h in rows]
    hidden = {
        "session_id": pd.Series(sessions, clicks.index, dtype=object),
        "ip": clicks["ip"].map(lambda host: hosts.get(host, host)),
    }
    return clicks.assign(**{name: column for name, column in hidden.items() if name in clicks})


def _texts(column: pd.Series[Any]) -> list[str]:
    return [text for text in distinct(column)[1] if isinstance(text, str) and text]


def _mapped(column: pd.Series[Any], change: Callable[[str], str]) -> pd.Series[Any]:
    """The column with each distinct text changed once."""
    codes, texts = distinct(column)
    changed = pd.Series([*(change(text) for text in texts), None], dtype=object)
    return pd.Series(changed.to_numpy()[codes], index=column.index, dtype=object)


def _addresses(columns: Iterable[pd.Series[Any]]) -> dict[Address, None]:
    """All addresses, each once, in the order in which they appear."""
    return {address: None for column in columns for text in _texts(column) for address in _found(text)}


def _found(text: str) -> list[Address]:
    found: list[Address] = []
    _replaced(text, found.append)
    return found


def _replaced(text: str, name: Callable[[Address], str | None]) -> str:
    """The text with each address replaced by its name, unless that is None."""
    if text.count(".") < 3 and text.count(":") < 2:  # as nearly all texts of a million are
        return text

    def of_4(match: re.Match[str]) -> str:
        return name(".".join([octet.lstrip("0") or "0" for octet in match[0].split(".")])) or match[0]

    def of_6(match: re.Match[str]) -> str:
        before, address, after = _trimmed(match[0])
        try:
            found = IPv6Address(address)
        except ValueError:
            return _IPV4.sub(of_4, match[0])  # a time, a port or the like
        return f"{before}{name(str(found.ipv4_mapped or found)) or address}{after}"

    return _IPV4.sub(of_4, _IPV6.sub(of_6, text)) if ":" in text else _IPV4.sub(of_4, text)


def _trimmed(text: str) -> tuple[str, str, str]:
    """A text without the colon before or behind it that cannot be part of an address."""
    begin = int(text.startswith(":") and not text.startswith("::"))
    end = len(text) - int(text.endswith(":") and not text.endswith("::"))
    return text[:begin], text[begin:end], text[end:]


def _named(addresses: Iterable[Address]) -> dict[Address, str]:
    networks: dict[str, list[Address]] = {}
    for address in addresses:
        networks.setdefault(_network(address), []).append(address)
    return {
        address: network if len(members) == 1 else f"{network}#{number}"
        for network, members in networks.items()
        for number, address in enumerate(members, 1)
    }


def _network(address: Address) -> str:
    if ":" not in address:
        return f"{address.rpartition('.')[0]}.x"
    groups = IPv6Address(address).exploded.split(":")[:3]
    return ":".join([*(group.lstrip("0") or "0" for group in groups), "x"])
