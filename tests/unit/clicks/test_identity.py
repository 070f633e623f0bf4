"""What tells visitors apart, what does not, and whose clicks are left out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping as MappingOf
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.crawlers import crawlers
from workbench.clicks.exclusions import Exclusions
from workbench.clicks.files import SAMPLE_LOG, read
from workbench.clicks.identity import is_visitor, warnings
from workbench.clicks.ids import visitor
from workbench.clicks.traffic import Traffic
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


def clicks(columns: MappingOf[str, Any] = MappingProxyType({}), n: int = 100) -> pd.DataFrame:
    """Clicks of visitors that are told apart, on a few ads, at times with seconds, but for what is given."""
    seconds = [i * 7 for i in range(n)]
    usual: dict[str, Any] = {
        "session_id": [f"s{i // 4}" for i in range(n)],
        "url": [f"/ad{i % 5}?id={i % 5}" for i in range(n)],
        "ts": list(pd.to_datetime(seconds, unit="s", utc=True).as_unit("us")),
        "ip": [f"203.0.113.{i // 4}" for i in range(n)],
        "user_agent": ["Firefox"] * n,
    }
    return pd.DataFrame(usual | dict(columns))


def at(n: int, step_s: int, start: str = "2026-01-02") -> list[Any]:
    return list(
        (pd.Timestamp(start, tz="UTC") + pd.to_timedelta([i * step_s for i in range(n)], unit="s")).as_unit("us")
    )


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a proxy": (
        {
            "ip": ["203.0.113.1"] * 60 + [f"203.0.113.{i}" for i in range(2, 42)],
            "session_id": [f"203.0.113.{max(1, i - 58)}/a{i % 6}/v1" for i in range(100)],
            "user_agent": [f"agent {i % 6}" for i in range(100)],
        },
        r"one address has 60% of the clicks, by 6 user agents .*X-Forwarded-For.*--client",
    ),
    "one time": ({"ts": at(100, 0)}, r"100% of the clicks have one and the same time.*--map ts="),
    "minutes": ({"ts": at(100, 60)}, r"100% of the clicks are whole minutes: .*--map ts="),
    "midnights": ({"ts": at(100, 86400)}, r"100% of the clicks are whole hours or days"),
    "a parameter": ({"url": [f"/ad?id=7&sid={i}" for i in range(100)]}, r"100 URLs for 100 clicks.*--url-drop sid$"),
    "a path": ({"url": [f"/r/{i}" for i in range(100)]}, r"100 URLs for 100 clicks.*--url-from PARAMETER"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_the_rule_cannot_work_on_is_said_with_the_fix(case: str) -> None:
    columns, said = WRONG[case]
    (text,) = warnings(clicks(columns))
    assert re.search(said, text)
    few = clicks(columns).iloc[:49]
    assert warnings(few) == []  # of a few clicks nothing is said


RIGHT: dict[str, dict[str, Any]] = {
    "cookies behind one address": {
        "ip": ["203.0.113.1"] * 100,
        "user_agent": [f"agent {i % 9}" for i in range(100)],
    },
    "an office with one kind of browser": {
        "ip": ["203.0.113.1"] * 60 + [f"203.0.113.{i}" for i in range(2, 42)],
        "session_id": [f"203.0.113.{max(1, i - 58)}/a1/v{i // 2}" for i in range(100)],
    },
    "a burst of half of the clicks in one second": {"ts": at(50, 0) + at(50, 7)},
    "every tenth at a whole minute": {"ts": at(100, 6)},
    "many pages": {"url": [f"/page{i // 2}" for i in range(100)]},
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_nothing_is_said_where_visitors_times_and_ads_are_told_apart(case: str) -> None:
    assert warnings(clicks(RIGHT[case])) == []
    assert warnings(clicks()) == []


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_said_of_traffic_as_it_should_be(seed: int) -> None:
    start = datetime(2026, 1, 2, tzinfo=UTC)
    assert warnings(Traffic(20, "1m", seed=seed).clicks(start)) == []
    assert warnings(read(SAMPLE_LOG).clicks) == []


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
