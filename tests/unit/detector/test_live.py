"""The handle of a notebook: what it starts and ends, in which order, and whatever goes wrong. Its parts are fakes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Self

import pytest

from workbench.broker.topics import Connection, Topics
from workbench.clicks.traffic import Traffic
from workbench.detector import live as module
from workbench.detector.live import Live, live
from workbench.errors import BrokerError, DetectorError, NotCaughtUp
from workbench.rule import Rule
from workbench.verdicts.table import Counts

CONNECTION = Connection("127.0.0.1:1")
TRAFFIC = Traffic(10, "1s")


class Part:
    """A part of a live session. It writes down what is asked of it, and fails when it is told to."""

    def __init__(self, name: str, log: list[str], fails: dict[str, BaseException]) -> None:
        self.name, self.log, self.fails = name, log, fails
        self.connection, self.topics, self.rule, self.state = CONNECTION, Topics(), Rule(), "running"
        self.progress = SimpleNamespace(verdicts=7)
        self.sent, self.read = 3, 7
        self.did("begins")

    def did(self, what: str) -> None:
        self.log.append(f"{self.name} {what}")
        if error := self.fails.get(self.log[-1]):
            raise error

    def stop(self) -> None:
        self.did("stops")

    def wait_until_started(self, timeout: object) -> None:
        self.did("waits")

    def wait_until_caught_up(self, timeout: object) -> None:
        self.did("catches up")

    def wait_for(self, wanted: Any, timeout: float) -> bool:
        self.did("waits")
        return bool(wanted(self.counts))

    def apply(self, rule: Rule) -> str:
        self.did(f"applies {rule.rule_id}")
        return "a hand-over"

    @property
    def counts(self) -> Counts:
        return Counts(self.read, 5, 2, 0, 0, 0, {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class World:
    """All the parts of a test: what they did, and at what they are to fail."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.fails: dict[str, BaseException] = {}

    def part(self, name: str) -> Any:
        return lambda *_, **__: Part(name, self.log, self.fails)

    def live(self) -> Live:
        return live(Rule(), CONNECTION)

    def done(self) -> list[str]:
        """What was done since the last time this was asked."""
        log, self.log[:] = [*self.log], []
        return log


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(module, "_latest", None)
    monkeypatch.setattr(module, "ensure_topics", lambda *_: world.log.append("topics are made"))
    for name, part in {"follow": "feed", "detect": "detector", "send": "traffic"}.items():
        monkeypatch.setattr(module, name, world.part(part))
    return world


ENDED = ["traffic stops", "detector stops", "feed stops"]


def test_the_feed_is_there_before_the_detector_gives_a_verdict_and_the_detector_runs_when_it_returns(
    world: World,
) -> None:
    running = world.live()
    assert world.done() == ["topics are made", "feed begins", "detector begins", "detector waits"]
    assert running.sending is None


def test_it_ends_in_the_order_in_which_the_clicks_flow_and_as_often_as_one_likes(world: World) -> None:
    running = world.live()
    running.send(TRAFFIC)
    world.done()
    running.stop()
    assert world.done() == ENDED
    running.stop()
    assert world.done() == ENDED  # each of which may be stopped again


def test_leaving_the_block_ends_it(world: World) -> None:
    with world.live() as running:
        running.send(TRAFFIC)
        world.done()
    assert world.done() == ENDED


def test_a_part_that_fails_to_end_keeps_no_other_from_ending_and_its_error_is_raised(world: World) -> None:
    running = world.live()
    running.send(TRAFFIC)
    world.done()
    world.fails["traffic stops"] = BrokerError("a click was not taken")
    with pytest.raises(BrokerError, match="a click was not taken"):
        running.stop()
    assert world.done() == ENDED


def test_what_an_interrupted_run_left_ends_before_the_next_begins(world: World) -> None:
    world.live().send(TRAFFIC)
    world.done()
    world.live()
    assert world.done() == [*ENDED, "topics are made", "feed begins", "detector begins", "detector waits"]


def test_an_earlier_run_that_ended_is_not_ended_again(world: World) -> None:
    world.live().stop()
    world.done()
    world.live()
    assert world.done()[0] == "topics are made"


@pytest.mark.parametrize("error", [BrokerError("a click was not taken"), OSError("a click was not taken")])
def test_what_was_wrong_with_an_earlier_run_does_not_keep_the_next_from_starting(
    world: World, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    world.live().send(TRAFFIC)
    world.fails["traffic stops"] = error
    assert isinstance(world.live(), Live)
    assert "a click was not taken" in caplog.text


@pytest.mark.parametrize("error", [DetectorError("no Spark"), KeyboardInterrupt()])
def test_a_detector_that_does_not_start_leaves_nothing_running(world: World, error: BaseException) -> None:
    world.fails["detector waits"] = error
    with pytest.raises(type(error)):
        world.live()
    assert world.done()[-2:] == ["detector stops", "feed stops"]


def test_a_detector_that_cannot_be_made_leaves_no_feed(world: World) -> None:
    world.fails["detector begins"] = DetectorError("a detector already runs in this process")
    with pytest.raises(DetectorError, match="already runs"):
        world.live()
    assert world.done()[-1] == "feed stops"


def test_an_interrupt_while_it_tidies_up_leaves_it_to_the_next_run(world: World) -> None:
    world.fails |= {"detector waits": KeyboardInterrupt(), "detector stops": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        world.live()
    world.fails.clear()
    world.done()
    world.live()
    assert world.done()[:2] == ["detector stops", "feed stops"]


def test_traffic_that_is_sent_again_ends_the_one_before(world: World) -> None:
    running = world.live()
    first, second = running.send(TRAFFIC), running.send(TRAFFIC)
    assert world.done()[-3:] == ["traffic begins", "traffic stops", "traffic begins"]
    assert running.sending is second is not first


def test_traffic_that_failed_is_told_once_and_does_not_keep_the_next_from_being_sent(world: World) -> None:
    running = world.live()
    running.send(TRAFFIC)
    world.fails["traffic stops"] = BrokerError("a click was not taken")
    with pytest.raises(BrokerError, match="a click was not taken"):
        running.send(TRAFFIC)
    again = running.send(TRAFFIC)
    assert running.sending is again


def test_after_the_end_no_traffic_is_sent(world: World) -> None:
    running = world.live()
    running.stop()
    world.done()
    with pytest.raises(DetectorError, match="nothing judges clicks any more"):
        running.send(TRAFFIC)
    assert world.done() == []


def test_caught_up_is_when_the_detector_is_and_the_feed_has_read_what_it_gave(world: World) -> None:
    running = world.live()
    world.done()
    assert running.wait_until_caught_up() is running
    assert world.done() == ["detector catches up", "feed waits"]


def test_a_feed_that_lags_behind_is_not_caught_up(world: World) -> None:
    running = world.live()
    running.feed.read = 4  # type: ignore[attr-defined]
    with pytest.raises(NotCaughtUp, match="the feed had read 4 of 7 verdicts after 5s"):
        running.wait_until_caught_up("5s")


def test_another_rule_goes_to_the_detector(world: World) -> None:
    running = world.live()
    assert running.apply(Rule("20s", 4)) == "a hand-over"  # type: ignore[comparison-overlap]
    assert world.done()[-1] == "detector applies 4-in-20s"


def test_it_says_how_it_stands(world: World) -> None:
    running = world.live()
    assert repr(running) == "<Live running: 3-in-10s, 5 judged, 2 flagged>"
    running.send(TRAFFIC)
    assert repr(running) == "<Live running: 3-in-10s, 3 clicks sent, 5 judged, 2 flagged>"
