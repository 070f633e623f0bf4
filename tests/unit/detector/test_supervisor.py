"""The thread of a detector: how it starts, fails, changes its rule and ends. Its query is none, its topics memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_detector import TOPICS, FakeTopics, Parts, parts
from polling import until
from spark_reports import report

from workbench.detector import lost_clicks
from workbench.detector.ticks import IdleWatch
from workbench.errors import BrokerError, DetectorError, LostClicks, NotCaughtUp, RuleError, TopicError
from workbench.rule import Rule


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Parts]:
    with parts(FakeTopics(), tmp_path) as found:
        yield found


def soon(what: object) -> None:
    until(what, 20, every=0.001)  # type: ignore[arg-type]


def failed(made: Parts) -> bool:
    return made.handle.state == "failed" and made.supervisor.finished


def test_it_is_starting_until_every_task_runs_then_running_and_stopped_at_the_end(made: Parts) -> None:
    made.engine.tasks_run = False
    handle = made.start()
    soon(lambda: made.engine.queries)
    assert handle.state == "starting"
    with pytest.raises(DetectorError, match="had not started after 1ms"):
        handle.wait_until_started("1ms")
    made.engine.queries[0].all_tasks_run = True
    assert handle.wait_until_started().state == "running"
    handle.stop()
    handle.stop()
    assert (handle.state, handle.error) == ("stopped", None)
    assert made.engine.queries[0].stopped
    assert handle.progress.state == "stopped"


def test_nothing_runs_and_nothing_is_connected_before_it_is_started(made: Parts) -> None:
    assert not made.engine.opened.is_set()
    assert "workbench-detector" not in {thread.name for thread in threading.enumerate()}


def test_stopped_while_spark_starts_it_ends_without_a_query(made: Parts) -> None:
    made.engine.may_open.clear()
    handle = made.start()
    assert made.engine.opened.wait(20)
    handle.stop()
    assert handle.state == "stopped"
    assert made.engine.queries == []
    with pytest.raises(DetectorError, match="stopped before it had started"):
        handle.wait_until_started()


def test_stopped_while_its_tasks_start_it_ends_the_query(made: Parts) -> None:
    made.engine.tasks_run = False
    handle = made.start()
    soon(lambda: made.engine.queries)
    handle.stop()
    assert handle.state == "stopped"
    assert made.engine.queries[0].stopped


def test_what_makes_the_start_fail_is_kept_and_every_wait_raises_it(made: Parts) -> None:
    failure = DetectorError("no slots")
    made.engine.failures = [failure]
    handle = made.start()
    for wait in (handle.wait_until_started, handle.wait_until_caught_up, lambda: handle.apply(Rule("9s", 2))):
        with pytest.raises(DetectorError) as raised:
            wait()
        assert raised.value is failure
    assert handle.state == "failed"
    assert handle.error is failure


def test_a_query_that_fails_later_fails_the_detector_and_lets_go_of_its_checkpoint(made: Parts, tmp_path: Path) -> None:
    made.topics.click()
    handle = made.start().wait_until_started()
    failure = DetectorError("the query failed: boom.")
    made.engine.queries[0].failure = failure
    with pytest.raises(DetectorError) as raised:
        handle.wait_until_caught_up("20s")
    assert raised.value is handle.error is failure
    handle.stop()
    assert made.checkpoint._lock.closed  # noqa: SLF001  # else the next one waits for it


def test_an_error_that_nobody_foresaw_is_ours_with_its_first_line_and_its_cause(made: Parts) -> None:
    cause = ZeroDivisionError("by nothing\n\tat java.lang.Thread")
    made.engine.failures = [cause]
    handle = made.start()
    with pytest.raises(DetectorError, match=r"^the detector failed: by nothing$") as raised:
        handle.wait_until_started()
    assert raised.value.__cause__ is cause


def test_a_query_that_cannot_be_stopped_does_not_hide_why_it_failed(
    made: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = made.start().wait_until_started()
    query, failure = made.engine.queries[0], DetectorError("first")
    monkeypatch.setattr(query, "stop", lambda: 1 / 0)
    query.failure = failure
    soon(lambda: failed(made))
    assert handle.error is failure


def test_a_rule_that_is_applied_judges_from_then_on_and_the_hand_over_says_how(made: Parts) -> None:
    handle = made.start()
    hand_over = handle.apply(Rule("20s", 4))
    assert hand_over is not None
    assert (hand_over.before, hand_over.rule, hand_over.number) == (Rule("10s", 3), Rule("20s", 4), 1)
    assert handle.rule == Rule("20s", 4)
    first, second = made.engine.queries
    assert first.stopped
    assert not second.stopped
    assert second.rows[1:] == (Rule("20s", 4), made.checkpoint.hand_over)
    assert handle.state == "running"


def test_the_rule_it_has_changes_nothing_and_what_is_no_rule_is_refused(made: Parts) -> None:
    handle = made.start()
    assert handle.apply(Rule("10000ms", 3)) is None
    with pytest.raises(RuleError, match="apply takes a rule: got '4-in-10s'"):
        handle.apply("4-in-10s")  # type: ignore[arg-type]
    assert len(made.engine.queries) == 1


def test_changes_that_are_asked_for_at_once_are_made_one_after_the_other(made: Parts) -> None:
    handle = made.start().wait_until_started()
    rules = [Rule("10s", number) for number in range(4, 8)]
    with ThreadPoolExecutor(len(rules)) as pool:
        made_of = [change.number for change in pool.map(handle.apply, rules) if change]
    assert sorted(made_of) == [1, 2, 3, 4]
    assert len(made.engine.queries) == 5
    assert handle.rule in rules


def test_where_a_rule_does_not_start_the_one_before_goes_on(made: Parts) -> None:
    handle = made.start().wait_until_started()
    made.engine.failures = [DetectorError("in the way")]
    with pytest.raises(DetectorError, match=r"4-in-10s did not start: in the way\. Judging by 3-in-10s goes on"):
        handle.apply(Rule("10s", 4))
    assert (handle.state, handle.rule) == ("running", Rule("10s", 3))
    assert not made.engine.queries[-1].stopped


def test_where_the_one_before_does_not_start_either_the_detector_fails(made: Parts) -> None:
    handle = made.start().wait_until_started()
    made.engine.failures = [DetectorError("in the way"), OSError("nor this")]
    with pytest.raises(DetectorError, match=r"4-in-10s did not start: .*\. Nor did 3-in-10s again: nor this"):
        handle.apply(Rule("10s", 4))
    soon(lambda: failed(made))
    with pytest.raises(DetectorError):
        handle.apply(Rule("10s", 5))


def test_a_change_while_the_broker_is_away_changes_nothing(made: Parts) -> None:
    handle = made.start().wait_until_started()
    made.topics.away.set()
    with pytest.raises(BrokerError, match="cannot be read"):
        handle.apply(Rule("10s", 4))
    made.topics.away.clear()
    assert (handle.state, handle.rule) == ("running", Rule("10s", 3))
    assert len(made.engine.queries) == 1


def test_after_its_end_no_rule_is_applied(made: Parts) -> None:
    handle = made.start().wait_until_started()
    handle.stop()
    with pytest.raises(DetectorError, match="stopped before"):
        handle.apply(Rule("10s", 4))


def test_a_broker_that_is_away_for_a_while_ends_nothing(made: Parts, caplog: pytest.LogCaptureFixture) -> None:
    handle = made.start().wait_until_started()
    made.topics.away.set()
    soon(lambda: "cannot be read" in caplog.text)
    with pytest.raises(BrokerError):
        _ = handle.progress
    made.topics.away.clear()
    assert handle.progress.state == "running"


def test_a_query_whose_executor_is_lost_goes_on_from_its_checkpoint_and_that_is_counted(made: Parts) -> None:
    handle = made.start().wait_until_started()
    made.engine.lost = 1
    made.engine.queries[0].failure = DetectorError("task lost")
    soon(lambda: len(made.engine.queries) == 2)
    soon(lambda: handle.progress.restarts == 1)
    first, second = made.engine.queries
    assert first.stopped
    assert second.rows is first.rows
    assert handle.state == "running"


def test_executors_that_are_lost_again_and_again_end_it(made: Parts) -> None:
    handle = made.start().wait_until_started()
    made.engine.lost = 9
    for number in range(4):
        soon(lambda number=number: len(made.engine.queries) == number + 1)
        made.engine.queries[number].failure = DetectorError("task lost")
    soon(lambda: failed(made))
    assert "lost executors 4 times within 10 minutes: task lost" in str(handle.error)
    assert len(made.engine.queries) == 4


def test_rows_that_the_watermark_drops_are_an_alarm_and_are_counted(
    made: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    handle = made.start().wait_until_started()
    with caplog.at_level(logging.ERROR, "workbench.detector"):
        made.engine.queries[0].reports = [report(0, dropped=1234)]
        soon(lambda: handle.progress.dropped_by_watermark == 1234)
        soon(lambda: "1,234 rows came behind the watermark" in caplog.text)


def test_a_partition_that_is_idle_while_another_is_busy_gets_a_tick_dated_as_the_busy_one(
    made: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whom it calls idle is for the tests of `ticks`.
    idle = iter([[1]])
    monkeypatch.setattr(IdleWatch, "idle_and_busy", lambda self, ends: (next(idle, []), [0]))
    made.topics.click(0, timestamp=77)
    made.start().wait_until_started()
    soon(lambda: made.topics.ticks)
    assert made.topics.ticks == [{1: 77}]


def test_clicks_deleted_ahead_of_it_make_it_fail_with_their_names(made: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_clicks, "_PATIENCE_S", 0.0)
    for _ in range(9):
        made.topics.click()
    made.topics.delete_before(0, 5)
    made.start()
    soon(lambda: failed(made))
    with pytest.raises(LostClicks, match=r"deleted 5 records .*partition 0, offsets 0 to 4"):
        made.handle.wait_until_caught_up("20s")


def test_clicks_deleted_after_they_were_judged_are_no_loss(made: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_clicks, "_PATIENCE_S", 0.0)
    for _ in range(9):
        made.topics.click()
    made.topics.judge_all()
    made.topics.delete_before(0, 5)
    handle = made.start().wait_until_started().wait_until_caught_up("20s")
    assert handle.state == "running"


def test_partitions_that_are_added_are_taken_in_by_a_hand_over_of_the_rule_to_itself(
    made: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    made.topics.click(0)
    made.topics.judge_all()
    handle = made.start().wait_until_started()
    made.topics.add_partition()
    made.topics.click(2)
    with pytest.raises(NotCaughtUp, match="partition 2 from offset 0"):
        handle.wait_until_caught_up("50ms")
    soon(lambda: len(made.engine.queries) == 2)
    soon(lambda: "All partitions of fcd-producer are judged" in caplog.text)
    assert "fcd-producer has 3 partitions, and had 2" in caplog.text
    assert made.engine.widened == [3]
    begin, rule, hand_over = made.engine.queries[1].rows
    assert (begin[2], rule, hand_over.rule) == (0, Rule("10s", 3), Rule("10s", 3))
    assert hand_over.judged.upto == {0: 1, 1: 0, 2: 0}
    assert made.engine.queries[0].stopped
    assert handle.progress.lag == 1
    made.topics.judge_all()
    handle.wait_until_caught_up("20s")
    assert (handle.progress.lag, handle.state, handle.rule) == (0, "running", Rule("10s", 3))
    assert made.checkpoint.partitions == 3


def test_partitions_that_cannot_be_taken_in_end_it(made: Parts) -> None:
    made.start().wait_until_started()
    made.engine.failures = [DetectorError("too few slots")]
    made.topics.add_partition()
    soon(lambda: failed(made))
    assert "too few slots" in str(made.handle.error)


@pytest.mark.parametrize("topic_id", ["another", None])
def test_a_topic_that_is_made_anew_ends_it_in_one_line_with_or_without_ids(made: Parts, topic_id: str | None) -> None:
    for _ in range(9):
        made.topics.click(0)
    handle = made.start().wait_until_started()
    made.topics.judge_all()
    handle.wait_until_caught_up("20s")
    made.topics.made_anew(topic_id)
    made.topics.click(0)
    soon(lambda: failed(made))
    assert isinstance(handle.error, TopicError)
    assert "made anew" in str(handle.error)
    assert "--fresh --from earliest" in str(handle.error)


def test_a_topic_that_is_deleted_ends_it_in_one_line(made: Parts) -> None:
    handle = made.start().wait_until_started()
    made.topics.delete_topic()
    soon(lambda: failed(made))
    assert "'fcd-producer' was deleted while its clicks were judged" in str(handle.error)


def test_that_most_clicks_are_too_late_is_said_once(made: Parts, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(19):
        made.topics.add(TOPICS.dead_letters, value=b'{"reason":"too_late"}')
    made.start().wait_until_started()
    made.topics.add(TOPICS.dead_letters, value=b'{"reason":"too_late"}')
    soon(lambda: "most of fcd-producer is too late to be judged" in caplog.text)
    made.handle.stop()
    assert caplog.text.count("too late to be judged") == 1
