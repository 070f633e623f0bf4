"""Which partitions are idle while others are busy, and when each wants a tick. The clock is the test's."""

from __future__ import annotations

from workbench.detector.ticks import IdleWatch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def watch(clock: Clock, partitions: int = 2) -> IdleWatch:
    return IdleWatch(dict.fromkeys(range(partitions), 0), idle_after_s=10, clock=clock)


def at(clock: Clock, seconds: float) -> None:
    clock.now = seconds


def test_where_nothing_comes_at_all_nobody_is_idle() -> None:
    clock = Clock()
    idle = watch(clock)
    for seconds in range(0, 200, 5):
        at(clock, seconds)
        assert idle.idle_and_busy({0: 0, 1: 0}) == ([], [])


def test_an_idle_partition_gets_a_tick_in_each_of_its_turns_while_another_is_busy() -> None:
    clock = Clock()
    idle, ticks = watch(clock), []
    for end, seconds in enumerate(range(5, 61, 5), 1):
        at(clock, seconds)
        wanting, busy = idle.idle_and_busy({0: end, 1: 0})
        assert busy == [0]
        ticks += [seconds] * len(wanting)
    assert ticks == [10, 20, 30, 40, 50, 60]


def test_a_tick_is_no_traffic_and_a_click_is() -> None:
    clock = Clock()
    idle = watch(clock)
    at(clock, 10)
    assert idle.idle_and_busy({0: 1, 1: 0}) == ([1], [0])
    idle.ticked({1: 1})
    at(clock, 12)
    assert idle.idle_and_busy({0: 2, 1: 1}) == ([], [0])
    assert idle.idle_and_busy({0: 2, 1: 2}) == ([], [0, 1])


def test_after_nobody_watched_for_long_none_is_said_to_have_been_idle() -> None:
    clock = Clock()
    idle = watch(clock)
    at(clock, 45)  # a broker was away: the backlog of one partition may come before that of another
    assert idle.idle_and_busy({0: 9, 1: 0}) == ([], [0])
    at(clock, 54)
    assert idle.idle_and_busy({0: 10, 1: 0}) == ([], [0])
    at(clock, 55)
    assert idle.idle_and_busy({0: 11, 1: 0}) == ([1], [0])
