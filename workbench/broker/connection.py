"""How to reach a Kafka broker: `Connection`, and an admin client that fails in one line. Starts no broker.

Encryption and login are in `security`, and why a broker cannot be used is found out in `diagnosis`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from workbench.broker import diagnosis
from workbench.broker.security import SECURITY_VARIABLE, Security
from workbench.errors import BrokerError

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

__all__ = ["BROKERS_VARIABLE", "Connection", "admin_client", "brokers_named"]

BROKERS_VARIABLE = "WORKBENCH_BROKERS"
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the brokers are, and how to log in. Every client of the workbench takes its settings from one of these.

    >>> Connection("broker-1:9092, broker-2:9092").kafka_python()
    {'bootstrap_servers': ['broker-1:9092', 'broker-2:9092']}
    >>> Connection().spark()
    {'kafka.bootstrap.servers': '127.0.0.1:29092'}
    >>> Connection("broker-1")
    Traceback (most recent call last):
    workbench.errors.BrokerError: not a broker's address: 'broker-1'; expected host:port[,host:port]

    It may be printed: a password shows as stars. Raises BrokerError for an address that cannot be.
    """

    bootstrap: str = "127.0.0.1:29092"
    security: Security = field(default=Security())

    def __post_init__(self) -> None:
        addresses = [part.strip() for part in self.bootstrap.split(",")]
        for address in addresses:
            found = _ADDRESS.fullmatch(address)
            if found is None or not 0 < int(found["port"]) < 65536:
                raise BrokerError(f"not a broker's address: {address!r}; expected host:port[,host:port]")
        object.__setattr__(self, "bootstrap", ",".join(addresses))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, *, brokers: str | None = None) -> Connection:
        """The brokers that are named, else those of WORKBENCH_BROKERS, else the embedded broker's usual address.

        WORKBENCH_SECURITY and what belongs to it say how; the embedded broker has no security.
        """
        chosen, security = brokers_named(environ, brokers), Security.from_env(environ)
        if chosen:
            return cls(chosen, security)
        if security != Security():
            raise BrokerError(
                f"{SECURITY_VARIABLE} is {security.protocol}, but {BROKERS_VARIABLE} names no broker for it. "
                f"Fix: set it to host:port, or unset {SECURITY_VARIABLE}"
            )
        return cls()

    @property
    def addresses(self) -> list[str]:
        """Each `host:port`."""
        return self.bootstrap.split(",")

    def kafka_python(self) -> dict[str, Any]:
        """Keyword arguments for a kafka-python client."""
        return {"bootstrap_servers": self.addresses, **self.security.kafka_python()}

    def librdkafka(self) -> dict[str, str]:
        """Settings of confluent-kafka and other clients on librdkafka."""
        return {"bootstrap.servers": self.bootstrap, **self.security.librdkafka()}

    def spark(self) -> dict[str, str]:
        """Options for Spark's Kafka source and sink."""
        return {"kafka.bootstrap.servers": self.bootstrap, **self.security.spark()}

    def check(self, timeout: timedelta | str = timedelta(seconds=10)) -> None:
        """Ask a broker for its cluster and await the answer. Raises BrokerError after `timeout` at most."""
        if isinstance(timeout, str):
            # Not at the top: it brings pandas along, which takes a while and which nothing else here needs.
            from workbench.durations import duration

            timeout = duration(timeout)
        seconds = timeout.total_seconds()
        _look_at(self, seconds / 2)
        with admin_client(self, timeout=timedelta(seconds=seconds / 2)) as admin:
            if not admin.describe_cluster()["brokers"]:
                raise BrokerError(
                    f"the cluster at {self.bootstrap} has no broker that is ready. Fix: wait, or restart it"
                )


def brokers_named(environ: Mapping[str, str] = os.environ, brokers: str | None = None) -> str:
    """`brokers` where it says any, else what WORKBENCH_BROKERS says; empty where the embedded broker is meant."""
    return (brokers or "").strip() or environ.get(BROKERS_VARIABLE, "").strip()


_HOW_TO_GET_A_BROKER = f"`workbench broker up` starts the embedded one; {BROKERS_VARIABLE}=host:port names another"


_FIRST_LOOK_S = 4.0
_CONNECT_MS = 10_000
_usable: set[Connection] = set()  # what was looked at and found good: it is not looked at before each use


def _look_at(connection: Connection, seconds: float) -> None:
    """Raise BrokerError with the reason where none of the addresses takes us."""
    if found := diagnosis.unreachable(connection.addresses, connection.security, seconds):
        raise _unusable(*found)
    _usable.add(connection)


def _unusable(what: str, fix: str) -> BrokerError:
    if fix:
        return BrokerError(f"no broker can be used ({what}). Fix: {fix}")
    return BrokerError(f"no broker answers ({what}). Fix: {_HOW_TO_GET_A_BROKER}")


@contextlib.contextmanager
def admin_client(connection: Connection, timeout: timedelta = timedelta(seconds=15)) -> Iterator[KafkaAdminClient]:
    """A kafka-python admin client, closed at the end. What Kafka refuses is a BrokerError in one line.

    timeout: for connecting, where it takes 10 s at most, and for each request.
    """
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    if connection not in _usable:
        _look_at(connection, min(_FIRST_LOOK_S, timeout.total_seconds()))
    timeout_ms = max(1, int(timeout.total_seconds() * 1000))
    connect_ms = min(timeout_ms, _CONNECT_MS)
    try:
        admin = KafkaAdminClient(
            **connection.kafka_python(), bootstrap_timeout_ms=connect_ms, request_timeout_ms=timeout_ms
        )
    except (KafkaError, OSError) as error:
        if found := diagnosis.refused(connection.addresses, connection.security):
            raise _unusable(*found) from error
        raise BrokerError(
            f"{connection.bootstrap} does not answer as a Kafka broker within {connect_ms / 1000:g} s "
            f"({error}). Fix: {_HOW_TO_GET_A_BROKER}; {SECURITY_VARIABLE} says how to log in"
        ) from error
    try:
        yield admin
    except KafkaError as error:
        raise BrokerError(
            f"the broker at {connection.bootstrap} refused: {' '.join(str(error).split())[:300]}"
        ) from error
    finally:
        admin.close()
