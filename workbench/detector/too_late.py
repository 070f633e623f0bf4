"""When most of a topic is too late to be judged: said once, with the fix. What is too late is decided in `source`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workbench.broker.topic_settings import TopicSettings

__all__ = ["MostlyTooLate"]

_ENOUGH = 20


class MostlyTooLate:
    """Tells once when a detector gives up more clicks as too late than it judges.

    Parameters
    ----------
    topic
        The clicks topic.
    settings
        Its settings, where they may be looked at: it may date the records itself.

    Examples
    --------
    >>> watch = MostlyTooLate("clicks", TopicSettings("clicks"))
    >>> watch.told({"verdicts": 30, "letters": 20}, lambda: {"too_late": 20})
    ''
    >>> watch.told({"verdicts": 30, "letters": 40}, lambda: {"malformed": 15, "too_late": 25})
    'most of clicks is too late to be judged: its records are dated later than their clicks. Fix: send an old log with \
`workbench replay`, or date each record with the time of its click'
    >>> watch.told({"verdicts": 30, "letters": 90}, lambda: {"too_late": 90})  # it has been said
    ''
    """

    def __init__(self, topic: str, settings: TopicSettings | None) -> None:
        self._topic, self._settings, self._said = topic, settings, False

    def told(self, outcomes: Mapping[str, int], reasons: Callable[[], Mapping[str, int]]) -> str:
        """What there is to say; empty where there is nothing, or it was said.

        Parameters
        ----------
        outcomes
            How many verdicts and how many dead letters there are since the start, in this order.
        reasons
            Gives why the latest of the dead letters are some. Asked where there are many.
        """
        verdicts, letters = outcomes.values()
        if self._said or letters < max(_ENOUGH, verdicts):
            return ""
        latest = reasons()
        if 2 * latest.get("too_late", 0) < sum(latest.values()):
            return ""
        self._said = True
        if self._settings is not None and self._settings.dates_on_arrival:
            return f"{self._settings.dates_on_arrival}. Fix: {self._settings.date_by_sender}, and send them anew"
        return (
            f"most of {self._topic} is too late to be judged: its records are dated later than their clicks. Fix: send "
            "an old log with `workbench replay`, or date each record with the time of its click"
        )
