"""Which of a text is the visitor's: entries as servers and proxies write them, lists, and texts that are no host."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.mapping import Client
from workbench.errors import ClickError
from workbench.sources.hosts import host, hosts


def one(text: object, client: Client = "public") -> object:
    return hosts(pd.Series([text], dtype=object), client)[0]


@pytest.mark.parametrize(
    ("entry", "normal"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:61261", "192.0.2.7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25en0]:80", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:0207", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:5123", "192.0.2.7"),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
        ("ip:192.0.2.7", "192.0.2.7"),
        ("ipv6:[2001:db8::7]:443", "2001:db8::7"),
        ('for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("for=192.0.2.43;proto=https;by=203.0.113.43", "192.0.2.43"),
        ('"192.0.2.7"', "192.0.2.7"),
        ("Crawl-1.Example", "crawl-1.example"),
        ("crawl-1.example.:443", "crawl-1.example"),
        ("localhost", "localhost"),
    ],
)
def test_an_entry_has_one_normal_form(entry: str, normal: str) -> None:
    assert one(entry) == normal


@pytest.mark.parametrize(
    "text",
    [
        "-",
        "",
        " , ",
        "unknown",
        "unix:",
        "_hidden",
        "for=_SEVKISEK",
        "null",
        "(null)",
        "0.0.0.0",
        "::",
        "0",
        "12345",
        "999.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.4/24",
        "a_b",
        "-a.example",
        "a..example",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "2001:db8::1::2",
        "1:2:3:4:5:6:7:8:9",
        "[192.0.2.7",
        "h\0st",
        "1.2.3.4\0",
        "шлюз",
        "١.2.3.4",
        "\u212aite",  # the sign of the kelvin, which is a k in lower case
        None,
        float("nan"),
        7,
    ],
)
def test_what_is_no_host_is_none(text: object) -> None:
    assert one(text) is None


@pytest.mark.parametrize(
    ("text", "client", "who"),
    [
        ("203.0.113.9, 10.0.0.1", "public", "203.0.113.9"),
        ("203.0.113.9 10.0.0.1", "public", "203.0.113.9"),
        ("198.51.100.7, 203.0.113.9, 10.0.0.1, 172.16.3.4", "public", "203.0.113.9"),
        ("203.0.113.9:443,[fd00::1]:80", "public", "203.0.113.9"),
        ("192.168.1.7, 10.0.0.1", "public", "10.0.0.1"),
        ("proxy.example, 10.0.0.1", "public", "10.0.0.1"),
        ("-, 203.0.113.9", "public", "203.0.113.9"),
        ("203.0.113.9, unknown", "last", "203.0.113.9"),
        ("192.168.1.7, 203.0.113.9, 10.0.0.1", "first", "192.168.1.7"),
        ("192.168.1.7, 203.0.113.9, 10.0.0.1", "last", "10.0.0.1"),
        ("a.example, 203.0.113.9, 198.51.100.7", 0, "198.51.100.7"),
        ("a.example, 203.0.113.9, 198.51.100.7", 1, "203.0.113.9"),
        ("a.example, 203.0.113.9, 198.51.100.7", 2, "a.example"),
        ("a.example, 203.0.113.9, 198.51.100.7", 9, "a.example"),
        ("10.0.0.1", "public", "10.0.0.1"),
        ("for=192.0.2.43, for=10.1.1.1;by=10.2.2.2", "public", "192.0.2.43"),
    ],
)
def test_a_list_is_the_clients_by_the_rule(text: str, client: Client, who: str) -> None:
    assert one(text, client) == who


@pytest.mark.parametrize("client", ["left", -1, True, 1.0, None])
def test_a_client_that_there_is_not_is_named(client: Client) -> None:
    with pytest.raises(ClickError, match="the client of a list of addresses is public, first, last, or how many"):
        hosts(pd.Series(["192.0.2.7"]), client)


_addresses = st.ip_addresses().map(lambda address: getattr(address, "ipv4_mapped", None) or address)


@given(_addresses.filter(lambda address: int(address) != 0), st.integers(0, 65535))
def test_an_address_is_the_same_however_it_is_written(address: IPv4Address | IPv6Address, port: int) -> None:
    normal = str(address)
    bracketed = normal if address.version == 4 else f"[{normal}]"
    ways = [
        normal,
        normal.upper(),
        address.exploded,
        f"[{normal}]",
        f"{bracketed}:{port}",
        f"for={bracketed}",
        f" {normal},",
    ]
    assert set(hosts(pd.Series(ways))) == {normal}


@given(st.lists(st.text(max_size=40) | st.text('0123456789abf.:[]%,; "-=ip', max_size=60), max_size=8))
def test_any_texts_give_normal_forms_or_none(texts: list[str]) -> None:
    for client in ("public", "first", "last", 1):
        found = hosts(pd.Series(texts, dtype=object, index=range(3, 3 + len(texts))), client)
        assert list(found.index) == list(range(3, 3 + len(texts)))
        assert all(name is None or host(name) == name for name in found)


def test_texts_that_differ_after_a_nul_are_not_one() -> None:
    assert hosts(pd.Series(["192.0.2.1", "192.0.2.1\0", "192.0.2.1\0, 192.0.2.2"])).to_list() == [
        "192.0.2.1",
        None,
        "192.0.2.2",
    ]


@pytest.mark.parametrize(
    "text", ["a." * 50_000, "a-" * 50_000, ":" * 100_000, "[" * 100_000, "1:" * 50_000 + "%" * 50_000]
)
def test_hostile_texts_are_over_at_once(text: str) -> None:
    assert one(text) is None
