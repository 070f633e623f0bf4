"""The audit: has every click on the topic the verdict that the rule gives it? Reads, and changes nothing.

It reads the three topics from their first record up to where they end when it starts, judges the clicks in
one batch with `rule.judge` and compares the verdicts one by one. Where a click has several, Yes wins.

Where a rule took over from another, each click is held against the rule of its verdict, with the clicks that had theirs
by then: see `hand_over`. A click may be at the edge: it tipped a verdict before, and had its own after the hand-over.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm.auto import tqdm

from workbench.broker.records import records
from workbench.broker.topics import Connection, Topics, describe
from workbench.clicks.foreign import AnyMapping, topic_mapping
from workbench.clicks.mapping import Mapping
from workbench.distinct import count, distinct, repeated
from workbench.errors import RuleError, VerdictError
from workbench.rule import Rule, judge
from workbench.text import printable
from workbench.verdicts.audited_clicks import AuditedClicks, read_clicks
from workbench.verdicts.feed import dead_letter
from workbench.verdicts.headers import Place, cause_of, hand_overs_before
from workbench.verdicts.table import read_fields

__all__ = ["Audit", "audit"]

_EXAMPLES = 5


@dataclass(frozen=True)
class Audit:
    """What an audit found. `str()` of it is a table to read; `ok` says whether all is as it must be.

    Attributes
    ----------
    rules : dict
        rule_id of the rule the clicks were judged by → its verdict records.
    clicks : int
        Distinct clicks to be judged.
    verdicts : int
        Verdict records.
    flagged : int
        Clicks with a Yes.
    revised : int
        Clicks whose verdict was revised to Yes.
    repeated : int
        Verdict records that said again what was said.
    missing : int
        Clicks without a verdict.
    wrong : int
        Clicks with the other verdict.
    twice : int
        Clicks judged before a hand-over and again after it.
    unexpected : int
        Clicks with a verdict that are not on the topic, or could not be judged.
    unreadable : int
        Verdict records that are none.
    lost : int
        Records on the clicks topic that are no click and have no dead letter.
    refused : int
        Readable clicks that were given up as malformed.
    tombstones : int
        Records on the clicks topic without a value: nothing to be judged.
    dead_letters : dict
        Reason → dead letters, each click record once.
    examples : dict
        Fault → a few of what is amiss, as text.
    """

    rules: dict[str, int]
    clicks: int
    verdicts: int
    flagged: int
    revised: int
    repeated: int
    missing: int
    wrong: int
    twice: int
    unexpected: int
    unreadable: int
    lost: int
    refused: int
    tombstones: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Every click has its verdict and no other, and every record that is no click has a dead letter."""
        return not any(getattr(self, name) for name in _FAULTS)

    def __str__(self) -> str:
        names = ["clicks", "verdicts", "flagged", "revised", "repeated", *_FAULTS]
        names += ["tombstones"] if self.tombstones else []
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
        faults = [f"{getattr(self, name):,} {name}" for name in _FAULTS if getattr(self, name)]
        return "\n".join([*text, f"NOT OK: {', '.join(faults)}" if faults else "ok"])


_FAULTS = ("missing", "wrong", "twice", "unexpected", "unreadable", "lost", "refused")


def audit(
    connection: Connection,
    topics: Topics = Topics(),
    rule: Rule | None = None,
    *,
    mapping: AnyMapping | None = None,
    progress: bool = False,
) -> Audit:
    """Hold the verdicts on a topic against the rule.

    A click record that a dead letter names (by partition and offset) is not to be judged, and ticks and tombstones are
    skipped. Records of transactions that were aborted, or are still open, are not there for anyone who reads.

    Parameters
    ----------
    connection, topics
        Where the clicks, their verdicts and the dead letters are.
    rule
        The rule that all clicks must have been judged by; None takes the one that each verdict names.
    mapping
        How records that other producers wrote were read as clicks: what `wb.detect` was given.
    progress
        Show a bar on stderr.

    Returns
    -------
    Audit
        What was found. It prints as a table, and `ok` says whether all is as it must be.

    Raises
    ------
    TopicError
        A topic is missing.
    BrokerError
        There is no broker, or it falls silent.
    VerdictError
        A verdict names no rule.
    ClickError
        The mapping cannot be.
    """
    read_by = None if mapping is None else topic_mapping(Mapping.of(mapping))
    held = describe(connection, [topics.clicks])
    # After the clicks: so the verdicts of all these clicks are in, if they were given at all.
    held |= describe(connection, [topics.verdicts, topics.dead_letters])
    spans = {name: (state.begin, state.end) for name, state in held.items()}
    total = sum(state.records for state in held.values())
    with tqdm(
        total=total, unit=" records", unit_scale=True, desc="audit", disable=not progress, mininterval=0.25
    ) as bar:
        letters = _read_letters(
            records(connection, topics.dead_letters, *spans[topics.dead_letters], bar),
            topics.clicks,
            spans[topics.clicks],
        )
        numbers: dict[str, int] = {}
        verdicts = records(connection, topics.verdicts, *spans[topics.verdicts], bar)
        given = _read_verdicts(verdicts, spans[topics.clicks], numbers)
        clicks = records(connection, topics.clicks, *spans[topics.clicks], bar)
        found = read_clicks(clicks, letters, set(given.tipped.values()), numbers, read_by, topics.clicks)
    return _compare(found, given, letters, rule, [*map(printable, numbers)])


@dataclass
class _Verdicts:
    frame: pd.DataFrame  # click_id, rule, fraud, revised, inside, after (how many hand-overs): one row per record
    unreadable: list[str]
    tipped: dict[int, Place]  # click_id → where the click is that tipped its verdict
    rules: list[str]  # the rule_id of each number in `frame`


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


def _read_verdicts(records: Iterator[Any], span: Span, numbers: dict[str, int]) -> _Verdicts:
    """The verdicts in columns. A click_id, and a rule_id, is a number there: see `distinct`."""
    ids, rules = array("q"), array("q")
    rule_numbers: dict[str, int] = {}
    fraud, revised, inside, after = bytearray(), bytearray(), bytearray(), array("q")
    unreadable: list[str] = []
    tipped: dict[int, Place] = {}
    begin, end = span
    for record in records:
        try:
            verdict = read_fields(record.value)
        except VerdictError as error:
            unreadable.append(str(error))
            continue
        ids.append(click_id := numbers.setdefault(verdict.click_id, len(numbers)))
        rules.append(rule_numbers.setdefault(verdict.rule_id, len(rule_numbers)))
        fraud.append(verdict.fraud)
        revised.append(verdict.revised)
        # A verdict says which click record caused it. One that came later, or is deleted, is no matter.
        cause = cause_of(record.headers)
        inside.append(cause is None or begin.get(cause[0], 0) <= cause[1] < end.get(cause[0], 0))
        after.append(hand_overs_before(record.headers))
        if verdict.revised and cause is not None:
            tipped[click_id] = cause
    flags = {"fraud": fraud, "revised": revised, "inside": inside}
    frame = pd.DataFrame(
        {
            "click_id": np.frombuffer(ids, dtype=np.int64),
            "rule": np.frombuffer(rules, dtype=np.int64),
            **{name: np.frombuffer(bytes(values), dtype=np.bool_) for name, values in flags.items()},
            "after": np.frombuffer(after, dtype=np.int64),
        }
    )
    return _Verdicts(frame[frame["inside"]], unreadable, tipped, list(rule_numbers))


def _compare(
    found: AuditedClicks, given: _Verdicts, letters: dict[Place, str], rule: Rule | None, names: list[str]
) -> Audit:
    """Hold the verdicts against the clicks. `names` has the click_id of each number, fit to be printed."""
    verdicts, clicks = given.frame, found.frame
    examples: dict[str, list[str]] = {
        "unreadable": given.unreadable,
        "lost": found.lost,
        "refused": found.refused,
    }
    there = pd.Index(distinct(clicks["click_id"])[1])
    answered = pd.Index(distinct(verdicts["click_id"])[1])
    examples["missing"] = [names[number] for number in there.difference(answered, sort=False)]
    examples["unexpected"] = [names[number] for number in answered.difference(there, sort=False)]

    own = verdicts[~verdicts["revised"]].groupby("click_id")["after"].agg(["min", "max"])  # not text: numbers
    examples["twice"] = [names[number] for number in own.index[own["min"] != own["max"]].to_numpy(np.int64)]
    # A click without a verdict is none of the ones that an earlier rule has counted.
    judged_after = clicks["click_id"].map(own["min"]).fillna(np.inf)
    latest = verdicts["after"].max()

    by_rule: list[tuple[Rule, pd.DataFrame]] = []
    wrong: list[pd.DataFrame] = []
    for (after, _), part in verdicts.groupby(["after", "rule"], sort=False):  # not text: numbers
        one = rule or _rule(given.rules[int(part["rule"].max())])
        by_rule.append((one, part))
        counted = clicks if after == latest else clicks[judged_after <= after]
        truth = judge(counted, one).groupby("click_id")[["fraud", "clicks_in_window"]].max()  # not text: numbers
        said = part.groupby("click_id")["fraud"].max().rename("said")  # not text: numbers
        both = truth.join(said, how="inner").assign(rule_id=one.rule_id)
        both = both[both["fraud"] != both["said"].astype(bool)]
        wrong.append(both[~_at_the_edge(both, one, given.tipped, found.tipping, set(counted["click_id"]))])
    mistakes = pd.concat(wrong) if wrong else clicks.iloc[:0]
    mistakes = mistakes[~repeated(mistakes.index)]
    examples["wrong"] = [
        f"{names[at]} is {'Yes' if row.said else 'No'}, with {row.clicks_in_window} clicks by {row.rule_id}"
        for at, row in zip(mistakes.index.to_numpy(np.int64), mistakes.head(_EXAMPLES).itertuples(), strict=False)
    ]
    amiss = {name: len(some) for name, some in examples.items()} | {"wrong": len(mistakes)}
    return Audit(
        rules=_count(by_rule),
        clicks=len(there),
        verdicts=len(verdicts),
        flagged=count(verdicts.loc[verdicts["fraud"], "click_id"]),
        revised=count(verdicts.loc[verdicts["revised"], "click_id"]),
        repeated=int(repeated(*(verdicts[name] for name in ("click_id", "rule", "fraud"))).sum()),
        **amiss,
        tombstones=found.tombstones,
        dead_letters=dict(Counter(letters.values())),
        examples={name: tuple(some[:_EXAMPLES]) for name, some in examples.items() if some},
    )


def _at_the_edge(
    mistakes: pd.DataFrame, rule: Rule, tipped: dict[int, Place], tipping: dict[Place, int], counted: set[int]
) -> npt.NDArray[np.bool_]:
    """Which of these Yes are right with the click that tipped them, which is itself judged after the hand-over."""
    causes = [tipping.get(tipped.get(click_id, (-1, -1))) for click_id in mistakes.index]
    later = np.array([cause is not None and cause not in counted for cause in causes], dtype=np.bool_)
    enough = mistakes["clicks_in_window"] + 1 >= rule.threshold
    return later & (mistakes["said"].astype(bool) & enough).to_numpy(np.bool_)


def _count(by_rule: list[tuple[Rule, pd.DataFrame]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one, part in by_rule:
        counts[one.rule_id] += len(part)
    return dict(counts)


def _rule(rule_id: str) -> Rule:
    """The rule that a verdict names. Raises VerdictError when it names none."""
    try:
        return Rule.from_id(rule_id)
    except RuleError as error:
        raise VerdictError(f"a verdict names no rule: {error}. Fix: name the rule to audit") from error
