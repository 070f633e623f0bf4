"""Delivery with a producer that answers as a test wants: every acknowledgement is accounted for, or it is an error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from workbench.broker.delivery import Delivery
from workbench.broker.sender import Sending
from workbench.clicks.record import records
from workbench.clicks.traffic import Traffic
from workbench.errors import BrokerError

CLICKS = Traffic(rate=100, duration="1s", seed=5).clicks(datetime(2026, 1, 2, tzinfo=UTC))


class Acknowledgement:
    """What a producer gives for a record: acknowledged at once, or once it is waited for, or never."""

    def __init__(self, error: Exception | None = None, waits: bool = False) -> None:
        self._error, self.is_done = error, not waits

    def get(self, timeout: float) -> None:
        assert timeout >= 0
        self.is_done = True
        if self._error is not None:
            raise self._error


class FakeProducer:
    """Takes records and keeps them; `answer` makes the acknowledgement of each, by its number."""

    def __init__(self, answer: Callable[[int], Acknowledgement] = lambda _: Acknowledgement()) -> None:
        self.taken: list[tuple[bytes, bytes, int | None]] = []
        self.closed: list[float] = []
        self._answer = answer

    def send(self, topic: str, value: bytes, key: bytes, timestamp_ms: int | None) -> Acknowledgement:
        assert topic == "clicks"
        answer = self._answer(len(self.taken))
        self.taken.append((key, value, timestamp_ms))
        return answer

    def close(self, timeout: float) -> None:
        self.closed.append(timeout)


def delivery(producer: FakeProducer) -> Delivery:
    return Delivery(producer, "clicks")


def test_each_row_is_sent_once_in_order_and_counted_when_it_is_acknowledged() -> None:
    producer = FakeProducer(lambda number: Acknowledgement(waits=number % 3 == 0))
    sent = delivery(producer).run(CLICKS)
    assert [(key, value) for key, value, _ in producer.taken] == [(key, value) for key, value, _ in records(CLICKS)]
    assert {ms for _, _, ms in producer.taken} == {None}
    assert sent.clicks == len(CLICKS) == 100
    assert sent.behind_ms == 0


def test_records_are_dated_with_their_event_times_where_that_is_asked() -> None:
    producer = FakeProducer()
    delivery(producer).run(CLICKS, event_time_as_timestamp=True)
    assert [ms for _, _, ms in producer.taken] == [ms for _, _, ms in records(CLICKS)]


@pytest.mark.parametrize("waits", [True, False])
def test_a_record_that_is_refused_is_an_error_with_its_click_and_how_many_were_taken_before(waits: bool) -> None:
    refusal = MessageSizeTooLargeError("too large")
    producer = FakeProducer(lambda number: Acknowledgement(refusal if number == 7 else None, waits))
    making = delivery(producer)
    click_id = CLICKS["click_id"][7]
    with pytest.raises(BrokerError, match=rf"click '{click_id}' \(row 7\).*MessageSizeTooLarge.*; 7 before it were"):
        making.run(CLICKS)
    assert making.acknowledged == 7


def test_a_record_that_the_producer_does_not_take_at_all_is_an_error_with_its_click() -> None:
    def full(number: int) -> Acknowledgement:
        if number == 3:
            raise KafkaTimeoutError("no room")
        return Acknowledgement(waits=True)

    with pytest.raises(BrokerError, match=rf"click '{CLICKS['click_id'][3]}' \(row 3\).*no room"):
        delivery(FakeProducer(full)).run(CLICKS)


def test_no_more_than_so_many_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.broker.delivery._IN_FLIGHT_AT_MOST", 10)
    under_way: list[Acknowledgement] = []
    most = 0

    def answer(_: int) -> Acknowledgement:
        nonlocal most
        under_way.append(Acknowledgement(waits=True))
        most = max(most, sum(not each.is_done for each in under_way))
        return under_way[-1]

    assert delivery(FakeProducer(answer)).run(CLICKS).clicks == 100
    assert most == 11


@pytest.mark.parametrize("paced", [True, False])
def test_nothing_leaves_once_stopped(paced: bool) -> None:
    producer, stop = FakeProducer(), threading.Event()
    stop.set()
    due_s = np.zeros(len(CLICKS)) if paced else None
    assert delivery(producer).run(CLICKS, due_s, stop=stop).clicks == 0
    assert producer.taken == []


def test_a_stop_is_heard_in_a_long_pause() -> None:
    producer, stop = FakeProducer(), threading.Event()
    due_s = np.array([0.0] + [3600.0] * (len(CLICKS) - 1))
    threading.Timer(0.05, stop.set).start()
    assert delivery(producer).run(CLICKS, due_s, stop=stop).clicks == 1


def test_leaving_gives_what_is_under_way_its_time_and_after_an_error_none() -> None:
    producer = FakeProducer()
    with delivery(producer):
        pass
    with pytest.raises(ValueError, match="mine"), delivery(producer):
        raise ValueError("mine")
    assert [timeout > 0 for timeout in producer.closed] == [True, False]


def sending(producer: FakeProducer, **options: Any) -> Sending:
    return Sending(delivery(producer), CLICKS, **options)


def test_a_handle_sends_nothing_before_it_is_started_and_says_what_it_sent() -> None:
    producer = FakeProducer()
    made = sending(producer)
    assert (made.sent, producer.taken) == (0, [])
    assert made.start().wait(20)
    assert made.done
    assert made.stop() == made.stop()
    assert made.stop().clicks == made.sent == len(made.clicks) == 100
    assert repr(made) == "<Sending done: 100 of 100 clicks sent>"
    assert len(producer.closed) == 1


def test_what_goes_wrong_is_raised_by_wait_and_by_stop_and_kept() -> None:
    made = sending(FakeProducer(lambda number: Acknowledgement(MessageSizeTooLargeError() if number == 50 else None)))
    made.start()
    for ask in (lambda: made.wait(20), made.stop):
        with pytest.raises(BrokerError, match="row 50"):
            ask()
    assert isinstance(made.error, BrokerError)
    assert len(made.clicks) == 50
    assert repr(made) == "<Sending failed: 50 of 100 clicks sent>"


def test_leaving_the_block_stops_it_and_lets_another_error_through() -> None:
    due_s = np.array([0.0] + [3600.0] * (len(CLICKS) - 1))
    made = sending(FakeProducer(), due_s=due_s)
    with pytest.raises(KeyboardInterrupt), made.start():
        raise KeyboardInterrupt
    assert made.done
    with sending(FakeProducer(), due_s=due_s).start() as other:
        assert not other.wait(0)
    assert other.done
