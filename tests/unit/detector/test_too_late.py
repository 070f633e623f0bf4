"""When most of a topic is too late: what is said, by who dates the records, and when nothing is."""

from __future__ import annotations

import pytest

from workbench.broker.topic_settings import TopicSettings
from workbench.detector.too_late import MostlyTooLate


def told(settings: TopicSettings | None, verdicts: int, **reasons: int) -> str:
    watch = MostlyTooLate("clicks", settings)
    outcomes = {"verdicts": verdicts, "letters": sum(reasons.values())}
    said = watch.told(outcomes, lambda: reasons)
    assert not said or watch.told(outcomes, lambda: reasons) == ""  # once is enough
    return said


def test_where_the_broker_dates_the_records_the_fix_is_that_it_does_not() -> None:
    said = told(TopicSettings("clicks", dated="LogAppendTime"), 0, too_late=100)
    assert said.startswith("clicks dates records when they arrive (message.timestamp.type=LogAppendTime)")
    assert "--add-config message.timestamp.type=CreateTime" in said


@pytest.mark.parametrize("settings", [None, TopicSettings("clicks")])
def test_where_the_sender_dates_them_or_nobody_knows_the_fix_is_to_send_them_with_their_times(
    settings: TopicSettings | None,
) -> None:
    assert "Fix: send an old log with `workbench replay`" in told(settings, 10, too_late=60, malformed=40)


@pytest.mark.parametrize(
    ("verdicts", "reasons"),
    [(0, {"too_late": 19}), (100, {"too_late": 99}), (0, {"too_late": 40, "malformed": 60}), (0, {})],
    ids=["few", "more are judged", "most are something else", "none"],
)
def test_nothing_is_said_of_clicks_that_are_late_now_and_then(verdicts: int, reasons: dict[str, int]) -> None:
    assert told(None, verdicts, **reasons) == ""
