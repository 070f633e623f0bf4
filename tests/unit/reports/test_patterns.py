"""Patterns against a rereading of their definitions in plain Python."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from judged_clicks import RULES, START, clicks

from workbench.reports import patterns
from workbench.rule import Rule, judge


def covered(judged: pd.DataFrame, rule: Rule, marks: list[int]) -> list[list[int]]:
    """What the windows of the marked clicks cover, joined where two have a moment in common."""
    found: list[tuple[list[int], Any]] = []
    key = list(zip(judged["session_id"], judged["url"], strict=True))
    for i in marks:
        t = judged["ts"][i]
        window = [j for j in judged.index if key[j] == key[i] and t - rule.window < judged["ts"][j] <= t]
        for members, last in found:
            if key[members[0]] == key[i] and t - rule.window < last:
                members += [j for j in window if j not in members]
                found[[m is members for m, _ in found].index(True)] = (members, max(last, t))
                break
        else:
            found.append((window, t))
    return [members for members, _ in found]


def as_rows(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(table.itertuples(index=False, name=None))


def expected(judged: pd.DataFrame, groups: list[list[int]]) -> list[tuple[Any, ...]]:
    rows = []
    for members in groups:
        part = judged.loc[members]
        row = (part["session_id"].iloc[0], part["url"].iloc[0], part["ts"].min(), part["ts"].max())
        rows.append((*row, len(part), int(part["fraud"].sum()), int(part["clicks_in_window"].max())))
    return sorted(rows)


@given(clicks(), RULES)
def test_a_burst_is_what_the_windows_of_flagged_clicks_cover_without_a_gap(table: pd.DataFrame, rule: Rule) -> None:
    judged = judge(table, rule)
    groups = covered(judged, rule, judged.index[judged["fraud"]].tolist())
    assert as_rows(patterns.bursts(judged, rule)) == expected(judged, groups)
    members = [i for group in groups for i in group]
    assert len(members) == len(set(members))


@given(clicks(), RULES)
def test_a_near_miss_is_a_burst_of_one_click_less_that_holds_no_flagged_one(table: pd.DataFrame, rule: Rule) -> None:
    judged = judge(table, rule)
    least = max(rule.threshold - 1, 2)
    marks = judged.index[judged["clicks_in_window"] >= min(least, rule.threshold)].tolist()
    groups = [group for group in covered(judged, rule, marks) if not judged.loc[group, "fraud"].any()]
    found = patterns.near_misses(judged, rule)
    assert as_rows(found) == expected(judged, groups)
    assert rule.threshold > 2 or found.empty


@given(clicks(), RULES)
def test_suspicious_clicks_reach_one_below_the_threshold_and_are_not_flagged(table: pd.DataFrame, rule: Rule) -> None:
    judged = judge(table, rule)
    marked = patterns.suspicious(judged, rule)
    assert not (marked & judged["fraud"]).any()
    counts = judged.loc[marked, "clicks_in_window"]
    assert (counts == rule.threshold - 1).all()
    # Whatever a near miss is made of ends in such a click.
    misses = patterns.near_misses(judged, rule)
    assert set(misses["session_id"]) <= set(judged.loc[marked, "session_id"])


@given(clicks(), RULES)
def test_sessions_and_urls_add_up_to_all_clicks(table: pd.DataFrame, rule: Rule) -> None:
    judged = judge(table, rule)
    for found, name in ((patterns.by_session(judged), "session_id"), (patterns.by_url(judged), "url")):
        assert found["clicks"].sum() == len(judged)
        assert found["flagged"].sum() == judged["fraud"].sum()
        assert found["flagged"].is_monotonic_decreasing
        assert found[name].is_unique
    flagged = judged[judged["fraud"]]
    pairs = flagged[["session_id", "url"]].drop_duplicates()
    assert patterns.by_url(judged)["flagged_sessions"].sum() == len(pairs)


def test_what_was_carried_along_stands_with_the_sessions_and_the_urls() -> None:
    ts = START + pd.to_timedelta(range(4), unit="s")
    table = pd.DataFrame({"click_id": list("abcd"), "session_id": list("xxxy"), "url": "/ad", "ts": ts})
    more: dict[str, Any] = {
        "campaign": [None, "lamp", "sofa", None],
        "cost": [0.5, 0.5, 0.5, 2.0],
        "clicks": ["p", "q", "r", "s"],
    }
    judged = judge(table.assign(**more), Rule()).assign(crawler=False)
    assert patterns.carried(judged) == ["campaign", "cost", "clicks"]
    sessions = patterns.by_session(judged).set_index("session_id")
    assert sessions["campaign"].tolist() == ["lamp", None]
    assert sessions["cost"].tolist() == [0.5, 2.0]
    assert (sessions["clicks"].tolist(), sessions["clicks carried"].tolist()) == ([3, 1], ["p", "s"])
    assert patterns.by_url(judged)[["clicks", "campaign", "cost", "sessions"]].to_numpy().tolist() == [
        [4, "lamp", 0.5, 2]
    ]


def test_a_burst_without_end_is_one_alert() -> None:
    ts = START + pd.to_timedelta(np.arange(50_000) * 100, unit="ms")
    ids = [f"c{i}" for i in range(50_000)]
    judged = judge(pd.DataFrame({"click_id": ids, "session_id": "bot", "url": "/ad", "ts": ts}), Rule())
    found = patterns.bursts(judged, Rule())
    assert found[["clicks", "flagged", "most"]].to_numpy().tolist() == [[50_000, 49_998, 100]]
    assert (found["last"] - found["first"]).tolist() == [timedelta(milliseconds=100) * 49_999]
