"""Whom and what the click page turns away, over HTTP on a real broker; and that streams and silence hold nobody up."""

from __future__ import annotations

import socket
import time
from types import SimpleNamespace

import pytest
from polling import until
from visitor import KEY, PATIENCE_S, Reply, Start, Visitor, clicks_on

from workbench.broker.topics import Connection, Topics
from workbench.click_page.app import create_app
from workbench.click_page.guard import BODY_AT_MOST
from workbench.click_page.limits import Limits
from workbench.click_page.server import ClickServer
from workbench.click_page.visits import Visits


def test_a_body_above_the_limit_is_refused(connection: Connection, topics: Topics, begin_page: Start) -> None:
    visitor = Visitor(begin_page())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    fits = b"ad=lamp&x=" + b"x" * (BODY_AT_MOST - 10)
    assert visitor.ask("POST", "/click", fits, form).status == 200
    assert visitor.ask("POST", "/click", fits + b"x", form).status == 413
    assert visitor.ask("POST", "/click", fits * 10, form).status == 413
    assert visitor.ask("POST", "/nowhere", fits + b"x", form).status == 413
    # The same in pieces, whose sum nobody says beforehand.
    assert visitor.ask("POST", "/click", iter([fits, b"x"]), form).status == 413
    # One that is far above it is not even read.
    with socket.create_connection(("127.0.0.1", visitor.server.port), timeout=PATIENCE_S) as line:
        line.sendall(b"POST /click HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")
    assert len(clicks_on(connection, topics)) == 1


def test_a_header_above_the_limit_is_refused(begin_page: Start) -> None:
    assert Visitor(begin_page()).ask("GET", "/", headers={"X-Long": "x" * 20_000}).status == 431


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "http://127.0.0.1@evil.example"},
        {"Origin": "http://[::1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_click_that_another_site_sends_is_refused(
    connection: Connection, topics: Topics, begin_page: Start, headers: dict[str, str]
) -> None:
    visitor = Visitor(begin_page())
    visitor.open()
    assert visitor.click(**headers).status == 403
    assert clicks_on(connection, topics) == {}


def test_the_page_itself_may_send_clicks(begin_page: Start) -> None:
    server = begin_page(names=["Shop.example"])
    visitor = Visitor(server)
    assert visitor.click(Origin=f"http://127.0.0.1:{server.port}", Sec_Fetch_Site="same-origin").status == 200
    # Behind a proxy that took TLS off.
    assert visitor.click(Host="shop.example", Origin="https://shop.example").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:80", "[::1", "", "a@localhost:x"]
)
def test_a_name_that_is_not_the_pages_own_is_refused(begin_page: Start, host: str) -> None:
    """Else a stranger's DNS could lead a browser here, and its scripts would be of the same origin."""
    assert Visitor(begin_page()).ask("GET", "/", headers={"Host": host}).status == 400


def test_a_session_that_clicks_too_fast_is_told_to_wait(
    connection: Connection, topics: Topics, begin_page: Start
) -> None:
    server = begin_page(Limits(session_clicks=1))
    fast, other = Visitor(server), Visitor(server)
    fast.open()
    other.open()
    answers = [fast.click()]
    while answers[-1].status == 200 and len(answers) < 100:  # a slow machine has one more for every second
        answers.append(fast.click())
    assert len(answers) > 4
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert other.click().status == 200
    assert len(clicks_on(connection, topics)) == len(answers)  # all but the last one, and that of the other


def test_dropping_the_cookie_does_not_evade_the_limit(begin_page: Start) -> None:
    server = begin_page(Limits(session_clicks=1000, address_clicks=1000, address_sessions=1))
    assert Visitor(server).open().status == 200
    statuses = [Visitor(server).click().status for _ in range(60)]
    assert statuses[:20] == [200] * 20  # many people may share an address
    assert statuses.count(429) > 20
    until(lambda: Visitor(server).open().status == 429)  # one more may have been due in between


def test_an_address_has_a_limit_whatever_its_sessions(begin_page: Start) -> None:
    server = begin_page(Limits(address_clicks=1, address_sessions=1000))
    visitors = [Visitor(server) for _ in range(20)]
    assert [visitor.open().status for visitor in visitors] == [200] * 20
    assert [visitor.click().status for visitor in visitors].count(429) > 10
    few = begin_page(Limits(address_requests=1))
    assert [Visitor(few).ask("GET", "/healthz").status for _ in range(20)].count(429) > 10


def test_an_address_in_a_header_is_believed_of_a_configured_proxy_only(
    connection: Connection, topics: Topics, begin_page: Start
) -> None:
    def addresses_of(server: ClickServer, forwarded: str) -> str | None:
        click_id = Visitor(server, forwarded=forwarded).click().json["click_id"]
        ip: str | None = clicks_on(connection, topics)[click_id].ip
        return ip

    direct, one, two = begin_page(), begin_page(proxies=1), begin_page(proxies=2)
    assert addresses_of(direct, "192.0.2.1") == "127.0.0.1"
    assert addresses_of(one, "192.0.2.1") == "192.0.2.1"
    assert addresses_of(one, "198.51.100.9, 192.0.2.1") == "192.0.2.1"  # the first is what the visitor made up
    assert addresses_of(two, "198.51.100.9, 192.0.2.1, 10.0.0.1") == "192.0.2.1"
    assert addresses_of(two, "192.0.2.1") == "127.0.0.1"  # one proxy too few: it did not come that way
    assert addresses_of(one, "nonsense") is None
    # And so a header does not evade the limit of an address.
    strict = begin_page(Limits(address_clicks=1))
    statuses = [Visitor(strict, forwarded=f"192.0.2.{n}").click().status for n in range(20)]
    assert statuses.count(429) > 10


@pytest.mark.parametrize("forge", ["alter", "unsigned", "other key", "garbage", "old"])
def test_a_forged_session_gets_a_new_one(
    connection: Connection, topics: Topics, begin_page: Start, forge: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = begin_page()
    victim, forger = Visitor(server), Visitor(server)
    victim.open()
    assert victim.click().json["click_count"] == 1
    assert victim.cookie is not None
    name, _, value = victim.cookie.partition("=")
    payload, stamp, signature = value.split(".")
    if forge == "alter":
        forger.cookie = f"{name}={payload}.{stamp}.{signature[:-2]}AA"
    elif forge == "unsigned":
        forger.cookie = f"{name}={payload}"
    elif forge == "garbage":
        forger.cookie = f"{name}=\xff..;;{'x' * 3000}"
    elif forge == "other key":
        app = create_app(Visits(), lambda _: None, "another key of more than 32 characters")
        answer = app.test_client().get("/")
        forger.cookie = answer.headers["Set-Cookie"].partition(";")[0]
    else:
        with monkeypatch.context() as patch:  # made a day ago
            now = time.time()
            patch.setattr("itsdangerous.timed.time", SimpleNamespace(time=lambda: now - 24 * 3600))
            answer = create_app(Visits(), lambda _: None, KEY).test_client().get("/")
        forger.cookie = answer.headers["Set-Cookie"].partition(";")[0]
    sent = forger.cookie
    assert forger.click().json["click_count"] == 1
    assert forger.cookie != sent
    assert victim.click().json["click_count"] == 2
    sessions = [click.session_id for click in clicks_on(connection, topics).values()]
    assert len(set(sessions)) == 2


def test_the_cookie_is_closed_to_scripts_and_other_sites_and_stays_on_tls(begin_page: Start) -> None:
    def cookie(server: ClickServer, **headers: str) -> str:
        return Visitor(server).ask("GET", "/", headers=headers).headers["set-cookie"]

    plain = cookie(begin_page())
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    proxied = begin_page(proxies=1)
    assert "Secure" in cookie(proxied, **{"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/static/page.js", 200),
        ("GET", "/static/page.css", 200),
        ("GET", "/verdicts", 200),
        ("GET", "/healthz", 200),
        ("GET", "/events", 403),
        ("GET", "/click", 405),
        ("DELETE", "/click", 405),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/static/%2e%2e/index.html", 404),
        ("GET", "//evil.example/%2e%2e", 404),
        ("GET", "/click/?next=https://evil.example", 404),
        ("GET", "/?next=https://evil.example", 200),
    ],
)
def test_every_answer_has_its_guards_and_none_leads_elsewhere(
    begin_page: Start, method: str, path: str, status: int
) -> None:
    answer: Reply = Visitor(begin_page()).ask(method, path)
    assert answer.status == status
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "location" not in answer.headers
    assert "server" not in answer.headers
    assert b"evil.example" not in answer.body


def test_the_page_has_neither_script_nor_style_in_it(begin_page: Start) -> None:
    page = Visitor(begin_page()).open().body.decode()
    assert "<style" not in page
    assert "style=" not in page
    assert "onclick" not in page
    assert page.count("<script") == page.count("<script src=") == 1


# --- streams hold threads -------------------------------------------------------------------------------------------


def test_streams_are_bounded_by_session_address_and_in_all_and_clicks_go_on(begin_page: Start) -> None:
    server = begin_page(Limits(session_clicks=1000, streams=5, address_streams=4, session_streams=2), proxies=1)
    visitors = [Visitor(server, forwarded=ip) for ip in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")]
    for visitor in visitors:
        visitor.open()
    open_lines = []
    try:
        got = []
        for visitor in [visitors[0]] * 3 + [visitors[1]] * 2 + [visitors[2]] + [visitors[3]] * 2:
            line, answer = visitor.listen()
            open_lines.append(line)
            got.append(answer.status)
            if answer.status == 503:
                assert answer.headers["Retry-After"] == "15"
        #                 session     address         all
        assert got == [200, 200, 503, 200, 200, 503, 200, 503]
        assert visitors[2].click().status == 200
        assert visitors[2].ask("GET", "/verdicts").json["clicks"][0]["verdict"] == "pending"
    finally:
        for line in open_lines:
            line.close()

    def there_is_room() -> bool:
        line, answer = visitors[2].listen()
        line.close()
        return answer.status == 200

    until(there_is_room)  # who left is noticed, though nothing was written


def test_a_reader_that_never_reads_and_one_that_never_asks_hold_no_thread(begin_page: Start) -> None:
    server = begin_page()
    deaf = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    try:
        for line in deaf:
            line.sendall(b"POST /click HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\nad")
        assert Visitor(server).click().status == 200
    finally:
        for line in deaf:
            line.close()
