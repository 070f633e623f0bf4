"""Reading a topic up to its end: all of it, nothing beyond, and never without a word when nothing comes any more."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import pytest
from kafka.errors import KafkaConnectionError

import workbench.broker.records
from workbench.broker.clients import Partition, partitions
from workbench.broker.connection import Connection
from workbench.broker.records import batches_to, records
from workbench.errors import BrokerError

CONNECTION = Connection("127.0.0.1:1")


class Record(NamedTuple):
    partition: int
    offset: int


class FakeConsumer:
    """Gives what a topic holds, a few records at a time, in gaps where offsets are missing; then nothing."""

    def __init__(self, held: dict[int, list[int]], error: Exception | None = None, most: int = 3) -> None:
        self._left = {Partition("clicks", number): list(offsets) for number, offsets in held.items()}
        self._at: dict[Partition, int] = {}
        self._error, self._most = error, most
        self.closed = False

    def at(self, positions: dict[Partition, int]) -> FakeConsumer:
        self._at = dict(positions)
        self._left = {p: [o for o in self._left[p] if o >= at] for p, at in positions.items()}
        return self

    def position(self, place: Partition) -> int:
        return self._at[place]

    def poll(self, timeout_ms: int, max_records: int) -> dict[Partition, list[Record]]:
        if self._error is not None:
            raise self._error
        for place, offsets in self._left.items():
            if offsets:
                found, self._left[place] = offsets[: self._most], offsets[self._most :]
                self._at[place] = found[-1] + 1
                return {place: [Record(place.partition, offset) for offset in found]}
        return {}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(consumer: FakeConsumer) -> FakeConsumer:
        monkeypatch.setattr(workbench.broker.records, "consumer_at", lambda _, positions: consumer.at(positions))
        return consumer

    return use


def test_each_partition_is_read_from_its_begin_to_its_end_and_not_beyond(reads: Any) -> None:
    consumer = reads(FakeConsumer({0: [*range(10)], 1: [*range(20)], 2: [*range(5)]}))
    found = list(records(CONNECTION, "clicks", {0: 2, 1: 0, 2: 5}, {0: 9, 1: 7, 2: 5}))
    assert {(r.partition, r.offset) for r in found} == {(0, n) for n in range(2, 9)} | {(1, n) for n in range(7)}
    assert len(found) == 14
    assert consumer.closed


def test_offsets_that_are_no_records_keep_nobody_waiting(reads: Any) -> None:
    reads(FakeConsumer({0: [0, 5, 6]}))
    assert [r.offset for r in records(CONNECTION, "clicks", {0: 0}, {0: 7})] == [0, 5, 6]


def test_where_there_is_nothing_no_client_is_built() -> None:
    assert list(records(CONNECTION, "clicks", {0: 4, 1: 7}, {0: 4, 1: 7})) == []


def test_without_an_end_it_goes_on_until_the_caller_stops(reads: Any) -> None:
    consumer = reads(FakeConsumer({0: [*range(100)]}))
    with contextlib.closing(records(CONNECTION, "clicks", {0: 90}, None)) as reading:
        assert [next(reading).offset for _ in range(10)] == [*range(90, 100)]
        assert not consumer.closed
    assert consumer.closed


def test_what_the_client_raises_is_told_with_the_topic_and_the_client_is_closed(reads: Any) -> None:
    consumer = reads(FakeConsumer({0: [0]}, KafkaConnectionError("gone")))
    with pytest.raises(BrokerError, match=r"topic 'clicks' at 127\.0\.0\.1:1 cannot be read: .*gone"):
        list(records(CONNECTION, "clicks", {0: 0}, {0: 1}))
    assert consumer.closed


def test_silence_before_the_end_is_an_error_that_names_what_is_left_and_each_record_counts_anew() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 9.0
        return now

    consumer = FakeConsumer({0: [*range(8)], 1: [0]}, most=1).at(partitions("clicks", {0: 0, 1: 0}))
    found: list[list[Any]] = []
    with pytest.raises(BrokerError, match=r"partitions \[1\] of it gave nothing for 30 s before their end\. Fix: "):
        found.extend(batches_to(consumer, partitions("clicks", {0: 8, 1: 2}), "it", clock))
    assert sum(map(len, found)) == 9  # although they took longer than 30 s together
