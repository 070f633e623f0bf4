"""Rates and streams of the click page: what fits goes on, what does not is told how long to wait. No server."""

from __future__ import annotations

import pytest

from workbench.click_page.limits import Limits, Rates, StreamSlots, group_of
from workbench.errors import SetupError


def test_a_session_may_send_its_burst_and_then_waits_while_others_go_on() -> None:
    rates = Rates(Limits(session_clicks=1, address_clicks=1_000))
    waits = [rates.click("192.0.2.7", "s1") for _ in range(50)]
    assert waits[:4] == [0] * 4
    assert max(waits) >= 1
    assert rates.click("192.0.2.7", "s2") == 0


def test_an_address_is_held_to_its_limit_whatever_sessions_it_names() -> None:
    rates = Rates(Limits(address_clicks=1))
    waits = [rates.click("192.0.2.7", f"s{number}") for number in range(50)]
    assert waits[0] == 0
    assert max(waits) >= 1
    assert rates.click("192.0.2.8", "s0") == 0


def test_new_sessions_and_requests_have_rates_of_their_own() -> None:
    rates = Rates(Limits(address_sessions=1, address_requests=1))
    assert [rates.new_session("a") for _ in range(30)] == [0] * 30
    assert max(rates.new_session("a") for _ in range(50)) >= 1
    assert [rates.request("a") for _ in range(4)] == [0] * 4
    assert max(rates.request("a") for _ in range(50)) >= 1


def test_streams_end_at_the_limit_of_session_address_and_all_and_come_back() -> None:
    slots = StreamSlots(Limits(session_streams=1, address_streams=2, streams=3))
    assert slots.take("s1", "a")
    assert not slots.take("s1", "a")  # the session
    assert slots.take("s2", "a")
    assert not slots.take("s3", "a")  # the address
    assert slots.take("s3", "b")
    assert not slots.take("s4", "c")  # all
    assert slots.taken == 3
    slots.give_back("s1", "a")
    assert slots.take("s4", "c")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "5"])
def test_a_limit_that_cannot_be_is_refused_with_its_value(value: object) -> None:
    with pytest.raises(SetupError, match="address_streams is"):
        Limits(address_streams=value)  # type: ignore[arg-type]


def test_an_address_of_version_6_counts_with_its_network() -> None:
    assert group_of("2001:db8:1:2::1") == group_of("2001:db8:1:2:ffff::") != group_of("2001:db8:1:3::1")
    assert group_of(None) == group_of("1.2.3") == "unknown"
