"""Topics of other programs, and topics that change while they are judged: nothing is lost, judged twice or passed over.

Short sibling: tests/spark/test_foreign_topics.py
"""

from __future__ import annotations

from pathlib import Path

import oracle
import pytest
from detecting import Start
from foreign import Transactions, put, value
from polling import until

from workbench.broker.clients import CODECS, admin_client
from workbench.broker.topics import Connection, Topics, ensure_topics, recreate_topics
from workbench.errors import CheckpointMismatch, TopicError
from workbench.rule import Rule
from workbench.verdicts.audit import audit

pytestmark = pytest.mark.java


def judged(connection: Connection, topics: Topics) -> list[str]:
    """The clicks that have a verdict, as often as they have one of their own."""
    rows = [oracle.decoded(message) for message in oracle.read(connection.bootstrap, topics.verdicts)]
    return sorted(row["click_id"] for row in rows if not row["revised"])


def values(prefix: str, count: int) -> list[bytes]:
    return [value(f"{prefix}{number}") for number in range(count)]


def add_partition(connection: Connection, topic: str, count: int) -> None:
    with admin_client(connection) as admin:
        admin.create_partitions({topic: count})
        admin.wait_for_topics([topic])


def test_what_was_not_committed_is_not_judged_and_gaps_and_tombstones_hold_nothing_up(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    ensure_topics(connection, topics)
    for number, codec in enumerate(sorted(CODECS)):
        put(connection, topics.clicks, *values(codec, 3), partition=number % 2, compression_type=codec)
    sender = Transactions(connection, topics.clicks)
    sender.begin(*values("never", 200))
    sender.abort()
    sender.begin(value("first"), None, value("second"), None)
    sender.commit()
    sender.begin(*values("nor-these", 5))
    sender.abort()
    every = sorted([f"{codec}{n}" for codec in CODECS for n in range(3)] + ["first", "second"])
    with begin() as handle:
        handle.wait_until_caught_up("120s")
        assert handle.progress.lag == 0
        assert judged(connection, topics) == every
        until(lambda: handle.progress.tombstones == 2)
        assert "2 tombstones" in str(handle.progress)
        assert handle.progress.dead_letters == 0
        handle.apply(Rule("20s", 2))  # what it reads again ends with what nobody is given
        sender.begin(value("third"))
        until(lambda: handle.progress.lag == 0)  # nobody may see it yet
        assert "third" not in judged(connection, topics)
        sender.commit()  # the mark of it comes a moment later
        until(lambda: "third" in judged(connection, topics))
        until(lambda: handle.progress.lag == 0)
    assert judged(connection, topics) == sorted([*every, "third"])
    found = audit(connection, topics)
    assert found.ok, str(found)
    assert (found.clicks, found.tombstones) == (15, 2)


def test_partitions_that_are_added_while_it_runs_are_judged_from_their_first_click_on(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    ensure_topics(connection, topics, partitions=1)
    put(connection, topics.clicks, *values("a", 2))
    with begin() as handle:
        handle.wait_until_caught_up("120s")
        add_partition(connection, topics.clicks, 2)
        put(connection, topics.clicks, *values("b", 3), partition=1)
        put(connection, topics.clicks, *values("c", 2), partition=0)
        assert {each.partition for each in handle.progress.partitions} == {0, 1}
        assert handle.progress.lag >= 3  # nobody reads them yet
        handle.wait_until_caught_up("180s")
        assert judged(connection, topics) == ["a0", "a1", "b0", "b1", "b2", "c0", "c1"]
        assert (handle.progress.lag, handle.state, handle.rule) == (0, "running", Rule())
        put(connection, topics.clicks, *values("d", 2), partition=1)
        handle.wait_until_caught_up("120s")
    assert judged(connection, topics)[-2:] == ["d0", "d1"]
    found = audit(connection, topics)
    assert found.ok, str(found)
    assert found.flagged > 0  # clicks of one session, in one partition and in the other


@pytest.mark.long
def test_partitions_that_were_added_while_it_stood_still_are_judged_too(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    ensure_topics(connection, topics, partitions=1)
    put(connection, topics.clicks, *values("a", 2))
    with begin(checkpoint=tmp_path / "state") as handle:
        handle.wait_until_caught_up("120s")
    add_partition(connection, topics.clicks, 2)
    put(connection, topics.clicks, *values("b", 3), partition=1)
    with begin(checkpoint=tmp_path / "state") as handle:
        assert handle.progress.lag >= 3
        handle.wait_until_caught_up("180s")
    with begin(checkpoint=tmp_path / "state") as handle:  # whose checkpoint is one of two partitions by now
        put(connection, topics.clicks, *values("c", 2), partition=1)
        handle.wait_until_caught_up("120s")
    assert {*judged(connection, topics)} == {"a0", "a1", "b0", "b1", "b2", "c0", "c1"}
    found = audit(connection, topics)
    assert found.ok, str(found)


@pytest.mark.parametrize("clicks", [6, pytest.param(400, marks=pytest.mark.long)])
def test_a_topic_that_is_made_anew_is_one_line_and_nothing_is_passed_over_in_silence(
    clicks: int, connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    ensure_topics(connection, topics)
    put(connection, topics.clicks, *values("a", 40))
    with begin(checkpoint=tmp_path / "state") as handle:
        handle.wait_until_caught_up("120s")
        recreate_topics(connection, [topics.clicks])
        put(connection, topics.clicks, *values("b", clicks))
        told = rf"topic '{topics.clicks}' was deleted and made anew while .* Fix: begin anew with fresh=True"
        with pytest.raises(TopicError, match=told):
            handle.wait_until_caught_up("120s")
        with pytest.raises(TopicError, match=told):
            _ = handle.progress
        until(lambda: handle.error is not None)
        assert handle.state == "failed"
        assert isinstance(handle.error, TopicError)
        assert "\n" not in str(handle.error)
    with pytest.raises(CheckpointMismatch, match=f"topic {topics.clicks} was deleted and made anew since"):
        begin(checkpoint=tmp_path / "state")
    recreate_topics(connection, [topics.verdicts])
    with begin(checkpoint=tmp_path / "state", fresh=True) as handle:
        assert handle.progress.lag == clicks
        handle.wait_until_caught_up("120s")
    assert {*judged(connection, topics)} == {f"b{number}" for number in range(clicks)}


def test_an_old_log_on_a_topic_that_dates_its_records_itself_is_told_with_the_fix(
    connection: Connection, topics: Topics, begin: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with admin_client(connection) as admin:
        admin.create_topics(
            {topics.clicks: {"num_partitions": 2, "configs": {"message.timestamp.type": "LogAppendTime"}}}
        )
    old = [value(f"c{number}", ts="2026-01-02T03:04:05Z") for number in range(40)]
    put(connection, topics.clicks, *old)
    with begin() as handle:
        handle.wait_until_caught_up("120s")
        assert (handle.progress.verdicts, handle.progress.dead_letters) == (0, 40)
        until(lambda: "dates records when they arrive" in caplog.text)
    assert f"--entity-name {topics.clicks} --add-config message.timestamp.type=CreateTime" in caplog.text


def test_a_topic_that_is_deleted_is_one_line(connection: Connection, topics: Topics, begin: Start) -> None:
    ensure_topics(connection, topics)
    with begin() as handle:
        handle.wait_until_started()
        with admin_client(connection) as admin:
            admin.delete_topics([topics.clicks])
        until(lambda: handle.error is not None)
        assert str(handle.error).startswith(f"topic '{topics.clicks}' was deleted while its clicks were judged. Fix: ")
