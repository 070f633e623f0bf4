"""What stands beside the flagged: repeats against a judging by hand, crawlers and labels counted by themselves."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from judged_clicks import RULES, START, clicks

from workbench.reports import beside
from workbench.rule import Rule, judge


@given(clicks(), RULES)
def test_what_merging_changes_is_what_judging_without_the_repeats_gives(table: pd.DataFrame, rule: Rule) -> None:
    judged = judge(table, rule)
    kept: list[int] = []
    last: dict[tuple[str, str], pd.Timestamp] = {}
    for i, click in judged.iterrows():
        key = (click["session_id"], click["url"])
        if key not in last or click["ts"] - last[key] >= pd.Timedelta("2s"):
            kept.append(int(str(i)))
            last[key] = click["ts"]
    once = judge(table[table["click_id"].isin(judged.loc[kept, "click_id"])], rule)
    found = beside.if_merged(judged, rule)
    assert found.repeats == len(judged) - len(kept)
    assert found.clicks == judged["fraud"].sum() - once["fraud"].sum() >= 0
    flagged = [frame.loc[frame["fraud"], "session_id"].nunique() for frame in (judged, once)]
    assert found.sessions == flagged[0] - flagged[1] >= 0


def test_a_redirect_and_a_reload_are_told_with_the_option_that_merges_them() -> None:
    ts = START + pd.to_timedelta([0, 0, 6], unit="s")
    table = pd.DataFrame({"click_id": list("abc"), "session_id": "s", "url": "/landing", "ts": ts})
    said = str(beside.if_merged(judge(table, Rule()), Rule()))
    assert said.startswith("1 click within 2s of one of the same session and URL. ")
    assert said.endswith("1 click and 1 session fewer would be flagged: --merge-repeats 2s")
    spread = table.assign(ts=START + pd.to_timedelta([0, 3, 6], unit="s"))
    assert "would change nothing that is flagged" in str(beside.if_merged(judge(spread, Rule()), Rule()))


def test_labels_of_every_kind_are_counted_and_those_without_one() -> None:
    ts = START + pd.to_timedelta(range(4), unit="s")
    table = pd.DataFrame({"click_id": list("abcd"), "session_id": "s", "url": "/ad", "ts": ts})
    judged = judge(table.assign(label=pd.Series([True, 1, None, "bat"], dtype=object)), Rule())
    found = beside.by_label(judged, ["BAT", "true"]).set_index("label")
    assert found["means_fraud"].to_dict() == {"true": True, "1": False, "(none)": False, "bat": True}
    assert found["flagged"].to_dict() == {"true": 0, "1": 0, "(none)": 1, "bat": 1}
    assert beside.by_label(judged.drop(columns="label")).empty
