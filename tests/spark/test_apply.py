"""Changing the rule of a running detector, on a real broker, against the oracle: each click has one rule's verdict.

Short sibling: tests/spark/test_apply.py
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import oracle
import pytest
from detecting import Start, send
from oracle import EPOCH, US, Record, wire
from polling import until

from workbench.broker.topics import Connection, Topics
from workbench.errors import CheckpointMismatch, DetectorError, RuleError
from workbench.rule import Rule
from workbench.verdicts.audit import audit

pytestmark = pytest.mark.java

SECOND = 1_000_000


def click(number: int | str, session: str, us: int, **more: Any) -> Record:
    return Record(session.encode(), wire(f"c{number}", session, "/", us), us, **more)  # not late, however slow this is


def now_us() -> int:
    return (datetime.now(UTC) - EPOCH) // US


def verdicts(connection: Connection, topics: Topics) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for message in oracle.read(connection.bootstrap, topics.verdicts):
        row = oracle.decoded(message)
        found.setdefault(row["click_id"], []).append(row)
    return found


def exact(connection: Connection, topics: Topics) -> oracle.Segments:
    answer = oracle.compare_segments(connection.bootstrap, topics)
    print(answer)
    assert answer.exact
    found = audit(connection, topics, progress=False)
    assert found.ok, str(found)
    assert found.flagged == answer.flagged
    return answer


@pytest.mark.long
def test_under_load_each_click_has_one_rules_verdict_and_it_is_exact(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    with begin(starting="latest", checkpoint_every="10s") as handle:
        handle.wait_until_started()
        records = oracle.hostile(200_000, seed=7, begin=datetime.now(UTC) + timedelta(seconds=0.5), per_second=1000)
        enough = threading.Event()
        arguments = connection.bootstrap, topics.clicks, records, enough
        sending = threading.Thread(target=oracle.send_live, args=arguments)
        sending.start()
        until(lambda: handle.progress.verdicts > 8000)
        for rule in [Rule("10s", 4), Rule("20s", 4), Rule("5s", 2), Rule("10s", 3)]:
            print(handle.apply(rule))
            assert handle.rule == rule
            assert handle.state == "running"
            judged = handle.progress.verdicts
            until(lambda: handle.progress.verdicts > judged + 4000)  # noqa: B023 - it is called at once
        enough.set()
        sending.join()
        handle.wait_until_caught_up("120s")
        assert handle.progress.lag == 0
        assert handle.progress.dropped_by_watermark == 0
    answer = exact(connection, topics)
    assert len(answer.by_rule) == 5
    assert answer.revised > 0
    assert answer.dead["judged_before"] > 0  # copies that came after the hand-over


@pytest.mark.long
def test_in_a_backlog_each_click_has_one_rules_verdict_and_it_is_exact(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    records = oracle.hostile(60_000, seed=8, begin=datetime.now(UTC) - timedelta(seconds=35))
    fifth = len(records) // 5 + 1
    parts = [records[at : at + fifth] for at in range(0, len(records), fifth)]
    send(connection, topics, parts.pop(0))
    with begin() as handle:
        judged = 0
        for rule in [Rule("10s", 2), Rule("4s", 3)]:
            until(lambda: handle.progress.verdicts > judged + 5000)  # noqa: B023 - it is called at once
            send(connection, topics, parts.pop(0))
            print(handle.apply(rule))
            judged = handle.progress.verdicts
            send(connection, topics, parts.pop(0))  # of its own: the rule before may have judged all that was there
        handle.wait_until_caught_up("180s")
    assert parts == []
    answer = exact(connection, topics)
    assert answer.clicks == 60_000
    assert len(answer.by_rule) == 3


def test_what_each_rule_takes_into_account_and_which_verdict_stands(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    base = now_us()
    with begin(Rule("10s", 3)) as handle:
        send(connection, topics, [click(n, "warm", base + n) for n in (1, 2)] + [click(9, "late", base + 9)])
        send(connection, topics, [click(8, "late", base + 8)])
        handle.wait_until_caught_up("120s")
        handle.apply(Rule("20s", 3))
        again = [click(2, "warm", base + 2), click(7, "late", base + 7), click(3, "warm", base + 3)]
        send(connection, topics, again)
        handle.wait_until_caught_up("120s")
    said = verdicts(connection, topics)
    assert [row["rule_id"] for row in said["c2"]] == ["3-in-10s"]  # delivered again: not judged again
    assert [row["fraudClick"] for row in said["c9"]] == ["No"]  # c7 came too late for it
    assert [(row["fraudClick"], row["rule_id"]) for row in said["c3"]] == [("Yes", "3-in-20s")]  # its window is warm
    assert [(row["fraudClick"], row["clicks_in_window"]) for row in said["c7"]] == [("No", 1)]
    letters = [oracle.decoded(message) for message in oracle.read(connection.bootstrap, topics.dead_letters)]
    assert [(letter["reason"], json.loads(letter["value"])["click_id"]) for letter in letters] == [
        ("judged_before", "c2")
    ]
    exact(connection, topics)


def test_a_late_click_revises_the_new_rules_verdicts_and_the_old_ones_count_for_it(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    base = now_us()
    with begin(Rule("10s", 4)) as handle:
        send(connection, topics, [click(1, "s", base + 1)])
        handle.wait_until_caught_up("120s")
        handle.apply(Rule("10s", 3))
        send(connection, topics, [click(3, "s", base + 3)])
        handle.wait_until_caught_up("120s")
        send(connection, topics, [click(2, "s", base + 2)])
        handle.wait_until_caught_up("120s")
    said = verdicts(connection, topics)
    assert [(row["fraudClick"], row["revised"]) for row in said["c3"]] == [("No", False), ("Yes", True)]
    assert [row["fraudClick"] for row in said["c1"]] == ["No"]
    exact(connection, topics)


def test_the_rule_it_has_changes_nothing_and_what_is_no_rule_is_refused(begin: Start) -> None:
    handle = begin(Rule("10s", 3))
    assert handle.apply(Rule("10000ms", 3)) is None
    with pytest.raises(RuleError, match="apply takes a rule: got '4-in-10s'"):
        handle.apply("4-in-10s")  # type: ignore[arg-type]
    handle.stop()
    with pytest.raises(DetectorError, match=r"ended|stopped"):
        handle.apply(Rule("10s", 4))


@pytest.mark.long
def test_a_restart_after_a_hand_over_goes_on_with_the_new_rule_and_is_exact(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    records = oracle.hostile(24_000, seed=9, begin=datetime.now(UTC) - timedelta(seconds=14))
    third = len(records) // 3
    state = tmp_path / "state"
    send(connection, topics, records[:third])
    with begin(Rule("10s", 3), checkpoint=state, checkpoint_every="1h") as first:
        first.wait_until_caught_up("120s")
        send(connection, topics, records[third : 2 * third])
        first.apply(Rule("10s", 4))  # and ended before its first checkpoint
    with pytest.raises(CheckpointMismatch, match="rule 4-in-10s there, 3-in-10s asked"):
        begin(Rule("10s", 3), checkpoint=state)
    with begin(Rule("10s", 4), checkpoint=state) as second:
        second.wait_until_caught_up("120s")
        until(lambda: second.progress.checkpoints >= 1)
    send(connection, topics, records[2 * third : -1000])
    with begin(Rule("10s", 4), checkpoint=state) as last:
        print(last.apply(Rule("6s", 3)))  # what waited for the start is judged by the rule of the checkpoint
        send(connection, topics, records[-1000:])
        last.wait_until_caught_up("120s")
    answer = exact(connection, topics)
    assert answer.clicks == 24_000
    assert answer.by_rule["2: 3-in-6s"] > 900
    assert sorted(path.name for path in state.iterdir() if path.is_dir()) == ["2"]


KILLED = """
import sys, time
from workbench.detector.handle import detect
from workbench.broker.topics import Connection, Topics
from workbench.rule import Rule

connection, topics, state = Connection(sys.argv[1]), Topics(*sys.argv[2:5]), sys.argv[5]
handle = detect(
    Rule("10s", 3), connection, topics=topics, starting="earliest", checkpoint=state, checkpoint_every="5s"
)
handle.wait_until_started()
while handle.progress.verdicts < 4000:
    time.sleep(0.1)
print("applying", flush=True)
handle.apply(Rule("10s", 4))
print("applied", flush=True)
sys.stdin.read()
"""


@pytest.mark.long
@pytest.mark.parametrize("moment", ["applying", "applied"])
def test_killed_at_a_hand_over_no_click_is_lost(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path, moment: str
) -> None:
    records = oracle.hostile(30_000, seed=10, begin=datetime.now(UTC) - timedelta(seconds=16))
    send(connection, topics, records[:-5000])
    state = tmp_path / "state"
    arguments = [connection.bootstrap, *topics, str(state)]
    environment = {**os.environ, "WORKBENCH_STATE_DIR": str(tmp_path / "other")}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments],
        env=environment,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        for line in other.stdout:
            if line.strip() == moment.encode():
                break
        if moment == "applying":  # the checkpoint has changed hands, or is about to
            until(lambda: "hand_over" in (state / "workbench.json").read_text())
        os.killpg(other.pid, signal.SIGKILL)
    send(connection, topics, records[-5000:])  # the rule before may have judged all the others, if it is fast
    with begin(Rule("10s", 4), checkpoint=state) as handle:
        handle.wait_until_caught_up("120s")
    answer = exact(connection, topics)
    assert answer.clicks == 30_000
    assert len(answer.by_rule) == 2


def test_where_a_rule_does_not_start_the_one_before_goes_on(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    state, base = tmp_path / "state", now_us()
    with begin(Rule("10s", 3), checkpoint=state) as handle:
        send(connection, topics, [click(n, "s", base + n) for n in range(2)])
        handle.wait_until_caught_up("120s")
        (state / "1").write_text("in the way of the new rule's state")
        with pytest.raises(DetectorError, match=r"4-in-10s did not start: .*\. Judging by 3-in-10s goes on"):
            handle.apply(Rule("10s", 4))
        assert handle.state == "running"
        assert handle.rule == Rule("10s", 3)
        send(connection, topics, [click(2, "s", base + 2)])
        handle.wait_until_caught_up("120s")
    said = verdicts(connection, topics)
    assert [(row["fraudClick"], row["rule_id"]) for row in said["c2"]] == [("Yes", "3-in-10s")]
    exact(connection, topics)
