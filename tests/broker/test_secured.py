"""TLS and logins against a broker that has them: every way in, and each wrong one in one line that names the fix.

Short sibling: tests/unit/broker/test_diagnosis.py
"""

from __future__ import annotations

import logging
import socket
import traceback
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient
from secured import CANARY, MECHANISMS, PASSWORD, USER, SecuredBroker

from workbench.broker.clients import admin_client
from workbench.broker.connection import Connection
from workbench.broker.security import Secret, Security
from workbench.broker.topics import connect
from workbench.cli.doctor import checks
from workbench.errors import BrokerError

pytestmark = [pytest.mark.java, pytest.mark.long]

SOON_S = 20  # 10 s at most for a client, and what it takes to look for the reason before and after


def answers(connection: Connection) -> bool:
    """Whether kafka-python and librdkafka both get in."""
    connection.check()
    return bool(AdminClient({**connection.librdkafka()}).list_topics(timeout=20).brokers)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("protocol", ["sasl_ssl", "sasl_plaintext"])
def test_every_way_to_log_in_is_taken_by_both_python_clients(
    secured: SecuredBroker, protocol: str, mechanism: str
) -> None:
    port, ca = ("login", secured.authority.path) if protocol == "sasl_ssl" else ("open", None)
    assert answers(Connection(secured.at(port), Security(protocol, mechanism, USER, Secret(PASSWORD), ca)))


def test_tls_alone_and_a_client_with_a_certificate_are_taken(secured: SecuredBroker) -> None:
    ca = secured.authority.path
    assert answers(Connection(secured.at("tls"), Security("ssl", ca_file=ca)))
    assert answers(Connection(secured.at("mutual"), Security("ssl", ca_file=ca, client_file=secured.client_file)))


WRONG = {
    "a wrong password": ({}, "does not let in user 'ann' by SCRAM-SHA-256", "WORKBENCH_PASSWORD_FILE"),
    "an unknown user": ({"WORKBENCH_USERNAME": "bob"}, "does not let in user 'bob'", "WORKBENCH_USERNAME"),
    "an unknown authority": ({"WORKBENCH_CA_FILE": "stranger"}, "authority that is not trusted", "WORKBENCH_CA_FILE"),
    "no authority": ({"WORKBENCH_CA_FILE": ""}, "an authority that is not trusted", "WORKBENCH_CA_FILE"),
    "an expired certificate": ({"WORKBENCH_BROKERS": "expired"}, "certificate has expired", "renew"),
    "another host's certificate": ({"WORKBENCH_BROKERS": "elsewhere"}, "is not for '127.0.0.1'", "as its"),
    "nothing that listens": ({"WORKBENCH_BROKERS": "127.0.0.1:1"}, "Connection refused", "workbench broker up"),
    "no such host": ({"WORKBENCH_BROKERS": "no-such-host.invalid:9092"}, "no-such-host.invalid", "WORKBENCH_BROKERS"),
    "a port without TLS": ({"WORKBENCH_BROKERS": "open"}, "does not speak TLS", "sasl_plaintext"),
    "a port without logins": ({"WORKBENCH_BROKERS": "tls"}, "has no logins", "WORKBENCH_SECURITY to ssl"),
    "a port with TLS": ({"WORKBENCH_SECURITY": "plaintext"}, "is encrypted", "ssl"),
    "no certificate to show": (
        {"WORKBENCH_BROKERS": "mutual", "WORKBENCH_SECURITY": "ssl", "WORKBENCH_SASL_MECHANISM": "",
         "WORKBENCH_USERNAME": "", "WORKBENCH_PASSWORD_FILE": ""}, "wants a certificate of the client", "CLIENT_FILE",
    ),
}  # fmt: skip


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds each wait may last that is begun, for a connection or a client: however busy the machine is."""
    seconds: list[float] = []
    connect_to, make = socket.create_connection, KafkaAdminClient.__init__

    def connecting(address: tuple[str, int], timeout: float) -> socket.socket:
        seconds.append(timeout)
        return connect_to(address, timeout)

    def making(client: KafkaAdminClient, **options: Any) -> None:
        seconds.append(options["bootstrap_timeout_ms"] / 1000)
        make(client, **options)

    monkeypatch.setattr(socket, "create_connection", connecting)
    monkeypatch.setattr(KafkaAdminClient, "__init__", making)
    return seconds


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line_with_the_fix_and_soon(
    what: str, secured: SecuredBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: list[float]
) -> None:
    changes, said, fix = WRONG[what]
    environ = secured.environment(tmp_path, password=f"wrong-{CANARY}" if what == "a wrong password" else PASSWORD)
    environ |= changes
    if changes.get("WORKBENCH_BROKERS", ":").isalpha():
        environ["WORKBENCH_BROKERS"] = secured.at(environ["WORKBENCH_BROKERS"])
    if environ["WORKBENCH_CA_FILE"] == "stranger":
        environ["WORKBENCH_CA_FILE"] = str(secured.stranger.path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    for job in (connect, lambda: admin_client(Connection.from_env(environ)).__enter__()):
        allowed.clear()
        with pytest.raises(BrokerError) as failed:
            job()
        print(f"{what}: {allowed} s: {failed.value}")
        assert 0 < sum(allowed) <= SOON_S
        message, _, advice = str(failed.value).partition(" Fix: ")
        assert said in message
        assert fix in advice
        assert "\n" not in message + advice
        shown = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
        assert CANARY not in "".join(shown.format())
    (found,) = [check for check in checks(environ) if check.name == "broker"]
    assert not found.ok
    assert said in found.detail
    assert fix in found.fix


def test_a_mechanism_that_the_broker_lacks_is_told_with_those_it_has(
    secured: SecuredBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    security = Security("sasl_plaintext", "PLAIN", USER, Secret(PASSWORD))
    object.__setattr__(security, "mechanism", "OAUTHBEARER")  # the broker takes all those that we have
    with pytest.raises(BrokerError, match=r"does not take OAUTHBEARER, but .*SCRAM-SHA-512.*WORKBENCH_SASL_MECHANISM"):
        Connection(secured.at("open"), security).check()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_not_even_a_debug_log_shows_the_password(
    secured: SecuredBroker, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "kafka")  # the command, in another test, may have silenced it
    Connection(secured.at("open"), Security("sasl_plaintext", mechanism, USER, Secret(PASSWORD))).check()
    assert "SaslAuthenticateRequest" in caplog.text
    assert "Starting KafkaAdminClient with configuration: <dict>" in caplog.text
    assert CANARY not in caplog.text
