"""What a detector is started with, validated once. Nothing is started or read here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from workbench.broker.connection import Connection
from workbench.broker.topics import Topics
from workbench.clicks.foreign import topic_mapping
from workbench.clicks.mapping import Mapping
from workbench.durations import duration, format_duration
from workbench.errors import DetectorError, RuleError
from workbench.rule import Rule

__all__ = ["DetectorSettings", "Tolerance"]

_MICROS: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Tolerance:
    """How far a click's event time may lie from the Kafka timestamp of its record.

    Parameters
    ----------
    late
        A click that is further behind goes to the dead-letter topic as `too_late`. This also sets how long state is
        kept: that long past the windows that a click can still fall into.
    ahead
        A click that is further ahead goes there as `in_the_future`.

    Raises
    ------
    RuleError
        Either is more than 24 hours, or is no duration.
    """

    late: timedelta | str = "30s"
    ahead: timedelta | str = "10s"

    def __post_init__(self) -> None:
        for name in ("late", "ahead"):
            value = duration(getattr(self, name))
            if value > timedelta(days=1):
                raise RuleError(f"{name} must be at most 24h: got {format_duration(value)}")
            object.__setattr__(self, name, value)

    @property
    def late_us(self) -> int:
        """`late` in whole microseconds."""
        return duration(self.late) // _MICROS

    @property
    def ahead_us(self) -> int:
        """`ahead` in whole microseconds."""
        return duration(self.ahead) // _MICROS


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """What `detect` was called with. See there for what each of them means; `mapping` as `topic_mapping` gives it.

    Raises
    ------
    ClickError
        `mapping` says what cannot be said of records that are judged as they come.
    DetectorError
        `starting` or `on_lost_clicks` is none of the words that it may be.
    RuleError
        `rule` is none, or `checkpoint_every` is not from 5 seconds to an hour.
    """

    rule: Rule
    connection: Connection
    topics: Topics = Topics()
    starting: Literal["latest", "earliest"] = "latest"
    checkpoint: Path | None = None
    fresh: bool = False
    checkpoint_every: timedelta = timedelta(seconds=60)
    tolerance: Tolerance = Tolerance()
    master: str | None = None
    on_lost_clicks: Literal["fail", "go_on"] = "fail"
    mapping: Mapping | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Rule):
            raise RuleError(f"a detector judges by a rule: got {self.rule!r}. Fix: Rule('10s', threshold=3)")
        if self.starting not in ("latest", "earliest"):
            raise DetectorError(f'starting must be "latest" or "earliest": got {self.starting!r}')
        if self.on_lost_clicks not in ("fail", "go_on"):
            raise DetectorError(f'on_lost_clicks must be "fail" or "go_on": got {self.on_lost_clicks!r}')
        if not timedelta(seconds=5) <= self.checkpoint_every <= timedelta(hours=1):
            raise RuleError(f"checkpoint_every must be from 5s to 1h: got {format_duration(self.checkpoint_every)}")
        if self.mapping is not None:
            object.__setattr__(self, "mapping", topic_mapping(self.mapping))

    def identity(self, topic_id: str | None, partitions: int) -> dict[str, object]:
        """What a checkpoint's state is for.

        Parameters
        ----------
        topic_id
            Of the clicks topic: made anew, it has other clicks at the same offsets.
        partitions
            How many it has.
        """
        read = {} if self.mapping is None else {"mapping": _as_judged(self.mapping)}
        return {
            "rule": self.rule.rule_id,
            "clicks": self.topics.clicks,
            "topic_id": topic_id,
            "partitions": partitions,
            "late": format_duration(duration(self.tolerance.late)),
            "ahead": format_duration(duration(self.tolerance.ahead)),
            **read,
        }


def _as_judged(mapping: Mapping) -> str:
    """What of a mapping verdicts depend on."""
    bare = replace(mapping, carry={}, ip=None, user_agent=None, label=None)
    return "; ".join(bare.to_toml().splitlines())
