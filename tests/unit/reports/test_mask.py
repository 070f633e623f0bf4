"""Masking: no address that a click has is left anywhere, and what was told apart stays apart."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.reports.mask import mask_text, masked

NEAR = st.integers(0, 3 * 256).map(lambda n: str(IPv4Address(0xCB007100 + n)))
ADDRESSES = (
    NEAR
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(str)
    | st.ip_addresses(v=6).map(lambda a: a.exploded)
)


def table(ip: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ip": pd.Series(ip, dtype=object),
            "session_id": pd.Series([f"{one}/a1/v{i}" for i, one in enumerate(ip)], dtype=object),
            "click_id": pd.Series([f"log:{i}" for i in range(len(ip))], dtype=object),
            "url": pd.Series([f"/ad?from={one}&n=1" for one in ip], dtype=object),
            "user_agent": pd.Series([f"Proxy/1.0 (for {one})" for one in ip], dtype=object),
        }
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("203.0.113.9", "203.0.113.x"),
        ("sess_203.0.113.009_x", "sess_203.0.113.x_x"),
        ("1.203.0.113.9", "1.203.0.x.9"),
        ("203.0.113.9:8080, 198.51.100.7", "203.0.113.x:8080, 198.51.100.x"),
        ("user:2001:db8:0:1::7/a1", "user:2001:db8:0:x/a1"),
        ("[2001:DB8::1]:443", "[2001:db8:0:x]:443"),
        ("::ffff:203.0.113.9", "203.0.113.x"),
        ("fe80::1%eth0", "fe80:0:0:x%eth0"),
        ("12:00:203.0.113.9", "12:00:203.0.113.x"),
        ("at 10:05:03, Chrome/32.0.1700.77, 300.1.2.3", "at 10:05:03, Chrome/32.0.1700.77, 300.1.2.3"),
        ("a::b c::", "a:0:0:x c:0:0:x"),
    ],
)
def test_what_is_an_address_is_masked_and_what_is_not_stays(text: str, said: str) -> None:
    assert mask_text(text) == said


@given(st.lists(ADDRESSES, max_size=12))
def test_no_address_of_a_click_is_left_in_any_column_and_sessions_stay_apart(ip: list[str]) -> None:
    clicks = table(ip)
    hidden = masked(clicks)
    for name in clicks:
        for one in ip:
            left = rf"(?<![0-9A-Fa-f:.]){re.escape(one)}(?![0-9A-Fa-f:.])"
            assert not hidden[name].str.contains(left, regex=True).any(), name
    versions = {one: IPv6Address(one) if ":" in one else one for one in ip}
    canonical = {one: str(getattr(found, "ipv4_mapped", None) or found) for one, found in versions.items()}
    assert hidden["ip"].nunique() == len(set(canonical.values()))
    assert hidden["session_id"].nunique() == clicks["session_id"].nunique()
    assert all(s.startswith(f"{i}/a1/v") for i, s in zip(hidden["ip"], hidden["session_id"], strict=True))
    assert clicks.equals(table(ip))


def test_a_host_that_is_no_address_is_hidden_with_its_sessions() -> None:
    clicks = table(["dsl-7.isp.example", "203.0.113.9", "dsl-7.isp.example"])
    hidden = masked(clicks)
    assert hidden["ip"].tolist() == ["host#1", "203.0.113.x#1", "host#1"]
    assert hidden["session_id"].tolist() == ["host#1/a1/v0", "203.0.113.x#1/a1/v1", "host#1/a1/v2"]


def test_versions_in_user_agents_stay_unless_they_are_a_visitors_address() -> None:
    clicks = table(["203.0.113.9"]).assign(user_agent="Gecko rv:1.9.2.13 via 203.0.113.9")
    assert masked(clicks)["user_agent"].tolist() == ["Gecko rv:1.9.2.13 via 203.0.113.x#1"]


def test_clicks_without_addresses_or_agents_stay_as_they_are() -> None:
    clicks = pd.DataFrame({"click_id": ["c1"], "session_id": ["s1"], "url": ["/ad"]}, dtype=object)
    assert masked(clicks).equals(clicks)
    empty = table([])
    assert masked(empty).equals(empty)
    gaps = table(["203.0.113.9", "x"]).assign(ip=pd.Series([None, "203.0.113.9"], dtype=object), user_agent=None)
    assert masked(gaps)["ip"].tolist() == [None, "203.0.113.x#1"]


@pytest.mark.parametrize(
    ("paths", "given", "said"),
    [
        (["username"], ["john.smith", "ann@x.example", "john.smith"], ["user#1", "…@x.example#1", "user#1"]),
        (["user_id"], ["john.smith", "4711"], ["user#1", "4711"]),
        (["context.user.email"], ["john"], ["user#1"]),
        (["ip", "login"], ["203.0.113.9/a%2Fb", "203.0.113.9/"], ["203.0.113.x#1/user#1", "203.0.113.x#1/"]),
        (["session_id"], ["john.smith"], ["john.smith"]),
        (["visitor"], ["john.smith"], ["john.smith"]),
    ],
)
def test_sessions_read_from_a_column_of_names_are_masked(paths: list[str], given: list[str], said: list[str]) -> None:
    clicks = pd.DataFrame({"session_id": pd.Series(given, dtype=object)})
    hidden = masked(clicks, paths)["session_id"].tolist()
    assert [re.sub("~.*", "", one) for one in hidden] == said
