"""The records of a topic from one offset on, to another or without end. What is in them is not known here."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from tqdm.auto import tqdm

from workbench.broker.clients import ClientError, Consumer, Partition, consumer_at, partitions
from workbench.broker.connection import Connection
from workbench.errors import BrokerError

__all__ = ["batches_to", "records"]

_SILENCE_S = 30.0


def records(
    connection: Connection,
    topic: str,
    begin: Mapping[int, int],
    end: Mapping[int, int] | None,
    bar: tqdm[Any] | None = None,
) -> Generator[Any, None, None]:
    """Every record of a topic from the begin offset of each partition on.

    Parameters
    ----------
    end
        The offset of each partition before which to stop; None goes on for as long as the caller does.
    bar
        Is moved on by each record.

    Raises
    ------
    BrokerError
        There is no broker, or it falls silent before the end.
    """
    if end is not None:
        begin = {number: begin[number] for number in end if end[number] > begin[number]}
    if not begin:
        return
    consumer = consumer_at(connection, partitions(topic, begin))
    ends = None if end is None else partitions(topic, {number: end[number] for number in begin})
    try:
        for found in batches_to(consumer, ends, f"topic {topic!r} at {connection.bootstrap}"):
            for record in found:
                if end is None or record.offset < end[record.partition]:
                    yield record
            if bar is not None:
                bar.update(len(found))
    except ClientError as error:
        raise BrokerError(f"topic {topic!r} at {connection.bootstrap} cannot be read: {error!r}") from error
    finally:
        consumer.close()


def batches_to(
    consumer: Consumer,
    ends: Mapping[Partition, int] | None,
    what: str,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[Any]]:
    """Records of one partition at a time, as they come, until the consumer has passed each of the ends.

    Parameters
    ----------
    ends
        By partition; None has no end, and may be silent for as long as it likes.
    what
        What is read, for the message.

    Raises
    ------
    BrokerError
        Nothing came for 30 s before an end.
    """
    heard = clock()
    while ends is None or (left := [place for place, end in ends.items() if consumer.position(place) < end]):
        for found in consumer.poll(timeout_ms=200, max_records=5000).values():
            heard = clock()
            yield found
        if ends is not None and clock() - heard > _SILENCE_S:
            where = f"partitions {[place.partition for place in left]} of {what}"
            raise BrokerError(
                f"{where} gave nothing for {_SILENCE_S:.0f} s before their end. Fix: look at `workbench broker status`"
            )
