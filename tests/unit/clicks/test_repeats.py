"""Clicks of a session on a URL that come soon after one that is kept are one with it."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.repeats import repeats

CLICKS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("/x"), st.integers(0, 20)), max_size=30)


@given(CLICKS, st.integers(0, 8))
def test_a_click_repeats_the_last_one_that_was_kept_of_its_session_and_url(
    clicks: list[tuple[str, str, int]], span: int
) -> None:
    clicks = sorted(clicks, key=lambda click: click[2])
    frame = pd.DataFrame(clicks, columns=["session_id", "url", "ts"]).astype({"session_id": object, "url": object})
    frame["ts"] = pd.to_datetime(frame["ts"].astype("int64"), unit="s", utc=True)
    said = repeats(frame, timedelta(seconds=span)).tolist()
    kept: list[tuple[str, str, int]] = []
    for click, repeated in zip(clicks, said, strict=True):
        before = [at for session, url, at in kept if (session, url) == click[:2]]
        assert repeated == any(click[2] - at < span for at in before)
        if not repeated:
            kept.append(click)


def test_a_span_of_nothing_merges_nothing_and_many_clicks_of_one_session_take_no_longer_than_of_many() -> None:
    many = pd.DataFrame(
        {"session_id": "s", "url": "/", "ts": pd.date_range("2026-01-02", periods=200_000, freq="1s", tz="UTC")}
    )
    assert not repeats(many, timedelta(0)).any()
    assert repeats(many, timedelta(seconds=2)).sum() == 100_000
