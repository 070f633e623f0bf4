"""A line of the table of faults: what was done, how often, and what became of it. No tests here."""

from __future__ import annotations

__all__ = ["row"]


def row(fault: str, injected: int, survived: str, missing: int, wrong: int) -> None:
    """Print it, for `pytest -s`.

    >>> row("byte flipped", 12, "9 told, 3 exact", 0, 0)
    | byte flipped | 12 | 9 told, 3 exact | 0 missing | 0 wrong |
    """
    print(f"| {fault} | {injected:,} | {survived} | {missing:,} missing | {wrong:,} wrong |")
