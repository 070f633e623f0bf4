"""Every answer of the tuning surface must be the one that the rule, asked by itself, gives."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.clicks.gaps import NEVER, Bins, Moments, Tally
from workbench.clicks.order import order
from workbench.clicks.traffic import Traffic
from workbench.clicks.visitors import BOT_LABELS
from workbench.errors import ClickError, RuleError
from workbench.rule import Rule, flag, judge
from workbench.tuning.outcome import Cost
from workbench.tuning.surface import Surface, changes, grid, surface
from workbench.verdicts.evaluation import evaluate

WINDOWS = ["1ms", "2ms", "3ms", "7ms"]
THRESHOLDS = [1, 2, 3, 5, 6]
RULES = [Rule(w, n) for w, n in itertools.product(WINDOWS, THRESHOLDS)]
START = datetime(2026, 1, 2, tzinfo=UTC)

# Few moments, on and beside the edges of the windows, so that ties and exact edges come up all the time.
moments = st.sampled_from([0, 1, 999, 1000, 1001, 1999, 2000, 2001, 3000, 7000]) | st.integers(-1000, 9000)
drawn = st.lists(
    st.tuples(st.sampled_from("st"), st.sampled_from("uv"), moments, st.sampled_from(["person", "burst_bot"])),
    max_size=40,
)
Drawn = list[tuple[str, str, int, str]]


def as_frame(clicks: Drawn, ids: list[str] | None = None) -> pd.DataFrame:
    ts = pd.Series(np.array([us for _, _, us, _ in clicks], "datetime64[us]")).dt.tz_localize("UTC")
    text = {
        "click_id": ids or [f"c{n}" for n in range(len(clicks))],
        "session_id": [session for session, *_ in clicks],
        "url": [url for _, url, *_ in clicks],
        "label": [label for *_, label in clicks],
    }
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in text.items()} | {"ts": ts})


def shuffled(clicks: pd.DataFrame, random: Random) -> pd.DataFrame:
    """The clicks in another order, a third of them delivered twice."""
    rows = [*range(len(clicks)), *range(len(clicks) // 3)]
    random.shuffle(rows)
    return clicks.iloc[rows].reset_index(drop=True)


def place(found: Surface, rule: Rule) -> tuple[int, int]:
    return found.windows.index(rule.window), found.thresholds.index(rule.threshold)


@settings(deadline=None)
@given(drawn, st.randoms(use_true_random=False))
@example([("s", "u", 5, "person")] * 7, Random(1))
@example([], Random(1))
def test_every_pair_is_what_the_rule_says_in_any_order_and_with_repeats(clicks: Drawn, random: Random) -> None:
    frame = as_frame(clicks)
    found = surface(shuffled(frame, random), WINDOWS, THRESHOLDS, cost=Cost(0.5, 3))
    by_session = frame.assign(g=frame.groupby(["session_id", "url"]).ngroup()).sort_values(["g", "ts"], kind="stable")
    for rule in RULES:
        fraud = flag(by_session["g"], by_session["ts"].astype("int64"), rule)
        at, told = place(found, rule), found.at(rule)
        assert found.flagged_clicks[at] == told.flagged_clicks == fraud.sum()
        assert found.flagged_sessions[at] == told.flagged_sessions == by_session.loc[fraud, "session_id"].nunique()
        if not clicks:
            continue
        if rule in (RULES[6], RULES[11]):  # the others by hand, which is faster
            quality = evaluate(frame, by_session.assign(fraud=fraud))
            assert (told.precision, told.recall) == (quality.precision, quality.recall)
        hits = int((fraud & by_session["label"].isin(BOT_LABELS)).sum())
        bots = int(frame["label"].isin(BOT_LABELS).sum())
        assert told.precision == (hits / fraud.sum() if fraud.any() else None)
        assert told.recall == (hits / bots if bots else None)
        assert told.flagged_share == fraud.mean()
        assert told.cost == 0.5 * (bots - hits) + 3 * (fraud.sum() - hits)
        assert told.f1 == (2 * hits / (fraud.sum() + bots) if bots else None)


@settings(deadline=None)
@given(drawn, st.randoms(use_true_random=False), st.sampled_from(RULES))
def test_gaps_flag_click_by_click_what_judge_flags(clicks: Drawn, random: Random, rule: Rule) -> None:
    frame = shuffled(as_frame(clicks), random)
    ordered = order(frame)
    ids = frame["click_id"].iloc[ordered.rows].to_numpy()
    judged = judge(frame, rule).set_index("click_id")["fraud"]
    assert sorted(ids) == sorted(judged.index)
    assert ordered.flagged(rule).tolist() == judged.reindex(ids).tolist()


@settings(deadline=None)
@given(drawn, st.lists(st.integers(0, 40), max_size=4), st.integers(6, 8))
def test_parts_add_up_to_the_whole_wherever_they_are_cut(clicks: Drawn, cuts: list[int], at_most: int) -> None:
    whole = order(as_frame(clicks)).moments
    tally = Tally([rule.window_us for rule in map(Rule, WINDOWS)], THRESHOLDS)
    edges = sorted({0, *(min(cut, len(whole.us)) for cut in cuts), len(whole.us)})
    url = np.cumsum(np.diff(whole.start, prepend=-1) != 0)  # any number that changes where the URL does
    for begin, end in itertools.pairwise(edges):
        part = slice(max(0, begin - at_most), end)  # as many as are looked back at, and more than one click at times
        session, urls, us = whole.session[part], url[part], whole.us[part]
        since = begin - part.start
        goes_on = begin > 0 and whole.session[begin] == whole.session[begin - 1]
        tally.add(Moments.of(session, urls, us, whole.clicks[part], whole.fraud[part], at_most), since, goes_on)
    tally.close()
    expected = surface(as_frame(clicks), WINDOWS, THRESHOLDS)
    assert tally.flagged.tolist() == expected.flagged_clicks.tolist()
    assert tally.sessions.tolist() == expected.flagged_sessions.tolist()
    assert expected.hits is not None
    assert tally.hits.tolist() == expected.hits.tolist()


@given(
    st.lists(
        st.integers(1, 10**9) | st.integers(86_399_000_000, 86_400_000_000), min_size=1, max_size=120, unique=True
    ),
    st.lists(st.integers(0, 2 * 10**9) | st.just(NEVER), max_size=50),
)
def test_bins_are_those_of_a_binary_search(windows: list[int], gaps: list[int]) -> None:
    edges = sorted(windows)
    near = np.array([*gaps, *edges, *(edge - 1 for edge in edges), *(edge + 1 for edge in edges)], np.int64)
    assert Bins(edges)(near).tolist() == np.searchsorted(edges, near, side="right").tolist()


def test_the_surface_of_mixed_traffic_is_exact_and_rises_with_the_window_and_falls_with_the_threshold() -> None:
    clicks = Traffic(rate=300, duration="60s", seed=3).clicks(START)
    found = surface(clicks, ["1s", "5s", "10s", "40s"], range(1, 9))
    assert (np.diff(found.flagged_clicks, axis=0) >= 0).all()
    assert (np.diff(found.flagged_clicks, axis=1) <= 0).all()
    for rule in (Rule("10s", 3), Rule("40s", 4), Rule("1s", 1), Rule("5s", 8)):
        judged = judge(clicks, rule)
        assert found.at(rule).flagged_clicks == judged["fraud"].sum()
        assert found.at(rule).flagged_sessions == judged.loc[judged["fraud"], "session_id"].nunique()
        quality = evaluate(clicks, judged)
        assert (found.at(rule).precision, found.at(rule).recall) == (quality.precision, quality.recall)
    assert found.at(found.best()).f1 == np.nanmax(found.f1)
    assert found.at(found.best("cost")).cost == found.cost.min()


def test_dear_refusals_choose_a_stricter_rule_than_dear_fraud() -> None:
    clicks = Traffic(rate=300, duration="60s", seed=3).clicks(START)
    tried: tuple[list[str], range] = (["1s", "5s", "10s", "40s"], range(2, 9))
    careful = surface(clicks, *tried, cost=Cost(paid_fraud=1, refused_good=100))
    greedy = surface(clicks, *tried, cost=Cost(paid_fraud=100, refused_good=1))
    careful_one, greedy_one = careful.at(careful.best("cost")), greedy.at(greedy.best("cost"))
    assert careful_one.flagged_clicks < greedy_one.flagged_clicks
    assert careful_one.precision is not None
    assert greedy_one.precision is not None
    assert careful_one.precision > greedy_one.precision


def test_among_equals_the_best_rule_is_the_one_that_flags_least_then_the_strictest() -> None:
    clicks = as_frame([("s", "u", us, "burst_bot") for us in (0, 10, 20, 30)])
    assert surface(clicks, ["1ms", "2ms"], [1]).best() == Rule("1ms", 1)
    assert surface(clicks, ["1ms", "2ms"], [5, 6]).best() == Rule("1ms", 6)


def test_the_best_rule_by_price_is_the_cheapest_at_each_and_a_dearer_mistake_is_made_less_often() -> None:
    clicks = Traffic(50, "2m", seed=3).clicks(datetime(2026, 1, 2, tzinfo=UTC))
    windows, thresholds = ["2s", "10s", "40s"], [2, 3, 5]
    found = surface(clicks, windows, thresholds).best_by_price([1, 10, 100])
    assert found.index.name == "a good click costs"
    for price, row in found.iterrows():
        priced = surface(clicks, windows, thresholds, cost=Cost(1, float(str(price))))
        assert row["rule"] == priced.best("cost").rule_id
        assert row["cost"] == priced.cost.min()
    assert found["precision"].is_monotonic_increasing


def test_the_ranked_rules_begin_with_the_best() -> None:
    clicks = Traffic(50, "2m", seed=3).clicks(datetime(2026, 1, 2, tzinfo=UTC))
    found = surface(clicks, ["2s", "10s", "40s"], [2, 3, 5])
    ranked = found.ranked()
    assert ranked["rule_id"][0] == found.best().rule_id
    assert ranked["f1"].is_monotonic_decreasing
    assert sorted(ranked["rule_id"]) == sorted(found.frame()["rule_id"])


def test_without_labels_there_is_only_how_much_is_flagged_and_no_best_rule() -> None:
    clicks = as_frame([("s", "u", 0, "x"), ("s", "u", 1, "x")])
    for bare in (
        clicks.drop(columns="label"),
        clicks.assign(label=pd.Series([None, None], dtype=object)),
        clicks.assign(label=""),
    ):
        found = surface(bare, WINDOWS, [2])
        assert not found.labelled
        assert "precision" not in found.frame().columns
        assert found.at(Rule("1ms", 2)).precision is None
        assert np.isnan(found.cost).all()
        with pytest.raises(ClickError, match="the clicks have no labels"):
            found.best()
    with pytest.raises(ClickError, match="no label means fraud: there are x"):
        surface(clicks, WINDOWS, [2]).best()
    assert surface(clicks, WINDOWS, [2], bots=["x"]).best() == Rule("1ms", 2)


def test_the_frame_has_one_row_for_each_rule_with_its_numbers() -> None:
    clicks = Traffic(rate=100, duration="20s", seed=3).clicks(START)
    found = surface(clicks, ["10s", "2s"], [3, 2])
    table = found.frame().set_index("rule_id")
    assert table.index.tolist() == ["2-in-2s", "3-in-2s", "2-in-10s", "3-in-10s"]
    told = found.at(Rule())
    row: Any = table.loc["3-in-10s"]
    assert row["window"] == timedelta(seconds=10)
    for name in ("flagged_clicks", "flagged_sessions", "flagged_share", "precision", "recall", "f1", "cost"):
        assert row[name] == getattr(told, name)


@settings(deadline=None)
@given(drawn, st.sampled_from(RULES), st.sampled_from(RULES))
def test_gained_and_lost_sessions_are_those_that_only_one_rule_flags(clicks: Drawn, a: Rule, b: Rule) -> None:
    frame = as_frame(clicks)
    flagged = {rule: (one := judge(frame, rule))[one["fraud"]] for rule in (a, b)}
    before, after = (set(flagged[rule]["session_id"]) for rule in (a, b))
    found = changes(frame, a, b)
    assert set(found.index[found["change"] == "gained"]) == after - before
    assert set(found.index[found["change"] == "lost"]) == before - after
    for row in found.itertuples():
        of = flagged[b if row.change == "gained" else a]
        mine = of[of["session_id"] == row.Index]
        assert (row.flagged, row.first, row.last) == (len(mine), mine["ts"].min(), mine["ts"].max())
        all_of_it = frame[frame["session_id"] == row.Index]
        assert (row.clicks, row.fraud) == (len(all_of_it), (all_of_it["label"] == "burst_bot").sum())


def test_what_cannot_be_tried_is_refused_by_its_value() -> None:
    clicks = as_frame([("s", "u", 0, "person")])
    with pytest.raises(RuleError, match="window must be whole milliseconds from 1ms to 24h: got 48h"):
        surface(clicks, ["48h"], [3])
    with pytest.raises(RuleError, match="got 0"):
        surface(clicks, ["1s"], [0])
    with pytest.raises(RuleError, match="nothing to try"):
        surface(clicks, [], [3])
    with pytest.raises(ClickError, match="lack the column 'url'"):
        surface(clicks.drop(columns="url"), ["1s"], [3])
    with pytest.raises(RuleError, match="9-in-1s is not on the grid"):
        surface(clicks, ["1s"], [3]).at(Rule("1s", 9))
    with pytest.raises(RuleError, match="paid_fraud is -1"):
        Cost(paid_fraud=-1)
    assert grid(["10s", timedelta(seconds=2), "2000ms"], np.array([4, 3])) == (
        (timedelta(seconds=2), timedelta(seconds=10)),
        (3, 4),
    )
