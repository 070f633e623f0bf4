"""Clicks that the topic deleted: found, named, passed over where asked, and told of a running detector in time."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from fake_detector import CONNECTION, FakeTopics
from hypothesis import given
from hypothesis import strategies as st

from workbench.detector import lost_clicks
from workbench.detector.checkpoint import Checkpoint
from workbench.detector.lost_clicks import Overtaken, find, pass_over, refuse
from workbench.errors import BrokerError, LostClicks

IDENTITY = {"rule": "3-in-10s"}


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> FakeTopics:
    found = FakeTopics()
    monkeypatch.setattr(lost_clicks, "begin_offsets", found.begin_offsets)
    return found


def resumed(folder: Path) -> Checkpoint:
    """A checkpoint that begins at 3 and 5, found by a second detector."""
    Checkpoint(folder / "state", IDENTITY, scratch=folder, begin={0: 3, 1: 5}).close()
    return Checkpoint(folder / "state", IDENTITY, scratch=folder)


def test_lost_is_what_lies_between_where_one_begins_and_what_is_there(held: FakeTopics) -> None:
    held.delete_before(0, 7)
    held.delete_before(1, 5)
    found = find(CONNECTION, held.topics.clicks, {0: 3, 1: 5})
    assert found == {0: range(3, 7)}
    with pytest.raises(
        LostClicks, match=r"deleted 4 records .*partition 0, offsets 3 to 6\. Fix: .*--go-on-after-lost"
    ):
        refuse("clicks", found)
    refuse("clicks", {})


def test_a_start_is_refused_and_changes_nothing_unless_it_is_to_go_on(
    held: FakeTopics, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held.delete_before(0, 7)
    first = held.begin_offsets(CONNECTION, held.topics.clicks)
    checkpoint = resumed(tmp_path)
    for _ in range(2):
        with pytest.raises(LostClicks):
            pass_over(checkpoint, held.topics.clicks, first, "fail")
        assert checkpoint.begins_at(held.topics.clicks) == {0: 3, 1: 5}
    with caplog.at_level(logging.WARNING, "workbench.detector"):
        assert pass_over(checkpoint, held.topics.clicks, first, "go_on") == 4
    assert "deleted 4 records" in caplog.text
    assert checkpoint.begins_at(held.topics.clicks) == {0: 7, 1: 5}
    assert pass_over(checkpoint, held.topics.clicks, first, "fail") == 0
    checkpoint.close()


def test_where_the_broker_is_away_nothing_is_known_to_be_lost(held: FakeTopics) -> None:
    held.away.set()
    with pytest.raises(BrokerError):
        find(CONNECTION, held.topics.clicks, {0: 3})


@given(steps=st.lists(st.tuples(st.integers(1, 3), st.floats(0, 1000)), min_size=1, max_size=30))
def test_a_detector_that_moves_is_never_overtaken_however_slowly(steps: list[tuple[int, float]]) -> None:
    now, judged = 0.0, 0
    watch = Overtaken(clock=lambda: now)
    for step, seconds in steps:
        judged, now = judged + step, now + seconds
        assert watch.overdue({0: 1000}, {0: judged}, {0: 2000}) == {}


def test_it_is_overtaken_once_nothing_moved_for_a_while_and_not_where_no_record_waits() -> None:
    now = 0.0
    watch = Overtaken(clock=lambda: now)
    assert watch.overdue({0: 9, 1: 9}, {0: 5, 1: 5}, {0: 12, 1: 9}) == {}
    now = 19.9
    assert watch.overdue({0: 9, 1: 9}, {0: 5, 1: 5}, {0: 12, 1: 9}) == {}
    now = 20.0
    assert watch.overdue({0: 9, 1: 9}, {0: 5, 1: 5}, {0: 12, 1: 9}) == {0: range(5, 9)}
    assert watch.overdue({0: 9, 1: 9}, {0: 6, 1: 5}, {0: 12, 1: 9}) == {}  # it moved: it has time again
    now = 30.0
    assert watch.overdue({0: 9}, {0: 9}, {0: 12}) == {}
