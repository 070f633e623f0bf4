"""Evidence against an oracle that looks through all clicks for each flagged one, and a file no spreadsheet runs."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_clicks import RULES, START, clicks

from workbench.errors import ReportError
from workbench.reports import evidence
from workbench.rule import Rule, judge
from workbench.text import spreadsheet_safe

FORMULA = re.compile(r"""[\s"'`]*[=+\-@\t\r＝＋－＠]""")
NASTY = [
    '=HYPERLINK("http://a.example","x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", ' "=1+1', "'=1", "\n=1", "＝1",
    "\0=1", "\u202e=1", "\u200b=1", "\xa0=1", "/ad;=cmd|' /C calc'!A0", "/ad,\t@x", 'a"\n;"=1',
    "$\\href{javascript:alert(1)}{x}$", "<script>alert(1)</script>",
]  # fmt: skip


def by_hand(judged: pd.DataFrame, rule: Rule) -> list[dict[str, Any]]:
    """Flagged clicks and the clicks that made them, found without any of the package's arithmetic."""
    rows = []
    for i, click in judged.iterrows():
        same = judged[(judged["session_id"] == click["session_id"]) & (judged["url"] == click["url"])]
        window = same[(same["ts"] > click["ts"] - rule.window) & (same["ts"] <= click["ts"])]
        if len(window) < rule.threshold:
            continue
        others = window.drop(index=i)
        before, tied = others[others.index < i], others[others.index > i]
        kept = before.tail(rule.threshold - 1) if rule.threshold > 1 else before.iloc[:0]
        kept = pd.concat([kept, tied.head(rule.threshold - 1 - len(kept))])
        rows.append(
            {
                "click_id": click["click_id"],
                "clicks_in_window": len(window),
                "earlier_click_ids": kept["click_id"].tolist(),
                "earlier_ts": kept["ts"].tolist(),
            }
        )
    return rows


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@given(clicks(), RULES, st.integers(1, 7))
def test_each_row_is_a_flagged_click_and_the_clicks_that_made_it_one(
    table: pd.DataFrame, rule: Rule, rows_at_a_time: int
) -> None:
    judged = judge(table, rule)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "_MOST_EARLIER", rows_at_a_time * rule.threshold)
        found = pd.concat(evidence.rows(judged, rule))
    expected = by_hand(judged, rule)
    assert len(found) == judged["fraud"].sum() == len(expected)
    for row, wanted in zip(found.to_dict("records"), expected, strict=True):
        assert row["click_id"] == wanted["click_id"]
        assert row["clicks_in_window"] == wanted["clicks_in_window"] >= rule.threshold
        assert list(row["earlier_click_ids"]) == wanted["earlier_click_ids"]
        assert [pd.Timestamp(t, tz="UTC") for t in row["earlier_ts"]] == wanted["earlier_ts"]
        assert row["rule_id"] == rule.rule_id


def flagged_clicks(texts: list[str], **columns: Any) -> pd.DataFrame:
    """Three clicks in three seconds for each text, which stands in every column of text."""
    rows = [
        {"click_id": f"{text}{i}", "session_id": text, "url": text, "ts": START + pd.Timedelta(i + n * 60, "s")}
        for n, text in enumerate(texts)
        for i in range(3)
    ]
    return pd.DataFrame(rows).assign(**columns)


def test_no_cell_is_a_formula_and_none_is_one_where_the_semicolon_divides(tmp_path: Path) -> None:
    table = flagged_clicks(NASTY, ip="203.0.113.9")
    table["user_agent"] = table["url"]
    assert evidence.write(judge(table, Rule()), Rule(), tmp_path / "e.csv") == len(NASTY)
    text = (tmp_path / "e.csv").read_text("utf-8")
    for divider in ",;\t|":
        with (tmp_path / "e.csv").open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file, delimiter=divider) for cell in row]
        assert not [cell for cell in cells if FORMULA.match(cell) and not cell.lstrip(' "').startswith("'")]
    for sign in ("\0", "\t", "\u202e", "\u200b", "\xa0"):
        assert sign not in text
    assert len(read(tmp_path / "e.csv")) == len(NASTY)


def test_what_is_no_formula_is_written_as_it_is(tmp_path: Path) -> None:
    url = 'https://shop.example/ä?a=1&b=-2,"q"#x'
    evidence.write(judge(flagged_clicks([url]), Rule()), Rule(), tmp_path / "e.csv")
    (row,) = read(tmp_path / "e.csv")
    assert row["url"] == url
    assert json.loads(row["earlier_click_ids"]) == [f"{url}0", f"{url}1"]


def test_times_are_utc_to_the_millisecond_and_the_rule_is_named(tmp_path: Path) -> None:
    table = flagged_clicks(["s"])
    table["ts"] = (table["ts"] + pd.Timedelta("123456us")).dt.tz_convert("Asia/Kolkata")
    rule = Rule("1500ms", threshold=2)
    evidence.write(judge(table, rule), rule, tmp_path / "e.csv")
    row = read(tmp_path / "e.csv")[0]
    assert row["ts"] == "2026-01-02T03:04:06.123Z"
    assert json.loads(row["earlier_ts"]) == ["2026-01-02T03:04:05.123Z"]
    assert (row["rule_id"], row["window_ms"], row["threshold"]) == ("2-in-1500ms", "1500", "2")
    assert (row["clicks_in_window"], row["click_id"]) == ("2", "s1")
    assert "ip" not in row


@pytest.mark.parametrize("show_personal", [False, True])
def test_people_are_masked_unless_they_are_asked_for(tmp_path: Path, show_personal: bool) -> None:
    table = flagged_clicks(["203.0.113.9/a1/v1", "2001:db8:1:2::3/a1/v1"])
    table["ip"] = table["session_id"].str.removesuffix("/a1/v1")
    evidence.write(judge(table, Rule()), Rule(), tmp_path / "e.csv", show_personal=show_personal)
    text = (tmp_path / "e.csv").read_text("utf-8")
    assert ("203.0.113.9" in text) == ("2001:db8:1:2::3" in text) == show_personal
    assert ("203.0.113.x#1/a1/v1" in text) == ("2001:db8:1:x#1/a1/v1" in text) == (not show_personal)


def test_nothing_flagged_gives_a_file_with_its_header(tmp_path: Path) -> None:
    judged = judge(flagged_clicks(["s"]), Rule(threshold=4))
    assert evidence.write(judged, Rule(threshold=4), tmp_path / "e.csv") == 0
    assert (tmp_path / "e.csv").read_text("utf-8").startswith("ts,session_id,url,click_id,rule_id,")
    assert read(tmp_path / "e.csv") == []


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    judged = judge(flagged_clicks(["s"]), Rule())
    with pytest.raises(ReportError, match=r"cannot write .*no-such"):
        evidence.write(judged, Rule(), tmp_path / "no-such" / "e.csv")
    (tmp_path / "e.csv").write_text("before")
    broken = judged.assign(click_id=np.nan)
    with pytest.raises(ValueError, match="empty cells"):
        evidence.write(broken, Rule(), tmp_path / "e.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["e.csv"]
    assert (tmp_path / "e.csv").read_text() == "before"


@given(st.text(max_size=200))
def test_no_text_begins_a_formula(text: str) -> None:
    said = spreadsheet_safe(text)
    assert said.isprintable()
    assert not re.search(r"""(^|[;,|])[\s"`]*[=+\-@＝＋－＠]""", said)
