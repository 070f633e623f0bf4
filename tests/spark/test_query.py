"""What the query takes for a click is what `clicks.parse` takes for one. Spark runs as a batch, without a broker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from workbench.clicks import record as clicks
from workbench.clicks.record import TICK_KEY, TICK_VALUE, Click, is_text
from workbench.detector.settings import Tolerance
from workbench.detector.source import LONGEST_QUOTE, Sorting, WireRecords
from workbench.errors import ClickError
from workbench.text import LONGEST_TEXT

pytestmark = pytest.mark.java

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GOOD = {"click_id": "c1", "session_id": "s1", "url": "/ad", "ts": "2026-01-02T03:04:05.000006Z"}
SCHEMA = "key binary, value binary, partition int, offset long, timestamp timestamp"


def parsed(value: bytes) -> Click | None:
    try:
        return clicks.parse(value)
    except ClickError:
        return None


def judged(spark: SparkSession, values: Sequence[bytes | None], key: bytes = b"s1") -> list[dict[str, Any]]:
    """What the query makes of these values, when each record's Kafka timestamp is its own event time."""
    rows = []
    for offset, value in enumerate(values):
        click = None if value is None else parsed(value)
        at = click.ts if click and click.ts.year > 1970 else datetime.now(UTC)
        rows.append((key, value, 0, offset, at))
    found = Sorting(Tolerance("24h", "24h"), WireRecords())(spark.createDataFrame(rows, SCHEMA))
    return [row.asDict(recursive=True) for row in found.orderBy("click.offset").collect()]


def test_good_records_pass_with_their_values(spark: SparkSession) -> None:
    [row] = judged(spark, [json.dumps(GOOD | {"extra": [1, {"a": None}]}).encode()])
    assert (row["session_id"], row["url"], row["click"]["click_id"]) == ("s1", "/ad", "c1")
    assert row["click"]["us"] == (clicks.parse(json.dumps(GOOD).encode()).ts - EPOCH) // timedelta(microseconds=1)
    assert row["click"]["rejected"] is None


def test_a_record_without_a_value_is_a_tombstone_and_not_malformed(spark: SparkSession) -> None:
    [row] = judged(spark, [None])
    assert row["click"]["rejected"]["reason"] == "tombstone"


ODD: list[Any] = [
    None,
    "",
    "s",
    "7",
    "true",
    "{}",
    "[1]",
    "-1.5e3",
    "\ud800",
    "?\udfff",
    "?\ud83d\ude00",
    "?\\ud800",
    7,
    1.5,
    True,
    [],
    {},
    "x" * LONGEST_TEXT,
    "x" * (LONGEST_TEXT + 1),
]
TIMES = [
    "2026-01-02T03:04:05Z", "2026-01-02t03:04:05.1z", "2026-01-02 03:04:05.123456789+02:00", "2026-01-02T03:04:05",
    "2026-02-30T03:04:05Z", "2026-01-02T24:00:00Z", "2026-01-02T23:59:60Z", "2026-01-02", "now", "1767323045",
    "2024-02-29T00:00:00-23:59", "2026-01-02T03:04:05+0200", "2026-01-02T03:04:05.Z", " 2026-01-02T03:04:05Z",
    1767323045,
]  # fmt: skip
NOT_CLICKS = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"{",
    b"\xff",
    b'{"click_id":"c1"}',
    b"\x00" * 10,
    b"{'click_id':'c'}",
    json.dumps(GOOD).encode() + b" {}",
    json.dumps(GOOD).encode() + b"]",
    json.dumps(GOOD).encode().replace(b"/ad", b"/\xff"),
]


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A click with up to two fields that are off, or something that is no click."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(NOT_CLICKS))
    row: dict[str, Any] = dict(GOOD)
    for name in draw(st.sets(st.sampled_from(sorted(GOOD)), max_size=2)):
        text = st.text(st.characters(), max_size=20)  # with halves of surrogate pairs, which JSON can spell
        odd = st.sampled_from(TIMES) if name == "ts" else st.one_of(st.sampled_from(ODD), text)
        row[name] = draw(odd)
        if draw(st.integers(0, 9)) == 0:
            del row[name]
    ascii_only = draw(st.booleans()) or not is_text("-" + "".join(v for v in row.values() if isinstance(v, str)))
    if draw(st.integers(0, 9)) == 0:
        row["more"] = draw(st.sampled_from([{}, {"a": {"b": "}"}}, "}", [{"click_id": "c2"}], "?"]))
    return json.dumps(row, ensure_ascii=ascii_only).encode() + draw(st.sampled_from([b"", b"", b"\n", b" }", b" x"]))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(records(), min_size=30, max_size=60))
def test_the_query_and_the_parser_agree_on_every_record(spark: SparkSession, values: list[bytes]) -> None:
    for value, row in zip(values, judged(spark, values), strict=True):
        click, rejected = parsed(value), row["click"]["rejected"]
        assert (rejected is None) == (click is not None), value
        if click is None:
            assert rejected["reason"] == "malformed"
            assert rejected["detail"]
        else:
            assert (row["session_id"], row["url"], row["click"]["click_id"]) == (
                click.session_id,
                click.url,
                click.click_id,
            )
            assert row["click"]["us"] == (click.ts - EPOCH) // timedelta(microseconds=1)


def test_a_rejected_record_is_quoted_up_to_a_length_that_a_broker_takes(spark: SparkSession) -> None:
    [row] = judged(spark, [b"x" * 900_000])
    assert row["click"]["rejected"]["value"] == "x" * LONGEST_QUOTE


def test_a_tick_is_one_by_key_and_value_together(spark: SparkSession) -> None:
    as_session = json.dumps(GOOD | {"session_id": TICK_KEY.decode()}).encode()
    assert judged(spark, [TICK_VALUE], key=TICK_KEY)[0]["click"]["rejected"]["reason"] == "tick"
    assert judged(spark, [TICK_VALUE])[0]["click"]["rejected"]["reason"] == "malformed"
    assert judged(spark, [as_session], key=TICK_KEY)[0]["click"]["rejected"] is None
