"""Which rule judges which clicks: the bookkeeping of a change of the rule, of a start, and of a failure. No Spark."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_detector import CONNECTION, FakeTopics, Parts, parts
from spark_reports import report

from workbench.detector.checkpoint import Checkpoint
from workbench.detector.hand_over import DISORDER_MS, HandOver, Judged
from workbench.detector.judging import explain, judged_at_start
from workbench.errors import CheckpointMismatch, DetectorError, LostClicks, TopicError, WorkbenchError
from workbench.rule import Rule

AFTER = Rule("20s", 4)
SECOND_MS = 1000


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Parts]:
    with parts(FakeTopics(), tmp_path) as found:
        yield found


def test_clicks_that_have_a_verdict_keep_it_and_every_other_one_is_the_new_rules(made: Parts) -> None:
    for partition, count in ((0, 8), (1, 3)):
        for _ in range(count):
            made.topics.click(partition)
    made.judging.start()
    for offset in (0, 1, 2, 5):  # 3 and 4 are on their way in another task
        made.topics.verdict(0, offset)
    made.topics.verdict(1, 0)
    hand_over = made.judging.change_to(AFTER)
    assert hand_over.judged.upto == {0: 3, 1: 1}
    assert hand_over.judged.ahead == {0: (5,)}
    assert made.checkpoint.hand_over == hand_over
    assert made.judging.judged().upto == {0: 3, 1: 1}
    assert (hand_over.before, made.judging.rule) == (Rule("10s", 3), AFTER)


def test_verdicts_that_come_while_the_old_query_ends_are_of_the_old_rule(
    made: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        made.topics.click(0)
    made.judging.start()
    made.topics.verdict(0, 0)
    query, stop = made.engine.queries[0], made.engine.queries[0].stop

    def stop_with_a_last_verdict() -> None:
        made.topics.verdict(0, 1)
        stop()

    monkeypatch.setattr(query, "stop", stop_with_a_last_verdict)
    assert made.judging.change_to(AFTER).judged.upto == {0: 2, 1: 0}


def test_the_new_rule_reads_from_where_its_windows_are_warm(made: Parts) -> None:
    # One click each ten seconds; those of the first hour have their verdict.
    for number in range(400):
        made.topics.click(0, timestamp=number * 10 * SECOND_MS)
        if number < 360:
            made.topics.verdict(0, number)
    made.judging.start()
    hand_over = made.judging.change_to(AFTER)
    first_ms = 3600 * SECOND_MS - DISORDER_MS
    assert hand_over.counts_from_us == 1000 * (first_ms - 30 * SECOND_MS - 20 * SECOND_MS)  # late, and a window
    oldest_ms = hand_over.counts_from_us // 1000 - 10 * SECOND_MS  # it may be dated ahead of its record
    assert hand_over.begin == {0: -(-oldest_ms // (10 * SECOND_MS)), 1: 0}
    assert hand_over.begin[0] < 360
    assert hand_over.reread == 360 - hand_over.begin[0]
    assert made.engine.queries[-1].rows == (hand_over.begin, AFTER, made.checkpoint.hand_over)


def test_a_second_change_counts_on_from_the_first(made: Parts) -> None:
    for _ in range(4):
        made.topics.click(0)
    made.judging.start()
    made.topics.verdict(0, 0)
    made.judging.change_to(AFTER)
    made.topics.verdict(0, 1)
    second = made.judging.change_to(Rule("5s", 2))
    assert (second.number, second.before) == (2, AFTER)
    assert second.judged.upto == {0: 2, 1: 0}
    assert made.checkpoint.spark_path.name == "2"


def test_a_checkpoint_of_the_query_before_says_nothing_of_the_next(made: Parts) -> None:
    for _ in range(9):
        made.topics.click(0)
    made.judging.start()
    made.engine.queries[0].reports = [report(4, {0: 6, 1: 0})]
    made.judging.check()
    assert made.judging.judged().upto == {0: 6, 1: 0}
    hand_over = made.judging.change_to(AFTER)
    assert hand_over.judged.upto == {0: 6, 1: 0}
    assert made.log.committed is None


def test_a_new_rule_whose_clicks_are_gone_is_refused_and_nothing_has_changed(
    made: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        made.topics.click(0, timestamp=number)
        made.topics.verdict(0, number)
    made.judging.start()
    monkeypatch.setattr("workbench.detector.lost_clicks.begin_offsets", lambda connection, topic: {0: 9, 1: 0})
    with pytest.raises(LostClicks):
        made.judging.change_to(AFTER)
    assert made.judging.rule == Rule("10s", 3)
    assert made.checkpoint.hand_over is None
    assert not made.engine.queries[0].stopped


def test_a_resumed_detector_waits_for_no_partition_that_it_does_not_read(made: Parts) -> None:
    made.topics.add_partition()
    made.topics.click(2)
    made.checkpoint.resumed = True
    made.judging.start()
    assert made.judging._again_to == {0: 0, 1: 0}  # noqa: SLF001  # told nowhere
    hand_over = made.judging.take_in(3)
    assert hand_over.begin == {0: 0, 1: 0, 2: 0}
    assert made.judging.partitions == 3


def test_stopped_while_it_reads_up_no_rule_is_applied(made: Parts) -> None:
    made.topics.click(0)
    made.judging.start()
    made.judging._again_to = {0: 1}  # noqa: SLF001  # another run has judged that one, and this one has not yet
    made.judging.ending.set()
    with pytest.raises(DetectorError, match="stopped before the rule was applied"):
        made.judging.change_to(AFTER)
    assert made.checkpoint.hand_over is None


IDENTITY = {"rule": "3-in-10s"}


def test_at_its_start_all_before_where_it_begins_counts_as_judged(tmp_path: Path) -> None:
    first = Checkpoint(tmp_path / "state", IDENTITY, scratch=tmp_path, begin={0: 3, 1: 5})
    assert judged_at_start(first, FakeTopics().topics).upto == {0: 3, 1: 5}
    first.close()
    again = Checkpoint(tmp_path / "state", IDENTITY, scratch=tmp_path, begin={0: 99, 1: 99})
    assert judged_at_start(again, FakeTopics().topics).upto == {0: 3, 1: 5}
    again.close()


def test_at_the_start_after_a_hand_over_what_the_rule_before_judged_is_judged(tmp_path: Path) -> None:
    state = Checkpoint(tmp_path / "state", IDENTITY, scratch=tmp_path, begin={0: 0})
    state.take_over(HandOver(1, Rule(), AFTER, Judged({0: 7}, {0: (9,)}), {0: 2}, 0))
    found = judged_at_start(state, FakeTopics().topics)
    assert (found.upto, found.ahead) == ({0: 7}, {0: (9,)})
    state.close()


def reason(made: Parts, failure: DetectorError) -> WorkbenchError:
    return explain(failure, CONNECTION, made.topics.topics.clicks, made.checkpoint, made.positions)


def test_a_full_disk_is_named_with_the_checkpoint_however_deep_spark_hides_it(made: Parts) -> None:
    failure = DetectorError("the query failed: task lost")
    failure.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert str(reason(made, failure)).startswith(f"the disk is full: the checkpoint {made.checkpoint.path} cannot be")


def test_a_query_that_failed_over_deleted_clicks_names_them(made: Parts) -> None:
    for _ in range(9):
        made.topics.click(0)
    made.topics.delete_before(0, 4)
    found = reason(made, DetectorError("some offsets are out of range"))
    assert isinstance(found, LostClicks)
    assert "partition 0, offsets 0 to 3" in str(found)


def test_a_query_that_failed_as_its_topic_was_deleted_or_made_anew_says_so(made: Parts) -> None:
    made.topics.made_anew()
    found = reason(made, DetectorError("org.apache.kafka.clients.consumer.OffsetOutOfRangeException"))
    assert isinstance(found, TopicError)
    assert "made anew" in str(found)


def test_where_no_reason_is_known_or_can_be_looked_up_sparks_words_stand(
    made: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = DetectorError("boom")
    assert reason(made, failure) is failure
    made.topics.away.set()
    assert reason(made, failure) is failure
    made.topics.away.clear()

    def damaged(topic: str) -> dict[int, int]:
        raise ValueError("its offsets cannot be read")

    monkeypatch.setattr(made.checkpoint, "begins_at", damaged)
    assert reason(made, failure) is failure


def test_state_of_another_rule_is_refused_after_a_hand_over(made: Parts, tmp_path: Path) -> None:
    made.judging.start()
    made.judging.change_to(AFTER)
    made.checkpoint.close()
    asked = {**made.checkpoint._identity, "rule": "3-in-10s"}  # noqa: SLF001  # made of the settings, which are gone
    with pytest.raises(CheckpointMismatch, match="rule 4-in-20s there, 3-in-10s asked"):
        Checkpoint(made.checkpoint.path, asked, scratch=tmp_path)
