"""Serving the click page: a port, threads, the broker behind it, and their end. What it does: `app`."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable
from typing import Any, Self

from waitress import wasyncore
from waitress.server import create_server

from workbench.broker.topics import Connection, Topics
from workbench.click_page.app import create_app
from workbench.click_page.guard import BODY_AT_MOST
from workbench.click_page.limits import Limits
from workbench.click_page.sessions import secret_key
from workbench.click_page.sink import ClickSink
from workbench.click_page.verdicts import VerdictPost
from workbench.click_page.visits import Visits
from workbench.errors import SetupError

__all__ = ["ClickServer"]

_SPARE_THREADS = 32  # beside those that streams and waits for verdicts may hold
_CONNECTIONS = 1000
_IDLE_S = 30
_LOOK_EVERY_S = 0.5


class ClickServer:
    """The click page on a port of its own. `start` serves it on a thread; `open` and then `serve`, on the caller's.

    As a context manager it starts, and stops on leaving.

    Parameters
    ----------
    port
        0 takes a free one.
    names, proxies
        As `app.create_app` has them.
    key
        Signs the cookies; None takes the kept one.

    Raises
    ------
    SetupError
        An argument cannot be.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics = Topics(),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits = Limits(),
        names: Iterable[str] = (),
        proxies: int = 0,
        key: str | None = None,
    ) -> None:
        if proxies < 0:
            raise SetupError(f"proxies is {proxies}: give how many are in front of the page, 0 or more")
        self.host, self.port = host, port
        self.visits = Visits()
        self._post = VerdictPost(connection, topics.verdicts, self.visits)
        self._sink = ClickSink(connection, topics.clicks)
        app = create_app(
            self.visits,
            self._sink.send,
            key or secret_key(),
            healthy=lambda: self._sink.answers() and self._post.alive,
            limits=limits,
            names=names,
            proxies=proxies,
        )
        self._sockets: dict[int, Any] = {}
        self._settings = {
            "application": app,
            "map": self._sockets,
            "threads": limits.streams + limits.waiting + _SPARE_THREADS,
            "connection_limit": _CONNECTIONS,
            "channel_timeout": _IDLE_S,
            "cleanup_interval": 10,
            "channel_request_lookahead": 1,  # reads while a stream is written, and so sees the visitor go
            "max_request_header_size": 16 * 1024,
            # Up to here a body is taken in, by a file where it is large, so that the app can refuse it politely.
            # Beyond, the line is cut as soon as the headers say so.
            "inbuf_overflow": BODY_AT_MOST,
            "max_request_body_size": 16 * BODY_AT_MOST,
            "clear_untrusted_proxy_headers": not proxies,
            "asyncore_use_poll": True,
            "ident": None,
        }
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def open(self) -> Self:
        """Take the port and reach the broker; from here on `url` is known.

        Raises SetupError (a port that is taken), TopicError (a topic is missing) and BrokerError (no broker).
        """
        with contextlib.ExitStack() as undo:
            listening = undo.enter_context(_listen(self.host, self.port))
            self._post.start()
            undo.callback(self._post.stop)
            self._sink.start()
            undo.callback(self._sink.stop)
            self.host, self.port = listening.getsockname()[:2]
            self._server = create_server(sockets=[listening], **self._settings)
            undo.pop_all()
        return self

    def serve(self) -> None:
        """Serve until `stop`, or until this thread is interrupted. Call `open` before."""
        while not self._stop.is_set():
            wasyncore.loop(_LOOK_EVERY_S, use_poll=True, map=self._sockets, count=1)

    def start(self) -> Self:
        """Open it, and serve on a thread of its own."""
        self.open()
        self._thread = threading.Thread(target=self.serve, name="workbench-click-page", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Send every visitor home and let go of the port and the broker. May be called again."""
        if self._stop.is_set() or self._server is None:
            return
        self._stop.set()
        self.visits.close()
        self._server.task_dispatcher.shutdown()
        if self._thread is not None:
            self._server.pull_trigger()
            self._thread.join()
        wasyncore.close_all(self._sockets)
        self._post.stop()
        self._sink.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise SetupError(
            f"{host} port {port} cannot be listened on ({error}). Fix: --port 0 takes a free one"
        ) from error
