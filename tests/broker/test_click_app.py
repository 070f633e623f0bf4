"""The click page over HTTP, on a real broker: what a click becomes, how verdicts come back, and whom it turns away."""

from __future__ import annotations

import http.client
import ipaddress
import signal
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import oracle
import pytest
from confluent_kafka import Consumer, TopicPartition
from polling import until
from ports import free_port
from visitor import GENEROUS, KEY, Start, Visitor, clicks_on, judge, next_event

from workbench.broker.topics import Connection, EmbeddedBroker, Topics, ensure_topics
from workbench.click_page.ads import ADS
from workbench.click_page.limits import Limits
from workbench.click_page.server import ClickServer
from workbench.clicks.record import parse
from workbench.errors import SetupError

# --- clicks ---------------------------------------------------------------------------------------------------------


def test_a_click_is_on_the_topic_by_the_time_it_is_answered(
    connection: Connection, topics: Topics, begin_page: Start
) -> None:
    visitor = Visitor(begin_page())
    assert visitor.open().status == 200
    said = [visitor.click(ad, User_Agent="Test/1.0").json for ad in ("lamp", "lamp", "ferry")]
    assert [answer["click_count"] for answer in said] == [1, 2, 1]
    assert all(set(answer) == {"click_count", "click_id"} for answer in said)

    messages = oracle.read(connection.bootstrap, topics.clicks)
    found = {click.click_id: click for click in map(parse, (message.value() for message in messages))}
    assert set(found) == {answer["click_id"] for answer in said}
    first = found[said[0]["click_id"]]
    assert {click.session_id for click in found.values()} == {first.session_id}
    assert {message.key() for message in messages} == {first.session_id.encode()}
    assert (first.url, first.ip, first.user_agent) == (ADS["lamp"].url, "127.0.0.1", "Test/1.0")
    assert found[said[2]["click_id"]].url == ADS["ferry"].url


def test_many_people_at_once_have_a_session_and_counts_of_their_own(
    connection: Connection, topics: Topics, begin_page: Start
) -> None:
    server = begin_page()

    def visit(_: int) -> tuple[str | None, list[int]]:
        visitor = Visitor(server)
        visitor.open()
        return visitor.cookie, [visitor.click().json["click_count"] for _ in range(10)]

    with ThreadPoolExecutor(20) as pool:
        visits = list(pool.map(visit, range(20)))
    assert len({cookie for cookie, _ in visits}) == 20
    assert all(counts == list(range(1, 11)) for _, counts in visits)
    assert len({click.session_id for click in clicks_on(connection, topics).values()}) == 20


def test_a_click_needs_no_page_before_it_and_takes_json_too(begin_page: Start) -> None:
    visitor = Visitor(begin_page())
    answer = visitor.ask("POST", "/click", b'{"ad": "coffee"}', {"Content-Type": "application/json"})
    assert (answer.status, answer.json["click_count"]) == (200, 1)
    assert visitor.click("coffee").json["click_count"] == 2  # the session of the first answer


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"ad=" + b"x" * 9000, "application/x-www-form-urlencoded"),
        (b"ad=%ff%00", "application/x-www-form-urlencoded"),
        (b"ad=lamp", "text/plain"),
        (b'{"ad": ["lamp"]}', "application/json"),
        (b'["lamp"]', "application/json"),
        (b"[" * 16_000, "application/json"),
        (b"ad=lamp", "multipart/form-data; boundary=x"),
    ],
)
def test_a_click_on_nothing_that_is_there_is_refused_and_not_sent(
    connection: Connection, topics: Topics, begin_page: Start, body: bytes, kind: str
) -> None:
    answer = Visitor(begin_page()).ask("POST", "/click", body, {"Content-Type": kind})
    assert answer.status == 400
    assert "lamp, ferry, coffee" in answer.json["error"]
    assert clicks_on(connection, topics) == {}


def test_what_a_browser_calls_itself_is_bounded_and_printable(
    connection: Connection, topics: Topics, begin_page: Start
) -> None:
    visitor = Visitor(begin_page())
    assert visitor.click(User_Agent="x" * 5000).status == 200
    assert visitor.click(User_Agent="caf\xe9\x9b2J").status == 200
    assert visitor.click(User_Agent="").status == 200
    agents = {click.user_agent for click in clicks_on(connection, topics).values()}
    assert agents == {"x" * 512, "caf\xe92J", None}


# --- verdicts -------------------------------------------------------------------------------------------------------


def test_a_verdict_reaches_its_visitor_alone_by_events_and_by_asking(
    connection: Connection, topics: Topics, begin_page: Start
) -> None:
    server = begin_page()
    one, other = Visitor(server), Visitor(server)
    one.open()
    other.open()
    (line, stream), (other_line, other_stream) = one.listen(), other.listen()
    try:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        mine, theirs = one.click().json["click_id"], other.click().json["click_id"]
        assert [(c["click_id"], c["verdict"]) for c in next_event(stream)] == [(mine, "pending")]
        assert [(c["click_id"], c["verdict"]) for c in next_event(other_stream)] == [(theirs, "pending")]
        sent = clicks_on(connection, topics)
        judge(connection, topics, sent[mine], fraud=False, count=2)
        assert [(c["click_id"], c["verdict"]) for c in next_event(stream)] == [(mine, "clean")]
        judge(connection, topics, sent[mine], fraud=True, count=3)  # a late click tipped it
        (revised,) = next_event(stream)
        assert (revised["verdict"], revised["clicks_in_window"], revised["rule_id"]) == ("flagged", 3, "3-in-10s")
        judge(connection, topics, sent[theirs], fraud=False, count=1)
        assert [(c["click_id"], c["verdict"]) for c in next_event(other_stream)] == [(theirs, "clean")]
        assert [(c["click_id"], c["verdict"]) for c in one.ask("GET", "/verdicts").json["clicks"]] == [
            (mine, "flagged")
        ]
    finally:
        line.close()
        other_line.close()
    # Whoever comes again is told first what is known.
    line, stream = one.listen()
    assert [(c["click_id"], c["verdict"]) for c in next_event(stream)] == [(mine, "flagged")]
    line.close()


def test_a_click_may_wait_for_its_verdict_and_is_told_pending_where_there_is_none(
    connection: Connection, topics: Topics, begin_page: Start
) -> None:
    visitor = Visitor(begin_page())
    answer = visitor.click(query="?verdict=wait").json
    assert (answer["click_count"], answer["verdict"]) == (1, "pending")
    assert visitor.click(query="?verdict=now").status == 400

    stop = threading.Event()

    def judge_all() -> None:
        reader = Consumer({"bootstrap.servers": connection.bootstrap, "group.id": topics.clicks})
        reader.assign([TopicPartition(topics.clicks, number, 0) for number in range(2)])
        while not stop.is_set():
            message = reader.poll(0.1)
            if message and not message.error():
                judge(connection, topics, parse(message.value() or b""), fraud=True, count=3)
        reader.close()

    judging = threading.Thread(target=judge_all)
    judging.start()
    try:
        until(lambda: visitor.click(query="?verdict=wait").json.get("verdict") == "flagged")
    finally:
        stop.set()
        judging.join()


def test_clicks_are_not_kept_waiting_by_those_who_wait_for_verdicts(begin_page: Start) -> None:
    server = begin_page(Limits(session_clicks=1000, address_clicks=1000, waiting=1))
    with ThreadPoolExecutor(30) as pool:
        waiting = [pool.submit(Visitor(server).click, query="?verdict=wait") for _ in range(30)]
        assert Visitor(server).click().status == 200
        assert {answer.result().json["verdict"] for answer in waiting} == {"pending"}


# --- the broker away ------------------------------------------------------------------------------------------------


@pytest.mark.java
def test_without_its_broker_the_page_says_so_and_comes_back(own_state: Path, topics: Topics) -> None:
    port = free_port()
    broker = EmbeddedBroker(own_state / "broker-that-goes", port=port)
    connection = broker.up()
    ensure_topics(connection, topics)
    try:
        with ClickServer(connection, topics, limits=GENEROUS, key=KEY) as server:
            visitor = Visitor(server)
            assert visitor.click().json["click_count"] == 1
            line, stream = visitor.listen()
            broker.down()
            with ThreadPoolExecutor(60) as pool:  # as many as would fill a queue of those that wait
                answers = list(pool.map(lambda _: visitor.click(), range(240)))
            assert {answer.status for answer in answers} == {503}
            assert all("retry-after" in answer.headers for answer in answers)
            assert visitor.ask("GET", "/healthz").status == 503
            assert visitor.open().status == 200
            until(lambda: busy(server) == 1)  # the stream, and no thread that is stuck

            EmbeddedBroker(own_state / "broker-that-goes", port=port).up()
            until(lambda: visitor.click().status == 200, 60)
            until(lambda: visitor.ask("GET", "/healthz").status == 200)
            counts = visitor.click().json["click_count"]
            sent = clicks_on(connection, topics)
            # What was refused was not counted, and every click that was counted is there.
            assert counts <= len(sent)
            newest = max(sent.values(), key=lambda click: click.ts)
            judge(connection, topics, newest, fraud=True, count=3)
            while newest.click_id not in {c["click_id"] for c in next_event(stream) if c["verdict"] == "flagged"}:
                pass
            line.close()
    finally:
        broker.down()


def busy(server: ClickServer) -> int:
    """Threads of the server that are at work."""
    count: int = server._server.task_dispatcher.active_count  # noqa: SLF001  # nothing else says so
    return count


def test_a_page_that_closes_sends_those_who_listen_home(begin_page: Start) -> None:
    server = begin_page()
    visitor = Visitor(server)
    visitor.open()
    line, stream = visitor.listen()
    server.stop()
    with pytest.raises((ConnectionError, http.client.IncompleteRead, AssertionError)):
        next_event(stream)
    line.close()


def test_a_port_that_is_taken_is_said_so(begin_page: Start, connection: Connection, topics: Topics) -> None:
    taken = begin_page().port
    with pytest.raises(SetupError, match=f"port {taken} cannot be listened on"):
        ClickServer(connection, topics, port=taken, key=KEY).open()
    with pytest.raises(SetupError, match="proxies is -1"):
        ClickServer(connection, topics, proxies=-1, key=KEY)


def test_the_command_serves_until_it_is_told_to_end(connection: Connection, topics: Topics, own_state: Path) -> None:
    names = ["--clicks-topic", topics.clicks, "--verdicts-topic", topics.verdicts]
    command = [sys.executable, "-m", "workbench", "click-app", "--port", "0", "--brokers", connection.bootstrap, *names]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            told = running.stdout.readline().strip()
            assert told.startswith("The click page is at http://127.0.0.1:")
            with urllib.request.urlopen(f"{told.split()[-1]}/healthz", timeout=10) as answer:
                assert answer.status == 200
        finally:
            running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "Traceback" not in errors
    assert (own_state / "click-app.key").stat().st_mode & 0o777 == 0o600


def test_only_this_machine_is_listened_to_unless_told_otherwise(begin_page: Start) -> None:
    assert ipaddress.ip_address(begin_page().host).is_loopback
