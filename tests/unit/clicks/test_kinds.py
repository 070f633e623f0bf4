"""Columns that say that not all records are clicks: told with the option, and nothing said of others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from workbench.clicks.files import SAMPLE_LOG, read
from workbench.clicks.kinds import Kinds, columns_of_kinds
from workbench.clicks.mapping import Mapping


def said(column: str, values: list[str | None]) -> list[str]:
    kinds = Kinds()
    kinds.count(column, pd.Series(values, dtype=object))
    return list(kinds.warnings())


@pytest.mark.parametrize(
    ("column", "values", "option"),
    [
        ("event_name", ["page_view", "scroll", "session_start", "user_engagement"], "--where event_name=page_view"),
        ("event_type", ["impression", "click", "click"], "--where event_type=click"),
        ("type", ["Impression", "Click", "Ad Clicked"], "--where 'type=Click,Ad Clicked'"),
        ("action", ["view", "conversion", "add"], "--where 'action!=view,conversion'"),
        ("method", ["GET", "OPTIONS", "HEAD", "POST"], "--where method=GET,POST"),
        ("event", ["click", "whatever"], "--where event=click"),
        ("event_type", ["install"], "--where event_type=install"),
        ("hit", ["pageView", "scrollDepth", None], "--where hit=pageView"),
    ],
)
def test_kinds_that_look_like_no_clicks_are_told_with_the_option(
    column: str, values: list[str | None], option: str
) -> None:
    (text,) = said(column, values)
    assert text.endswith(option)


@pytest.mark.parametrize(
    "values",
    [
        ["page_view"], ["page"], ["click"], ["click", "tap", "double_click"], ["GET", "POST"], ["GET"], [None], [],
        ["banner", "video", "search"], ["mobile", "desktop"], [f"view {i}" for i in range(200)],
    ],
)  # fmt: skip
def test_nothing_is_said_of_one_kind_or_of_kinds_that_are_none(values: list[str | None]) -> None:
    assert said("type", values) == []


def test_a_reading_tells_it_on_top_and_what_was_said_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    rows = [f"s{i % 9},/ad,2026-01-02T03:04:05Z,{'click' if i % 3 else 'impression'}\n" for i in range(30)]
    path.write_text("session_id,url,ts,event_type\n" + "".join(rows))
    found = read(path)
    assert "event_type holds records of several kinds" in found.warnings[0]
    assert "impression 10" in found.warnings[0]
    assert len(found.clicks) == 30  # nothing is guessed
    assert read(path, Mapping(where="event_type=click")).warnings == []
    assert read(path, Mapping(where="event_type!=nothing")).doubts == ()
    carried = read(path, Mapping(carry={"kind": "event_type"}))
    assert carried.doubts == found.doubts


def test_the_sample_has_none() -> None:
    assert read(SAMPLE_LOG).doubts == ()


@pytest.mark.parametrize(
    ("values", "option"),
    [
        (["0", "1", "0"], "--where is_click=1"),
        (["false", "true"], "--where is_click=true"),
        (["0", "0"], "--where 'is_click!=0'"),
        (["1", "1"], None),
        (["0", "1", "2"], None),
    ],
)
def test_a_column_that_says_of_each_record_whether_it_is_a_click(values: list[str], option: str | None) -> None:
    kinds = Kinds()
    kinds.count("is_click", pd.Series(values))

    assert columns_of_kinds(["ts", "is_click"], ["ts"]) == ["is_click"]
    assert [text.partition("which: ")[2] for text in kinds.warnings()] == ([] if option is None else [option])
