"""How much one visitor and one address may ask of the click page: rates, and streams that stay open."""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import Counter
from dataclasses import dataclass, fields

from throttled import Throttled, per_sec
from throttled.store import MemoryStore

from workbench.errors import SetupError

__all__ = ["Limits", "Rates", "StreamSlots", "group_of"]

_REMEMBERED = 50_000  # keys of each limit; the one that was idle longest is forgotten first


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed: clicks, new sessions and requests a second, streams at a time. Each is at least 1.

    The limits of an address hold whatever its cookies say. Four seconds' worth may come at once; of new sessions,
    thirty: people behind one address open the page at the same time.

    >>> Limits(session_clicks=0)
    Traceback (most recent call last):
    workbench.errors.SetupError: session_clicks is 0: give a whole number from 1 up
    """

    session_clicks: int = 5
    address_clicks: int = 50
    address_sessions: int = 2
    address_requests: int = 100
    session_streams: int = 2
    address_streams: int = 16
    streams: int = 64
    waiting: int = 32

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SetupError(f"{each.name} is {value!r}: give a whole number from 1 up")


class Rates:
    """Counts against the rates of `limits`. Each method returns the seconds to wait, 0 where it may go on."""

    def __init__(self, limits: Limits) -> None:
        self._session_clicks = _rate(limits.session_clicks, 4)
        self._address_clicks = _rate(limits.address_clicks, 4)
        self._address_sessions = _rate(limits.address_sessions, 30)
        self._address_requests = _rate(limits.address_requests, 4)

    def request(self, address: str) -> int:
        """Count a request of any kind."""
        return _wait(self._address_requests, address)

    def new_session(self, address: str) -> int:
        """Count a session that is issued."""
        return _wait(self._address_sessions, address)

    def click(self, address: str, session_id: str) -> int:
        """The address first: a flood of sessions from one must not crowd the sessions of others out of memory."""
        return _wait(self._address_clicks, address) or _wait(self._session_clicks, session_id)


def _rate(a_second: int, burst_s: int) -> Throttled:
    return Throttled(
        using="gcra",
        quota=per_sec(a_second, burst=a_second * burst_s),
        store=MemoryStore(options={"MAX_SIZE": _REMEMBERED}),
    )


def _wait(rate: Throttled, key: str) -> int:
    result = rate.limit(key)
    return max(1, math.ceil(result.state.retry_after)) if result.limited else 0


class StreamSlots:
    """Who has a stream open. Each stream holds a thread of the server, so there is an end to them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._sessions: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many streams are open."""
        return sum(self._sessions.values())

    def take(self, session_id: str, address: str) -> bool:
        """Take a slot if there is one left for this session, this address and at all."""
        limits = self._limits
        with self._lock:
            free = (
                self.taken < limits.streams
                and self._sessions[session_id] < limits.session_streams
                and self._addresses[address] < limits.address_streams
            )
            change = int(free)
            self._move(session_id, address, change)
            return free

    def give_back(self, session_id: str, address: str) -> None:
        """Give back what `take` took, once for each."""
        with self._lock:
            self._move(session_id, address, -1)

    def _move(self, session_id: str, address: str, change: int) -> None:
        for counter, key in ((self._sessions, session_id), (self._addresses, address)):
            counter[key] += change
            if not counter[key]:
                del counter[key]


def group_of(address: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 that an IPv6 customer has to himself.

    >>> group_of("192.0.2.7"), group_of("2001:db8:1:2:3:4:5:6"), group_of("::ffff:192.0.2.7"), group_of("nonsense")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7', 'unknown')
    """
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), 64), strict=False))
