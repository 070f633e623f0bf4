"""The audit: it finds each verdict that is missing, wrong or for nothing, and nothing where nothing is amiss."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from confluent_kafka import Producer

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.clicks.record import TICK_KEY, TICK_VALUE, records
from workbench.clicks.traffic import Mix, Traffic
from workbench.errors import TopicError, VerdictError
from workbench.rule import Rule, judge
from workbench.verdicts.audit import Audit, audit

pytestmark = pytest.mark.java

RULE = Rule()
START = datetime(2026, 1, 2, tzinfo=UTC)
CLICKS = Traffic(rate=100, duration="20s", mix=Mix(burst_bots=0.4), seed=2).clicks(START)

Value = dict[str, Any]


@dataclass
class Written:
    """What is on the topics. Clicks go to partition 0, so a click's offset is its place in the list."""

    connection: Connection
    topics: Topics
    clicks: list[bytes | None] = field(default_factory=list)
    verdicts: list[Value | bytes] = field(default_factory=list)
    letters: list[Value] = field(default_factory=list)

    def judge(
        self,
        clicks: pd.DataFrame,
        rule: Rule = RULE,
        *,
        changed: Callable[[int, Value], Value | None] | None = None,
    ) -> None:
        """Write clicks, and the verdicts a faultless detector gives; `changed` may alter or drop one."""
        first = len(self.clicks)
        self.clicks += [value for _, value, _ in records(clicks)]
        place = {click_id: first + row for row, click_id in enumerate(clicks["click_id"])}
        judged = judge(clicks, rule)
        for row, click in enumerate(judged.itertuples()):
            value = verdict(str(click.click_id), bool(click.fraud), rule, source=place[click.click_id])
            kept = changed(row, value) if changed else value
            if kept is not None:
                self.verdicts.append(kept)

    def dead(self, offset: int, reason: str) -> None:
        self.letters.append(
            {"reason": reason, "detail": "", "topic": self.topics.clicks, "partition": 0, "offset": offset}
        )

    def audit(self, rule: Rule | None = None) -> Audit:
        producer = Producer({"bootstrap.servers": self.connection.bootstrap, "queue.buffering.max.messages": 10**6})
        for value in self.clicks:
            producer.produce(self.topics.clicks, value, key=TICK_KEY if value == TICK_VALUE else b"s", partition=0)
        for number, told in enumerate(self.verdicts):
            value = told if isinstance(told, bytes) else json.dumps(told).encode()
            headers: dict[str, str | bytes | None] = {}
            if isinstance(told, dict):
                headers = {name: f"0:{told[name]}" for name in ("source", "revised_by") if name in told}
                headers |= {"hand_over": str(told["hand_over"])} if "hand_over" in told else {}
            producer.produce(self.topics.verdicts, value, partition=number % 2, headers=headers)
        for letter in self.letters:
            producer.produce(self.topics.dead_letters, json.dumps(letter).encode(), partition=1)
        assert producer.flush(30) == 0
        return audit(self.connection, self.topics, rule, progress=False)


@pytest.fixture
def written(connection: Connection, topics: Topics) -> Written:
    ensure_topics(connection, topics, partitions=2)
    return Written(connection, topics)


def verdict(click_id: str, fraud: bool, rule: Rule = RULE, **other: Any) -> Value:
    value: Value = {"fraudClick": "Yes" if fraud else "No", "click_id": click_id, "session_id": "s", "url": "/"}
    value |= {"ts": "2026-01-02T00:00:00.000000Z", "clicks_in_window": 1, "rule_id": rule.rule_id}
    return value | {"revised": False} | other


def faults(found: Audit) -> dict[str, int]:
    names = ("missing", "wrong", "twice", "unexpected", "unreadable", "lost", "refused")
    return {name: getattr(found, name) for name in names if getattr(found, name)}


@pytest.mark.parametrize("rule", [None, RULE], ids=["rule of the verdicts", "rule given"])
def test_faultless_verdicts_are_ok(written: Written, rule: Rule | None) -> None:
    written.judge(CLICKS)
    found = written.audit(rule)
    assert faults(found) == {}
    assert found.ok
    assert found.clicks == found.verdicts == 2000
    assert found.flagged == judge(CLICKS, RULE)["fraud"].sum() > 500
    assert found.rules == {"3-in-10s": 2000}
    assert str(found).endswith("\nok")


def test_nothing_at_all_is_ok(written: Written) -> None:
    found = written.audit()
    assert found.ok
    assert (found.clicks, found.verdicts, found.rules) == (0, 0, {})
    assert "no verdicts" in str(found)


@pytest.mark.parametrize("other", [Rule("11s"), Rule("10s", threshold=4), Rule("9999ms")], ids=str)
def test_verdicts_by_another_rule_than_the_one_given_are_wrong(written: Written, other: Rule) -> None:
    clicks = pd.concat([CLICKS, spanning(9_999_999), spanning(10_000_000)], ignore_index=True)
    written.judge(clicks, other)
    found = written.audit(RULE)
    assert found.wrong == (judge(clicks, RULE)["fraud"] != judge(clicks, other)["fraud"]).sum() > 0
    assert not found.ok


def spanning(span_us: int) -> pd.DataFrame:
    """Three clicks of one session from the first to the last in so many microseconds."""
    ts = pd.to_datetime([0, 5, span_us], unit="us", utc=True) + (START - datetime(1970, 1, 1, tzinfo=UTC))
    ids = [f"span-{span_us}-{number}" for number in range(3)]
    rows = pd.DataFrame({"click_id": ids, "session_id": f"span-{span_us}", "url": "/edge", "ts": ts})
    return rows.astype({"ts": "datetime64[us, UTC]"})


def test_missing_and_wrong_verdicts_are_counted_and_named(written: Written) -> None:
    def spoil(row: int, value: Value) -> Value | None:
        if row in (3, 1500):
            return None
        flipped = "No" if value["fraudClick"] == "Yes" else "Yes"
        return value | {"fraudClick": flipped} if row in (7, 8, 1900) else value

    written.judge(CLICKS, changed=spoil)
    found = written.audit()
    assert faults(found) == {"missing": 2, "wrong": 3}
    judged = judge(CLICKS, RULE)
    assert set(found.examples["missing"]) == {judged["click_id"][3], judged["click_id"][1500]}
    for row in (7, 8, 1900):
        assert any(example.startswith(f"{judged['click_id'][row]} is ") for example in found.examples["wrong"])
    assert "NOT OK: 2 missing, 3 wrong" in str(found)


def test_yes_wins_over_no_in_either_order_and_repetitions_are_harmless(written: Written) -> None:
    written.judge(CLICKS)
    flagged = [v for v in written.verdicts if isinstance(v, dict) and v["fraudClick"] == "Yes"][:10]
    said_no = [value | {"fraudClick": "No"} for value in flagged]
    again = [value | {"revised": True} for value in flagged]
    written.verdicts = [*said_no[:5], *written.verdicts, *said_no[5:], *again]
    found = written.audit()
    assert found.ok
    assert (found.verdicts, found.repeated, found.revised) == (2020, 10, 10)


def test_a_click_delivered_twice_counts_once(written: Written) -> None:
    written.judge(CLICKS)
    written.clicks += written.clicks[:100]
    assert written.audit().ok


def test_ticks_are_skipped(written: Written) -> None:
    written.clicks = [TICK_VALUE] * 3
    written.judge(CLICKS)
    written.clicks += [TICK_VALUE]
    found = written.audit()
    assert found.ok
    assert found.clicks == 2000


def test_tombstones_are_skipped_and_counted_by_themselves(written: Written) -> None:
    written.clicks = [None, None]
    written.judge(CLICKS)
    found = written.audit()
    assert found.ok
    assert (found.clicks, found.tombstones) == (2000, 2)
    assert re.search(r"^tombstones +2$", str(found), re.MULTILINE)


def test_clicks_named_by_a_dead_letter_are_not_to_be_judged(written: Written) -> None:
    late = CLICKS.iloc[:100]
    written.clicks = [*(value for _, value, _ in records(late)), b"{", b"\xff", b'{"click_id":"x"}']
    for offset in range(100):
        written.dead(offset, "too_late" if offset else "in_the_future")
    for offset in (100, 101, 102, 102):  # the last one twice, as a restarted detector may do
        written.dead(offset, "malformed")
    written.judge(CLICKS.iloc[100:])
    found = written.audit()
    assert faults(found) == {}
    assert found.dead_letters == {"too_late": 99, "in_the_future": 1, "malformed": 3}
    assert "dead letter: too_late" in str(found)


def test_dead_letters_of_another_topic_are_no_excuse(written: Written) -> None:
    written.judge(CLICKS)
    written.clicks.append(b"{")
    written.dead(len(written.clicks) - 1, "malformed")
    written.letters[0]["topic"] = "another"
    found = written.audit()
    assert faults(found) == {"lost": 1}
    assert found.dead_letters == {}


def test_a_record_that_is_no_click_and_has_no_dead_letter_is_lost(written: Written) -> None:
    written.judge(CLICKS)
    written.clicks.append(b'{"click_id":"x","session_id":"","url":"/ad","ts":"2026-01-02T03:04:05Z"}')
    found = written.audit()
    assert faults(found) == {"lost": 1}
    assert "partition 0 offset 2000" in found.examples["lost"][0]


def test_a_good_click_given_up_as_malformed_is_a_fault(written: Written) -> None:
    written.clicks = [value for _, value, _ in records(CLICKS.iloc[:1])]
    written.dead(0, "malformed")
    written.judge(CLICKS.iloc[1:])
    assert faults(written.audit()) == {"refused": 1}


def test_a_verdict_for_nothing_and_one_that_cannot_be_read_are_faults(written: Written) -> None:
    written.judge(CLICKS)
    written.verdicts += [verdict("nobody", False), b"{"]
    found = written.audit()
    assert faults(found) == {"unexpected": 1, "unreadable": 1}
    assert found.examples["unexpected"] == ("nobody",)


def test_verdicts_on_clicks_that_came_after_the_audit_began_are_left_out(written: Written) -> None:
    written.judge(CLICKS)
    written.verdicts.append(verdict("later", False, source=len(written.clicks)))
    found = written.audit()
    assert found.ok
    assert found.verdicts == 2000


def test_under_several_rules_each_verdict_is_held_against_its_own(written: Written) -> None:
    half = CLICKS["session_id"].str.contains("person")
    written.judge(CLICKS[half], RULE)
    written.judge(CLICKS[~half], Rule("1s", threshold=2))
    found = written.audit()
    assert found.ok
    assert found.rules == {"3-in-10s": half.sum(), "2-in-1s": (~half).sum()}
    assert "several" in str(found)
    assert not audit(written.connection, written.topics, RULE, progress=False).ok


NEXT = Rule("20s", threshold=3)


def handed_over(written: Written) -> pd.DataFrame:
    """The first half of the clicks, as they came, judged by one rule; the second half by the next, with all of them."""
    arrived = CLICKS.sample(frac=1, random_state=3, ignore_index=True)
    written.judge(arrived.iloc[:1000])
    first, written.verdicts = written.verdicts, []
    written.clicks = []
    written.judge(arrived, NEXT)
    place = {click_id: row for row, click_id in enumerate(arrived["click_id"])}
    second = [v | {"hand_over": 1} for v in written.verdicts if isinstance(v, dict) and place[v["click_id"]] >= 1000]
    written.verdicts = [*first, *second]
    return arrived


def test_after_a_hand_over_each_click_is_held_against_the_rule_and_the_clicks_of_its_time(written: Written) -> None:
    handed_over(written)
    found = written.audit()
    assert faults(found) == {}
    assert found.rules == {"3-in-10s": 1000, "3-in-20s": 1000}
    assert not audit(written.connection, written.topics, RULE, progress=False).ok


def test_a_click_that_was_judged_before_a_hand_over_and_again_after_it_is_a_fault(written: Written) -> None:
    arrived = handed_over(written)
    again = arrived["click_id"][0]
    written.verdicts.append(verdict(again, False, NEXT, source=0, hand_over=1))
    assert faults(written.audit())["twice"] == 1


@pytest.mark.parametrize(
    ("last", "wrong"),
    [
        ({}, 0),  # the click between came after the hand-over
        ({"fraudClick": "Yes"}, 1),
        ({"fraudClick": "Yes", "revised": True, "revised_by": 1}, 0),  # it came before, and had its own verdict after
        ({"fraudClick": "Yes", "revised": True, "revised_by": 0}, 1),
    ],
)
def test_a_click_of_the_next_rule_counts_for_an_earlier_verdict_only_where_it_is_named(
    written: Written, last: Value, wrong: int
) -> None:
    written.clicks = [value for _, value, _ in records(spanning(9_999_999))]
    first, between, third = (verdict(f"span-9999999-{n}", False, source=n) for n in range(3))
    written.verdicts = [first, dict(third), between | {"hand_over": 1, "rule_id": NEXT.rule_id}]
    if "revised_by" in last:
        del third["source"]
    written.verdicts += [{**third, **last}] if last else []
    assert faults(written.audit()) == ({"wrong": wrong} if wrong else {})


def test_a_verdict_that_names_no_rule_asks_for_one(written: Written) -> None:
    written.judge(CLICKS, changed=lambda _, value: value | {"rule_id": "mine"})
    with pytest.raises(VerdictError, match="'mine'"):
        written.audit()
    assert audit(written.connection, written.topics, RULE, progress=False).ok


def test_a_topic_that_is_not_there_is_an_error(connection: Connection, topics: Topics) -> None:
    with pytest.raises(TopicError, match=topics.clicks):
        audit(connection, topics, progress=False)


def test_the_report_is_aligned(written: Written) -> None:
    written.judge(CLICKS)
    numbers = str(written.audit()).splitlines()[1:-1]
    assert len({len(line) for line in numbers}) == 1
