"""The detector on a real broker, in real-time mode, against the oracle. One Spark session serves the whole file.

Short sibling: tests/spark/test_detector.py
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import oracle
import pytest
from detecting import Start, held_back, send
from oracle import EPOCH, US, Record, wire
from polling import until

from workbench.broker.topics import Connection, Topics, ensure_topics, recreate_topics
from workbench.clicks.record import TICK_KEY, TICK_VALUE
from workbench.detector import ticks
from workbench.detector.handle import detect
from workbench.detector.query import SPARE
from workbench.detector.settings import Tolerance
from workbench.errors import CheckpointMismatch, DetectorError, NotCaughtUp, RuleError, TopicError
from workbench.rule import Rule

pytestmark = pytest.mark.java

SECOND = 1_000_000


def now_us(ago: timedelta = timedelta(0)) -> int:
    return (datetime.now(UTC) - ago - EPOCH) // US


def click(number: int | str, session: str, url: str, us: int, **more: Any) -> Record:
    return Record(session.encode(), wire(f"c{number}", session, url, us), us, **more)


def test_every_verdict_is_right_under_disorder_redelivery_and_malformed_records(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    records = oracle.hostile(40_000, seed=11, begin=datetime.now(UTC) - timedelta(seconds=25))
    send(connection, topics, records)
    with begin() as handle:
        handle.wait_until_started().wait_until_caught_up("180s")
        assert handle.progress.lag == 0
    answer = oracle.compare(connection.bootstrap, topics)
    print(answer)
    assert answer.exact
    assert answer.clicks == 40_000
    assert 1 / 3 < answer.flagged / answer.clicks < 2 / 3
    assert answer.revised > 0
    assert answer.dead == {"malformed": sum(record.key == b"x" for record in records)}
    assert handle.progress.dropped_by_watermark == 0


def edges(seed: int, window_us: int, pages: int) -> list[Record]:
    """Short histories around the very edges of the window, each on a page of its own, in any order."""
    rnd = random.Random(seed)
    base = now_us(timedelta(seconds=30)) // window_us * window_us
    gaps = [0, 0, 1, window_us // 2, window_us - 1, window_us, window_us + 1, window_us // 2 - 1, window_us // 2 + 1]
    records = []
    for page in range(pages):
        session, url = f"s{page // 3}", f"/{page % 3}"  # a session has several pages, a page has several sessions
        us = base + rnd.choice([0, -1, 1, rnd.randrange(window_us)])
        for number in range(rnd.randrange(1, 7)):
            records.append(click(f"{page}-{number}", session, url, us))
            us += rnd.choice(gaps)
    rnd.shuffle(records)
    return [Record(r.key, r.value, max(r.at_us, base + 3 * window_us)) for r in records]


@pytest.mark.parametrize(
    ("window", "threshold"),
    [
        ("2s", 3),
        pytest.param("3500ms", 2, marks=pytest.mark.long),
        pytest.param("2s", 1, marks=pytest.mark.long),
    ],
)
def test_the_edges_of_the_window_are_exact_to_the_microsecond(
    connection: Connection, topics: Topics, begin: Start, window: str, threshold: int
) -> None:
    rule = Rule(window, threshold)
    send(connection, topics, edges(seed=threshold, window_us=rule.window_us, pages=3000))
    begin(rule).wait_until_caught_up("120s").stop()
    answer = oracle.compare(connection.bootstrap, topics, rule.window_us, threshold)
    print(answer)
    assert answer.exact
    assert not answer.dead
    assert answer.clicks > 9000


@pytest.mark.long
def test_an_uneven_backlog_loses_nothing_to_the_watermark(connection: Connection, topics: Topics, begin: Start) -> None:
    base, rnd = now_us(timedelta(minutes=15)), random.Random(3)
    step = 15 * 60 * SECOND
    long = [
        click(f"a{i}", f"a{rnd.randrange(600)}", f"/{i % 3}", base + i * step // 150_000, partition=0)
        for i in range(150_000)
    ]
    short = [
        click(f"b{i}", f"b{rnd.randrange(6)}", f"/{i % 3}", base + i * step // 1500, partition=1) for i in range(1500)
    ]
    send(connection, topics, long + short)
    with begin() as handle:
        handle.wait_until_caught_up("240s")
        until(lambda: handle.progress.checkpoints >= 2)
        assert handle.progress.dropped_by_watermark == 0
    answer = oracle.compare(connection.bootstrap, topics)
    print(answer)
    assert answer.exact
    assert answer.clicks == 151_500


@pytest.mark.long
def test_an_idle_partition_does_not_hold_the_state_for_ever(
    connection: Connection, topics: Topics, begin: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "IDLE_AFTER_S", 3.0)
    long_ago = now_us(timedelta(minutes=30))
    send(connection, topics, [click(i, f"s{i}", "/", long_ago, partition=0) for i in range(500)])
    with begin() as handle:
        handle.wait_until_caught_up("120s")
        until(lambda: handle.progress.state_rows >= 1000)
        # Event time goes on in partition 0 only: partition 1 never had a click.
        number = iter(range(10**6))

        def busy_and_forgotten() -> bool:
            late = now_us()
            send(connection, topics, [click(f"x{next(number)}", "x", "/", late, partition=0)])
            return handle.progress.state_rows < 500

        until(busy_and_forgotten, 90)
        assert handle.progress.dropped_by_watermark == 0
        # What has no verdict is passed, so ticks do not keep anyone waiting.
        handle.wait_until_caught_up("120s")
    ticked = [m for m in oracle.read(connection.bootstrap, topics.clicks) if m.key() == TICK_KEY]
    assert ticked
    assert all(m.value() == TICK_VALUE and m.partition() == 1 for m in ticked)
    assert oracle.compare(connection.bootstrap, topics).dead == {}


def test_what_cannot_be_judged_is_told_apart_and_kept_whole(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    at = now_us()
    late = Tolerance(late="30s", ahead="10s")
    values = {
        b"not json": "malformed",
        b"\xff\xfe": "malformed",
        b"": "malformed",
        wire("c1", "", "/", at): "malformed",
        wire("c2", "s", "/" + "x" * 9000, at): "malformed",
        b'{"click_id":7,"session_id":"s","url":"/","ts":"2026-01-01T00:00:00Z"}': "malformed",
        b'{"click_id":"c","session_id":{},"url":"/","ts":"2026-01-01T00:00:00Z"}': "malformed",
        b'{"click_id":"c","session_id":"s","url":"/","ts":"2026-01-01T00:00:00"}': "malformed",
        wire("c3", "s", "/", at - 30 * SECOND - 1000): "too_late",
        wire("c4", "s", "/", at + 10 * SECOND + 2000): "in_the_future",
        wire("c5", "s", "/", at - 30 * SECOND + 1000): "",
        wire("c6", "s", "/", at + 10 * SECOND - 1000): "",
    }
    send(connection, topics, [Record(b"s", value, at // 1000 * 1000, partition=0) for value in values])
    begin(tolerance=late).wait_until_caught_up("120s").stop()
    letters = {m["offset"]: m for m in map(oracle.decoded, oracle.read(connection.bootstrap, topics.dead_letters))}
    expected = {offset: reason for offset, reason in enumerate(values.values()) if reason}
    assert {offset: letter["reason"] for offset, letter in letters.items()} == expected
    assert letters[0]["value"] == "not json"
    assert letters[1]["value"] == "base64://4="
    assert letters[0]["topic"] == topics.clicks
    assert letters[0]["partition"] == 0
    assert "session_id" in letters[3]["detail"]
    assert "url" in letters[4]["detail"]
    assert "click_id" in letters[5]["detail"]
    assert "ts" in letters[7]["detail"]
    verdicts = map(oracle.decoded, oracle.read(connection.bootstrap, topics.verdicts))
    assert {verdict["click_id"] for verdict in verdicts} == {"c5", "c6"}


@pytest.mark.parametrize("more", [4_000, pytest.param(99_000, marks=pytest.mark.long)])
def test_state_of_one_page_does_not_grow_with_its_clicks(
    connection: Connection, topics: Topics, begin: Start, more: int
) -> None:
    base = now_us(timedelta(seconds=15)) // (10 * SECOND) * (10 * SECOND)
    send(connection, topics, [click(i, "bot", "/", base + i * 2000) for i in range(1000)])
    with begin() as handle:
        handle.wait_until_caught_up("120s")
        until(lambda: handle.progress.state_rows > 0)
        few = handle.progress
        send(connection, topics, [click(f"more{i}", "bot", "/", base + i * 9_900_000 // more) for i in range(more)])
        handle.wait_until_caught_up("120s")
        until(lambda: handle.progress.checkpoints >= few.checkpoints + 2)
        many = handle.progress
    assert many.state_rows == few.state_rows
    answer = oracle.compare(connection.bootstrap, topics)
    assert answer.exact
    assert answer.clicks == 1_000 + more


def test_a_click_delivered_too_often_is_told_where_it_leaves_doubt(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    base = now_us(timedelta(seconds=20)) // (10 * SECOND) * (10 * SECOND)
    kept = Rule().threshold + SPARE
    first, copies = click("first", "s", "/", base + 1), [click("again", "s", "/", base + 2)] * (kept + 1)
    send(connection, topics, [first, *copies, click("last", "s", "/", base + 10 * SECOND)])
    begin().wait_until_caught_up("120s").stop()
    letters = [oracle.decoded(m) for m in oracle.read(connection.bootstrap, topics.dead_letters)]
    assert {letter["reason"] for letter in letters} == {"redelivered"}
    assert any('"clast"' in letter["value"] for letter in letters)


def test_a_checkpoint_goes_on_where_it_was_and_serves_no_other_rule(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    base = now_us(timedelta(seconds=20))
    send(connection, topics, [click(1, "s", "/", base), click(2, "s", "/", base + 1)])
    with begin(checkpoint=tmp_path / "state") as first:
        first.wait_until_caught_up("120s")
        until(lambda: first.progress.checkpoints >= 1)
        with pytest.raises(DetectorError, match="already runs in this process"):
            begin(checkpoint=tmp_path / "other")
    with pytest.raises(CheckpointMismatch, match="rule 3-in-10s there, 4-in-20s asked"):
        begin(Rule("20s", 4), checkpoint=tmp_path / "state")
    send(connection, topics, [click(3, "s", "/", base + 2)])
    with begin(checkpoint=tmp_path / "state") as second:
        second.wait_until_caught_up("120s")
        assert second.progress.verdicts <= 3  # what was committed is not judged again
    assert oracle.compare(connection.bootstrap, topics).exact
    with begin(Rule("20s", 2), checkpoint=tmp_path / "state", fresh=True) as third:
        third.wait_until_caught_up("120s")
    assert (tmp_path / "state.before" / "workbench.json").exists()


def test_after_a_detector_that_failed_the_next_one_works(connection: Connection, topics: Topics, begin: Start) -> None:
    send(connection, topics, [click(1, "s", "/", now_us())])
    failing = begin()
    failing.wait_until_caught_up("120s")
    recreate_topics(connection, topics)
    until(lambda: failing.state == "failed")
    with pytest.raises(TopicError, match="made anew"):
        failing.wait_until_caught_up("1s")
    send(connection, topics, [click(2, "s", "/", now_us())])
    begin().wait_until_caught_up("120s")


def test_waiting_in_vain_says_what_is_left(
    connection: Connection, topics: Topics, begin: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_judge = held_back(monkeypatch)
    send(connection, topics, [click(i, f"s{i}", "/", now_us()) for i in range(100)])
    handle = begin()
    with pytest.raises(NotCaughtUp, match="100 clicks had no verdict after 1ms"):
        handle.wait_until_caught_up("1ms")
    may_judge.set()
    handle.wait_until_caught_up("120s")


def test_no_click_sent_after_start_returned_is_missed(connection: Connection, topics: Topics, begin: Start) -> None:
    ensure_topics(connection, topics)
    handle = begin(starting="latest")  # returns while Spark is still starting its query
    send(connection, topics, [click(i, "s", f"/{i}", now_us()) for i in range(100)])
    handle.wait_until_caught_up("120s")
    assert oracle.compare(connection.bootstrap, topics).exact


def test_settings_that_cannot_be_are_refused_at_once(connection: Connection, topics: Topics) -> None:
    with pytest.raises(RuleError, match="checkpoint_every must be from 5s to 1h: got 1s"):
        detect(Rule(), connection, topics=topics, checkpoint_every="1s")
    with pytest.raises(DetectorError, match="starting must be"):
        detect(Rule(), connection, topics=topics, starting="now")  # type: ignore[arg-type]
    with pytest.raises(RuleError, match="late must be at most 24h"):
        Tolerance(late="25h")
