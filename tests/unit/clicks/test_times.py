"""Times of columns: one decision for all of a column's values, and the zone only where it is named."""

from __future__ import annotations

import shlex
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.mapping import Mapping
from workbench.clicks.times import Times
from workbench.errors import ClickError

PAST = st.datetimes(datetime(1990, 1, 2), datetime(2026, 1, 1))
OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EACH = {"s": 1_000_000, "ms": 1_000, "us": 1}


def read(values: list[Any], dtype: Any = object, **mapping: Any) -> tuple[list[Any], list[str], Times]:
    times = Times(Mapping(**mapping), "when", "a.csv")
    found, reason = times(pd.Series(values, dtype=dtype))
    assert str(found.dtype) == "datetime64[us, UTC]"
    assert [bool(text) for text in reason] == found.isna().to_list()
    return found.to_list(), reason.tolist(), times


@given(st.lists(st.tuples(PAST, OFFSETS), min_size=1), st.sampled_from("T "), st.sampled_from(["auto", "seconds"]))
def test_dates_with_an_offset_are_read_exactly(moments: list[Any], between: str, spec: str) -> None:
    aware = [moment.replace(tzinfo=zone) for moment, zone in moments]
    found, _, _ = read([moment.isoformat(between, timespec=spec) for moment in aware])
    assert found == [moment if spec == "auto" else moment.replace(microsecond=0) for moment in aware]


@given(st.lists(PAST, min_size=1), st.sampled_from(["s", "ms", "us"]), st.booleans())
def test_the_unit_is_the_one_that_all_numbers_fit(moments: list[datetime], unit: str, as_text: bool) -> None:
    micros = [
        (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        for moment in moments
    ]
    numbers = [value // EACH[unit] for value in micros]
    found, _, times = read([str(number) for number in numbers] if as_text else numbers)
    assert [int(value.value) // 1000 for value in found] == [number * EACH[unit] for number in numbers]
    assert times.unit == unit


def test_nanoseconds_keep_their_microseconds() -> None:
    assert read([1_767_323_040_123_456_789])[0] == [pd.Timestamp("2026-01-02T03:04:00.123456Z")]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2023-05-01 12:34:56.789 UTC", "2023-05-01T12:34:56.789Z"),
        ("2023-05-01T12:34:56+0200", "2023-05-01T10:34:56Z"),
        ("2023-05-01T12:34:56,5-03", "2023-05-01T15:34:56.5Z"),
        ("2023-05-01 12:34 +01:00", "2023-05-01T11:34:00Z"),
        ("2023-05-01 12:34:56 GMT", "2023-05-01T12:34:56Z"),
        ("Mon, 01 May 2023 12:34:56 GMT", "2023-05-01T12:34:56Z"),
        ("1 May 2023 12:34:56.5 +0200", "2023-05-01T10:34:56.5Z"),
        ("01/May/2023:12:34:56 -0500", "2023-05-01T17:34:56Z"),
        ("[01/May/2023:12:34:56 +0000]", "2023-05-01T12:34:56Z"),
        ("20230501T123456Z", "2023-05-01T12:34:56Z"),
        ("20230501T123456.5+0200", "2023-05-01T10:34:56.5Z"),
        ("2023-05-01 12:34:56 [UTC]", "2023-05-01T12:34:56Z"),
        ("2023-05-01T12:34:56+02:00[Europe/Paris]", "2023-05-01T10:34:56Z"),
        ("2023/05/01 12:34:56 UTC", "2023-05-01T12:34:56Z"),
    ],
)
def test_dates_as_other_systems_write_them(text: str, utc: str) -> None:
    assert read([text])[0] == [pd.Timestamp(utc)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([14102100, 14102101], "--time-format %y%m%d%H"),
        (["20260102030401"], "--time-format %Y%m%d%H%M%S"),
        ([2014102100], "--time-format %Y%m%d%H"),
        ([45_123.5], "--time-unit days"),
        ([5, 6], "add its time since 1970 to each"),
        ([639_087_408_000_000_000], r"\(n - 621355968000000000\) / 10"),  # ticks of .NET
        ([134_176_176_100_000_000], r"\(n - 116444736000000000\) / 10"),  # ticks of Windows
        ([13_417_617_610_000_000], "n - 11644473600000000"),  # WebKit
        (["03/10/2026 12:00:00"], "%d/%m/%Y %H:%M:%S"),
        (["10.03.2026 12:00"], r"%d\.%m\.%Y %H:%M"),
        (["03/13/2026 01:02 PM"], "%m/%d/%Y %I:%M %p"),
        (["01/02/2026 12:00:00", "01/31/2026 12:00:00"], '--time-format "%m/%d/%Y %H:%M:%S" --tz UTC$'),
        (["01/02/2026"], '--time-format "%d/%m/%Y" --tz UTC, or --time-format "%m/%d/%Y" --tz UTC'),
        (["2026-03-10"], '--time-format "%Y-%m-%d" --tz UTC'),
        (["2026-03-10 01:02:03 PM"], '--time-format "%Y-%m-%d %I:%M:%S %p" --tz UTC'),
        (["2026-03-10 01:02:03 CET"], '--time-format "%Y-%m-%d %H:%M:%S CET" --tz Etc/GMT-1'),
        (["2026-03-10 01:02:03 IST"], "name another column"),
        (["2026-W11-2T12:00:00Z"], "can be read"),
        ([1_767_323_040, 1_767_323_040_000], "mixes times in ms and s"),
        (["2017-11-07 09:30:31"], "--tz"),
        ([pd.Timestamp("2026-01-02")], "--tz"),
        ([int(time.time()) + 90 * 86_400], "between 1990 and now"),
    ],
)
def test_a_column_that_cannot_be_told_is_refused_with_the_option(values: list[Any], said: str) -> None:
    with pytest.raises(ClickError, match=said):
        read(values)


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["01/02/2026 12:00:00", "01/31/2026 12:00:00"], "2026-01-02T12:00:00Z"),
        (["2026-03-10"], "2026-03-10T00:00:00Z"),
        (["2026-03-10 01:02:03 PM"], "2026-03-10T13:02:03Z"),
        (["2026-03-10 01:02:03 CET"], "2026-03-10T00:02:03Z"),
        (["2026-03-10 01:02:03 GMT-5"], "2026-03-10T06:02:03Z"),
    ],
)
def test_the_option_that_a_refused_column_is_given_reads_all_of_it(texts: list[str], first: str) -> None:
    with pytest.raises(ClickError) as error:
        read(texts)

    _, form, _, tz = shlex.split(error.value.fix)
    found, reasons, *_ = read(texts, time_format=form, tz=tz)

    assert found[0] == pd.Timestamp(first)
    assert set(reasons) == {""}


def test_told_units_and_formats_are_believed() -> None:
    assert read([1_767_323_040, 5, 10**18], time_unit="s")[1] == [
        "", "ts is not between 1990 and now", "ts is no time in s",
    ]  # fmt: skip
    assert read(["20260102030401"], time_format="%Y%m%d%H%M%S", tz="UTC")[0] == [pd.Timestamp("2026-01-02T03:04:01Z")]
    assert read([14102100.0], time_format="%y%m%d%H", tz="UTC")[0] == [pd.Timestamp("2014-10-21T00:00Z")]
    assert read([45_000.5], time_unit="days", tz="UTC")[0] == [pd.Timestamp("2023-03-15T12:00Z")]
    with pytest.raises(ClickError, match="like %d"):
        read(["2026-01-02"], time_format="%d.%m.%Y", tz="UTC")


def test_an_hour_that_comes_twice_is_the_first_and_told_and_one_left_out_is_no_time() -> None:
    found, reason, times = read(["2026-10-25 02:30:00", "2026-03-29 02:30:00"], tz="Europe/Berlin")
    assert found[0] == pd.Timestamp("2026-10-25T00:30Z")
    assert "leaves out" in reason[1]
    assert sum(times.told.values()) == 1


def test_one_wrong_value_among_right_ones_is_one_rejected_row() -> None:
    good = ["2026-01-02T03:04:05Z"] * 3
    assert read([*good, "2026-01-02 03:04:05"])[1][-1] == "ts has no zone; name it with --tz"
    assert read([*good, 7])[1][-1] == "ts is a number that is no time between 1990 and now"
    assert read([1_767_323_040, 1_767_323_041, 0])[1][-1] == "ts is a number that is no time between 1990 and now"
    assert read([*good, None, "", True, {}, float("nan"), "soon"])[1][3:] == [
        "ts is empty", "ts is no time", "ts is no time", "ts is no time", "ts is empty", "ts is no time",
    ]  # fmt: skip


def test_a_later_chunk_must_have_the_unit_of_the_first() -> None:
    times = Times(Mapping(), "when", "a.csv")
    times(pd.Series([1_767_323_040]))
    with pytest.raises(ClickError, match="mixes"):
        times(pd.Series([1_767_323_040_000]))


@given(st.lists(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30) | st.binary(max_size=3)))
def test_any_values_give_times_or_reasons_and_no_other_error(values: list[Any]) -> None:
    series = pd.Series(np.array([None, *values], dtype=object)[1:], dtype=object)
    for mapping in (
        Mapping(),
        Mapping(tz="Europe/Berlin"),
        Mapping(time_unit="ms"),
        Mapping(time_format="%Y", tz="UTC"),
    ):
        try:
            found, reason = Times(mapping, "when", "a.csv")(series)
        except ClickError:
            continue
        assert len(found) == len(reason) == len(values)


@pytest.mark.parametrize(
    ("values", "dtype", "mapping"),
    [
        (["12:30", "12:31"], object, {"time_format": "%H:%M", "tz": "UTC"}),
        ([0, 5], "datetime64[us, UTC]", {}),
        ([2**63 - 1], "datetime64[ms, UTC]", {}),
        ([2**63 - 1], "datetime64[us]", {"tz": "Europe/Berlin"}),
        ([2_958_465.9], object, {"time_unit": "days", "tz": "America/New_York"}),
        ([pd.Timestamp("2999-01-01", tz="UTC").as_unit("s")], "datetime64[s, UTC]", {}),
    ],
)
def test_years_that_cannot_be_are_no_times(values: list[Any], dtype: str, mapping: Any) -> None:
    assert all(read(values, dtype, **mapping)[1])


def test_a_format_may_be_wrong_and_a_later_chunk_may_hold_nothing_that_is_like_it() -> None:
    with pytest.raises(ClickError, match="--time-format '%Y%Y' is none"):
        read(["2026"], time_format="%Y%Y", tz="UTC")
    times = Times(Mapping(time_format="%Y-%m-%d %H", tz="UTC"), "when", "a.csv")
    times(pd.Series(["2026-01-02 03"]))
    assert times(pd.Series(["garbage"]))[1].tolist() == ["ts is not like %Y-%m-%d %H"]
