"""The records of a topic between two offsets, once through and then no more. What is in them is not known here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from kafka import TopicPartition
from tqdm.auto import tqdm

from workbench.broker.clients import consumer_at
from workbench.broker.topics import Connection
from workbench.errors import BrokerError

__all__ = ["records"]

_SILENCE_S = 30.0


def records(
    connection: Connection, topic: str, begin: Mapping[int, int], end: Mapping[int, int], bar: tqdm[Any]
) -> Iterator[Any]:
    """Every record from the begin offset of each partition up to its end offset; `bar` is moved on.

    Raises BrokerError when there is no broker, or when it falls silent before the end.
    """
    positions = {TopicPartition(topic, p): begin[p] for p in end if end[p] > begin[p]}
    if not positions:
        return
    consumer = consumer_at(connection, positions)
    try:
        heard = time.monotonic()
        while left := [place for place in positions if consumer.position(place) < end[place.partition]]:
            for place, found in consumer.poll(timeout_ms=500, max_records=5000).items():
                heard = time.monotonic()
                for record in found:
                    if record.offset < end[place.partition]:
                        yield record
                bar.update(len(found))
            if time.monotonic() - heard > _SILENCE_S:
                where = f"partitions {[place.partition for place in left]} of {topic!r}"
                what = f"{where} at {connection.bootstrap} gave nothing for {_SILENCE_S:.0f} s before their end"
                raise BrokerError(f"{what}. Fix: look at `workbench broker status`")
    finally:
        consumer.close()
