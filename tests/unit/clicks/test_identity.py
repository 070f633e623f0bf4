"""What tells visitors apart, what does not, and whose clicks are left out."""

from __future__ import annotations

import ipaddress

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.crawlers import crawlers
from workbench.clicks.exclusions import Exclusions
from workbench.clicks.identity import is_visitor, warnings
from workbench.clicks.ids import visitor
from workbench.errors import ClickError


@pytest.mark.parametrize(
    "text", ["(not set)", "-", "null", "NULL", "undefined", "0", "000", " ", "NaN", "(none)", "0.0"]
)
def test_texts_that_stand_for_no_id_are_no_visitor(text: str) -> None:
    assert not is_visitor(text)
    assert visitor([text]) is None
    assert visitor([text, None]) is None


@given(*[st.lists(st.text(max_size=4) | st.none(), min_size=2, max_size=2) for _ in range(2)])
def test_two_visitors_are_one_only_when_all_their_values_are(one: list[str | None], other: list[str | None]) -> None:
    names = visitor(one), visitor(other)
    if None not in names:
        assert (names[0] == names[1]) == ([text or "" for text in one] == [text or "" for text in other])


def frame(sessions: list[str], ip: str = "203.0.113.9") -> pd.DataFrame:
    return pd.DataFrame({"session_id": sessions, "ip": ip})


def test_one_visitor_for_nearly_all_is_said() -> None:
    assert "one session has 90% of the clicks" in warnings(frame(["proxy"] * 90 + [f"s{i}" for i in range(10)]))[0]


def test_a_visitor_for_each_click_is_said() -> None:
    assert "100 sessions for 100 clicks" in warnings(frame([f"s{i}" for i in range(100)]))[0]


def test_private_addresses_are_said() -> None:
    assert "private addresses" in warnings(frame(["a", "b"], ip="10.0.0.5"))[0]


def test_nothing_is_said_of_visitors_that_are_told_apart() -> None:
    assert warnings(frame([f"s{i // 4}" for i in range(100)])) == []
    assert warnings(frame([])) == []


@given(st.ip_addresses(v=4), st.integers(8, 32))
def test_a_network_excludes_its_own_addresses(address: ipaddress.IPv4Address, length: int) -> None:
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    inside, outside = str(network[-1]), str(ipaddress.IPv4Address(int(network[0]) ^ (1 << 31)))
    ips, others = pd.Series([inside, outside, "h.example"]), pd.Series(["/ad"] * 3)
    assert Exclusions([str(network)])(ips, others, others).tolist() == [True, False, False]


def test_exclusions_go_by_address_agent_and_url() -> None:
    ips = pd.Series(["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.4"])
    urls = pd.Series(["/ad", "/healthz", "/ad", "/api/poll?since=1"])
    agents = pd.Series(["a", None, "b", "My-Monitor/1"])
    for entries, wanted in [
        (["192.0.2.1"], [True, False, False, False]),
        (["2001:db8::/32"], [False, False, True, False]),
        (["/api/poll"], [False, False, False, True]),
        (["my-monitor"], [False, False, False, True]),
        (["url:since", "agent:b"], [False, False, True, True]),
    ]:
        assert Exclusions(entries)(ips, urls, agents).tolist() == wanted
    with pytest.raises(ClickError, match="no address or network"):
        Exclusions(["ip:nowhere"])


def test_crawlers_and_health_checks_are_known_and_libraries_are_not_among_them() -> None:
    known = ["Mozilla/5.0 (compatible; Googlebot/2.1)", "kube-probe/1.29", "ELB-HealthChecker/2.0", "UptimeRobot/2.0"]
    others = ["curl/8.5", "python-requests/2.32", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "", "\0"]
    assert crawlers(pd.Series([*known, *others])).tolist() == [True] * len(known) + [False] * len(others)
