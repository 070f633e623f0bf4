"""Addresses of brokers, and what a broker that does not answer looks like."""

from __future__ import annotations

import copy
import dataclasses
import os
import pickle
import pprint
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from IPython.lib.pretty import pretty
from polling import until

from workbench.broker.clients import admin_client
from workbench.broker.connection import Connection
from workbench.broker.diagnosis import listens
from workbench.broker.embedded import EmbeddedBroker
from workbench.broker.topics import ensure_topics
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


class SentElsewhere(EmbeddedBroker):
    """A broker that sends its clients to a name which nobody here knows, or to a port where nobody listens."""

    elsewhere = "redpanda.invalid"

    def _properties(self, port: int, controller: int) -> str:
        host, _, other = self.elsewhere.partition(":")
        return f"{super()._properties(port, controller)}\nadvertised.listeners=PLAINTEXT://{host}:{other or port}\n"

    def begin(self) -> Connection:
        """Start it, as `up` does, but do not wait until its clients can use it."""
        self.home.mkdir(parents=True, exist_ok=True)
        _, found = self._start()
        until(lambda: listens(found.bootstrap, 1), 60)
        return found


@pytest.mark.parametrize(
    ("elsewhere", "why"),
    [("redpanda.invalid", "does not know that name"), ("127.0.0.1:1", "cannot connect there")],
)
def test_a_broker_that_sends_its_clients_where_they_cannot_go_is_told_with_the_setting(
    elsewhere: str, why: str, tmp_path: Path
) -> None:
    broker = SentElsewhere(tmp_path / "broker", port=0)
    broker.elsewhere = elsewhere
    try:
        connection = broker.begin()

        def told() -> str:
            with pytest.raises(BrokerError) as failed:
                connection.check()
            return str(failed.value)

        until(lambda: "sends its clients to" in told(), 60)
        for use in (connection.check, lambda: ensure_topics(connection)):
            with pytest.raises(BrokerError, match=rf"sends its clients to {elsewhere}.*{why}.*Fix: set advertised"):
                use()
        assert "/etc/hosts" in told()
        assert "\n" not in told()
    finally:
        broker.down()


def test_what_the_broker_refuses_is_one_line(connection: Connection) -> None:
    with pytest.raises(BrokerError, match=r"refused.*InvalidTopic"), admin_client(connection) as admin:
        admin.create_topics({"no good": {"num_partitions": 1}})


LOGIN = {
    "WORKBENCH_BROKERS": "kafka:9093",
    "WORKBENCH_SECURITY": "SASL_SSL",
    "WORKBENCH_SASL_MECHANISM": "scram-sha-256",
    "WORKBENCH_USERNAME": "ann",
    "WORKBENCH_PASSWORD": 'hunt"er\\2',
}


def test_one_set_of_variables_reaches_all_clients() -> None:
    connection = Connection.from_env(LOGIN)
    assert connection.kafka_python() == {
        "bootstrap_servers": ["kafka:9093"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "ann",
        "sasl_plain_password": 'hunt"er\\2',
    }
    assert connection.librdkafka()["sasl.password"] == 'hunt"er\\2'
    options = connection.spark()
    assert (options["kafka.security.protocol"], options["kafka.sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-256")
    assert "hunt" not in str(options)


@pytest.mark.parametrize("in_memory", [True, False])
def test_spark_finds_the_login_in_a_file_that_is_ours_alone_and_ends_with_the_process(in_memory: bool) -> None:
    if in_memory and not hasattr(os, "memfd_create"):
        pytest.skip("files in memory are Linux's")
    code = "" if in_memory else "import os\nif hasattr(os, 'memfd_create'): del os.memfd_create\n"
    code += (
        "from workbench.broker.connection import Connection\n"
        f"connection = Connection.from_env({LOGIN!r})\n"
        "assert connection.spark() == connection.spark()  # one file, however often\n"
        "print(connection.spark()['kafka.sasl.jaas.config'])\n"
        "print(open(connection.spark()['kafka.sasl.jaas.config'].split(':')[1]).read())\n"
        "import os, stat\n"
        "path = connection.spark()['kafka.sasl.jaas.config'].split(':')[1]\n"
        "print([oct(stat.S_IMODE(os.stat(of).st_mode)) for of in (path, os.path.dirname(path))])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    option, login, _, modes = ran.stdout.splitlines()
    path = option.removeprefix("${file:").removesuffix(":login}")
    assert login == (
        "login=org.apache.kafka.common.security.scram.ScramLoginModule required "
        r'username="ann" password="hunt\\"er\\\\2";'
    )
    if in_memory:
        assert path.startswith("/proc/")
    else:
        assert modes == "['0o600', '0o700']"
    assert not Path(path).parent.exists()


def test_a_password_file_is_read_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" secret \n", "utf-8")
    environ = {**LOGIN, "WORKBENCH_PASSWORD": "", "WORKBENCH_PASSWORD_FILE": str(tmp_path / "password")}
    assert Connection.from_env(environ).kafka_python()["sasl_plain_password"] == " secret "


def test_a_password_is_never_shown_nor_pickled() -> None:
    connection = Connection.from_env(LOGIN)
    password = connection.security.password
    shown = [f"{connection} {connection!r} {password} {[password]}", "%s %r" % (password, password)]  # noqa: UP031
    shown += [str(connection.kafka_python()), str(dataclasses.asdict(connection)), str(copy.deepcopy(connection))]
    shown += [pretty(connection), pretty(connection.kafka_python()), pprint.pformat(connection.kafka_python())]
    assert [text for text in shown if "hunt" in text] == []
    assert copy.deepcopy(connection) == connection
    for what in (connection, password):
        with pytest.raises(BrokerError, match=r"a password is not pickled. Fix: .*from_env"):
            pickle.dumps(what)
    assert pickle.loads(pickle.dumps(Connection("a:1"))) == Connection("a:1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"WORKBENCH_SECURITY": ""}, "WORKBENCH_SASL_MECHANISM is set and WORKBENCH_SECURITY is not"),
        (
            {"WORKBENCH_SECURITY": "tls"},
            "WORKBENCH_SECURITY is 'tls'; expected plaintext, ssl, sasl_plaintext, sasl_ssl",
        ),
        ({"WORKBENCH_SECURITY": "ssl"}, "a login is given, but ssl has none"),
        (
            {"WORKBENCH_SASL_MECHANISM": ""},
            "WORKBENCH_SASL_MECHANISM is ''; expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
        ),
        ({"WORKBENCH_SASL_MECHANISM": "GSSAPI"}, "WORKBENCH_SASL_MECHANISM is 'GSSAPI'; expected PLAIN"),
        ({"WORKBENCH_USERNAME": ""}, "needs a user. Fix: set WORKBENCH_USERNAME"),
        ({"WORKBENCH_PASSWORD": ""}, "needs a password. Fix: set WORKBENCH_PASSWORD_FILE or WORKBENCH_PASSWORD"),
        ({"WORKBENCH_PASSWORD": "hunter\n2"}, "the password has a line break"),
        ({"WORKBENCH_PASSWORD_FILE": "/x"}, "WORKBENCH_PASSWORD and WORKBENCH_PASSWORD_FILE are both set"),
        ({"WORKBENCH_PASSWORD": "", "WORKBENCH_PASSWORD_FILE": "/no/such"}, "WORKBENCH_PASSWORD_FILE: /no/such cannot"),
        ({"WORKBENCH_CA_FILE": "/no/such"}, "WORKBENCH_CA_FILE: /no/such cannot be read (No such file or directory)"),
        ({"WORKBENCH_CA_FILE": __file__}, "cannot be used for TLS"),
        ({"WORKBENCH_CLIENT_FILE": __file__}, "holds no unencrypted PKCS #8 key"),
        ({"WORKBENCH_SECURITY": "sasl_plaintext", "WORKBENCH_CA_FILE": __file__}, "sasl_plaintext does not encrypt"),
        ({"WORKBENCH_BROKERS": ""}, "WORKBENCH_SECURITY is sasl_ssl, but WORKBENCH_BROKERS names no broker for it"),
    ],
)
def test_variables_that_cannot_be_are_told_with_the_fix_and_without_the_password(
    changes: dict[str, str], said: str
) -> None:
    with pytest.raises(BrokerError) as failed:
        Connection.from_env({**LOGIN, **changes})
    assert said in str(failed.value)
    assert "hunt" not in str(failed.value)


def test_plaintext_asked_for_sets_all_else_aside() -> None:
    assert Connection.from_env({**LOGIN, "WORKBENCH_SECURITY": "plaintext"}) == Connection("kafka:9093")
