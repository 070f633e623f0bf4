"""A line of the table of faults: what was done, how often, and what became of it. No tests here."""

from __future__ import annotations

__all__ = ["row"]


def row(fault: str, injected: int | str, survived: str, missing: int, wrong: int, seconds: float | None = None) -> None:
    """Print it, for `pytest -s`. seconds: from the recovery to the next verdict, where there is one.

    >>> row("byte flipped", 1200, "900 told, 300 exact", 0, 0)
    | byte flipped | 1,200 | 900 told, 300 exact | 0 missing | 0 wrong | – |
    >>> row("killed", "20 kills", "exact", 0, 0, 15.94)
    | killed | 20 kills | exact | 0 missing | 0 wrong | 15.9 s |
    """
    count = f"{injected:,}" if isinstance(injected, int) else injected
    took = "–" if seconds is None else f"{seconds:.1f} s"
    print(f"| {fault} | {count} | {survived} | {missing:,} missing | {wrong:,} wrong | {took} |")
