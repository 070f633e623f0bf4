"""Records of other people's topics in Python. That Spark has the same outcome: tests/spark/test_foreign.py."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from foreign_records import MAPPINGS, records

from workbench.clicks.files import read
from workbench.clicks.foreign import FRAMED, LIST, NOT_ONE, Records, decoded, described, topic_mapping
from workbench.clicks.mapping import Mapping
from workbench.errors import ClickError


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'\0\0\0\0\7{"a": 1}\n', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": 12.50, "b": -0.0, "c": 1E2}', {"a": Decimal("12.5"), "b": 0, "c": 100.0}),
        (b'{"a": 12345678901234567890123456789012345678}', {"a": 12345678901234567890123456789012345678}),
        (b'{"a": 123456789012345678901234567890123456789}', {"a": 1.2345678901234568e38}),
    ],
)
def test_what_comes_before_json_is_passed_over_and_numbers_are_kept(value: bytes, found: dict[str, Any]) -> None:
    assert decoded(value) == found


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", NOT_ONE),
        (b"{", NOT_ONE),
        (b"5", NOT_ONE),
        (b'{"a": 1}{"a": 2}', NOT_ONE),
        (b'{"a": "\\ud800"}', NOT_ONE),
        (b'{"a": "x", "a": 1, "b": ["\\udc00"]}', NOT_ONE),
        (b'{"a": "\xff"}', NOT_ONE),
        (b'{"a": ' + b"1" * 1001 + b"}", NOT_ONE),
        (b"[" * 100_000, LIST),
        (b'[{"a": 1}]', LIST),
        (b"\0\0\0\0\x08\x0amix-4\x0as-mix", FRAMED),
        (b"\0", FRAMED),
    ],
)
def test_what_is_no_record_is_told_from_what_it_may_be(value: bytes, said: str) -> None:
    with pytest.raises(ClickError) as told:
        decoded(value)
    assert str(told.value) == said


@pytest.mark.parametrize(
    "refused",
    [{"merge_repeats": "2s"}, {"log_format": "caddy"}, {"format": "csv"}, {"time_format": "%Y"}],
)
def test_what_cannot_be_said_of_single_records_is_refused(refused: dict[str, Any]) -> None:
    with pytest.raises(ClickError, match="Fix: leave"):
        topic_mapping(Mapping(**refused))


def test_the_line_on_how_records_are_read_names_each_field() -> None:
    said = described(topic_mapping(Mapping(url_from="ad", click_id="id", tz="UTC", time_unit="ms")))
    assert said == (
        "session_id is read from session_id, url from its parameter ad, ts (numbers are ms, without a zone in UTC); "
        "click_id is read from id"
    )


@pytest.mark.parametrize("mapping", MAPPINGS, ids=range(len(MAPPINGS)))
def test_every_record_is_a_click_or_rejected_or_set_aside(mapping: Mapping) -> None:
    values = records(seed=3, count=400)
    taken = Records(topic_mapping(mapping), "t").take((n % 2, n // 2, value) for n, value in enumerate(values))
    frames = (taken.clicks, taken.rejected, taken.aside)
    places = [place for frame in frames for place in zip(frame["partition"], frame["offset"], strict=True)]
    assert sorted(places) == [(p, n) for p in (0, 1) for n in range(200)]
    assert taken.clicks["ts"].notna().all()


def test_a_click_without_an_id_is_named_by_its_place_and_fields_are_carried_along() -> None:
    mapping = topic_mapping(
        Mapping(session_id="user.id", ts="=2026-01-02T03:04:05Z", carry={"campaign": "utm.campaign"})
    )
    value = b'{"user": {"id": 7}, "url": "/ad?gclid=1", "utm": {"campaign": "lamp"}}'
    [click] = Records(mapping, "t").take([(3, 14, value)]).clicks.to_dict("records")
    assert (click["click_id"], click["session_id"], click["url"], click["campaign"]) == ("t:3:14", "7", "/ad", "lamp")


def test_nothing_is_told_from_other_records() -> None:
    values = [b'{"session_id": "s", "url": "/", "ts": %s}' % ts for ts in (b"1767323045", b'"2026-01-02 03:04:05"')]
    said = Records(topic_mapping(Mapping()), "t").take([(0, n, value) for n, value in enumerate(values)]).rejected
    assert said["reason"].tolist() == [
        "ts is a number; say what it counts with --time-unit",
        "ts has no zone; name it with --tz",
    ]


TIMES = ["1767323045.0", "1767323045.25", "1.7673e9", "1767323045.123456789", '"1767323045.5"', '"1.7673e9"']
NUMBERS = [
    *(
        "1.0",
        "1.50",
        "1e3",
        "-0.0",
        "-0",
        "0.5",
        "1E400",
        "-1e999",
        "NaN",
        "Infinity",
        "12345678901234567890123",
        "1e22",
    ),
    *("1.5e-7", "1026454.4194677", "9007199254740993.0", "1" * 39, "1" * 1001, "0." + "1" * 40, "true", "null", "+INF"),
    *('"\\ud800"', '"\\ud83d\\ude00"', "100.00", "1e-400", "1767323045.25", "1.7673e9"),
]


@pytest.mark.parametrize("document", [False, True])
@pytest.mark.parametrize(
    ("field", "number"),
    [
        *itertools.product(["session_id", "note"], NUMBERS),
        *(("ts", number) for number in (*TIMES, "1E400", "NaN", "+INF", "true", "null", "1" * 1001)),
    ],
)
def test_a_record_in_a_file_is_read_as_one_of_a_topic(tmp_path: Path, field: str, number: str, document: bool) -> None:
    fields = {"session_id": '"s"', "url": '"/ad"', "ts": "1767323045", "note": '"x"', field: number}
    value = "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
    good = value.replace(f": {number}", ": 1767323045" if field == "ts" else ': "s"')
    mapping = Mapping(session_id="session_id", url="url", ts="ts", time_unit="s", carry={"note": "note"})
    (tmp_path / "x.json").write_text(f"[{good},\n{value}]" if document else f"{good}\n{value}\n", encoding="utf-8")
    in_file = read(tmp_path / "x.json", mapping)
    in_topic = Records(topic_mapping(mapping), "t").take([(0, 0, good.encode()), (0, 1, value.encode())])
    assert [len(in_file.clicks), len(in_file.rejected)] == [len(in_topic.clicks), len(in_topic.rejected)]
    assert sum(in_file.filtered.values()) == len(in_topic.aside)
    for name in ("session_id", "ts", "note"):
        assert str(in_file.clicks[name].tolist()) == str(in_topic.clicks.sort_values("ts")[name].tolist())
