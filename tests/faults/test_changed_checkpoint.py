"""A checkpoint that was made for something else than what is asked now: it is refused, and nothing is judged by it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import oracle
import pytest
from detecting import Start, send
from fault_table import row
from oracle import Record, wire
from polling import until

from workbench.broker.topics import Connection, Topics, end_offsets, recreate_topics
from workbench.detector.settings import Tolerance
from workbench.errors import CheckpointMismatch
from workbench.rule import Rule

pytestmark = pytest.mark.java


def clicks(mark: str, count: int) -> list[Record]:
    us = int(time.time() * 1_000_000)
    return [Record(b"s", wire(f"{mark}{n}", "s", f"/{n // 4}", us + n), us) for n in range(count)]


def test_a_checkpoint_serves_no_other_rule_topic_partition_count_or_lateness(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    send(connection, topics, clicks("first", 100))
    with begin(checkpoint=state) as first:
        first.wait_until_caught_up("120s")
        until(lambda: first.progress.checkpoints >= 1)
    other = Topics(f"{topics.clicks}-other", topics.verdicts, topics.dead_letters)
    send(connection, other, clicks("other", 10))
    written = end_offsets(connection, topics.verdicts)

    def refused(says: str, rule: Rule = Rule(), **options: Any) -> None:
        with pytest.raises(CheckpointMismatch, match=rf"{state} was made .*{says}.*fresh=True \(--fresh\)"):
            begin(rule, checkpoint=state, **options)

    refused("rule 3-in-10s there, 2-in-10s asked", Rule("10s", 2))
    refused("rule 3-in-10s there, 3-in-9s asked", Rule("9s", 3))
    refused(f"clicks {topics.clicks} there, {other.clicks} asked", topics=other)
    refused("late 30s there, 29s asked", tolerance=Tolerance(late="29s"))
    refused("ahead 10s there, 11s asked", tolerance=Tolerance(ahead="11s"))
    recreate_topics(connection, [topics.clicks])
    oracle.send(connection.bootstrap, topics.clicks, clicks("second", 100))  # other clicks at the same offsets
    refused(f"the topic {topics.clicks} was deleted and made anew since")
    recreate_topics(connection, [topics.clicks], partitions=3)
    oracle.send(connection.bootstrap, topics.clicks, clicks("third", 100))
    refused(f"the topic {topics.clicks} was deleted and made anew since\\. Fix")
    assert end_offsets(connection, topics.verdicts) == written

    recreate_topics(connection, topics, partitions=2)
    oracle.send(connection.bootstrap, topics.clicks, clicks("fourth", 100))
    with begin(Rule("10s", 2), checkpoint=state, fresh=True) as last:
        last.wait_until_caught_up("120s")
    answer = oracle.compare(connection.bootstrap, topics, threshold=2)
    what = "checkpoint of another rule, topic, partition count or lateness"
    row(what, 7, "7 refused", len(answer.missing), len(answer.wrong))
    assert answer.exact
    assert answer.clicks == 100
