"""The shadow equals the rule on the clicks that the feed holds, and the chart shows where the rules differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_frames import verdict_frame

from workbench.charts import figures as charts
from workbench.charts.data import iso, rule_changes
from workbench.charts.live import LiveChart
from workbench.rule import Rule, judge
from workbench.verdicts.shadow import Shadow, compare

SECOND = 1_000_000


@dataclass
class Feed:
    now: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        return self.now


def of(clicks: list[tuple[int, int, int]]) -> pd.DataFrame:
    """Verdicts on clicks (session, url, time in s), in this order."""
    frame = verdict_frame(len(clicks))
    frame["session_id"] = [f"s{session}" for session, _, _ in clicks]
    frame["url"] = [f"/{url}" for _, url, _ in clicks]
    ts = pd.to_datetime([at for _, _, at in clicks], unit="s", utc=True)
    return frame.assign(ts=pd.Series(ts, dtype="datetime64[us, UTC]"))


clicks = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 25)), max_size=40)
rules = st.builds(Rule, st.sampled_from(["1s", "5s", "10s"]), st.integers(1, 5))


@given(clicks=clicks, challenger=rules, champion=st.none() | rules)
def test_a_shadow_equals_the_rule_on_the_clicks_of_the_feed(
    clicks: list[tuple[int, int, int]], challenger: Rule, champion: Rule | None
) -> None:
    feed = Feed(of(clicks))
    shadow = Shadow(feed, challenger, champion)
    frame = shadow.frame()
    assert frame["click_id"].tolist() == feed.now["click_id"].tolist()

    def by(rule: Rule) -> list[bool]:
        return judge(feed.now, rule).set_index("click_id")["fraud"].reindex(feed.now["click_id"]).tolist()

    assert frame["challenger"].tolist() == by(challenger)
    assert frame["champion"].tolist() == (feed.now["fraud"].tolist() if champion is None else by(champion))
    agreement = shadow.agreement()
    assert agreement.differing == len(shadow.differences()) == (frame["champion"] != frame["challenger"]).sum()
    assert agreement.both + agreement.neither + agreement.differing == len(clicks)


def test_the_chart_has_the_differences_of_each_second_up_and_down() -> None:
    frame = verdict_frame(4_000, rate=100)
    challenger = Rule("3s", 6)
    compared = compare(frame, challenger)
    figure = charts.skeleton(go.Figure(), ["shadow"])
    charts.apply(figure, charts.shadow_view(compared, challenger))
    second = frame["ts"].dt.floor("s")
    up = (compared["challenger"] & ~compared["champion"]).groupby(second).sum()
    down = (compared["champion"] & ~compared["challenger"]).groupby(second).sum()
    drawn = {trace.meta: trace.y for trace in figure.data}
    assert drawn["shadow:challenger"].tolist() == up.tolist()
    assert drawn["shadow:champion"].tolist() == (-down).tolist()
    assert max(up) + max(down) > 0
    words = " ".join(note.text for note in figure.layout.annotations)
    assert f"{up.sum():,} clicks flagged by it only, {down.sum():,} by the running rule only" in words


def test_the_live_chart_judges_its_first_seconds_by_what_was_before_them() -> None:
    frame = of([(0, 0, at) for at in (1, 2, 3, 11, 12)]).assign(fraud=False)
    chart = LiveChart(Feed(frame), window_s=3, challenger=Rule("11s", 4), clock=lambda: 13.0)
    chart.refresh()
    drawn = {trace.meta: trace for trace in chart.figure().data}
    assert drawn["shadow:challenger"].y.tolist() == [1, 1]  # 11 s: 1, 2, 3, 11; 12 s: 2, 3, 11, 12


def test_the_live_chart_draws_a_line_where_a_rule_took_over() -> None:
    frame = verdict_frame(3_000, rate=100)
    frame = frame.sort_values("judged_at", ignore_index=True)  # verdicts of the one rule end before those of the next
    frame.loc[2_000:, "rule_id"] = "4-in-<20s>"
    at = frame["ts"].iloc[2_000]
    frame = frame.sample(frac=1, random_state=1, ignore_index=True)
    [(at_us, rule_id)] = rule_changes(frame)
    assert rule_id == "4-in-<20s>"
    assert abs(at_us - at.value // 1000) < SECOND / 2
    chart = LiveChart(Feed(frame), clock=lambda: frame["ts"].max().timestamp() + 0.1)
    chart.refresh()
    upper, lower = chart.figure().layout.shapes
    assert upper.x0 == lower.x0 == iso(np.array([at_us]))[0]
    assert upper.label.text == "4-in-&lt;20s&gt;"


def test_a_rule_that_comes_back_is_marked_again_and_one_rule_is_not_marked() -> None:
    frame = verdict_frame(900, rate=100)
    assert rule_changes(frame) == []
    assert rule_changes(frame.iloc[:0]) == []
    by_time = frame.sort_values("judged_at", ignore_index=True)
    by_time.loc[300:599, "rule_id"] = "2-in-1s"
    assert [rule_id for _, rule_id in rule_changes(by_time)] == ["2-in-1s", "3-in-10s"]


@pytest.mark.parametrize("rows", [0, 200])
def test_the_live_chart_with_a_challenger_has_five_panels_filled_or_empty(rows: int) -> None:
    frame = verdict_frame(rows, rate=100)
    chart = LiveChart(Feed(frame), challenger=Rule("5s", 2), clock=lambda: 1767323045.0 + 3)
    chart.refresh()
    titles = [note.text for note in chart.figure().layout.annotations if str(note.name).endswith(":title")]
    assert len(titles) == 5
    assert "2-in-5s" in titles[4]
