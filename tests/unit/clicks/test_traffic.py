"""Traffic: as many clicks as asked for, the same each time, behaving as their labels say."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.clicks.record import check
from workbench.clicks.traffic import ADS, BOT_LABELS, LABELS, Mix, Traffic
from workbench.errors import TrafficError
from workbench.rule import Rule, judge

START = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
NOBODY = {"people": 0.0, "double_clickers": 0.0, "burst_bots": 0.0, "drip_bots": 0.0, "rotating_bots": 0.0}
SHARE_OF = dict(zip(LABELS, NOBODY, strict=True))


def only(label: str, *, rate: float = 100, duration: str = "60s", ads: tuple[str, ...] = ADS) -> pd.DataFrame:
    mix = Mix(**NOBODY | {SHARE_OF[label]: 1.0})
    return Traffic(rate=rate, duration=duration, mix=mix, seed=3, ads=ads).clicks(START)


def gaps_s(clicks: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Seconds between neighbouring clicks of each group."""
    times = clicks.sort_values("ts").groupby(by)["ts"]
    return np.asarray(times.diff().dropna().dt.total_seconds())


@given(
    rate=st.floats(0.5, 300),
    seconds=st.integers(2, 90),
    shares=st.tuples(*[st.floats(0, 1)] * 5).filter(lambda shares: sum(shares) > 0.01),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=40, deadline=None)
def test_any_mix_comes_out_to_the_click(rate: float, seconds: int, shares: tuple[float, ...], seed: int) -> None:
    total = sum(shares)
    mix = Mix(*(share / total for share in shares))
    traffic = Traffic(rate=rate, duration=timedelta(seconds=seconds), mix=mix, seed=seed)
    clicks = check(traffic.clicks(START))
    assert len(clicks) == round(rate * seconds)
    assert clicks["click_id"].is_unique
    assert clicks["ts"].is_monotonic_increasing
    assert clicks["ts"].iloc[0] >= START
    assert clicks["ts"].iloc[-1] < START + timedelta(seconds=seconds)
    counts = clicks["label"].value_counts()
    for label, share in mix.shares.items():
        assert abs(counts.get(label, 0) - share * len(clicks)) <= 1


def test_the_same_seed_and_start_give_the_same_clicks() -> None:
    traffic = Traffic(rate=50, duration="20s", seed=11)
    pd.testing.assert_frame_equal(traffic.clicks(START), traffic.clicks(START))


@pytest.mark.parametrize(
    ("seed", "start"),
    [(12, START), (11, START + timedelta(microseconds=1))],
    ids=["another seed", "another start"],
)
def test_two_runs_share_neither_clicks_nor_sessions(seed: int, start: datetime) -> None:
    one = Traffic(rate=50, duration="20s", seed=11).clicks(START)
    two = Traffic(rate=50, duration="20s", seed=seed).clicks(start)
    assert not set(one["click_id"]) & set(two["click_id"])
    assert not set(one["session_id"]) & set(two["session_id"])


@pytest.mark.parametrize("label", LABELS)
def test_each_kind_keeps_the_rate_from_the_first_second_to_the_last(label: str) -> None:
    clicks = only(label, rate=200, duration="60s")
    tenths = np.histogram((clicks["ts"] - START).dt.total_seconds(), bins=10, range=(0, 60))[0]
    assert tenths.sum() == 12_000
    assert abs(tenths - 1200).max() < 0.25 * 1200


def test_people_browse_and_pause_and_seldom_click_three_times() -> None:
    clicks = only("person", rate=500)
    assert clicks.groupby("session_id")["url"].nunique().max() >= 4
    between = gaps_s(clicks, ["session_id"])
    assert np.median(between) > 3
    assert 0.02 < np.mean(between < 1) < 0.15
    assert 0 < judge(clicks, Rule())["fraud"].mean() < 0.02


def test_double_clickers_click_twice_within_a_second_and_are_never_fraud() -> None:
    clicks = only("double_click", rate=500)
    # Half of a pair may lie beyond the edge of the traffic; all others come within a second of their twin.
    near = clicks.sort_values("ts").groupby(["session_id", "url"])["ts"]
    twin = (near.diff().dt.total_seconds() < 1) | (near.diff(-1).dt.total_seconds() > -1)
    assert twin.mean() > 0.98
    assert not judge(clicks, Rule())["fraud"].any()


def test_burst_bots_hammer_one_url_and_are_mostly_fraud() -> None:
    clicks = only("burst_bot", rate=200)
    assert (clicks.groupby("session_id")["url"].nunique() == 1).all()
    assert np.median(gaps_s(clicks, ["session_id"])) < 0.25
    assert judge(clicks, Rule())["fraud"].mean() > 0.8


def test_drip_bots_stay_just_under_the_default_rule_but_not_under_a_wider_window() -> None:
    clicks = only("drip_bot", rate=200)
    assert (clicks.groupby("session_id")["url"].nunique() == 1).all()
    between = gaps_s(clicks, ["session_id"])
    assert between.min() > 5.99
    assert between.max() < 12.01
    assert not judge(clicks, Rule())["fraud"].any()
    assert judge(clicks, Rule(window="30s"))["fraud"].mean() > 0.5


def test_rotating_bots_take_a_new_session_every_two_clicks_from_one_address() -> None:
    clicks = only("rotating_bot", rate=200)
    assert clicks.groupby("session_id").size().max() == 2
    assert not judge(clicks, Rule())["fraud"].any()
    bots = clicks.groupby(["ip", "user_agent", "url"])["session_id"].nunique()
    assert bots.max() >= 5


def test_bots_are_the_labels_that_name_bots() -> None:
    assert tuple(label for label in LABELS if label.endswith("_bot")) == BOT_LABELS


def test_addresses_are_from_the_ranges_kept_for_documentation() -> None:
    nets = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
    for text in Traffic(rate=50, duration="20s").clicks(START)["ip"].unique():
        address = ipaddress.ip_address(text)
        assert any(address.version == net.version and address in net for net in nets)


def test_one_ad_is_enough() -> None:
    assert set(only("person", ads=("/only",))["url"]) == {"/only"}


def test_people_get_the_rest_of_the_mix() -> None:
    assert Mix(burst_bots=0.3).shares["person"] == pytest.approx(1 - 0.3 - 0.08 - 0.05 - 0.05)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_cannot_be_is_refused_by_name(share: float) -> None:
    with pytest.raises(TrafficError, match="burst_bots is"):
        Mix(people=0.5, burst_bots=share)


def test_shares_that_do_not_add_up_are_refused_with_their_sum() -> None:
    with pytest.raises(TrafficError, match=r"add up to 1\.3, not 1"):
        Mix(people=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": 0}, "rate is 0"),
        ({"rate": float("inf")}, "rate is inf"),
        ({"rate": 0.01, "duration": "1s"}, "choose a rate and a duration"),
        ({"rate": 1e6, "duration": "1h"}, "3,600,000,000 clicks"),
        ({"seed": -1}, "seed is -1"),
        ({"ads": ()}, "at least one URL"),
    ],
)
def test_traffic_that_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(TrafficError, match=message):
        Traffic(**settings)  # type: ignore[arg-type]


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(TrafficError, match="without a time zone"):
        Traffic().clicks(datetime(2026, 1, 2))
