"""Where in a record a value stands: paths are parsed, looked up, and found again in any record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import ClickError
from workbench.sources.paths import lookup, names_of, parse

NAME = st.text(st.characters(exclude_characters=".[]", exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUE = st.integers() | st.text(max_size=5) | st.booleans()
RECORD = st.dictionaries(
    NAME, VALUE | st.dictionaries(NAME, VALUE | st.lists(VALUE, min_size=1), min_size=1), min_size=1
)


@given(RECORD)
def test_every_name_of_a_record_leads_to_a_value(record: dict[str, Any]) -> None:
    for path in names_of(record):
        assert lookup(record, path) is not None


@given(st.text(max_size=30))
def test_a_path_parses_or_is_refused(path: str) -> None:
    try:
        steps = parse(path)
    except ClickError:
        return
    assert steps


def test_an_entry_is_looked_up_by_its_name() -> None:
    record = {
        "event_params": [
            {"key": "page_location", "value": {"string_value": "/ad?id=7"}},
            {"key": "ga_session_id", "value": {"string_value": None, "int_value": 1682944490}},
            {"name": "plain", "value": 5},
            "odd",
        ]
    }
    assert lookup(record, "event_params[page_location]") == "/ad?id=7"
    assert lookup(record, "event_params[ga_session_id]") == 1682944490
    assert lookup(record, "event_params[plain]") == 5
    assert lookup(record, "event_params[gone]") is None
    assert list(names_of(record)) == [
        "event_params[page_location]",
        "event_params[ga_session_id]",
        "event_params[plain]",
    ]


def test_a_name_as_it_stands_comes_first() -> None:
    assert lookup({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert lookup({"a[0]": 1, "a": [2]}, "a[0]") == 1


@pytest.mark.parametrize("path", ["", ".a", "a..b", "a[", "a[]", "a]b["])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ClickError, match="not a path"):
        parse(path)
