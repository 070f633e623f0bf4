"""Addresses of brokers, and what a broker that does not answer looks like."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from workbench.connection import Connection, admin_client
from workbench.errors import BrokerError


def test_each_address_reaches_both_clients() -> None:
    connection = Connection(" broker-1:9092 ,[::1]:9093")
    assert connection.kafka_python() == {"bootstrap_servers": ["broker-1:9092", "[::1]:9093"]}
    assert connection.spark() == {"kafka.bootstrap.servers": "broker-1:9092,[::1]:9093"}


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "broker",
        "broker:",
        ":9092",
        "broker:0",
        "broker:65536",
        "kafka://broker:9092",
        "a:1,,b:2",
        "a b:1",
    ],
)
def test_an_address_that_cannot_be_is_quoted(wrong: str) -> None:
    with pytest.raises(BrokerError, match=r"not a broker's address: '.*expected host:port"):
        Connection(wrong)


def test_the_environment_names_the_brokers_or_the_default_holds() -> None:
    assert Connection.from_env({"WORKBENCH_BROKERS": "a:1,b:2"}).addresses == ["a:1", "b:2"]
    assert Connection.from_env({"WORKBENCH_BROKERS": " "}) == Connection.from_env({}) == Connection()


def test_a_broker_that_answers_passes(connection: Connection) -> None:
    connection.check()
    connection.check("5s")


def test_one_living_address_is_enough(connection: Connection) -> None:
    Connection(f"127.0.0.1:1,{connection.bootstrap}").check()


@pytest.mark.parametrize(("address", "why"), [("127.0.0.1:1", "refused"), ("no-such-host.invalid:9092", "")])
def test_no_broker_there_is_one_line_with_the_address_the_reason_and_the_fix(address: str, why: str) -> None:
    with pytest.raises(BrokerError) as failed:
        Connection(address).check()
    message = str(failed.value)
    assert address in message
    assert why in message
    assert "workbench broker up" in message
    assert "WORKBENCH_BROKERS" in message
    assert "\n" not in message


@pytest.fixture(params=["silent", "closes", "speaks HTTP"])
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of something that listens and is no Kafka broker."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.2)
        done = threading.Event()

        def serve() -> None:
            kept = []
            while not done.is_set():
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                kept.append(client)
                if request.param == "speaks HTTP":
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                if request.param != "silent":
                    client.close()
            for client in kept:
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        done.set()
        thread.join()


def test_something_that_is_no_broker_is_given_up_within_the_time(stranger: str) -> None:
    began = time.monotonic()
    with pytest.raises(BrokerError, match="does not answer as a Kafka broker"):
        Connection(stranger).check(timedelta(seconds=2))
    assert time.monotonic() - began < 15


def test_what_the_broker_refuses_is_one_line(connection: Connection) -> None:
    with pytest.raises(BrokerError, match=r"refused.*InvalidTopic"), admin_client(connection) as admin:
        admin.create_topics({"no good": {"num_partitions": 1}})
