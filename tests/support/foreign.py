"""Records as other programs write them: in transactions, compressed, without a value. No tests here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Producer

from workbench.broker.topics import Connection

__all__ = ["Transactions", "put", "value"]


def value(click_id: str, ts: str | None = None) -> bytes:
    """A click of one session, of this moment unless a time is given."""
    ts = ts or datetime.now(UTC).isoformat()
    return json.dumps({"click_id": click_id, "session_id": "s", "url": "/ad", "ts": ts}).encode()


def put(connection: Connection, topic: str, *values: bytes | None, partition: int = 0, **settings: Any) -> None:
    """Send records, with settings of librdkafka's producer."""
    producer = Producer(
        {**connection.librdkafka(), **{name.replace("_", "."): each for name, each in settings.items()}}
    )
    for each in values:
        producer.produce(topic, each, b"s", partition=partition)
    assert producer.flush(30) == 0


class Transactions:
    """A sender of transactions, all to partition 0."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self._topic = topic
        self._producer = Producer({**connection.librdkafka(), "transactional.id": topic, "log_level": 0})
        self._producer.init_transactions(60)

    def begin(self, *values: bytes | None) -> None:
        self._producer.begin_transaction()
        for each in values:
            self._producer.produce(self._topic, each, b"s", partition=0)
        assert self._producer.flush(30) == 0

    def commit(self) -> None:
        self._producer.commit_transaction(30)

    def abort(self) -> None:
        self._producer.abort_transaction(30)
