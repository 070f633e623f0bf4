"""The rule must equal its definition, written out here once more without any of its code."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.durations import duration, format_duration
from workbench.errors import ClickError, RuleError
from workbench.rule import Rule, clicks_in_window, flag, judge

SECOND = 1_000_000
WINDOW_MS = 2
W = WINDOW_MS * 1000  # the window of the property tests, in microseconds

# Few and telling moments, so that ties and exact edges come up all the time.
moments = st.sampled_from([0, 1, W - 1, W, W + 1, 2 * W - 1, 2 * W, 2 * W + 1]) | st.integers(-W, 4 * W)
thresholds = st.integers(1, 5)


class C(NamedTuple):
    """A click, in the least there is of one."""

    click_id: str
    session: str
    url: str
    us: int


def by_definition(clicks: list[C], window_us: int, threshold: int) -> dict[C, tuple[int, bool]]:
    answer = {}
    for click in set(clicks):
        seen = {
            other
            for other in clicks
            if (other.session, other.url) == (click.session, click.url) and click.us - window_us < other.us <= click.us
        }
        answer[click] = (len(seen), len(seen) >= threshold)
    return answer


def as_frame(clicks: list[C]) -> pd.DataFrame:
    ts = pd.Series(np.array([c.us for c in clicks], "datetime64[us]")).dt.tz_localize("UTC")
    columns = {"click_id": [c.click_id for c in clicks], "session_id": [c.session for c in clicks]}
    return pd.DataFrame({**columns, "url": [c.url for c in clicks], "ts": ts})


def as_answer(judged: pd.DataFrame) -> dict[C, tuple[int, bool]]:
    us = judged["ts"].astype("int64")
    keys = [C(*row) for row in zip(judged["click_id"], judged["session_id"], judged["url"], us, strict=True)]
    assert len(set(keys)) == len(keys), "a click was judged twice"
    return dict(zip(keys, zip(judged["clicks_in_window"], judged["fraud"], strict=True), strict=True))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), moments), max_size=30), thresholds)
@example([(0, 5)] * 4, 3)
@example([], 3)
def test_flag_and_count_equal_the_definition(pairs: list[tuple[int, int]], threshold: int) -> None:
    pairs = sorted(pairs)
    rule = Rule(timedelta(milliseconds=WINDOW_MS), threshold)
    group, ts_us = [g for g, _ in pairs], [us for _, us in pairs]
    clicks = [C(str(i), str(g), "/", us) for i, (g, us) in enumerate(pairs)]
    expected = by_definition(clicks, W, threshold)
    assert clicks_in_window(group, ts_us, rule).tolist() == [expected[c][0] for c in clicks]
    assert flag(group, ts_us, rule).tolist() == [expected[c][1] for c in clicks]


@settings(deadline=None)
@given(
    st.lists(
        st.builds(C, st.sampled_from("abcdefgh"), st.sampled_from("st"), st.sampled_from("uv"), moments),
        max_size=30,
    ),
    thresholds,
    st.randoms(use_true_random=False),
)
def test_judge_equals_the_definition_in_any_order_and_with_repeats(
    clicks: list[C], threshold: int, random: Random
) -> None:
    delivered = clicks + clicks[: len(clicks) // 3]
    random.shuffle(delivered)
    judged = judge(as_frame(delivered), Rule(f"{WINDOW_MS}ms", threshold))
    assert as_answer(judged) == by_definition(clicks, W, threshold)
    assert judged["ts"].is_monotonic_increasing


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), moments), max_size=30), thresholds)
def test_flag_equals_the_shift_form_where_a_tie_looks_back_from_its_last_click(
    pairs: list[tuple[int, int]], threshold: int
) -> None:
    pairs = sorted(pairs)
    shifted = []
    for pair in pairs:
        last = max(i for i, other in enumerate(pairs) if other == pair)
        back = last - (threshold - 1)
        shifted.append(back >= 0 and pairs[back][0] == pair[0] and pair[1] - pairs[back][1] < W)
    rule = Rule(f"{WINDOW_MS}ms", threshold)
    assert flag([g for g, _ in pairs], [us for _, us in pairs], rule).tolist() == shifted


@pytest.mark.parametrize(("age_us", "fraud"), [(10 * SECOND - 1, True), (10 * SECOND, False), (10 * SECOND + 1, False)])
def test_a_click_exactly_one_window_earlier_is_outside(age_us: int, fraud: bool) -> None:
    #   0 ........ 5 s ........ age_us
    #   a          b            c        does a still count for c?
    assert flag([1, 1, 1], [0, 5 * SECOND, age_us], Rule()).tolist() == [False, False, fraud]


@pytest.mark.parametrize("window", ["1ms", "10s", "24h"])
@pytest.mark.parametrize("epoch_us", [0, -(10**15), 1_767_322_800_000_000])
def test_the_edge_is_exact_to_the_microsecond_at_any_date(window: str, epoch_us: int) -> None:
    rule = Rule(window, threshold=2)
    for off, fraud in ((-1, True), (0, False), (1, False)):
        assert flag([1, 1], [epoch_us, epoch_us + rule.window_us + off], rule).tolist() == [False, fraud]


def test_the_threshold_is_reached_by_as_many_clicks_and_not_by_one_fewer() -> None:
    ts_us = [0, 1 * SECOND, 2 * SECOND, 3 * SECOND]
    for threshold in (1, 2, 3, 4, 5):
        expected = [n >= threshold for n in (1, 2, 3, 4)]
        assert flag([1] * 4, ts_us, Rule("10s", threshold)).tolist() == expected


def test_clicks_at_one_microsecond_count_for_each_other_whatever_their_order() -> None:
    assert clicks_in_window([1, 1, 1, 1], [0, 7, 7, 7], Rule()).tolist() == [1, 4, 4, 4]
    assert flag([1, 1, 1, 1], [0, 7, 7, 7], Rule(threshold=4)).tolist() == [False, True, True, True]


def test_one_session_on_two_urls_is_two_groups() -> None:
    clicks = [C("a", "s", "/x", 0), C("b", "s", "/y", 1), C("c", "s", "/x", 2)]
    assert judge(as_frame(clicks), Rule())["clicks_in_window"].tolist() == [1, 1, 2]


def test_two_sessions_on_one_url_are_two_groups() -> None:
    clicks = [C("a", "s", "/x", 0), C("b", "t", "/x", 1), C("c", "s", "/x", 2)]
    assert judge(as_frame(clicks), Rule())["clicks_in_window"].tolist() == [1, 1, 2]


def test_session_and_url_are_not_run_together() -> None:
    clicks = [C("a", "s1", "2/x", 0), C("b", "s12", "/x", 1)]
    assert judge(as_frame(clicks), Rule())["clicks_in_window"].tolist() == [1, 1]


def test_a_click_delivered_again_counts_once_and_comes_back_once() -> None:
    clicks = [C("a", "s", "/x", 0), C("b", "s", "/x", 1)]
    judged = judge(as_frame(clicks * 3), Rule())
    assert judged["click_id"].tolist() == ["a", "b"]
    assert judged["clicks_in_window"].tolist() == [1, 2]


def test_groups_far_apart_in_time_do_not_run_out_of_64_bits() -> None:
    century = 100 * 365 * 86_400 * SECOND
    group = np.repeat(np.arange(50_000), 2)
    ts_us = np.tile([-century, century], 50_000)
    assert clicks_in_window(group, ts_us, Rule("24h")).max() == 1


def test_no_clicks_give_no_verdicts_of_the_right_types() -> None:
    assert flag([], [], Rule()).dtype == np.bool_
    assert clicks_in_window([], [], Rule()).dtype == np.int64
    judged = judge(as_frame([]), Rule())
    assert len(judged) == 0
    assert judged.dtypes[["clicks_in_window", "fraud"]].tolist() == [np.int64, np.bool_]


def test_judge_carries_other_columns_along_and_leaves_its_argument_alone() -> None:
    clicks = as_frame([C("a", "s", "/x", 5), C("b", "s", "/x", 1)]).assign(label=["burst_bot", "person"])
    before = clicks.copy()
    assert judge(clicks, Rule())["label"].tolist() == ["person", "burst_bot"]
    pd.testing.assert_frame_equal(clicks, before)


def test_judge_reads_times_of_any_zone_and_resolution_as_microseconds() -> None:
    clicks = as_frame([C("a", "s", "/x", 0), C("b", "s", "/x", 10 * SECOND - 1), C("c", "s", "/x", 10 * SECOND)])
    elsewhere = clicks.assign(ts=clicks["ts"].dt.tz_convert("Asia/Kolkata").dt.as_unit("ns"))
    pd.testing.assert_frame_equal(judge(elsewhere, Rule()), judge(clicks, Rule()))


@pytest.mark.parametrize(
    ("group", "ts_us"),
    [
        ([1, 1], [5, 4]),
        ([2, 1], [1, 2]),
        ([1, 2, 1], [1, 1, 2]),
        ([1], [1, 2]),
        ([1.0], [1]),
        ([1], [1.5]),
        ([[1]], [[1]]),
    ],
)
def test_arrays_that_would_be_judged_wrongly_are_refused(group: list[int], ts_us: list[int]) -> None:
    with pytest.raises(ClickError):
        flag(group, ts_us, Rule())


def test_judge_says_which_column_is_wrong() -> None:
    clicks = as_frame([C("a", "s", "/x", 0)])
    with pytest.raises(ClickError, match="'url'"):
        judge(clicks.drop(columns="url"), Rule())
    with pytest.raises(ClickError, match="time zone"):
        judge(clicks.assign(ts=pd.Timestamp("2026-01-02")), Rule())
    with pytest.raises(ClickError, match="'session_id'"):
        judge(clicks.assign(session_id=None), Rule())


def test_the_default_rule_is_three_clicks_in_ten_seconds() -> None:
    rule = Rule()
    assert (rule.window, rule.threshold) == (timedelta(seconds=10), 3)
    assert (rule.window_us, rule.window_ms, rule.rule_id) == (10_000_000, 10_000, "3-in-10s")


def test_a_rule_is_a_frozen_value() -> None:
    rule = Rule("1m", 5)
    assert repr(rule) == "Rule(window='1m', threshold=5)"
    assert eval(repr(rule)) == rule == pickle.loads(pickle.dumps(rule))
    assert dataclasses.replace(rule, threshold=4) == Rule("60s", 4)
    assert len({rule, Rule("60s", 5)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.threshold = 2  # type: ignore[misc]


@pytest.mark.parametrize("window", ["0s", "999us", "1500us", "24h 1s", "86401s", "25h", "-1s", "10", 10, None, ""])
def test_a_window_that_cannot_be_is_refused(window: str) -> None:
    with pytest.raises(RuleError):
        Rule(window)


@pytest.mark.parametrize("threshold", [0, -1, 1001, 3.0, "3", None, True])
def test_a_threshold_that_cannot_be_is_refused(threshold: int) -> None:
    with pytest.raises(RuleError, match="threshold must be a whole number from 1 to 1000"):
        Rule("10s", threshold)


def test_a_threshold_out_of_numpy_becomes_a_plain_int() -> None:
    counts: list[Any] = [np.int64(5), np.uint8(5)]
    assert [type(Rule(threshold=count).threshold) for count in counts] == [int, int]


def test_the_outermost_rules_are_accepted() -> None:
    assert Rule("1ms", 1).window_us == 1000
    assert Rule(timedelta(hours=24), 1000).rule_id == "1000-in-24h"


@settings(deadline=None)
@given(st.timedeltas(min_value=timedelta(0)))
def test_a_duration_survives_being_written(value: timedelta) -> None:
    assert duration(format_duration(value)) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("0.5s", 0.5), (" 10 s ", 10), ("0s", 0)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "s", "10", "10 sec", "1e3s", "-5s", "١٠s", "0.0000001s", "999999999999999h", "1m30s", 5, None],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        duration(text)


def test_a_negative_timedelta_is_no_duration() -> None:
    with pytest.raises(RuleError, match="negative"):
        duration(timedelta(seconds=-1))


def test_pages_whose_names_differ_behind_a_nul_are_different_pages() -> None:
    sessions, urls = ["s", "s\0", "s\0x", "s", "s␀0"], ["/", "/", "/", "/\0", "/"]
    clicks = pd.DataFrame({"click_id": list("abcde"), "session_id": sessions, "url": urls})
    clicks["ts"] = pd.Timestamp("2026-01-02", tz="UTC")
    assert judge(clicks, Rule("10s", 2))["clicks_in_window"].tolist() == [1] * 5
    assert judge(pd.concat([clicks, clicks.assign(click_id=list("fghij"))]), Rule("10s", 2))["fraud"].all()
