"""Network addresses in a text, in every way to write one, and the network of each. All else is in `personal`."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

__all__ = ["as_number", "network", "replaced", "spelt"]

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|0{0,2}[0-9]{1,2})"
_IPV4 = re.compile(rf"(?<![0-9])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9])")
# What may be one, or an address of version 4 with something before it. As all repetitions are bounded, a long text
# takes a time in proportion to its length.
_IPV6 = re.compile(
    rf"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_IPV4.pattern}|[0-9A-Fa-f]{{0,4}}(?![0-9A-Fa-f]))"
)
_OTHERWISE = re.compile(
    rf"(?<![0-9])(?:{_OCTET}([-_])(?:{_OCTET}\1){{2}}{_OCTET}|[0-9]{{8,10}}|0[xX][0-9A-Fa-f]{{8}})(?!\w)"
)
_LEAST: Final = 1 << 24  # 1.0.0.0: what is below is a number

Address = str  # in the one form that Python gives it


def replaced(text: str, name: Callable[[Address], str | None]) -> str:
    """The text with each address replaced by its name, unless that is None.

    >>> replaced("203.0.113.009 asked [2001:DB8::1]:443 at 10:05:03", lambda address: f"<{address}>")
    '<203.0.113.9> asked [<2001:db8::1>]:443 at 10:05:03'
    """
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


def spelt(text: str, name: Callable[[Address], str | None]) -> str:
    """The same for what is an address only if one knows it: 203-0-113-9, one number, a number in hex.

    >>> spelt("dsl-203-0-113-9 3405803785", lambda address: f"<{address}>")
    'dsl-<203.0.113.9> <203.0.113.9>'
    """

    def of(match: re.Match[str]) -> str:
        sign = match[1]
        found = ".".join(str(int(octet)) for octet in match[0].split(sign)) if sign else as_number(match[0])
        return (name(found) if found else None) or match[0]

    return _OTHERWISE.sub(of, text)


def as_number(text: str) -> Address | None:
    """The IPv4 address that a decimal or hexadecimal number is; None where it is none.

    >>> as_number("3405803785"), as_number("0xCB007109"), as_number("17")
    ('203.0.113.9', '203.0.113.9', None)
    """
    try:
        number = int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        return None
    return str(IPv4Address(number)) if _LEAST <= number < 1 << 32 else None


def network(address: Address) -> str:
    """What may be shown: all but the last 8 bits of an IPv4 address, the first 48 of an IPv6 one.

    >>> network("203.0.113.9"), network("2001:db8:1:2::3")
    ('203.0.113.x', '2001:db8:1:x')
    """
    if ":" not in address:
        return f"{address.rpartition('.')[0]}.x"
    groups = IPv6Address(address).exploded.split(":")[:3]
    return ":".join([*(group.lstrip("0") or "0" for group in groups), "x"])


def _trimmed(text: str) -> tuple[str, str, str]:
    """A text without the colon before or behind it that cannot be part of an address."""
    begin = int(text.startswith(":") and not text.startswith("::"))
    end = len(text) - int(text.endswith(":") and not text.endswith("::"))
    return text[:begin], text[begin:end], text[end:]
