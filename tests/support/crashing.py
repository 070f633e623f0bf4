"""What the tests about crashes share: clicks that keep coming, a broker to stop, the first verdict afterwards.
No tests here."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import oracle
from confluent_kafka import Producer
from fault_table import row
from polling import until
from ports import free_port

from workbench.broker.topics import Connection, EmbeddedBroker, Topics, end_offsets, ensure_topics


class Clicks:
    """Hostile clicks that come by the clock until `end()`; the client sends again what a broker that is away misses."""

    def __init__(self, connection: Connection, topics: Topics, seed: int, per_second: float) -> None:
        print(f"seed {seed}")
        ensure_topics(connection, topics)
        begin = datetime.now(UTC) + timedelta(seconds=1)
        self._records = oracle.hostile(int(per_second * 900), seed, begin, per_second)
        self._connection, self._topic, self._enough = connection, topics.clicks, threading.Event()
        self._ids: set[bytes] = set()
        self.malformed = 0
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        # Idempotent: what is sent again arrives once, so that what was injected can be counted.
        producer = Producer({**self._connection.librdkafka(), "linger.ms": 1, "enable.idempotence": True})
        for record in self._records:
            if self._enough.wait(max(0.0, record.at_us / 1e6 - time.time())):
                break
            producer.produce(self._topic, record.value, record.key, timestamp=record.at_us // 1000)
            producer.poll(0)
            if record.key == b"x":
                self.malformed += 1
            else:
                self._ids.add(record.value)
        assert producer.flush(120) == 0

    @property
    def count(self) -> int:
        """Clicks sent, each counted once."""
        return len(self._ids)

    def end(self) -> None:
        """Send no more, and wait until the broker has all. May be called again."""
        self._enough.set()
        self._thread.join()


@contextlib.contextmanager
def clicks_coming(connection: Connection, topics: Topics, seed: int, per_second: float = 300) -> Iterator[Clicks]:
    """Clicks while the block runs, and no longer."""
    clicks = Clicks(connection, topics, seed, per_second)
    try:
        yield clicks
    finally:
        clicks.end()


def broker_in(home: Path) -> EmbeddedBroker:
    """A broker that comes back on the port it had."""
    return EmbeddedBroker(home, free_port())


def outcomes(connection: Connection, topics: Topics) -> int:
    """Verdicts and dead letters that are written, repeated ones included."""
    return sum(sum(end_offsets(connection, topic).values()) for topic in (topics.verdicts, topics.dead_letters))


def until_first_outcome(connection: Connection, topics: Topics, before: int, since: float) -> float:
    """Wait until there are more outcomes than `before`; seconds since then."""
    until(lambda: outcomes(connection, topics) > before, 120)
    return time.monotonic() - since


def hold_exact(
    connection: Connection, topics: Topics, clicks: Clicks, *, fault: str, injected: str, survived: str, seconds: float
) -> None:
    """Compare verdict by verdict: what was sent is what was judged, and nothing is missing or wrong."""
    answer = oracle.compare(connection.bootstrap, topics)
    hold_answer(answer, fault=fault, injected=injected, survived=survived, seconds=seconds)
    assert answer.clicks == clicks.count
    assert answer.dead == {"malformed": clicks.malformed}


def hold_answer(answer: oracle.Answer, *, fault: str, injected: str, survived: str, seconds: float) -> None:
    """Print the fault's line of the table, and hold that nothing is missing or wrong.

    seconds: from the recovery to the first verdict.
    """
    print(answer)
    row(fault, injected, survived, len(answer.missing), len(answer.wrong), seconds)
    assert answer.exact
