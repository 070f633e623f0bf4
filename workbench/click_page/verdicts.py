"""Bringing the verdicts of the topic to the visitors of the click page: one thread and one consumer for all of them."""

from __future__ import annotations

import logging
import threading
from typing import Any

from workbench.broker.clients import ClientError, Consumer, Partition, consumer_at, partitions
from workbench.broker.topics import Connection, end_offsets
from workbench.click_page.visits import Visits
from workbench.errors import BrokerError, VerdictError
from workbench.verdicts.table import read_fields

__all__ = ["VerdictPost"]

_AGAIN_AFTER_S = 1.0
_log = logging.getLogger(__name__)


class VerdictPost:
    """Follows the verdict topic from now on and hands what concerns a visitor to `visits`.

    Verdicts of other sessions are passed over by their key, unread. When the broker is cut off it goes on where it was.
    """

    def __init__(self, connection: Connection, topic: str, visits: Visits) -> None:
        self._connection, self._topic, self._visits = connection, topic, visits
        self._positions: dict[Partition, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look where the topic ends, and follow it from there. Raises TopicError and BrokerError."""
        self._positions = partitions(self._topic, end_offsets(self._connection, self._topic))
        consumer = consumer_at(self._connection, self._positions)
        self._thread = threading.Thread(target=self._run, args=(consumer,), name="workbench-verdict-post", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it follows, or tries to."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """End the thread and its consumer."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, consumer: Consumer | None) -> None:
        while not self._stop.is_set():
            try:
                consumer = consumer or consumer_at(self._connection, self._positions)
                self._follow(consumer)
            except (ClientError, BrokerError, OSError) as error:
                _log.warning("verdicts cannot be read, trying again: %r", error)
                self._stop.wait(_AGAIN_AFTER_S)
            finally:
                if consumer is not None:
                    consumer.close()
                    consumer = None

    def _follow(self, consumer: Consumer) -> None:
        while not self._stop.is_set():
            for place, records in consumer.poll(timeout_ms=100, max_records=2000).items():
                for record in records:
                    self._take(record)
                self._positions[place] = records[-1].offset + 1

    def _take(self, record: Any) -> None:
        if record.key is None or not self._visits.knows(record.key.decode("utf-8", "replace")):
            return
        try:
            verdict = read_fields(record.value)
        except VerdictError as error:
            _log.warning("%s", error)
            return
        self._visits.judge(
            verdict.session_id, verdict.click_id, verdict.fraud, verdict.clicks_in_window, verdict.rule_id
        )
