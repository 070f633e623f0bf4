"""`workbench tune`: the best rules for a file of clicks, as a table. What is counted: `tuning.surface`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Literal

from workbench.cli.console import read_files, say
from workbench.cli.mapping import mapping_of
from workbench.text import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Collection, Sequence
    from datetime import timedelta

    from workbench.tuning.outcome import Cost, Outcome
    from workbench.tuning.surface import Surface

__all__ = ["best_rules", "sensitivity", "tune"]

_HEADER: Final[tuple[str, ...]] = ("rule", "flagged", "sessions", "precision", "recall", "F1", "cost", "")


def tune(args: Namespace) -> int:
    """Print the best rules where the clicks have labels, else how much each rule flags."""
    from workbench.clicks.labels import FRAUD_LABELS
    from workbench.tuning.grid import read_thresholds, read_windows
    from workbench.tuning.outcome import Cost
    from workbench.tuning.surface import surface
    from workbench.tuning.views import HOW_MUCH

    windows, thresholds = read_windows(args.windows), read_thresholds(args.thresholds)
    cost = Cost(args.paid_fraud, args.refused_good)
    bots = FRAUD_LABELS if args.fraud_labels is None else [*filter(None, map(str.strip, args.fraud_labels.split(",")))]
    if args.spark:
        found = _by_spark(args, windows, thresholds, cost, bots)
    else:
        found = surface(read_files(args).clicks, windows, thresholds, cost=cost, bots=bots)
    if found.labels.counts or not found.labelled:
        say(str(found.labels))
    if found.fraud:
        for line in best_rules(found, args.by, args.top):
            print(line)
    else:
        if found.labelled:
            say("Fix: name those that do: --fraud-labels LABEL[,…]")
        say(f"This is {HOW_MUCH}.")
        for line in sensitivity(found):
            print(line)
    return 0


def _by_spark(
    args: Namespace, windows: list[timedelta], thresholds: list[int], cost: Cost, bots: Collection[str]
) -> Surface:
    from workbench.spark.session import stop_spark
    from workbench.tuning import on_spark

    try:
        found = on_spark.surface(
            args.file,
            windows,
            thresholds,
            cost=cost,
            bots=bots,
            mapping=mapping_of(args),
            master=args.master,
            progress=sys.stderr.isatty(),
            tell=lambda line: say(printable(line)),
        )
        for text in found.warnings:
            say(f"warning: {printable(text)}")
        return found
    finally:
        stop_spark()


def best_rules(found: Surface, by: Literal["f1", "cost"], top: int) -> list[str]:
    """The best rules by F1 or cost, best first, and the default rule to compare with; one line each under a header."""
    from workbench.rule import Rule

    rules = [Rule(window, threshold) for window in found.windows for threshold in found.thresholds]

    def rank(one: Outcome) -> tuple[float, int, int]:
        quality = -(one.f1 or 0.0) if by == "f1" else one.cost or 0.0
        return round(quality, 12), one.flagged_clicks, -one.rule.threshold

    shown = sorted(map(found.at, rules), key=rank)[:top]
    if Rule() in rules and Rule() not in [one.rule for one in shown]:
        shown.append(found.at(Rule()))
    remarks = {"best F1": found.best("f1"), "lowest cost": found.best("cost"), "the default": Rule()}
    rows = [_HEADER]
    for one in shown:
        shares = [
            _written(value, form) for value, form in ((one.precision, ".1%"), (one.recall, ".1%"), (one.f1, ".3f"))
        ]
        remark = ", ".join(text for text, rule in remarks.items() if rule == one.rule)
        counts = f"{one.flagged_clicks:,}", f"{one.flagged_sessions:,}"
        rows.append((one.rule.rule_id, *counts, *shares, _written(one.cost, ",.0f"), remark))
    return _aligned(rows)


def sensitivity(found: Surface) -> list[str]:
    """The share of flagged clicks: one line a window, one column a threshold."""
    from workbench.durations import format_duration

    rows = [("window", *(f"{threshold} clicks" for threshold in found.thresholds))]
    for window, shares in zip(found.windows, found.flagged_share, strict=True):
        rows.append((format_duration(window), *(f"{share:.1%}" for share in shares)))
    return _aligned(rows)


def _written(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column and remarks to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<" if i == 0 or not rows[0][i] else ">" for i in range(len(widths))]
    layout = list(zip(sides, widths, strict=True))
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, (side, width) in zip(row, layout, strict=True)).rstrip()
        for row in rows
    ]
