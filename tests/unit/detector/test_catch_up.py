"""How far a detector is, read from the topics one outcome at a time: clicks, ticks, holes and silence. In memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_detector import CONNECTION, FakeTopics, Parts, parts

from workbench.detector.catch_up import OPEN, CatchUp
from workbench.detector.hand_over import Judged
from workbench.errors import BrokerError, DetectorError, NotCaughtUp


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Parts]:
    with parts(FakeTopics(), tmp_path) as found:
        yield found


def catch_up(made: Parts, target: dict[int, int], done: Judged | None = None) -> CatchUp:
    return CatchUp(CONNECTION, made.positions, done or Judged({0: 0, 1: 0}), target)


def test_waiting_ends_when_each_click_there_at_the_call_has_its_outcome_and_not_before(made: Parts) -> None:
    for partition in (0, 0, 1):
        made.topics.click(partition)
    handle = made.start()
    made.topics.verdict(0, 1)
    with pytest.raises(
        NotCaughtUp, match=r"2 clicks had no verdict after 1ms \(partition 0 from offset 0, partition 1"
    ):
        handle.wait_until_caught_up("1ms")
    made.topics.verdict(1, 0)
    made.topics.verdict(0, 0)
    assert handle.wait_until_caught_up("20s") is handle
    assert handle.progress.lag == 0


def test_ticks_have_no_outcome_and_keep_nobody_waiting(made: Parts) -> None:
    made.topics.tick(0)
    made.topics.click(0)
    made.topics.tick(0)
    made.topics.tick(0)
    made.topics.judge_all()
    made.start().wait_until_caught_up("20s")


def test_what_a_checkpoint_says_is_judged_needs_no_outcome_that_is_seen(made: Parts) -> None:
    from spark_reports import report

    for _ in range(5):
        made.topics.click(0)
    made.log.take([report(0, {0: 5, 1: 0})])
    made.start().wait_until_caught_up("20s")


def test_waiting_for_a_detector_that_was_stopped_says_what_is_left(made: Parts) -> None:
    made.topics.click(0)
    handle = made.start().wait_until_started()
    watching = catch_up(made, {0: 1, 1: 0})
    assert watching.read(timeout_ms=1) == 1
    handle.stop()
    with pytest.raises(DetectorError, match=r"ended|stopped"):
        handle.wait_until_caught_up("20s")


def test_outcomes_are_counted_from_those_on_that_were_not_known(made: Parts) -> None:
    for offset in range(4):
        made.topics.click(0)
        made.topics.verdict(0, offset, timestamp=1_000 + offset)
    watching = catch_up(made, {0: 4, 1: 0}, Judged({0: 2, 1: 0}, since_ms=1_002))
    assert watching.read(timeout_ms=1) == 0


def test_reading_to_the_end_takes_in_every_outcome_that_is_there(made: Parts) -> None:
    for offset in range(300):
        made.topics.click(0)
        made.topics.verdict(0, offset)
    watching = catch_up(made, {0: OPEN, 1: OPEN})
    watching.read_to_the_end()
    assert watching.frontier.first_left() == {0: 300, 1: 0}
    watching.close()
    watching.close()


def test_a_broker_that_falls_silent_before_the_end_is_told(made: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.broker.records._SILENCE_S", 0.0)
    monkeypatch.setattr("fake_detector.FakeConsumer.poll", lambda self, timeout_ms, max_records: {})
    made.topics.verdict(0, 0)
    with pytest.raises(BrokerError, match="gave nothing for 0 s before their end"):
        catch_up(made, {0: OPEN, 1: OPEN}).read_to_the_end()


def test_nothing_is_connected_before_it_is_asked(made: Parts) -> None:
    made.topics.away.set()
    watching = catch_up(made, {0: 1})
    watching.close()
    with pytest.raises(BrokerError):
        watching.read()
