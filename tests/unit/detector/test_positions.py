"""What the ends and the last records of the topics say: how far the detector is, and where a rule begins to read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_detector import CONNECTION, TOPICS, FakeTopics

from workbench.detector import positions as module
from workbench.detector.hand_over import Judged
from workbench.detector.positions import Positions
from workbench.errors import BrokerError, DetectorError, TopicError


@pytest.fixture
def held() -> FakeTopics:
    return FakeTopics()


@pytest.fixture
def where(held: FakeTopics, monkeypatch: pytest.MonkeyPatch) -> Iterator[Positions]:
    monkeypatch.setattr(module, "consumer_at", held.consumer_at)
    monkeypatch.setattr(module, "TopicWatch", held.watch)
    monkeypatch.setattr(module, "_PEEK_S", 0.01)
    found = Positions(CONNECTION, TOPICS, held.held())
    yield found
    found.close()


def test_each_partition_is_judged_to_past_the_highest_offset_that_its_outcomes_name(
    held: FakeTopics, where: Positions
) -> None:
    assert where.judged() == {}
    for offset in (0, 7, 3):
        held.verdict(0, offset)
    held.add(TOPICS.dead_letters, headers=[("source", b"1:4")])
    held.add(TOPICS.verdicts, headers=[("revised_by", b"0:99")])  # says nothing of whether that one is judged
    held.add(TOPICS.verdicts, headers=[("source", b"not a place")])
    assert where.judged() == {0: 8, 1: 5}


def test_outcomes_are_counted_by_topic(held: FakeTopics, where: Positions) -> None:
    held.verdict(0, 0)
    held.verdict(1, 0)
    held.add(TOPICS.dead_letters)
    assert where.outcomes() == {TOPICS.verdicts: 2, TOPICS.dead_letters: 1}


def test_the_first_to_judge_is_the_oldest_that_waits_and_where_none_waits_the_last(
    held: FakeTopics, where: Positions
) -> None:
    assert where.first_to_judge(Judged({0: 0, 1: 0})) == 0
    for partition, timestamp in ((0, 100), (0, 500), (1, 300), (1, 400)):
        held.click(partition, timestamp)
    assert where.first_to_judge(Judged({0: 1, 1: 0})) == 300
    assert where.first_to_judge(Judged({0: 1, 1: 2})) == 500
    assert where.first_to_judge(Judged({0: 2, 1: 2})) == 500


def test_a_rule_begins_no_further_on_than_what_is_judged(held: FakeTopics, where: Positions) -> None:
    for timestamp in (100, 200, 300, 400):
        held.click(0, timestamp)
    assert where.begin_at(Judged({0: 4, 1: 0}), since_ms=150) == {0: 1, 1: 0}
    assert where.begin_at(Judged({0: 1, 1: 0}), since_ms=350) == {0: 1, 1: 0}
    assert where.begin_at(Judged({0: 3, 1: 0}), since_ms=-5) == {0: 0, 1: 0}
    assert where.begin_at(Judged({0: 3, 1: 0}), since_ms=999) == {0: 3, 1: 0}


def test_ticks_tombstones_and_offsets_that_hold_nothing_are_passed_to_the_next_click(
    held: FakeTopics, where: Positions
) -> None:
    held.tick(0)
    held.tombstone(0)
    held.click(0)
    held.tick(0)
    held.gap(1, 7)
    assert where.past_gaps({0: 0, 1: 0}) == {0: 2, 1: 7}
    assert where.past_gaps({0: 2, 1: 6}) == {0: 2, 1: 7}
    assert where.past_gaps({0: 3, 1: 7}) == {0: 4, 1: 7}


def test_what_was_deleted_is_not_passed_as_if_there_had_been_nothing(held: FakeTopics, where: Positions) -> None:
    for _ in range(3):
        held.click(0)
    held.delete_before(0, 2)
    assert where.past_gaps({0: 1}) == {0: 1}


def test_what_is_not_known_in_time_counts_as_a_click(
    held: FakeTopics, where: Positions, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.tick(0)
    monkeypatch.setattr("fake_detector.FakeConsumer.poll", lambda self, timeout_ms, max_records: {})
    assert where.past_gaps({0: 0}) == {0: 0}


def test_outcomes_of_before_the_detector_began_say_nothing_of_how_far_it_is(
    held: FakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.verdict(0, 5_000)  # of a topic that was made anew since
    monkeypatch.setattr(module, "consumer_at", held.consumer_at)
    monkeypatch.setattr(module, "TopicWatch", held.watch)
    where = Positions(CONNECTION, TOPICS, held.held())
    assert where.judged() == {}
    held.verdict(0, 3)
    assert where.judged() == {0: 4}
    where.close()


def test_partitions_that_were_added_are_read_from_the_next_look_on(held: FakeTopics, where: Positions) -> None:
    assert where.look() == 2
    held.add_partition()
    held.click(2)
    assert where.ends_of_clicks() == {0: 0, 1: 0, 2: 1}
    assert where.look() == 3


def test_a_topic_that_is_another_one_by_now_is_told_with_the_fix(held: FakeTopics, where: Positions) -> None:
    held.made_anew()
    with pytest.raises(TopicError, match=r"'fcd-producer' was deleted and made anew .* Fix: .*--fresh"):
        where.ends_of_clicks()
    held.delete_topic()
    with pytest.raises(TopicError, match=r"'fcd-producer' was deleted while .* Fix: .*--fresh"):
        where.look()


def test_a_broker_without_ids_tells_nothing_by_them(held: FakeTopics, where: Positions) -> None:
    held.made_anew(topic_id=None)
    assert where.look() == 2


def test_the_time_of_the_last_record_is_told_of_partitions_that_have_one(held: FakeTopics, where: Positions) -> None:
    held.click(0, 100)
    held.click(0, 200)
    assert where.last_received([0, 1]) == {0: 200}


def test_the_time_of_the_last_record_is_found_however_far_before_the_end_it_is(
    held: FakeTopics, where: Positions
) -> None:
    held.click(0, 100)
    held.gap(0, 5_000)  # as a transaction leaves it that was aborted
    assert where.last_received([0]) == {0: 100}
    assert where.first_to_judge(Judged({0: 1, 1: 0})) == 100


def test_outcomes_since_a_moment_begin_at_the_first_one_or_at_the_end(held: FakeTopics, where: Positions) -> None:
    held.verdict(0, 0, timestamp=100)
    held.verdict(0, 1, timestamp=200)
    found = {(place.topic, place.partition): at for place, at in where.at_time(150).items()}
    assert found == {(topic, n): 0 for topic in (TOPICS.verdicts, TOPICS.dead_letters) for n in (0, 1)} | {
        (TOPICS.verdicts, 0): 1
    }


def test_a_broker_that_is_away_is_our_error_and_it_is_used_again_when_it_is_back(
    held: FakeTopics, where: Positions
) -> None:
    held.away.set()
    with pytest.raises(BrokerError, match="the topics cannot be read"):
        where.ends_of_clicks()
    held.away.clear()
    assert where.ends_of_clicks() == where.begins(TOPICS.clicks) == {0: 0, 1: 0}


def test_after_its_end_it_says_so(where: Positions) -> None:
    where.close()
    where.close()
    with pytest.raises(DetectorError, match="the detector has ended"):
        where.ends(TOPICS.clicks)
