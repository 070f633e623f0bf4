"""Which records are clicks by their kind: alike in files, mappings and topics, and each left out is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.files import read
from workbench.clicks.foreign import Records, described, topic_mapping
from workbench.clicks.mapping import Mapping
from workbench.clicks.where import Condition, conditions
from workbench.errors import ClickError

KINDS = ("page_view", "scroll", "session_start", None, "PAGE_VIEW ", "page_view", "scroll")
SCROLL = {"event_name is scroll": 2}
ROWS = [
    {"session_id": "s1", "url": "/ad", "ts": f"2026-01-02T03:04:{i:02}Z", "event_name": kind}
    for i, kind in enumerate(KINDS)
]


@pytest.fixture(params=["csv", "jsonl"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"events.{request.param}"
    if request.param == "csv":
        lines = [",".join(ROWS[0]), *(",".join(value or "" for value in row.values()) for row in ROWS)]
    else:
        lines = [json.dumps(row) for row in ROWS]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("where", "clicks", "left_out"),
    [
        ("event_name=page_view", 3, {"event_name is not page_view": 4}),
        ("event_name=page_view,scroll", 5, {"event_name is not page_view or scroll": 2}),
        ("event_name!=scroll", 5, SCROLL),
        (["event_name!=scroll", "event_name!=page_view"], 2, {**SCROLL, "event_name is page_view": 3}),
        ("session_id=s2", 0, {"session_id is not s2": 7}),
    ],
)  # fmt: skip
def test_records_of_other_kinds_are_left_out_and_counted(
    events: Path, where: str | list[str], clicks: int, left_out: dict[str, int]
) -> None:
    found = read(events, Mapping(where=where))
    assert len(found.clicks) == clicks
    assert {reason: n for reason, n in found.filtered.items() if reason not in ("header",)} == left_out
    assert found.lines == len(found.clicks) + len(found.rejected) + sum(found.filtered.values())
    topic = Records(topic_mapping(Mapping(where=where)), "t")
    taken = topic.take([(0, i, json.dumps(row).encode()) for i, row in enumerate(ROWS)])
    assert len(taken.clicks) == clicks
    assert taken.aside["reason"].value_counts().to_dict() == left_out  # not text: reasons of ours


def test_it_is_said_alike_as_pairs_toml_and_in_code() -> None:
    wanted = Mapping(where=["event=click,tap", "os!=13"], tz="UTC")
    assert Mapping.of("where=event=click,tap,where=os!=13,tz=UTC") == wanted
    assert Mapping.of('where = ["event=click,tap", "os!=13"]\ntz = "UTC"\n') == wanted
    assert Mapping.of(wanted.to_toml()) == wanted
    assert "only where event=click,tap and os!=13" in described(topic_mapping(wanted))


@pytest.mark.parametrize("wrong", ["event", "event=", "=click", "!=x", " = x", "event=,"])
def test_what_is_no_condition_is_refused_with_how_to_write_one(wrong: str) -> None:
    with pytest.raises(ClickError, match="event_name=click,tap"):
        Mapping(where=wrong)


def test_a_column_that_is_not_there_is_named_with_the_option(events: Path) -> None:
    with pytest.raises(ClickError, match=r"no column 'eventname'.*Fix: --where event_name=page_view,scroll"):
        read(events, Mapping(where="eventname=page_view,scroll"))


def test_a_value_that_no_record_has_is_told_with_those_there_are(events: Path) -> None:
    notes = read(events, Mapping(where="event_name=page_veiw,scroll")).notes
    assert any("no record has page_veiw as event_name; it has page_view 2, scroll 2" in note for note in notes)


def test_events_without_a_page_are_left_out_and_not_rejected(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("session_id,url,ts,event\ns1,/ad,2026-01-02T03:04:05Z,click\ns1,,,purchase\n")
    found = read(path, "where=event=click")
    assert (len(found.clicks), len(found.rejected), found.filtered["event is not click"]) == (1, 0, 1)


def test_a_field_of_a_log_may_say_it(tmp_path: Path) -> None:
    line = '203.0.113.9 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" {} 5 "-" "Firefox"\n'
    path = tmp_path / "access.log"
    path.write_text("".join(line.format(status) for status in (200, 404, 200, 301)))
    assert read(path, Mapping(where="status=200,301")).filtered["status is not 200 or 301"] == 1


def test_a_method_is_a_condition_that_a_line_without_one_meets() -> None:
    (method,) = conditions((), "method")
    assert (method.values, method.or_missing) == (("GET", "POST"), True)


@given(st.lists(st.none() | st.text(max_size=4), max_size=9), st.text(min_size=1, max_size=3))
def test_a_condition_and_its_opposite_part_the_records(values: list[str | None], value: str) -> None:
    import pandas as pd

    try:
        one, other = Condition.of(f"k={value}"), Condition.of(f"k!={value}")
    except ClickError:
        return
    texts = pd.Series(values, dtype=object)
    assert (one.met(texts) ^ other.met(texts)).all()
