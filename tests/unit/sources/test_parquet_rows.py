"""Parquet of other programs gives the values that they meant."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_rows import FIELD, Read, read_file, read_parquet

from workbench.errors import ClickError
from workbench.sources import parquet_rows as module
from workbench.sources.inputs import inputs_of
from workbench.sources.parquet_rows import parquet_names

TIMES = [datetime(2026, 1, 2, 3, 4, second) for second in range(4)]
IN_UTC = [pd.Timestamp(ts, tz="UTC") for ts in TIMES]


def file_of(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def read(columns: dict[str, Any], wanted: list[str] | None = None, **options: Any) -> Read:
    return read_parquet(file_of(columns, **options), wanted)


@pytest.mark.parametrize("name", ["good", "dict-berlin", "spark-out/part-00000-abc.snappy", "uuid", "nested"])
def test_times_with_a_zone_are_moments(name: str) -> None:
    assert read_file(f"30-parquet/{name}.parquet").column("ts") == IN_UTC


@pytest.mark.parametrize("name", ["naive", "int96"])
def test_times_without_a_zone_stay_without(name: str) -> None:
    assert read_file(f"30-parquet/{name}.parquet").column("ts") == [pd.Timestamp(ts) for ts in TIMES]


def test_times_that_spark_wrote_as_int96_are_in_utc() -> None:
    [one], notes = inputs_of(FIELD / "30-parquet" / "by-spark43")
    with one.open() as (unpacked, _):
        assert read_parquet(unpacked.seekable().read()).column("ts")[0] == pd.Timestamp("2026-01-02T03:04:05Z")
    assert len(notes) == 1


def test_numbers_of_any_unit_stay_numbers() -> None:
    assert read_file("30-parquet/epoch.parquet").column("ts")[0] == 1_767_323_040
    assert read_file("30-parquet/epoch-ns.parquet").column("ts")[0] == 1_767_323_040_000_000_000


def test_ids_that_a_missing_value_made_floating_are_whole() -> None:
    floats = read_file("30-parquet/floatid.parquet")
    assert floats.column("session_id") == [87540, 87540, None, 87540]
    assert floats.column("url") == [12] * 4
    assert read({"a": [1.0, None, 2.5]}).column("a")[::2] == [1.0, 2.5]
    assert str(read({"a": [1.0, float("inf")]}).column("a")) == "[1.0, inf]"
    assert read({"a": [float("nan"), 3.0]}).column("a") == [None, 3]


def test_a_column_is_whole_by_all_of_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", 1)
    assert read({"a": [1.0, 2.5]}).column("a") == [1.0, 2.5]
    assert [type(value) for value in read({"a": [1.0, 2.0]}).column("a")] == [int, int]


def test_uuids_and_other_bytes_are_text() -> None:
    assert uuid.UUID(read_file("30-parquet/uuid.parquet").column("click_id")[0]).version == 4
    some = uuid.UUID("177ef781-8b1b-4a3a-90c4-8a54b4e88611")
    for kind in (pa.binary(16), pa.binary(), pa.uuid()):
        assert read({"a": pa.array([some.bytes, None], kind)}).column("a") == [str(some), None]
    texts = ["s1", "sixteen letters.", "é", ""]
    assert read({"a": pa.array([text.encode() for text in texts], pa.binary())}).column("a") == texts
    assert read({"a": pa.array([b"\xff\x00"], pa.binary())}).column("a") == ["\\xff\x00"]


def test_dictionaries_decimals_dates_and_truths_are_what_they_say() -> None:
    columns = {
        "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
        "decimal": pa.array([Decimal("87540.00"), None, Decimal("1.00")]),
        "cents": pa.array([Decimal("0.10"), Decimal("1767323045.123456"), None]),
        "day": pa.array([date(2026, 1, 2), date(9999, 12, 31), None]),
        "time": pa.array([time(1, 2, 3), None, None]),
        "truth": pa.array([True, False, None]),
        "large": pa.array(["a", "b", None], pa.large_string()),
        "view": pa.array(["a", "b", None], pa.string_view()),
        "nothing": pa.nulls(3),
        "int": pa.array([2**63 - 1, None, 7]),
        "year 9999": pa.array([datetime(9999, 12, 31), None, None], pa.timestamp("ms", "Asia/Tokyo")),
    }
    first, second, third = read(columns).rows.values()
    assert first == {
        "dictionary": "a",
        "decimal": 87540,
        "cents": "0.100000",
        "day": "2026-01-02",
        "time": "01:02:03",
        "truth": True,
        "large": "a",
        "view": "a",
        "nothing": None,
        "int": 2**63 - 1,
        "year 9999": datetime(9999, 12, 31, tzinfo=UTC),
    }
    assert second["cents"] == "1767323045.123456"
    assert second["day"] == "9999-12-31"
    assert [third[name] for name in ("int", "truth", "day", "cents")] == [7, None, None, None]


def test_nested_values_are_read_by_their_paths() -> None:
    nested = read_file("30-parquet/nested.parquet")
    assert nested.names == ["req.ip", "req.url", "ts"]
    assert nested.rows[1] == {"req.ip": "203.0.113.9", "req.url": "/ad", "ts": IN_UTC[0]}
    params = [[{"key": "page", "value": {"string_value": None, "int_value": 7}}], None, []]
    columns = {
        "p": params,
        "headers": pa.array([[("Host", ["a", "b"])], None, []], pa.map_(pa.string(), pa.list_(pa.string()))),
        "a.b": [1, 2, 3],
        "a": [{"b": 9, "id": uuid.UUID(int=5).bytes}] * 3,
    }
    rows = read(columns, ["p[page]", "headers.Host[1]", "a.b", "a.id", "p[none]", "b.c", "headers"])
    assert rows.names == ["p[page]", "headers.Host[0]", "a.b", "a.b", "a.id"]
    assert list(rows.rows[1].values())[:6] == [7, "b", 1, str(uuid.UUID(int=5)), None, None]
    assert list(rows.rows[2].values())[:4] == [None, None, 2, str(uuid.UUID(int=5))]


def test_a_part_without_a_column_has_nothing_in_it() -> None:
    assert read({"a": ["x", "y"]}, ["a", "ip", "b.c"]).rows[2] == {"a": "y", "ip": None, "b.c": None}
    assert read({"a": ["x", "y"]}, ["ip"]).column("ip") == [None, None]
    assert parquet_names(io.BytesIO(file_of({"a": [1], "b": [{"c": 2}]})), "x.parquet") == ["a", "b.c"]


def test_a_column_that_is_there_twice_must_not_be_needed() -> None:
    out = io.BytesIO()
    pq.write_table(pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a", "b"]), out)
    assert read_parquet(out.getvalue(), ["b"]).column("b") == [3]
    with pytest.raises(ClickError, match="'a' more than once"):
        read_parquet(out.getvalue(), ["a"])


def test_rows_are_numbered_and_shown_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", 2)
    rows = read({"a": ["x", "y", "z"], "b": [1, 2, 3]})
    assert rows.lines == [1, 2, 3]
    assert rows.texts == ["a=x, b=1", "a=y, b=2", "a=z, b=3"]


def test_a_file_without_rows_has_columns() -> None:
    assert read({"a": pa.array([], pa.string())}).names == ["a"]


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["good", "int96", "floatid", "uuid", "nested", "dict-berlin"]))
    whole = bytearray((FIELD / "30-parquet" / f"{name}.parquet").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    try:
        found = read_parquet(bytes(whole[:cut]))
    except ClickError:
        return
    assert found.lines == list(range(1, len(found.lines) + 1))
