"""Why a broker cannot be used: each refusal, by a server on the loopback that behaves so."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ports import free_port

from workbench.broker.diagnosis import refused, unreachable
from workbench.broker.security import Secret, Security

SOON_S = 0.5
PLAIN, TLS = Security(), Security("ssl")
LOGIN = Security("sasl_plaintext", "PLAIN", "ann", Secret("secret"))


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that does this with each connection, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def run() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    if stop.is_set():
                        return
                    try:
                        talk(client)
                    except OSError:
                        pass  # the client went first

        thread = threading.Thread(target=run)
        thread.start()
        port = listening.getsockname()[1]
        try:
            yield f"127.0.0.1:{port}"
        finally:
            stop.set()
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            thread.join()


def silent(client: socket.socket) -> None:
    while client.recv(4096):
        pass


def closes(client: socket.socket) -> None:
    client.recv(4096)


def http(client: socket.socket) -> None:
    client.recv(4096)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    silent(client)


def answers(*bodies: bytes) -> Callable[[socket.socket], None]:
    """A broker that answers one request after the other with these bodies."""

    def talk(client: socket.socket) -> None:
        for body in bodies:
            client.recv(4096)
            client.sendall(struct.pack(">ii", len(body) + 4, 1) + body)
        silent(client)

    return talk


def test_nobody_there() -> None:
    address = f"127.0.0.1:{free_port()}"
    assert unreachable([address], PLAIN, SOON_S) == (f"{address}: Connection refused", "")


def test_an_open_port_is_enough_where_nothing_is_encrypted_and_nobody_logs_in() -> None:
    with server(silent) as address:
        assert unreachable([address], PLAIN, SOON_S) is None


def test_one_address_that_takes_us_is_enough_and_else_each_is_told_with_the_first_fix() -> None:
    gone = f"127.0.0.1:{free_port()}"
    with server(silent) as address:
        assert unreachable([gone, address], PLAIN, SOON_S) is None
    with server(http) as address:
        what, fix = unreachable([gone, address], TLS, SOON_S * 4) or ("", "")
    assert what == f"{gone}: Connection refused; {address}: it does not speak TLS"
    assert "WORKBENCH_SECURITY" in fix


@pytest.mark.parametrize(
    ("security", "talk", "said", "advised"),
    [
        (TLS, http, "it does not speak TLS", "WORKBENCH_SECURITY to plaintext"),
        (TLS, closes, "it does not speak TLS", "WORKBENCH_SECURITY to plaintext"),
        (TLS, silent, "timed out", ""),
        (LOGIN, silent, "timed out", ""),
        (LOGIN, closes, "it closed the connection", ""),
        (LOGIN, http, "its answer is not that of a Kafka broker", ""),
        (LOGIN, answers(struct.pack(">hi", 33, 1) + b"\0\x06GSSAPI"), "does not take PLAIN, but GSSAPI", "MECHANISM"),
        (LOGIN, answers(struct.pack(">h", 34) + b"\0\0\0\0"), "it has no logins", "WORKBENCH_SECURITY to plaintext"),
        (LOGIN, answers(struct.pack(">h", 7) + b"\0\0\0\0"), "refuses to let users log in", "broker's log"),
        (
            LOGIN,
            answers(struct.pack(">hi", 0, 0), struct.pack(">hh", 58, 0) + b"\0\0\0\0"),
            "does not let in user 'ann' by PLAIN",
            "WORKBENCH_PASSWORD",
        ),
    ],
)
def test_a_refusal_is_told_in_a_few_words_with_its_fix(
    security: Security, talk: Callable[[socket.socket], None], said: str, advised: str
) -> None:
    with server(talk) as address:
        what, fix = unreachable([address], security, SOON_S) or ("", "")
    assert what.startswith(f"{address}: ")
    assert said in what
    assert "\n" not in what
    assert advised in fix
    assert bool(fix) == bool(advised)


def test_a_login_that_is_taken_is_none() -> None:
    with server(answers(struct.pack(">hi", 0, 0), struct.pack(">hhi", 0, -1, 0))) as address:
        assert unreachable([address], LOGIN, SOON_S) is None


def test_a_client_that_gave_up_where_nothing_can_be_found_wrong_is_told_nothing() -> None:
    with server(http) as address:
        assert refused([address], PLAIN) is None


def test_a_broker_that_speaks_tls_is_told_to_who_does_not() -> None:
    alert = b"\x15\x03\x03\x00\x02\x02\x28"  # a fatal alert: handshake failure

    def speaks_tls(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(alert)

    with server(speaks_tls) as address:
        found = refused([address], PLAIN)
    assert found == (f"{address}: it is encrypted", "set WORKBENCH_SECURITY to ssl, or to sasl_ssl where users log in")


def brokers(*told: tuple[str, int]) -> bytes:
    """The answer that tells clients where the brokers are."""
    each = [
        struct.pack(">ih", number, len(host)) + host.encode() + struct.pack(">ih", port, -1)
        for number, (host, port) in enumerate(told)
    ]
    return struct.pack(">i", len(told)) + b"".join(each) + struct.pack(">i", 0)


@pytest.mark.parametrize(
    ("host", "why"), [("redpanda.invalid", "does not know that name"), ("127.0.0.1", "cannot connect there")]
)
def test_a_broker_that_sends_its_clients_where_they_cannot_go_is_named_with_the_setting(host: str, why: str) -> None:
    port = free_port()
    with server(answers(brokers((host, port)))) as address:
        found = unreachable([address], PLAIN, SOON_S)
    assert found is not None
    what, fix = found
    assert what == f"{address}: it answers, but sends its clients to {host}:{port}, and this machine {why}"
    assert fix.startswith("set advertised.listeners of the broker (Redpanda: advertised_kafka_api)")
    assert fix.endswith(f"or add {host} to /etc/hosts")


def test_one_of_several_brokers_that_is_down_is_no_reason_and_a_name_that_nobody_knows_is_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as up:
        there = "127.0.0.1", up.getsockname()[1]
        with server(answers(brokers(("127.0.0.1", free_port()), there))) as address:
            assert unreachable([address], PLAIN, SOON_S) is None
        with server(answers(brokers(there, ("redpanda.invalid", 9092)))) as address:
            found = unreachable([address], PLAIN, SOON_S)
    assert found is not None
    assert "sends its clients to redpanda.invalid:9092" in found[0]


def test_a_cluster_whose_brokers_are_not_ready_yet_is_told() -> None:
    with server(answers(brokers())) as address:
        expected = f"{address}: its cluster has no broker that is ready", "wait, or restart it"
        assert unreachable([address], PLAIN, SOON_S) == expected


@pytest.mark.parametrize("talk", [silent, closes, http, answers(b"\0")])
def test_where_a_broker_does_not_say_where_its_clients_are_to_go_nothing_is_said_of_it(
    talk: Callable[[socket.socket], None],
) -> None:
    with server(talk) as address:
        assert unreachable([address], PLAIN, SOON_S) is None
