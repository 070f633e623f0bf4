"""The routes of the page that people click on. Serving them is in `server`, turning away in `guard`."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix

from workbench.click_page import guard as click_guard
from workbench.click_page import sessions as click_sessions
from workbench.click_page.ads import ADS
from workbench.click_page.limits import Limits, Rates, StreamSlots
from workbench.click_page.visits import VisitClick, Visits
from workbench.clicks.record import Click
from workbench.errors import BrokerError

__all__ = ["VERDICT_WITHIN_S", "create_app"]

VERDICT_WITHIN_S = 0.5
"""How long `POST /click?verdict=wait` waits at most, all in all; only for the broker's word does it wait longer."""

_MARGIN_S = 0.03  # for writing the answer
_USER_AGENT_AT_MOST = 512
_STREAM_S = 300.0  # then the browser opens another one
_LOOK_EVERY_S = 1.0
_SAY_SOMETHING_EVERY_S = 15.0


def create_app(
    visits: Visits,
    send: Callable[[Click], None],
    key: str,
    *,
    healthy: Callable[[], bool] = lambda: True,
    limits: Limits = Limits(),
    names: Iterable[str] = (),
    proxies: int = 0,
) -> Flask:
    """The page as a WSGI app.

    visits: who clicked what; the verdicts come in there. send: takes a click, or raises BrokerError. key: signs the
    cookies. healthy: whether clicks and verdicts can be had. names: hosts the page may be called by, see
    `guard.install`. proxies: how many proxies in front of it write X-Forwarded-For; 0 believes none.
    """
    app = Flask(__name__, template_folder=".", static_folder="static")
    app.config["MAX_CONTENT_LENGTH"] = click_guard.BODY_AT_MOST
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    rates, slots, waiting = Rates(limits), StreamSlots(limits), threading.BoundedSemaphore(limits.waiting)
    click_sessions.install(app, key)
    click_guard.install(app, rates, names)

    def visitor() -> str:
        """The visitor's session, issued now where there is none that the server knows as its own."""
        if found := click_sessions.current():
            return found
        if wait := rates.new_session(click_guard.address()):
            abort(429, "too many new visitors from your address", retry_after=wait)
        return click_sessions.issue()

    @app.get("/")
    def page() -> str:
        counts = visits.counts(visitor())
        return render_template("index.html", ads=ADS.values(), counts=counts)

    @app.post("/click")
    def click() -> ResponseReturnValue:
        began = time.monotonic()
        wait_for_verdict = _wants_verdict()
        ad = _asked_ad()
        session_id = visitor()
        if wait := rates.click(click_guard.address(), session_id):
            abort(429, "too many clicks", retry_after=wait)
        made = VisitClick(uuid.uuid4().hex, ad, datetime.now(UTC))
        visits.begin(session_id, made)
        try:
            send(_record(session_id, made))
        except BrokerError:
            visits.forget(session_id, made)
            abort(503, "your click could not be taken: try again in a moment", retry_after=2)
        answer: dict[str, Any] = {"click_count": visits.sent(session_id, made), "click_id": made.click_id}
        if wait_for_verdict:
            left = VERDICT_WITHIN_S - _MARGIN_S - (time.monotonic() - began)
            answer |= _verdict(session_id, made, left)
        return answer

    def _verdict(session_id: str, made: VisitClick, seconds: float) -> dict[str, Any]:
        """Wait for it, unless so many wait already that threads for clicks would run short."""
        if not waiting.acquire(blocking=False):
            return made.judged()
        try:
            return visits.wait(session_id, made, max(0.0, seconds))
        finally:
            waiting.release()

    @app.get("/verdicts")
    def verdicts() -> ResponseReturnValue:
        session_id = click_sessions.current()
        news = visits.news(session_id) if session_id else None
        return {"clicks": news[0] if news else []}

    @app.get("/events")
    def events() -> ResponseReturnValue:
        session_id, address = click_sessions.current(), click_guard.address()
        if session_id is None:
            abort(403, "no session: open the page first")
        if not slots.take(session_id, address):
            abort(503, "too many streams are open: ask /verdicts now and then", retry_after=15)
        gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
        answer = Response(_stream(visits, session_id, gone), mimetype="text/event-stream")
        answer.headers["X-Accel-Buffering"] = "no"  # nginx would gather the events
        answer.call_on_close(lambda: slots.give_back(session_id, address))
        return answer

    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return ({"status": "ok"}, 200) if healthy() else ({"status": "the broker is away"}, 503)

    return app


def _wants_verdict() -> bool:
    asked = request.args.get("verdict")
    if asked not in (None, "wait"):
        abort(400, "verdict must be wait, or be left out")
    return asked == "wait"


def _asked_ad() -> str:
    """The ad that a form or a JSON object names."""
    body: Any = request.form
    if request.is_json:
        try:
            body = request.get_json(silent=True)
        except RecursionError:  # brackets within brackets
            body = None
    ad = body.get("ad") if hasattr(body, "get") else None
    if not isinstance(ad, str) or ad not in ADS:
        abort(400, f"ad must be one of {', '.join(ADS)}")
    return ad


def _record(session_id: str, made: VisitClick) -> Click:
    # A lone byte of a header is text to WSGI, but what cannot be printed is of no use to anyone.
    agent = "".join(filter(str.isprintable, request.headers.get("User-Agent", "")[:_USER_AGENT_AT_MOST])) or None
    return Click(made.click_id, session_id, ADS[made.ad].url, made.at, ip=click_guard.ip(), user_agent=agent)


def _stream(visits: Visits, session_id: str, gone: Callable[[], bool]) -> Iterator[str]:
    """Server-sent events: first all that is known of the last clicks, then each change."""
    seen, begin = 0, time.monotonic()
    written = begin
    yield "retry: 3000\n\n"
    while not gone() and (now := time.monotonic()) - begin < _STREAM_S:
        news = visits.news(session_id, seen, _LOOK_EVERY_S)
        if news is None:
            return
        fresh, seen = news
        if fresh:
            written = now
            yield f"data: {json.dumps(fresh)}\n\n"
        elif now - written > _SAY_SOMETHING_EVERY_S:  # a line that is dead shows only when something is written to it
            written = now
            yield ": \n\n"
