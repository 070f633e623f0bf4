"""The table of verdicts: bounded, one verdict per click, Yes before No, whatever order records come in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import VerdictError
from workbench.verdicts.table import NOT_A_TIME, VerdictTable, parse_times_us, read_fields, to_frame

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FRAME = {
    "click_id": "object",
    "session_id": "object",
    "url": "object",
    "ts": "datetime64[us, UTC]",
    "fraud": "bool",
    "clicks_in_window": "int64",
    "revised": "bool",
    "rule_id": "object",
    "judged_at": "datetime64[ms, UTC]",
    "latency_ms": "float64",
}


def record(click_id: str, fraud: bool = False, at_ms: int = 0, judged_ms: int = 0, **other: Any) -> tuple[bytes, int]:
    """A record of the verdict topic: value and Kafka timestamp."""
    ts = (EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    row: dict[str, Any] = {
        "fraudClick": "Yes" if fraud else "No",
        "click_id": click_id,
        "session_id": "s1",
        "url": "/ad",
        "ts": ts,
    }
    row |= {
        "clicks_in_window": 1,
        "window_ms": 10000,
        "threshold": 3,
        "rule_id": "3-in-10s",
        "revised": False,
    }
    return json.dumps(row | other).encode(), judged_ms


def test_a_frame_of_verdicts_has_the_agreed_columns_filled_or_empty() -> None:
    table = VerdictTable(10)
    assert to_frame(table.rows()).dtypes.astype(str).to_dict() == FRAME
    table.add([record("c1", True, at_ms=1000, judged_ms=1012, clicks_in_window=4, revised=True)])
    frame = to_frame(table.rows())
    assert frame.dtypes.astype(str).to_dict() == FRAME
    assert frame.iloc[0].to_dict() == {
        "click_id": "c1",
        "session_id": "s1",
        "url": "/ad",
        "ts": pd.Timestamp("1970-01-01T00:00:01Z"),
        "fraud": True,
        "clicks_in_window": 4,
        "revised": True,
        "rule_id": "3-in-10s",
        "judged_at": pd.Timestamp("1970-01-01T00:00:01.012Z"),
        "latency_ms": 12.0,
    }


def test_yes_wins_over_no_and_what_is_said_again_changes_nothing() -> None:
    table = VerdictTable(10)
    table.add([record("a", judged_ms=1), record("b", True, judged_ms=2)])
    table.add([record("a", True, judged_ms=3, revised=True), record("b", False, judged_ms=4)])
    table.add([record("a", True, judged_ms=5), record("a", judged_ms=6), record("b", True, judged_ms=7)])
    frame = to_frame(table.rows()).set_index("click_id")
    assert frame["fraud"].to_dict() == {"a": True, "b": True}
    assert frame["revised"].to_dict() == {"a": True, "b": False}
    assert frame["latency_ms"].to_dict() == {"a": 3.0, "b": 2.0}
    assert (table.records, table.clicks, table.flagged, table.revised, table.repeated) == (7, 2, 2, 1, 4)


records_strategy = st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=60)


@given(said=records_strategy, limit=st.integers(1, 8), sizes=st.lists(st.integers(1, 9), min_size=1))
def test_the_table_is_the_last_clicks_in_order_whatever_the_batches(
    said: list[tuple[int, bool]], limit: int, sizes: list[int]
) -> None:
    expected: dict[str, bool] = {}  # a dict that forgets its oldest click when a new one has no room
    table, at, turn = VerdictTable(limit), 0, 0
    while at < len(said):
        size = sizes[turn % len(sizes)]
        for number, fraud in said[at : at + size]:
            click_id = f"c{number}"
            if click_id not in expected and len(expected) == limit:
                del expected[next(iter(expected))]
            expected[click_id] = expected.get(click_id, False) or fraud
        table.add(record(f"c{number}", fraud) for number, fraud in said[at : at + size])
        at, turn = at + size, turn + 1
        frame = to_frame(table.rows())
        assert dict(zip(frame["click_id"], frame["fraud"], strict=True)) == expected
        assert frame["click_id"].tolist() == list(expected)
        assert len(table) == len(expected) <= limit


def test_the_last_seconds_are_counted_back_from_the_newest_click() -> None:
    table = VerdictTable(3)
    table.add([record(f"c{s}", at_ms=s * 1000) for s in (9, 5, 7, 1, 6)])  # holds 7, 1, 6
    assert to_frame(table.rows(last_us=1_000_001))["click_id"].tolist() == ["c7", "c6"]
    assert to_frame(table.rows(last_us=1_000_000))["click_id"].tolist() == ["c7"]
    assert to_frame(VerdictTable(3).rows(last_us=1))["click_id"].tolist() == []


def test_what_is_new_or_revised_can_be_asked_for() -> None:
    table = VerdictTable(10)
    table.add([record("a"), record("b")])
    seq = table.seq
    table.add([record("c"), record("a", True), record("b")])
    assert sorted(to_frame(table.rows(after=seq))["click_id"]) == ["a", "c"]
    assert len(to_frame(table.rows(after=table.seq))) == 0


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[1]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"click_id":"c1"}',
        record("c1", fraudClick="Maybe")[0],
        record("c1", fraudClick=True)[0],
        record("c1", fraudClick=["Yes"])[0],
        record("c1", session_id=7)[0],
        record("c1", ts=None)[0],
        record("c1", clicks_in_window="3")[0],
        record("c1", clicks_in_window=10**30)[0],
        record("c1", clicks_in_window=-1)[0],
        record("c1", clicks_in_window=1.5)[0],
        record("c1", revised="no")[0],
        record("c1", ts="yesterday")[0],
        record("c1", ts="2026-01-02T03:04:05")[0],
        record("c1", ts="2026-13-02T03:04:05.000000Z")[0],
    ],
)
def test_a_record_that_is_no_verdict_is_counted_and_harms_nothing(value: bytes | None) -> None:
    table = VerdictTable(10)
    table.add([record("a"), (value, 5), record("b")])
    assert (table.records, table.malformed, table.clicks) == (3, 1, 2)
    assert to_frame(table.rows())["click_id"].tolist() == ["a", "b"]


def test_an_error_quotes_what_was_got_but_not_all_of_it() -> None:
    with pytest.raises(VerdictError, match="fraudClick must be") as caught:
        read_fields(record("c1", fraudClick="x" * 10_000)[0])
    assert len(str(caught.value)) < 300


@given(st.lists(st.integers(-(10**15), 10**17)))
def test_times_are_read_to_the_microsecond(times_us: list[int]) -> None:
    texts = [f"{np.datetime64(us, 'us')}Z" for us in times_us]
    assert parse_times_us(texts).tolist() == times_us


@pytest.mark.parametrize(
    ("text", "expected_us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.5Z", 500_000),
        ("1970-01-01t00:00:00.000001z", 1),
        ("1970-01-01 02:00:00.000002+02:00", 2),
        ("1970-01-01T00:00:00", NOT_A_TIME),
        ("NaTxxxxxxxxxxxxxxxxxxxxxxxZ", NOT_A_TIME),
        ("", NOT_A_TIME),
    ],
)
def test_other_spellings_of_a_time_are_read_too(text: str, expected_us: int) -> None:
    good = "1970-01-01T00:00:00.000007Z"
    assert parse_times_us([good, text]).tolist() == [7, expected_us]


@pytest.mark.parametrize("limit", [0, -5])
def test_a_table_without_room_is_refused(limit: int) -> None:
    with pytest.raises(VerdictError, match="at least 1"):
        VerdictTable(limit)
