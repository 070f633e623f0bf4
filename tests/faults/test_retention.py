"""Retention deletes clicks before they are judged: the detector names them, and goes on without them where asked to.

Short sibling: tests/faults/test_retention.py
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import oracle
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from crashing import hold_answer, outcomes, until_first_outcome
from detecting import Start, held_back, send
from polling import until

from workbench.broker.topics import Connection, Topics, describe, end_offsets
from workbench.errors import DetectorError, LostClicks
from workbench.rule import Rule

pytestmark = pytest.mark.java

SEED = 20261127


def delete_up_to(connection: Connection, topic: str, offsets: dict[int, int]) -> None:
    """Do what retention does: from now on each partition begins there."""
    admin = AdminClient({**connection.librdkafka()})
    asked = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
    for done in admin.delete_records(asked).values():
        done.result(30)
    assert describe(connection, [topic])[topic].begin == offsets


def hostile(seconds_ago: float) -> list[oracle.Record]:
    print(f"seed {SEED}")
    return oracle.hostile(12_000, SEED, datetime.now(UTC) - timedelta(seconds=seconds_ago), per_second=600)


def is_left(message: Any, lost: dict[int, range]) -> bool:
    return message.offset() not in lost.get(message.partition(), ())


def test_clicks_deleted_while_the_detector_stood_still_are_named_and_passed_over_where_asked(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records, state = hostile(seconds_ago=25), tmp_path / "state"
    half = len(records) // 2
    send(connection, topics, records[:half])
    with begin(checkpoint=state) as first:
        first.wait_until_caught_up("120s")
        ends = end_offsets(connection, topics.clicks)
        until(lambda: first._supervisor._checkpoint.committed(topics.clicks) == ends)  # noqa: SLF001  # told nowhere
    send(connection, topics, records[half:])
    there = oracle.read(connection.bootstrap, topics.clicks)
    lost = {0: range(ends[0], ends[0] + 500), 1: range(ends[1], ends[1] + 1)}
    delete_up_to(connection, topics.clicks, {number: offsets.stop for number, offsets in lost.items()})

    named = f"{topics.clicks} deleted 501 records .*partition 0, offsets {lost[0][0]} to {lost[0][-1]}"
    with pytest.raises(LostClicks, match=f"{named}; partition 1, offset {lost[1][0]}\\. Fix: .*--go-on-after"):
        begin(checkpoint=state)
    with pytest.raises(LostClicks, match=named):  # it has changed nothing
        begin(checkpoint=state)
    before, since = outcomes(connection, topics), time.monotonic()
    with caplog.at_level(logging.WARNING, "workbench.detector"):
        again = begin(checkpoint=state, on_lost_clicks="go_on")
        assert f"{topics.clicks} deleted 501 records" in caplog.text
    seconds = until_first_outcome(connection, topics, before, since)
    again.wait_until_caught_up("120s")
    assert again.progress.lost_clicks == 501
    assert "501 clicks deleted before they were judged" in str(again.progress)
    assert again.progress.dropped_by_watermark == 0
    again.stop()
    left = [message for message in there if is_left(message, lost)]
    answer = oracle.compare(connection.bootstrap, topics, clicks=left)
    assert answer.clicks == len(oracle.truth(left, 1, 1))
    assert answer.dead == {"malformed": sum(message.key() == b"x" for message in left)}
    hold_answer(
        answer,
        fault="retention passed unread clicks",
        injected="501 records deleted",
        survived="no, told; goes on where asked",
        seconds=seconds,
    )


@pytest.mark.long
def test_clicks_deleted_ahead_of_a_running_detector_make_it_fail_with_their_names(
    connection: Connection, topics: Topics, begin: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted = held_back(monkeypatch)
    send(connection, topics, hostile(seconds_ago=25))
    running = begin()  # where to begin is settled now, and Spark begins to read when the first of it is gone
    delete_up_to(connection, topics.clicks, {0: 700, 1: 40})
    deleted.set()
    with pytest.raises(LostClicks, match=r"740 records .*partition 0, offsets 0 to 699; partition 1, offsets 0 to 39"):
        running.wait_until_caught_up("120s")
    assert running.state == "failed"


@pytest.mark.long
def test_clicks_deleted_after_a_change_of_the_rule_are_named_too(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    records, state, after = hostile(seconds_ago=25), tmp_path / "state", Rule("10s", 4)
    half = len(records) // 2
    send(connection, topics, records[:half])
    with begin(checkpoint=state, checkpoint_every="1h") as first:
        first.wait_until_caught_up("120s")
        hand_over = first.apply(after)  # and ended before its first checkpoint
        assert hand_over is not None
    send(connection, topics, records[half:])
    ends = end_offsets(connection, topics.clicks)
    delete_up_to(connection, topics.clicks, {number: end - 1000 for number, end in ends.items()})
    lost = {number: range(at, ends[number] - 1000) for number, at in hand_over.begin.items()}
    named = "; ".join(f"partition {n}, offsets {offsets[0]} to {offsets[-1]}" for n, offsets in lost.items())
    with pytest.raises(LostClicks, match=named):
        begin(after, checkpoint=state)
    again = begin(after, checkpoint=state, on_lost_clicks="go_on")
    again.wait_until_caught_up("120s")
    assert again.progress.lost_clicks == sum(map(len, lost.values()))
    there, verdicts = (oracle.read(connection.bootstrap, topic) for topic in (topics.clicks, topics.verdicts))
    assert {*oracle.truth(there, 1, 1)} <= {oracle.decoded(message)["click_id"] for message in verdicts}


def test_what_to_do_about_lost_clicks_is_one_of_two(begin: Start) -> None:
    with pytest.raises(DetectorError, match=r"on_lost_clicks must be .* got 'skip'"):
        begin(on_lost_clicks="skip")
