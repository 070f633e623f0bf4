"""Which windows and thresholds to try, as one writes them: `1s..60s`, `2..10`. What comes of them is in `surface`."""

from __future__ import annotations

from datetime import timedelta

from workbench.durations import MICROSECOND, MILLISECOND
from workbench.errors import RuleError
from workbench.rule import HIGHEST_THRESHOLD, Rule

__all__ = ["read_thresholds", "read_windows"]

_ROUND = (10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90)


def read_windows(text: str) -> list[timedelta]:
    """Read windows: a list with commas, in which `first..last` stands for the round durations between two.

    There are 16 in every factor of ten, evenly enough spread for a logarithmic axis; the two ends are always among
    them.

    Parameters
    ----------
    text
        As "1s..60s" or "2s,10s,1m".

    Returns
    -------
    list of timedelta
        Rising, each once.

    Raises
    ------
    RuleError
        What is no window, and a range that falls.

    Examples
    --------
    >>> [window.total_seconds() for window in read_windows("1s..2s,10s")]
    [1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 10.0]
    """
    found: set[timedelta] = set()
    for part in _parts(text, "windows", "'1s..60s' or '2s,10s,1m'"):
        first, dots, last = part.partition("..")
        low, high = Rule(first).window, Rule(last if dots else first).window
        if low > high:
            raise RuleError(f"windows must rise: got {part!r}; write {last}..{first}")
        found |= {low, high} | {window for window in _round_ones() if low < window < high}
    return sorted(found)


def read_thresholds(text: str) -> list[int]:
    """Read thresholds: a list with commas, in which `2..10` stands for all whole numbers from 2 to 10.

    Parameters
    ----------
    text
        As "2..10" or "2,3,5".

    Returns
    -------
    list of int
        Rising, each once.

    Raises
    ------
    RuleError
        What is no threshold, and a range that falls.

    Examples
    --------
    >>> read_thresholds("2..5,8")
    [2, 3, 4, 5, 8]
    """
    found: set[int] = set()
    for part in _parts(text, "thresholds", "'2..10' or '2,3,5'"):
        first, dots, last = (word.strip() for word in part.partition(".."))
        low, high = _threshold(first), _threshold(last if dots else first)
        if low > high:
            raise RuleError(f"thresholds must rise: got {part!r}; write {high}..{low}")
        found |= set(range(low, high + 1))
    return sorted(found)


def _parts(text: str, what: str, like: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise RuleError(f"no {what} in {text!r}; write them like {like}")
    return parts


def _threshold(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise RuleError(f"threshold must be a whole number from 1 to {HIGHEST_THRESHOLD}: got {text!r}")
    return Rule(threshold=int(text[:20])).threshold


def _round_ones() -> list[timedelta]:
    exact = [MICROSECOND * digits * 10**power for power in range(2, 10) for digits in _ROUND]
    return [window for window in exact if not window % MILLISECOND]
