"""A visitor of the click page: an HTTP client that keeps its cookie and says only what it is told. No tests here."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import oracle
from confluent_kafka import Producer

from workbench.broker.topics import Connection, Topics
from workbench.click_page.limits import Limits
from workbench.click_page.server import ClickServer
from workbench.clicks.record import Click, parse

KEY = "a key of more than thirty-two characters"
GENEROUS = Limits(session_clicks=10_000, address_clicks=10_000, address_sessions=10_000, address_requests=10_000)
Start = Callable[..., ClickServer]

PATIENCE_S = 20.0
"""No visitor waits longer: a thread that is stuck is a TimeoutError. Far more than any answer takes."""


@dataclass(frozen=True)
class Reply:
    """An answer. Its headers' names are in lower case."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Visitor:
    """One visitor of one server. `cookie` is what the server gave it last."""

    server: ClickServer
    cookie: str | None = None
    forwarded: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def open(self) -> Reply:
        """Open the page, and so get a session."""
        return self.ask("GET", "/")

    def click(self, ad: str = "lamp", query: str = "", **headers: str) -> Reply:
        """Click on an ad, as the form of the page does."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", f"/click{query}", f"ad={ad}".encode(), {**form, **more})

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request on a connection of its own."""
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        try:
            line.request(method, path, body, {**self._own(), **(headers or {})})
            answer = line.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            if "set-cookie" in found:
                self.cookie = found["set-cookie"].partition(";")[0]
            return Reply(answer.status, answer.read(), found)
        finally:
            line.close()

    def listen(self) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Open the stream of events; close the connection to leave it."""
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        line.request("GET", "/events", headers=self._own())
        return line, line.getresponse()

    def _own(self) -> dict[str, str]:
        own = dict(self.headers)
        if self.cookie:
            own["Cookie"] = self.cookie
        if self.forwarded:
            own["X-Forwarded-For"] = self.forwarded
        return own


def next_event(answer: http.client.HTTPResponse) -> list[dict[str, Any]]:
    """The clicks that the next event tells of."""
    while line := answer.readline():
        if line.startswith(b"data: "):
            clicks: list[dict[str, Any]] = json.loads(line[6:])
            return clicks
    raise AssertionError("the stream ended")


def clicks_on(connection: Connection, topics: Topics) -> dict[str, Click]:
    """The clicks on the topic by their ids."""
    return {
        click.click_id: click
        for click in map(parse, (m.value() for m in oracle.read(connection.bootstrap, topics.clicks)))
    }


def judge(connection: Connection, topics: Topics, click: Click, fraud: bool, count: int) -> None:
    """Write a verdict as the detector does."""
    verdict = {
        "fraudClick": "Yes" if fraud else "No", "click_id": click.click_id, "session_id": click.session_id,
        "url": click.url, "ts": "2026-01-02T03:04:05.000006Z", "clicks_in_window": count, "window_ms": 10_000,
        "threshold": 3, "rule_id": "3-in-10s", "revised": False,
    }  # fmt: skip
    producer = Producer({"bootstrap.servers": connection.bootstrap})
    producer.produce(topics.verdicts, json.dumps(verdict), click.session_id)
    assert producer.flush(10) == 0
