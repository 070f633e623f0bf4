"""JSON is read an object a line or as a document, with nested values by their paths and numbers digit by digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_rows import read_file, read_json

from workbench.sources import json_rows as module

CLICKS: list[dict[str, Any]] = [
    {"id": i, "page": {"url": f"/ad{i}"}, "p": [{"key": "sid", "value": {"string_value": f"s{i}", "int_value": None}}]}
    for i in range(3)
]
WANTED = ["id", "page.url", "p[sid]", "nowhere.x[0]"]


def test_nested_values_are_read_by_their_paths() -> None:
    track = read_file("24-segment/events.jsonl", ["anonymousId", "context.page.url", "context.ip"])
    assert track.rows[1] == {
        "anonymousId": "23adfd82",
        "context.page.url": "https://shop.example/ad?id=7",
        "context.ip": "203.0.113.9",
    }
    analytics = read_file("25-ga4/events.jsonl", ["user_pseudo_id", "event_params[page_location]", "event_timestamp"])
    assert analytics.rows[4] == {
        "user_pseudo_id": "1026454.4194677",
        "event_params[page_location]": "https://shop.example/ad?id=7",
        "event_timestamp": "1682944499789000",
    }
    assert analytics.names[-2:] == ["event_params[page_location]", "event_params[ga_session_id]"]


def test_the_mark_of_the_byte_order_and_digits_of_ids_do_no_harm() -> None:
    assert read_file("37-backslash/bom.json").column("session_id") == ["s"] * 4
    assert read_json('\ufeff{"a": 1}\n\ufeff{"a": 2}\n').column("a") == [1, 2]  # two files put together
    assert read_file("37-backslash/floatid.jsonl").column("session_id") == [Decimal("1026454.4194677")] * 4
    assert read_json('{"a": 12345678901234567890123, "b": 1.50, "c": true, "d": null}').rows[1] == {
        "a": 12345678901234567890123,
        "b": Decimal("1.5"),
        "c": True,
        "d": None,
    }


def test_bad_lines_are_refused_by_line() -> None:
    bad = [
        "{",
        "[1]",
        "null",
        "",
        '{"a": +INF}',
        '{"a": NaN, "b": " +INF"}',
        "[" * 100_000,
        '{"a": 1' + "0" * 5000 + "}",
        '{"a": 2} x',
    ]
    read = read_json("\n".join(['{"a": 1}', *bad, '{"a": 3}']))
    assert read.column("a") == [1, 3]
    assert list(read.problem) == list(range(2, 11))
    assert read.texts[1:4] == ["{", "[1]", "null"]
    assert read.problem[5] == "empty line"
    assert read.problem[7] == "not JSON: NaN is no number"
    assert read.problem[8] == "JSON that is nested too deeply"


@pytest.mark.parametrize(
    "document",
    [
        json.dumps(CLICKS),
        json.dumps(CLICKS, indent=2),
        "\ufeff\n " + json.dumps(CLICKS, indent=2) + "\n",
        json.dumps({"events": CLICKS}),
        json.dumps({"next": {"page": None}, "rows": CLICKS, "more": [1]}),
        json.dumps({"next": "[{", "of_any_name": CLICKS, "more": 1}, indent=1),
        "\n".join(json.dumps(click) for click in CLICKS),
        "\n".join(json.dumps(click, indent=1) for click in CLICKS),
        "\n".join(json.dumps([click]) for click in CLICKS),
        json.dumps(CLICKS[:1]) + json.dumps(CLICKS[1:]),
        "".join(json.dumps(click) for click in CLICKS),
        ",\n".join(json.dumps(click) for click in CLICKS),
    ],
)
def test_a_document_gives_the_objects_of_its_list(document: str) -> None:
    for one in (document, document.replace("\n", "\r\n")):
        read = read_json(one, WANTED)
        assert list(read.rows) == [1, 2, 3]
        assert [list(row.values()) for row in read.rows.values()] == [[i, f"/ad{i}", f"s{i}", None] for i in range(3)]
        assert [json.loads(text) for text in read.texts] == CLICKS


def test_one_object_is_one_object() -> None:
    for indent in (None, 1):
        assert read_json(json.dumps({"a": 1, "page": {"url": "/"}}, indent=indent), ["a"]).rows == {1: {"a": 1}}
    assert read_json(json.dumps(CLICKS[0]), WANTED).rows[1]["p[sid]"] == "s0"


def test_a_document_that_breaks_off_says_so() -> None:
    document = json.dumps(CLICKS)
    broken = read_json(document[:-30], WANTED)
    assert (list(broken.rows), broken.problem) == ([1, 2], {3: "not JSON, from here to the end of the line"})
    assert read_json(document[:-1], WANTED).problem == {4: "a list of JSON that has no end"}
    assert read_json(f"{document[:-1]}, 5]", WANTED).problem == {4: "not a JSON object"}


@pytest.mark.parametrize("layout", ["[\n{}\n]", '{{"rows": [{}]}}', "[{}]\n", "[{}"])
@pytest.mark.parametrize("bad", ['{"id": 3', '{"id": "a', "{", '{"id": "' + "x" * 3_000_000 + '"}', '{"id" 1},'])
def test_a_broken_object_of_a_document_costs_its_line(layout: str, bad: str) -> None:
    lines = [json.dumps({"id": i}) for i in range(10)]
    lines[3] = bad
    for between in (",\n", ",\r\n", "\n, "):
        read = read_json(layout.format(between.join(lines)), ["id"])
        found = [i for i in range(10) if i != 3]
        assert read.column("id") == found
        assert len(read.problem) == 1


def test_behind_a_broken_object_over_several_lines_every_line_is_refused() -> None:
    document = json.dumps(CLICKS, indent=2).replace('"id": 1', '"id": ')
    read = read_json(document, WANTED)
    assert list(read.rows) == [1]
    told = list(read.problem.values())
    assert told[0] == "not JSON, from here to the end of the line"
    assert len(told) == 20
    assert set(told[1:]) == {"behind a broken object of JSON, and not an object on a line"}
    first = read_json(json.dumps(CLICKS, indent=2).replace('"id": 0', '"id": '), [])
    assert not first.rows


def test_a_document_is_read_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.dumps({"rows": CLICKS * 50}, indent=3) + " " * 500
    whole = read_json(document, WANTED)
    assert len(whole.rows) == 150
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    monkeypatch.setattr(module, "CHUNK_ROWS", 7)
    monkeypatch.setattr("workbench.sources.decoding._BLOCK", 100)
    assert read_json(document, WANTED) == whole


def test_names_that_come_later_are_found_and_what_holds_others_is_no_name() -> None:
    lines = [{"a": 1, "b": {"c": [1]}}] * 1500 + [{"late": 1, "b": {}}]
    assert read_json("\n".join(map(json.dumps, lines)), []).names == ["a", "b.c[0]", "late"]


NAMES = st.sampled_from(["a", "b", "key", "value", "rows"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
PIECES = st.sampled_from(
    ["{", "}", "[", "]", ":", ",", '"', "\n", '"rows"', '{"a":1}', "[{", "1e999", "NaN", "\\", "é", " "]
)


@given(st.lists(JSON.map(json.dumps) | PIECES, max_size=15).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_and_lines_are_numbered_in_turn(text: str) -> None:
    read = read_json(text)
    assert read.lines == list(range(1, len(read.lines) + 1))
    assert len(read.rows) + len(read.problem) == len(read.lines)


@given(st.lists(JSON, min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_each_line_is_one_row(values: list[Any]) -> None:
    lines = ['{"first": 1}', *map(json.dumps, values)]
    read = read_json("\n".join(lines), ["a"])
    assert read.texts == lines
    assert list(read.rows) == [1, *(i for i, value in enumerate(values, 2) if isinstance(value, dict))]
