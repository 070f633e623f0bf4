"""TLS and logins against a broker that has them: every way in, and each wrong one in one line that names the fix."""

from __future__ import annotations

import logging
import time
import traceback
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from secured import CANARY, MECHANISMS, PASSWORD, USER, SecuredBroker

from workbench.broker.clients import admin_client
from workbench.broker.connection import Connection
from workbench.broker.security import Secret, Security
from workbench.broker.topics import connect
from workbench.cli.doctor import checks
from workbench.errors import BrokerError

pytestmark = pytest.mark.java

SOON_S = 30  # what waits for 10 s is told then, and on a busy machine a little later


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


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line_with_the_fix_and_soon(
    what: str, secured: SecuredBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        began = time.monotonic()
        with pytest.raises(BrokerError) as failed:
            job()
        took = time.monotonic() - began
        print(f"{what}: {took:.1f} s: {failed.value}")
        assert took < SOON_S
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
