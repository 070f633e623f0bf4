"""A click must survive the wire, and what is no click must be refused by the name of its field."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.clicks.record import FIELDS, OPTIONAL, TS_PATTERN, Click, check, frame, parse, records
from workbench.errors import ClickError
from workbench.text import LONGEST_TEXT

TS = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "click_id": "c1",
    "session_id": "s1",
    "url": "/ad",
    "ts": "2026-01-02T03:04:05.000006Z",
}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
offsets = st.integers(-18 * 60, 18 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets)
clicks = st.builds(
    Click,
    texts,
    texts,
    texts,
    moments,
    ip=st.none() | texts,
    user_agent=st.none() | texts,
    label=st.none() | texts,
)


def wire(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


@settings(deadline=None)
@given(clicks)
def test_a_click_survives_the_wire(click: Click) -> None:
    assert parse(click.to_json()) == click


@settings(deadline=None)
@given(clicks)
def test_the_time_on_the_wire_is_utc_to_the_microsecond(click: Click) -> None:
    ts = json.loads(click.to_json())["ts"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", ts)
    assert datetime.fromisoformat(ts) == click.ts


@settings(deadline=None)
@given(st.lists(clicks, max_size=8))
def test_records_of_a_frame_are_those_of_its_clicks(some: list[Click]) -> None:
    sent = list(records(check(frame(some))))
    assert [value for _, value, _ in sent] == [click.to_json() for click in some]
    assert [key for key, _, _ in sent] == [click.session_id.encode() for click in some]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert [ms for _, _, ms in sent] == [(click.ts - epoch) // timedelta(milliseconds=1) for click in some]


@settings(deadline=None)
@given(
    st.binary(max_size=40)
    | st.recursive(st.none() | st.integers() | texts, st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_a_click_or_a_click_error(value: bytes) -> None:
    with pytest.raises(ClickError):
        parse(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05.1+00:00", datetime(2026, 1, 2, 3, 4, 5, 100_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.1234569Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
        ("2026-01-02T03:04:05.999999999999-00:00", datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)),
        ("2026-01-02T03:04:05+05:30", datetime(2026, 1, 1, 21, 34, 5, tzinfo=UTC)),
        ("2026-01-01T23:04:05.000001-18:00", datetime(2026, 1, 2, 17, 4, 5, 1, tzinfo=UTC)),
    ],
)
def test_every_form_of_rfc_3339_is_read_and_cut_to_microseconds(text: str, expected: datetime) -> None:
    assert parse(wire(ts=text)).ts == expected


@pytest.mark.parametrize(
    "ts",
    [
        "2026-01-02T03:04:05",
        "2026-01-02",
        "20260102T030405Z",
        "2026-W01-5T03:04:05Z",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:60Z",
        "2026-02-30T03:04:05Z",
        "2026-13-01T03:04:05Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-01-01T00:00:00+18:01",
        "2026-01-02T03:04:05Z\n",
        "٢٠٢٦-01-02T03:04:05Z",
        "",
        1767322800,
        None,
    ],
)
def test_a_time_that_is_not_rfc_3339_with_an_offset_is_refused(ts: object) -> None:
    with pytest.raises(ClickError, match=r"^ts "):
        parse(wire(ts=ts))


@pytest.mark.parametrize("field", ["click_id", "session_id", "url"])
@pytest.mark.parametrize("value", ["", None, 7, 1.5, True, [], {"a": 1}, "\ud800", "x" * 8193])
def test_an_id_that_is_no_text_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ClickError, match=f"^{field} must be text of 1 to 8192 characters: got "):
        parse(wire(**{field: value}))


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_named(field: str) -> None:
    row = {name: value for name, value in GOOD.items() if name != field}
    with pytest.raises(ClickError, match=f"^{field} is missing"):
        parse(json.dumps(row).encode())


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe{", "{}".encode("utf-16"), b"[" * 100_000, b"9" * 5000],
)
def test_what_is_no_json_object_in_utf_8_is_refused(value: bytes) -> None:
    with pytest.raises(ClickError, match="JSON object"):
        parse(value)


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(ClickError) as caught:
        parse(wire(ts="x" * 100_000))
    assert len(str(caught.value)) < 200


def test_the_longest_text_is_an_id() -> None:
    longest = "é" * LONGEST_TEXT
    assert parse(wire(session_id=longest)).session_id == longest


def test_unknown_fields_break_nothing_and_are_not_carried() -> None:
    assert parse(wire(campaign={"id": 7})) == parse(wire())


def test_further_columns_go_along_as_texts_and_numbers_and_break_nothing() -> None:
    df = frame([Click(f"c{i}", "s", "/", TS) for i in range(3)]).assign(
        campaign=pd.Series(["lamp", None, "\ud800\0"], dtype=object), cost=[0.25, np.nan, np.inf],
        publisher=[7, 8, 9], paid=[True, False, True],
        day=pd.Timestamp("2026-01-02"), tags=pd.Series([["a"], [], None], dtype=object), long="x" * 9000,
    )  # fmt: skip
    found = [json.loads(value) for _, value, _ in records(df)]
    assert [parse(value) for _, value, _ in records(df)] == [parse(value) for _, value, _ in records(df[[*FIELDS]])]
    assert [row.get("campaign") for row in found] == ["lamp", None, "\\ud800\0"]
    assert [row.get("cost") for row in found] == [0.25, None, None]
    assert [(row["publisher"], row["paid"]) for row in found] == [(7, True), (8, False), (9, True)]
    assert (found[0]["day"], found[0]["tags"], len(found[0]["long"])) == ("2026-01-02 00:00:00", "['a']", LONGEST_TEXT)
    with pytest.raises(ClickError, match="'campaign' more than once"):
        check(pd.concat([df, df[["campaign"]]], axis=1))


@pytest.mark.parametrize("field", OPTIONAL)
@pytest.mark.parametrize("value", [5, None, ["x"], "\ud800"])
def test_an_optional_field_that_is_no_text_is_left_out_and_the_click_counts(field: str, value: object) -> None:
    assert parse(wire(**{field: value})) == parse(wire())


def test_text_beyond_ascii_goes_over_the_wire_as_utf_8() -> None:
    assert "/schön?q=靴".encode() in Click("c", "s", "/schön?q=靴", TS).to_json()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"click_id": ""}, "click_id"),
        ({"url": 5}, "url"),
        ({"ip": 5}, "ip"),
        ({"ts": datetime(2026, 1, 2)}, "ts"),
        ({"ts": "now"}, "ts"),
    ],
)
def test_a_click_is_checked_when_it_is_made(changes: dict[str, Any], name: str) -> None:
    fields: dict[str, Any] = {"click_id": "c", "session_id": "s", "url": "/", "ts": TS}
    with pytest.raises(ClickError, match=f"^{name} "):
        Click(**fields | changes)


def test_the_pattern_of_times_is_for_whole_texts_in_any_regex_engine() -> None:
    assert re.fullmatch(TS_PATTERN, GOOD["ts"])
    assert not {"\\d", "(?P", "(?i"} & set(re.findall(r"\\d|\(\?P|\(\?i", TS_PATTERN))


def test_an_empty_frame_is_a_frame_of_clicks() -> None:
    empty = check(frame([]))
    assert list(empty.columns) == list(FIELDS)
    assert list(records(empty)) == []


def test_check_gives_back_the_very_frame() -> None:
    df = frame([Click("c", "s", "/", TS, label="person"), Click("d", "s", "/", TS)])
    assert check(df) is df
    assert df["label"].tolist() == ["person", None]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("click_id", [1, 2]),
        ("session_id", ["s", None]),
        ("session_id", ["s", np.nan]),
        ("url", ["/", ""]),
        ("url", ["/", "\ud800"]),
        ("url", pd.Categorical(["/", "/"])),
        ("ts", ["2026-01-02T03:04:05Z"] * 2),
        ("ts", pd.to_datetime(["2026-01-02", "2026-01-02"])),
        ("ts", pd.to_datetime(["2026-01-02", "2026-01-02"], utc=True).as_unit("ns")),
        ("ts", pd.to_datetime(["2026-01-02", "NaT"], utc=True).as_unit("us")),
        ("ip", [1, 2]),
        ("label", ["person", 3]),
    ],
)
def test_check_names_the_column_that_is_wrong(column: str, values: Any) -> None:
    df = frame([Click("c", "s", "/", TS), Click("d", "s", "/", TS)])
    df[column] = values
    with pytest.raises(ClickError, match=f"^column '{column}'"):
        check(df)
    with pytest.raises(ClickError, match=f"^column '{column}'"):
        records(df)  # at once, not with the first record


@pytest.mark.parametrize("column", FIELDS)
def test_check_names_a_column_that_is_missing_or_doubled(column: str) -> None:
    df = frame([Click("c", "s", "/", TS)])
    with pytest.raises(ClickError, match=f"'{column}'"):
        check(df.drop(columns=column))
    with pytest.raises(ClickError, match=f"'{column}' more than once"):
        check(pd.concat([df, df[[column]]], axis=1))
