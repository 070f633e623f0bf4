"""From one rule to the next: which clicks keep the verdict they have, and where the next rule begins to read.

Only the arithmetic and the record of it live here. Stopping and starting queries is done in `judging`.

A hand-over is not at one offset: tasks run side by side, so some clicks past the first one without a verdict have
theirs already. With the verdicts of rule A as dots::

    offset      0 1 2 3 4 5 6 7 8 9
    judged      . . . . . . _ . _ _        upto 6, ahead of it 7
    rule B reads      3 4 5 6 7 8 9        from `begin` on: far enough back for its windows to be warm
    rule B judges           6   8 9        each click has the verdict of exactly one rule

What each verdict takes into account
------------------------------------
A verdict of rule A is exact with respect to all clicks that rule A judged. A click that comes later, however old its
event time, counts for rule B alone: it does not revise a verdict of rule A any more. A verdict of rule B is exact with
respect to all clicks, those that A judged included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from workbench.rule import Rule

__all__ = ["DISORDER_MS", "HandOver", "Judged"]

DISORDER_MS = 2000
"""How far Kafka timestamps may lie out of order within a partition, as several producers make them."""


@dataclass(frozen=True)
class Judged:
    """Which offsets of the clicks topic have an outcome: all below `upto`, and those `ahead` of it, by partition.

    since_ms: no outcome of any other offset is older (Kafka timestamp).

    >>> judged = Judged({0: 5, 1: 2}, {0: (6, 9)}, since_ms=1000)
    >>> judged.advanced({0: 7}, since_ms=2000)
    Judged(upto={0: 7, 1: 2}, ahead={0: (9,)}, since_ms=2000)
    """

    upto: Mapping[int, int]
    ahead: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    since_ms: int = 0

    def advanced(self, upto: Mapping[int, int], since_ms: int) -> Self:
        """The same where every offset below this `upto` is judged too."""
        upto = {number: max(at, upto.get(number, 0)) for number, at in self.upto.items()}
        left = {
            number: tuple(offset for offset in some if offset >= upto[number]) for number, some in self.ahead.items()
        }
        return type(self)(upto, {number: some for number, some in left.items() if some}, since_ms)


@dataclass(frozen=True, repr=False)
class HandOver:
    """A rule took over from another one in a running detector.

    number: 1 for the first one of a checkpoint.
    before, rule: the rule that was, and the one that is.
    judged: the clicks that keep the verdict of `before`, or of a rule that was before that.
    begin: the offset of each partition from which `rule` read, so that its windows were warm.
    counts_from_us: the event time of the oldest click that can count for one to judge; older ones are passed over.
    seconds: how long no click was judged: from the end of the one query until every task of the other ran. None in a
    hand-over that was read from a checkpoint.
    """

    number: int
    before: Rule
    rule: Rule
    judged: Judged
    begin: Mapping[int, int]
    counts_from_us: int
    seconds: float | None = field(default=None, compare=False)

    @property
    def reread(self) -> int:
        """Records that were read once more, to make the windows warm."""
        return sum(self.judged.upto[number] - begin for number, begin in self.begin.items())

    def __repr__(self) -> str:  # not with each offset
        pause = "" if self.seconds is None else f", without a query for {self.seconds:.1f} s"
        text = f"{self.number}: {self.before.rule_id} to {self.rule.rule_id}, {self.reread:,} records read again"
        return f"<HandOver {text}{pause}>"

    def to_json(self) -> dict[str, Any]:
        """As it lies in a checkpoint; `from_json` reads it."""
        return {
            "number": self.number,
            "before": self.before.rule_id,
            "rule": self.rule.rule_id,
            "judged_upto": {str(number): offset for number, offset in self.judged.upto.items()},
            "judged_ahead": {str(number): list(offsets) for number, offsets in self.judged.ahead.items()},
            "since_ms": self.judged.since_ms,
            "begin": {str(number): offset for number, offset in self.begin.items()},
            "counts_from_us": self.counts_from_us,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` made. Raises KeyError, ValueError or TypeError for anything else."""
        ahead = {int(number): tuple(map(int, offsets)) for number, offsets in value["judged_ahead"].items()}
        return cls(
            int(value["number"]),
            Rule.from_id(value["before"]),
            Rule.from_id(value["rule"]),
            Judged(_by_partition(value["judged_upto"]), ahead, int(value["since_ms"])),
            _by_partition(value["begin"]),
            int(value["counts_from_us"]),
        )


def _by_partition(value: Mapping[str, Any]) -> dict[int, int]:
    return {int(number): int(offset) for number, offset in value.items()}
