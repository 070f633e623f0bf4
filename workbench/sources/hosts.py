"""Which address or host name of a text is the visitor's, in its normal form. Where such texts come from: `logs`."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.errors import ClickError
from workbench.text import quote

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "NOBODY", "NOT_PUBLIC", "Client", "client_of", "entries_of", "host", "hosts", "is_address", "is_private",
    "is_public",
]  # fmt: skip

Client = Literal["public", "first", "last"] | int
"""Which entry of a list is the visitor's; an int is how many trusted proxies to skip from the right."""

NOBODY: Final = frozenset({"unknown", "unix", "null", "none", "nil", "undefined", "nan", "n-a", "0.0.0.0", "::"})
"""Entries that would pass for hosts and are nobody's, in lower case."""

NOT_PUBLIC: Final = (
    *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    *("0.0.0.0/8", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
)
"""Networks of addresses that no visitor from outside has. All others are public, those of documentation too."""

_NETWORKS = tuple(ip_network(network) for network in NOT_PUBLIC)
_QUOTES = str.maketrans("", "", "\"'")
_BETWEEN = re.compile(r"[,; \t\n\r\f\v]+")
_PREFIX = re.compile(r"(?:ip(?:v[46])?|for)[:=]", re.IGNORECASE | re.ASCII)
_BRACKETS = re.compile(r"\[([^\[\]]*+)\](?::[0-9]{0,5})?")
_PORT = re.compile(r"([^:]++):[0-9]{0,5}")
_ZONE = re.compile(r"([0-9A-Fa-f:.]++)%.*", re.DOTALL)
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.|\Z)){4}(?<=[0-9])")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")


def hosts(raw: pd.Series[Any], client: Client = "public") -> pd.Series[Any]:
    r"""Give the visitor's address or host name in each text, None where there is none.

    The rule, to be followed to the letter by whoever writes it in another language:

    1. What is no text has no host. Of a text, all `"` and `'` are taken out, and it is divided into entries at every
       run of commas, semicolons and blanks (space, tab, line feed, carriage return, form feed, vertical tab).
    2. An entry loses one of the prefixes ip: ipv4: ipv6: for: (or with = in place of the colon), in any case of
       letters. Then, if it is `[...]` or `[...]:digits`, it is what stands in the brackets; else, if it has one colon
       and at most five digits after that, it is what stands before the colon. Then, if it has a colon, and before its
       first % nothing but hex digits, colons and dots, it ends at that %.
    3. It is an IPv4 address (four numbers of 0 to 255 without leading zeros), an IPv6 address (RFC 4291) or a host name
       (RFC 1123: labels of 1 to 63 ASCII letters, digits and inner hyphens, together at most 253 characters, the last
       not of digits only; a dot at the end is dropped). Else it is passed over, as an entry in `NOBODY` is.
    4. Its normal form is in lower case, IPv6 as in RFC 5952 but without dotted quads, and ::ffff:1.2.3.4 as 1.2.3.4.
    5. Of the entries that are left, "first" and "last" are the first and the last; an int N is the one before the last
       N, or the first where there are no more than N; "public" is the last address in none of the networks in
       `NOT_PUBLIC`, or, where all are in one, or names, the last entry.

    Parameters
    ----------
    raw
        Texts, shape (n,): an address, a name or a list as "client, proxy, proxy", perhaps with ports, brackets or
        zones, or written as in the header Forwarded (RFC 7239).
    client
        "public", "first", "last", or how many trusted proxies to skip from the right.

    Returns
    -------
    Series
        Objects, shape (n,), with the index of `raw`.

    Raises
    ------
    ClickError
        There is no such `client`.

    Examples
    --------
    >>> import pandas as pd
    >>> hosts(pd.Series(["203.0.113.9:61261, 10.0.0.1", "[2001:DB8::0:1]:443", "-"])).to_list()
    ['203.0.113.9', '2001:db8::1', None]
    >>> hosts(pd.Series(["203.0.113.9, 198.51.100.7"]), client=1).to_list()
    ['203.0.113.9']
    """
    if client not in ("public", "first", "last") and not (type(client) is int and client >= 0):
        wanted = "public, first, last, or how many trusted proxies to skip from the right"
        raise ClickError(f"the client of a list of addresses is {wanted}: got {quote(client)}")
    import pandas as pd

    # By a dict of Python's: pandas hashes a text up to its first NUL only.
    values = raw.astype(object).to_list()
    found = {text: client_of(text, client) for text in {value for value in values if isinstance(value, str)}}
    return pd.Series([found[v] if isinstance(v, str) else None for v in values], index=raw.index, dtype=object)


def host(entry: str) -> str | None:
    """The normal form of one entry, None where it is no host: steps 2 to 4 of `hosts`.

    >>> host("::ffff:192.0.2.7"), host("fe80::1%eth0"), host("Crawl-1.Example."), host("999.1.1.1")
    ('192.0.2.7', 'fe80::1', 'crawl-1.example', None)
    """
    entry = entry[prefix.end() :] if (prefix := _PREFIX.match(entry)) else entry
    if (bare := _BRACKETS.fullmatch(entry) or _PORT.fullmatch(entry)) is not None:
        entry = bare[1]
    if (zone := _ZONE.fullmatch(entry)) is not None and ":" in zone[1]:
        entry = zone[1]
    address = _address(entry)
    if address is not None:
        normal = str(address)
    else:
        normal = entry.removesuffix(".")
        if not _NAME.fullmatch(normal):
            return None
        normal = normal.lower()
    return None if normal in NOBODY else normal


def is_address(name: str) -> bool:
    """Whether a host in its normal form is an address.

    >>> is_address("192.0.2.7"), is_address("crawl-1.example")
    (True, False)
    """
    return _address(name) is not None


def is_private(name: str) -> bool:
    """Whether a host in its normal form is an address in one of the networks in `NOT_PUBLIC`.

    >>> is_private("203.0.113.9"), is_private("10.0.0.1"), is_private("crawl-1.example")
    (False, True, False)
    """
    address = _address(name)
    return address is not None and _is_inside(address)


def is_public(name: str) -> bool:
    """Whether a host in its normal form is an address in none of them.

    >>> is_public("203.0.113.9"), is_public("10.0.0.1"), is_public("crawl-1.example")
    (True, False, False)
    """
    address = _address(name)
    return address is not None and not _is_inside(address)


def client_of(text: str, client: Client = "public") -> str | None:
    """The visitor's host in one text: all of the rule of `hosts`.

    >>> client_of("203.0.113.9, 10.0.0.1"), client_of("-")
    ('203.0.113.9', None)
    """
    if _IPV4.fullmatch(text):  # as nearly all are
        return None if text in NOBODY else text
    entries = entries_of(text)
    if len(entries) < 2:
        return entries[0] if entries else None
    if client == "first":
        return entries[0]
    if client == "public":
        return next((entry for entry in reversed(entries) if is_public(entry)), entries[-1])
    return entries[-1] if client == "last" else entries[max(0, len(entries) - 1 - client)]


def entries_of(text: str) -> list[str]:
    """The hosts in a text, in their normal form: steps 1 to 4 of `hosts`.

    >>> entries_of("203.0.113.9:61261, unknown, 10.0.0.1")
    ['203.0.113.9', '10.0.0.1']
    """
    return [name for entry in _BETWEEN.split(text.translate(_QUOTES)) if (name := host(entry)) is not None]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_inside(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _NETWORKS)
