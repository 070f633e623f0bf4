"""What a detector may be started with: refused at once where it cannot be, frozen where it can."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import pytest
from fake_detector import CONNECTION

from workbench.broker.topics import Topics
from workbench.detector.handle import detect
from workbench.detector.settings import DetectorSettings, Tolerance
from workbench.errors import DetectorError, RuleError
from workbench.rule import Rule


def settings(**more: Any) -> DetectorSettings:
    return DetectorSettings(rule=Rule(), connection=CONNECTION, **more)


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"starting": "now"}, DetectorError, 'starting must be "latest" or "earliest": got \'now\''),
        ({"on_lost_clicks": "skip"}, DetectorError, 'on_lost_clicks must be "fail" or "go_on": got \'skip\''),
        ({"checkpoint_every": "1s"}, RuleError, "checkpoint_every must be from 5s to 1h: got 1s"),
        ({"checkpoint_every": "61m"}, RuleError, "checkpoint_every must be from 5s to 1h: got 61m"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_are_refused_before_anything_is_looked_for(
    wrong: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        detect(Rule(), CONNECTION, **wrong)  # no broker is there


def test_what_is_no_rule_is_refused_before_anything_is_looked_for() -> None:
    with pytest.raises(RuleError, match=r"judges by a rule: got '3-in-10s'\. Fix: Rule\('10s', threshold=3\)"):
        detect("3-in-10s", CONNECTION)  # type: ignore[arg-type]


def test_the_bounds_themselves_may_be() -> None:
    for seconds in (5, 3600):
        assert settings(checkpoint_every=timedelta(seconds=seconds)).checkpoint_every.seconds == seconds
    with pytest.raises(FrozenInstanceError):
        settings().fresh = True  # type: ignore[misc]


def test_a_tolerance_is_at_most_a_day_and_in_whole_microseconds() -> None:
    with pytest.raises(RuleError, match="late must be at most 24h: got 25h"):
        Tolerance(late="25h")
    with pytest.raises(RuleError, match="ahead must be at most 24h"):
        Tolerance(ahead="86401s")
    assert Tolerance("1500ms", "24h").late_us == 1_500_000
    assert Tolerance("1500ms", "24h").ahead_us == 86_400_000_000


def test_state_is_of_one_rule_topic_partition_count_and_tolerance() -> None:
    asked = settings(topics=Topics("a", "b", "c"), tolerance=Tolerance("1m", "2s"))
    assert asked.identity("id-1", 3) == {
        "rule": "3-in-10s", "clicks": "a", "topic_id": "id-1", "partitions": 3, "late": "1m", "ahead": "2s",
    }  # fmt: skip
