"""The audit: has every click on the topic the verdict that the rule gives it? Reads, and changes nothing.

It reads the three topics from their first record up to where they end when it starts, judges the clicks in
one batch with `rule.judge` and compares the verdicts one by one. Where a click has several, Yes wins.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from workbench.broker import Connection, Topics, begin_offsets, end_offsets
from workbench.clicks import TICK_VALUE, parse
from workbench.errors import ClickError, VerdictError
from workbench.rule import Rule, judge
from workbench.topic_records import records
from workbench.verdict_table import read_fields
from workbench.verdicts import dead_letter

__all__ = ["Audit", "audit"]

EXAMPLES = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RULE_ID = re.compile(r"([0-9]+)-in-([0-9]+[a-z]+)")


@dataclass(frozen=True)
class Audit:
    """What an audit found. `str()` of it is a table to read; `ok` says whether all is as it must be."""

    rules: dict[str, int]  # rule_id of the rule the clicks were judged by → its verdict records
    clicks: int  # distinct clicks to be judged
    verdicts: int  # verdict records
    flagged: int  # clicks with a Yes
    revised: int  # clicks whose verdict was revised to Yes
    repeated: int  # verdict records that said again what was said
    missing: int  # clicks without a verdict
    wrong: int  # clicks with the other verdict
    unexpected: int  # clicks with a verdict that are not on the topic, or could not be judged
    unreadable: int  # verdict records that are none
    lost: int  # records on the clicks topic that are no click and have no dead letter
    refused: int  # readable clicks that were given up as malformed
    dead_letters: dict[str, int] = field(default_factory=dict)  # by reason, each click record once
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of what is amiss, a few each

    @property
    def ok(self) -> bool:
        """Every click has its verdict and no other, and every record that is no click has a dead letter."""
        return not any(getattr(self, name) for name in FAULTS)

    def __str__(self) -> str:
        names = ("clicks", "verdicts", "flagged", "revised", "repeated", *FAULTS)
        lines = [(name.replace("_", " "), f"{getattr(self, name):>12,}") for name in names]
        lines += [(f"dead letter: {reason}", f"{n:>12,}") for reason, n in sorted(self.dead_letters.items())]
        width = max(len(name) for name, _ in lines)
        text = [f"{name:<{width}} {number}" for name, number in lines]
        rules = [f"{rule_id} ({n:,} verdicts)" for rule_id, n in self.rules.items()]
        several = ": several, each verdict was held against its own" if len(rules) > 1 else ""
        text.insert(0, f"{'rule':<{width}}  {', '.join(rules) or 'none: there are no verdicts'}{several}")
        for name, some in self.examples.items():
            text += [f"{name}: {example}" for example in some]
        if self.missing and not self.wrong:
            text.append("Verdicts that are missing may be on their way: audit again when the detector has caught up.")
        faults = [f"{getattr(self, name):,} {name}" for name in FAULTS if getattr(self, name)]
        return "\n".join([*text, f"NOT OK: {', '.join(faults)}" if faults else "ok"])


FAULTS = ("missing", "wrong", "unexpected", "unreadable", "lost", "refused")


def audit(
    connection: Connection, topics: Topics = Topics(), rule: Rule | None = None, *, progress: bool = True
) -> Audit:
    """Hold the verdicts on a topic against the rule.

    rule: the rule all clicks must have been judged by; None takes the one that each verdict names. A click
    record that a dead letter names (by partition and offset) is not to be judged, and ticks are skipped.

    Raises TopicError (a topic is missing), BrokerError (no broker, or it falls silent), VerdictError (a
    verdict names no rule).
    """
    clicks_from, clicks_to = begin_offsets(connection, topics.clicks), end_offsets(connection, topics.clicks)
    # After the clicks: so the verdicts of all these clicks are in, if they were given at all.
    spans = {
        name: (begin_offsets(connection, name), end_offsets(connection, name))
        for name in (topics.verdicts, topics.dead_letters)
    }
    spans[topics.clicks] = clicks_from, clicks_to
    total = sum(end[p] - begin[p] for begin, end in spans.values() for p in end)
    with tqdm(
        total=total, unit=" records", unit_scale=True, desc="audit", disable=not progress, mininterval=0.25
    ) as bar:
        letters = _read_letters(
            records(connection, topics.dead_letters, *spans[topics.dead_letters], bar),
            topics.clicks,
            spans[topics.clicks],
        )
        given = _read_verdicts(records(connection, topics.verdicts, *spans[topics.verdicts], bar), spans[topics.clicks])
        found = _read_clicks(records(connection, topics.clicks, *spans[topics.clicks], bar), letters)
    return _compare(found, given, letters, rule)


@dataclass
class _Clicks:
    frame: pd.DataFrame
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass
class _Verdicts:
    frame: pd.DataFrame  # click_id, rule_id, fraud, revised, inside: one row per record
    unreadable: list[str]


Span = tuple[dict[int, int], dict[int, int]]


def _read_letters(records: Iterator[Any], topic: str, span: Span) -> dict[tuple[int, int], str]:
    """Which records of `topic` could not be judged: (partition, offset) → reason."""
    letters: dict[tuple[int, int], str] = {}
    for record in records:
        letter = dead_letter(record.value)
        place = letter.get("partition"), letter.get("offset")
        if letter.get("topic") == topic and all(type(number) is int for number in place):
            letters[place] = str(letter.get("reason"))  # type: ignore[index]
    begin, end = span
    return {(p, o): reason for (p, o), reason in letters.items() if begin.get(p, 0) <= o < end.get(p, 0)}


def _read_verdicts(records: Iterator[Any], span: Span) -> _Verdicts:
    ids: list[str] = []
    rule_ids: list[str] = []
    fraud, revised, inside = bytearray(), bytearray(), bytearray()
    unreadable: list[str] = []
    texts: dict[str, str] = {}
    begin, end = span
    for record in records:
        try:
            verdict = read_fields(record.value)
        except VerdictError as error:
            unreadable.append(str(error))
            continue
        ids.append(verdict.click_id)
        rule_ids.append(texts.setdefault(verdict.rule_id, verdict.rule_id))
        fraud.append(verdict.fraud)
        revised.append(verdict.revised)
        # A verdict says which click record caused it. One that came later, or is deleted, is no matter.
        source = dict(record.headers).get("source", b"")
        partition, _, offset = source.partition(b":")
        known = partition.isdigit() and offset.isdigit()
        inside.append(not known or begin.get(int(partition), 0) <= int(offset) < end.get(int(partition), 0))
    flags = {"fraud": fraud, "revised": revised, "inside": inside}
    frame = pd.DataFrame(
        {
            "click_id": pd.Series(ids, dtype=object),
            "rule_id": pd.Series(rule_ids, dtype=object),
            **{name: np.frombuffer(bytes(values), dtype=np.bool_) for name, values in flags.items()},
        }
    )
    return _Verdicts(frame[frame["inside"]], unreadable)


def _read_clicks(records: Iterator[Any], letters: dict[tuple[int, int], str]) -> _Clicks:
    """The clicks to be judged, in columns; the texts that repeat are kept once."""
    found = _Clicks(pd.DataFrame())
    ids: list[str] = []
    sessions: list[str] = []
    urls: list[str] = []
    ts_us = array("q")
    texts: dict[str, str] = {}
    for record in records:
        reason = letters.get((record.partition, record.offset))
        if record.value == TICK_VALUE or (reason is not None and reason != "malformed"):
            continue
        place = f"partition {record.partition} offset {record.offset}"
        try:
            click = parse(record.value or b"")
        except ClickError as error:
            if reason is None:
                found.lost.append(f"{place}: {error}")
            continue
        if reason is not None:
            found.refused.append(f"{place}: {click.click_id}")
            continue
        ids.append(click.click_id)
        sessions.append(texts.setdefault(click.session_id, click.session_id))
        urls.append(texts.setdefault(click.url, click.url))
        ts_us.append((click.ts - _EPOCH) // timedelta(microseconds=1))
    ts = pd.Series(np.frombuffer(ts_us, dtype=np.int64).view("datetime64[us]")).dt.tz_localize("UTC")
    text = {"click_id": ids, "session_id": sessions, "url": urls}
    found.frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in text.items()} | {"ts": ts})
    return found


def _compare(found: _Clicks, given: _Verdicts, letters: dict[tuple[int, int], str], rule: Rule | None) -> Audit:
    verdicts, clicks = given.frame, found.frame
    examples: dict[str, list[str]] = {
        "unreadable": given.unreadable,
        "lost": found.lost,
        "refused": found.refused,
    }
    there = pd.Index(clicks["click_id"].unique())
    answered = pd.Index(verdicts["click_id"].unique())
    examples["missing"] = there.difference(answered, sort=False).tolist()
    examples["unexpected"] = answered.difference(there, sort=False).tolist()

    by_rule: list[tuple[Rule, pd.DataFrame]]
    if rule is not None:
        by_rule = [(rule, verdicts)]
    else:
        by_rule = [(_rule(str(rule_id)), part) for rule_id, part in verdicts.groupby("rule_id", sort=False)]
    wrong: list[pd.DataFrame] = []
    for one, part in by_rule:
        truth = judge(clicks, one).groupby("click_id")[["fraud", "clicks_in_window"]].max()
        said = part.groupby("click_id")["fraud"].max().rename("said")
        both = truth.join(said, how="inner").assign(rule_id=one.rule_id)
        wrong.append(both[both["fraud"] != both["said"].astype(bool)])
    mistakes = pd.concat(wrong) if wrong else clicks.iloc[:0]
    mistakes = mistakes[~mistakes.index.duplicated()]
    examples["wrong"] = [
        f"{row.Index} is {'Yes' if row.said else 'No'}, with {row.clicks_in_window} clicks by {row.rule_id}"
        for row in mistakes.head(EXAMPLES).itertuples()
    ]
    amiss = {name: len(some) for name, some in examples.items()} | {"wrong": len(mistakes)}
    return Audit(
        rules={one.rule_id: len(part) for one, part in by_rule},
        clicks=len(there),
        verdicts=len(verdicts),
        flagged=int(verdicts.loc[verdicts["fraud"], "click_id"].nunique()),
        revised=int(verdicts.loc[verdicts["revised"], "click_id"].nunique()),
        repeated=int(verdicts.duplicated(["click_id", "rule_id", "fraud"]).sum()),
        **amiss,
        dead_letters=dict(Counter(letters.values())),
        examples={name: tuple(some[:EXAMPLES]) for name, some in examples.items() if some},
    )


def _rule(rule_id: str) -> Rule:
    """The rule that a verdict names. Raises VerdictError when it names none."""
    named = _RULE_ID.fullmatch(rule_id)
    if named is None:
        raise VerdictError(
            f"a verdict names the rule {rule_id!r}, which is not like '3-in-10s'. Fix: name the rule to audit"
        )
    return Rule(window=named[2], threshold=int(named[1]))
