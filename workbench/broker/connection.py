"""How to reach a Kafka broker: `Connection`, and whether anything there takes us. Starts no broker, builds no client.

Encryption and login are in `security`, and why a broker cannot be used is found out in `diagnosis`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from workbench.broker import diagnosis
from workbench.broker.security import SECURITY_VARIABLE, Security
from workbench.errors import BrokerError

__all__ = ["BROKERS_VARIABLE", "HOW_TO_GET_A_BROKER", "Connection", "brokers_named", "reach", "unusable"]

BROKERS_VARIABLE = "WORKBENCH_BROKERS"
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the brokers are, and how to log in. Every client of the workbench takes its settings from one of these.

    It may be printed: a password shows as stars.

    Parameters
    ----------
    bootstrap
        One broker or several, as `host:port[,host:port]`.
    security
        How to log in, and whether what is said is encrypted.

    Raises
    ------
    BrokerError
        An address that cannot be.

    Examples
    --------
    >>> Connection("broker-1:9092, broker-2:9092").kafka_python()
    {'bootstrap_servers': ['broker-1:9092', 'broker-2:9092']}
    >>> Connection().spark()
    {'kafka.bootstrap.servers': '127.0.0.1:29092'}
    >>> Connection("broker-1")
    Traceback (most recent call last):
    workbench.errors.BrokerError: not a broker's address: 'broker-1'; expected host:port[,host:port]
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
        reach(self, seconds / 2)
        from workbench.broker.clients import admin_client  # not at the top: clients are built with connections

        with admin_client(self, timeout=timedelta(seconds=seconds / 2)) as admin:
            # Not describe_cluster: kafka-python 3.0.12 takes no answer of its version 0, the one that Redpanda has.
            admin.describe_topics([])


def brokers_named(environ: Mapping[str, str] = os.environ, brokers: str | None = None) -> str:
    """`brokers` where it says any, else what WORKBENCH_BROKERS says; empty where the embedded broker is meant."""
    return (brokers or "").strip() or environ.get(BROKERS_VARIABLE, "").strip()


HOW_TO_GET_A_BROKER = f"`workbench broker up` starts the embedded one; {BROKERS_VARIABLE}=host:port names another"

_usable: set[Connection] = set()  # what was looked at and found good: it is not looked at before each use


def reach(connection: Connection, seconds: float, *, again: bool = True) -> None:
    """Raise BrokerError with the reason where none of the addresses takes us.

    again: also look at one that did take us before.
    """
    if not again and connection in _usable:
        return
    if found := diagnosis.unreachable(connection.addresses, connection.security, seconds):
        raise unusable(*found)
    _usable.add(connection)


def unusable(what: str, fix: str) -> BrokerError:
    """What `diagnosis` found, as an error."""
    if fix:
        return BrokerError(f"no broker can be used ({what}). Fix: {fix}")
    return BrokerError(f"no broker answers ({what}). Fix: {HOW_TO_GET_A_BROKER}")
