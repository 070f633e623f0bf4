"""`detect`: what is settled before it returns, what it refuses, and that a refused start holds nothing. No Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_detector import CONNECTION, FakeEngine, FakeTopics
from polling import until

from workbench.broker.topic_settings import TopicSettings
from workbench.broker.topics import TopicState
from workbench.detector import catch_up, handle, lost_clicks, positions
from workbench.detector.handle import Detector, detect
from workbench.errors import BrokerError, CheckpointMismatch, DetectorError, LostClicks, TopicError
from workbench.rule import Rule

Start = Callable[..., Detector]


@pytest.fixture
def held() -> FakeTopics:
    return FakeTopics()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def begin(held: FakeTopics, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """`detect` on topics in memory; what it started is stopped at the end."""

    def describe(connection: object, topics: object, *, create: bool) -> dict[str, TopicState]:
        assert create
        if held.away.is_set():
            raise BrokerError("no broker answers")
        return held.held()

    monkeypatch.setattr(handle, "describe", describe)
    monkeypatch.setattr(handle, "find_java", lambda: None)
    monkeypatch.setattr(handle, "settings_of", lambda connection, topic: held.settings)
    monkeypatch.setattr(handle, "SparkEngine", lambda settings, partitions: engine)
    for module in (positions, catch_up):
        monkeypatch.setattr(module, "consumer_at", held.consumer_at)
    monkeypatch.setattr(positions, "TopicWatch", held.watch)
    monkeypatch.setattr(lost_clicks, "begin_offsets", held.begin_offsets)
    monkeypatch.setattr(catch_up, "_QUIET_S", 0.0)
    started: list[Detector] = []

    def start(rule: Rule = Rule(), **options: object) -> Detector:
        started.append(detect(rule, CONNECTION, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    engine.may_open.set()
    for each in started:
        each.stop()


def test_it_returns_while_spark_is_still_starting_and_no_click_sent_after_that_is_missed(
    held: FakeTopics, engine: FakeEngine, begin: Start
) -> None:
    engine.may_open.clear()
    held.click(0)
    running = begin(starting="latest")
    assert running.state == "starting"
    held.click(0)
    held.click(1)
    engine.may_open.set()
    running.wait_until_started()
    assert engine.queries[0].rows[0] == {0: 1, 1: 0}


def test_from_the_earliest_it_reads_what_the_topic_still_holds(
    held: FakeTopics, engine: FakeEngine, begin: Start
) -> None:
    for _ in range(5):
        held.click(0)
    held.delete_before(0, 2)
    begin(starting="earliest").wait_until_started()
    assert engine.queries[0].rows[0] == {0: 2, 1: 0}


def test_a_second_one_is_refused_while_the_first_runs_and_not_after_its_end(begin: Start) -> None:
    first = begin()
    with pytest.raises(DetectorError, match=r"already runs in this process: <Detector .*3-in-10s on .*stop\(\) it"):
        begin(Rule("9s", 2))
    first.stop()
    assert begin(Rule("9s", 2)).rule == Rule("9s", 2)


def test_after_one_that_failed_another_may_start(engine: FakeEngine, begin: Start) -> None:
    engine.failures = [DetectorError("boom")]
    first = begin()
    until(lambda: first.state == "failed", 20, every=0.001)
    assert begin().wait_until_started().state == "running"


def test_a_broker_that_is_away_is_told_at_once_and_nothing_is_left_of_the_start(held: FakeTopics, begin: Start) -> None:
    held.away.set()
    with pytest.raises(BrokerError):
        begin()
    held.away.clear()
    assert begin().wait_until_started().state == "running"


def test_a_refused_start_lets_go_of_the_checkpoint(held: FakeTopics, begin: Start, tmp_path: Path) -> None:
    state = tmp_path / "state"
    begin(checkpoint=state, starting="earliest").stop()
    for _ in range(5):
        held.click(0)
    held.delete_before(0, 3)
    for _ in range(2):  # were it still held, the second would be refused for that
        with pytest.raises(LostClicks):
            begin(checkpoint=state)
    with pytest.raises(CheckpointMismatch, match="rule 3-in-10s there, 4-in-20s asked"):
        begin(Rule("20s", 4), checkpoint=state)
    running = begin(checkpoint=state, on_lost_clicks="go_on").wait_until_started()
    assert running.progress.lost_clicks == 3


def test_a_checkpoint_goes_on_where_it_began_whatever_is_asked_later(
    held: FakeTopics, engine: FakeEngine, begin: Start, tmp_path: Path
) -> None:
    held.click(0)
    begin(checkpoint=tmp_path / "state", starting="latest").stop()
    held.click(0)
    held.click(0)
    begin(checkpoint=str(tmp_path / "state"), starting="latest").wait_until_started()
    assert engine.queries[-1].rows[0] == {0: 1, 1: 0}


def test_a_throw_away_checkpoint_is_gone_at_the_end(
    begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_STATE_DIR", str(tmp_path))
    with begin() as running:
        running.wait_until_started()
        assert len([*(tmp_path / "checkpoints").iterdir()]) == 1
    assert [*(tmp_path / "checkpoints").iterdir()] == []
    assert running.state == "stopped"


def test_partitions_that_came_while_it_stood_still_are_taken_in_and_are_lag_until_then(
    begin: Start, held: FakeTopics, engine: FakeEngine, tmp_path: Path
) -> None:
    begin(checkpoint=tmp_path / "state").wait_until_started().stop()
    held.add_partition()
    held.click(2)
    engine.may_open.clear()
    handle = begin(checkpoint=tmp_path / "state")
    assert handle.progress.lag == 1
    engine.may_open.set()
    until(lambda: engine.widened == [3])
    until(lambda: len(engine.queries) == 3)
    held.judge_all()
    handle.wait_until_caught_up("20s")
    assert handle.progress.lag == 0


def test_a_topic_that_deletes_clicks_by_their_session_is_told_at_the_start(
    begin: Start, held: FakeTopics, caplog: pytest.LogCaptureFixture
) -> None:
    held.settings = TopicSettings(held.topics.clicks, "compact")
    begin()
    assert "keeps the latest record of each key only (cleanup.policy=compact)" in caplog.text
    assert "Fix: `kafka-configs.sh" in caplog.text
    held.settings = None  # not for this user to look at


def test_a_topic_that_ends_before_what_its_checkpoint_has_judged_is_refused(
    begin: Start, held: FakeTopics, tmp_path: Path
) -> None:
    held.topic_id = None
    for _ in range(5):
        held.click(0)
    begin(checkpoint=tmp_path / "state").wait_until_started().stop()
    held.made_anew(topic_id=None)
    with pytest.raises(TopicError, match=r"ends at offset 0 of partition 0, and was judged to 5: .*--fresh"):
        begin(checkpoint=tmp_path / "state")
