"""Whose clicks are left out at the owner's word: addresses, networks, user agents, URLs. They are counted."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.errors import ClickError

__all__ = ["Exclusions"]

Bools = npt.NDArray[np.bool_]


class Exclusions:
    """Says which clicks are left out.

    entries: an address or a network ("203.0.113.0/24"); what begins with "/" or holds "://", a text in URLs; all else,
    a text in user agents, in capital letters or not. "ip:", "url:" and "agent:" before one say which it is.
    unused: those that no click was left out for so far. networks, urls, agents: what each is, and its entry; agents are
    in small letters.

    >>> out = Exclusions(["198.51.100.0/24", "/healthz", "UptimeRobot"])
    >>> ips, agents = pd.Series(["198.51.100.7", "::1", None]), pd.Series(["x", "uptimerobot/2.0", None])
    >>> out(ips, pd.Series(["/ad", "/ad", "/healthz?x"]), agents).tolist()
    [True, True, True]
    """

    def __init__(self, entries: Collection[str]) -> None:
        self.unused = set(entries)
        self.networks: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]] = []
        self.urls: list[tuple[str, str]] = []
        self.agents: list[tuple[str, str]] = []
        for entry in entries:
            kind, _, text = entry.partition(":")
            if kind not in ("ip", "url", "agent") or not text:
                kind, text = "", entry
            network = _network(text)
            if kind == "ip" and network is None:
                raise ClickError(f"--exclude {entry} names no address or network; write it as ip:203.0.113.0/24")
            if network is not None and kind in ("", "ip"):
                self.networks.append((network, entry))
            elif kind == "url" or (not kind and (text.startswith("/") or "://" in text)):
                self.urls.append((text, entry))
            else:
                self.agents.append((text.lower(), entry))

    def __call__(self, ip: pd.Series[Any], url: pd.Series[Any], user_agent: pd.Series[Any]) -> Bools:
        """By click whether it is left out. Shape (n,)."""
        out = np.zeros(len(url), np.bool_)
        if self.networks:
            out |= _where(ip, self._in_networks)
        if self.urls:
            out |= _where(url, lambda text: self._found(entry for part, entry in self.urls if part in text))
        if self.agents:
            out |= _where(
                user_agent, lambda text: self._found(entry for part, entry in self.agents if part in text.lower())
            )
        return out

    def _in_networks(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return self._found(entry for network, entry in self.networks if address in network)

    def _found(self, entries: Iterator[str]) -> bool:
        found = set(entries)
        self.unused -= found
        return bool(found)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _where(values: pd.Series[Any], holds: Callable[[str], bool]) -> Bools:
    """Each distinct text is looked at once."""
    known: dict[str, bool] = {}
    found = np.zeros(len(values), np.bool_)
    for i, value in enumerate(values.to_list()):
        if isinstance(value, str):
            known_already = known.get(value)
            found[i] = known[value] = holds(value) if known_already is None else known_already
    return found
