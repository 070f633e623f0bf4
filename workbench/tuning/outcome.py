"""What one rule would have done of recorded clicks, and what its mistakes cost. All rules at once: `surface`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workbench.errors import RuleError
from workbench.rule import Rule

__all__ = ["Cost", "Outcome"]


@dataclass(frozen=True)
class Cost:
    """What mistakes cost, in one currency.

    Parameters
    ----------
    paid_fraud
        The cost of a fraudulent click that is paid.
    refused_good
        The cost of a good click that is refused.

    Raises
    ------
    RuleError
        One of them is less than 0, or no number.
    """

    paid_fraud: float = 1.0
    refused_good: float = 1.0

    def __post_init__(self) -> None:
        for name in ("paid_fraud", "refused_good"):
            price = getattr(self, name)
            if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < math.inf:
                raise RuleError(f"{name} is {price!r}: the cost of one click is a number from 0 up")


@dataclass(frozen=True)
class Outcome:
    """What one rule would have done. Shares are from 0 to 1; None is what nothing can be said of.

    Attributes
    ----------
    rule : Rule
        The rule.
    flagged_clicks, flagged_sessions : int
        Clicks it flags, and sessions with at least one of them.
    flagged_share : float or None
        Flagged clicks of all clicks.
    precision, recall, f1, cost : float or None
        How well it does, as `Surface` has them; None without labels.
    """

    rule: Rule
    flagged_clicks: int
    flagged_sessions: int
    flagged_share: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    cost: float | None
