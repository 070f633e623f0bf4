"""Handing one click at a time to the clicks topic, and saying soon when that cannot be done. Many threads may send.

`delivery` sends whole frames and waits as long as it takes; a visitor waits for this one.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from workbench.broker.clients import CONNECT_MS, ClientError, Producer, error_text, producer_for
from workbench.broker.diagnosis import listens
from workbench.broker.topics import Connection
from workbench.clicks.record import Click
from workbench.errors import BrokerError

__all__ = ["ClickSink"]

_WAIT_S = 2.0
"""How long a click waits for the broker at most."""

_PROBE_EVERY_S = 1.0
"""While the broker is away one click in so many seconds tries it; all others are refused at once."""

_LOOK_EVERY_S = 1.0
_CONNECT_S = 0.5
_log = logging.getLogger(__name__)


class ClickSink:
    """A producer that waits for all in-sync replicas, from `start` to `stop`."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self._connection, self.topic = connection, topic
        self._lock = threading.Lock()
        self._failed_at: float | None = None
        self._tried_at = 0.0
        self._looked_at, self._answers = -_LOOK_EVERY_S, True
        self._producer: Producer | None = None

    def start(self) -> None:
        """Reach the broker. Raises BrokerError without one or without the topic."""
        wait_ms = int(_WAIT_S * 1000)
        options: dict[str, Any] = {
            # A retry may write a click twice, which counts once; a sequence that is cut off need not be healed.
            "enable_idempotence": False,
            "linger_ms": 5,  # clicks of one moment share a request: kafka-python needs 0.5 ms for each
            "bootstrap_timeout_ms": CONNECT_MS,
            "max_block_ms": wait_ms,
            "request_timeout_ms": wait_ms - 100,
            "delivery_timeout_ms": wait_ms,  # what is given up is not sent later
            "reconnect_backoff_max_ms": 1000,
        }
        self._producer = producer_for(self._connection, self.topic, options)

    def send(self, click: Click) -> None:
        """Send a click and wait until it is acknowledged. Raises BrokerError: after 2 s, or at once if it knows."""
        self._admit()
        if self._producer is None:
            raise BrokerError("clicks are not taken yet")
        try:
            sending = self._producer.send(self.topic, click.to_json(), click.session_id.encode())
            sending.get(timeout=_WAIT_S)
        except ClientError as error:
            with self._lock:
                if self._failed_at is None:
                    _log.warning("the broker takes no clicks: %s", error_text(error))
                self._failed_at = time.monotonic()
            raise BrokerError(f"the broker took no click in {_WAIT_S:g} s ({error_text(error)})") from error
        with self._lock:
            self._failed_at = None

    def answers(self) -> bool:
        """Whether the broker can be reached, looked at once a second at most."""
        with self._lock:
            now = time.monotonic()
            if self._failed_at is not None and now - self._failed_at < 2 * (_WAIT_S + _PROBE_EVERY_S):
                return False
            if now - self._looked_at < _LOOK_EVERY_S:
                return self._answers
            self._looked_at = now
        answers = any(listens(address, _CONNECT_S) for address in self._connection.addresses)
        with self._lock:
            self._answers = answers
        return answers

    def stop(self) -> None:
        """End the producer. What it has not sent by then is lost, and whoever waits for it is told."""
        if self._producer is not None:
            self._producer.close(timeout=_WAIT_S)

    def _admit(self) -> None:
        """Let the click go on, unless the broker was away a moment ago and another click is trying it now."""
        with self._lock:
            now = time.monotonic()
            if self._failed_at is not None and now - self._tried_at < _PROBE_EVERY_S:
                raise BrokerError("the broker is away")
            if self._failed_at is not None:
                self._tried_at = now
