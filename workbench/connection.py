"""How to reach a Kafka broker: `Connection`, and an admin client that fails in one line. Starts no broker."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from workbench.errors import BrokerError

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

__all__ = ["BROKERS_VARIABLE", "Connection", "admin_client"]

BROKERS_VARIABLE = "WORKBENCH_BROKERS"
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the brokers are. Every client of the workbench takes its settings from one of these.

    >>> Connection("broker-1:9092, broker-2:9092").kafka_python()
    {'bootstrap_servers': ['broker-1:9092', 'broker-2:9092']}
    >>> Connection().spark()
    {'kafka.bootstrap.servers': '127.0.0.1:29092'}
    >>> Connection("broker-1")
    Traceback (most recent call last):
    workbench.errors.BrokerError: not a broker's address: 'broker-1'; expected host:port[,host:port]

    Raises BrokerError for an address that cannot be.
    """

    bootstrap: str = "127.0.0.1:29092"

    def __post_init__(self) -> None:
        addresses = [part.strip() for part in self.bootstrap.split(",")]
        for address in addresses:
            found = _ADDRESS.fullmatch(address)
            if found is None or not 0 < int(found["port"]) < 65536:
                raise BrokerError(f"not a broker's address: {address!r}; expected host:port[,host:port]")
        object.__setattr__(self, "bootstrap", ",".join(addresses))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Connection:
        """The brokers that WORKBENCH_BROKERS names, else the embedded broker's usual address."""
        chosen = environ.get(BROKERS_VARIABLE, "").strip()
        return cls(chosen) if chosen else cls()

    @property
    def addresses(self) -> list[str]:
        """Each `host:port`."""
        return self.bootstrap.split(",")

    def kafka_python(self) -> dict[str, Any]:
        """Keyword arguments for a kafka-python client."""
        return {"bootstrap_servers": self.addresses}

    def spark(self) -> dict[str, str]:
        """Options for Spark's Kafka source and sink."""
        return {"kafka.bootstrap.servers": self.bootstrap}

    def check(self, timeout: timedelta | str = timedelta(seconds=10)) -> None:
        """Ask a broker for its cluster and await the answer. Raises BrokerError after `timeout` at most."""
        if isinstance(timeout, str):
            # Not at the top: it brings pandas along, which takes a while and which nothing else here needs.
            from workbench.rule import duration

            timeout = duration(timeout)
        seconds = timeout.total_seconds()
        reasons = []
        for address in self.addresses:  # kafka-python says only that it could not bootstrap: find out why
            found = _ADDRESS.fullmatch(address)
            assert found is not None  # checked when this object was made
            try:
                target = (found["host"].strip("[]"), int(found["port"]))
                socket.create_connection(target, timeout=seconds / 2 / len(self.addresses)).close()
                break
            except OSError as error:
                reasons.append(f"{address}: {error.strerror or error}")
        else:
            raise BrokerError(f"no broker answers ({'; '.join(reasons)}). Fix: {_HOW_TO_GET_A_BROKER}")
        with admin_client(self, timeout=timedelta(seconds=seconds / 2)) as admin:
            if not admin.describe_cluster()["brokers"]:
                raise BrokerError(
                    f"the cluster at {self.bootstrap} has no broker that is ready. Fix: wait, or restart it"
                )


_HOW_TO_GET_A_BROKER = f"`workbench broker up` starts the embedded one; {BROKERS_VARIABLE}=host:port names another"


@contextlib.contextmanager
def admin_client(connection: Connection, timeout: timedelta = timedelta(seconds=15)) -> Iterator[KafkaAdminClient]:
    """A kafka-python admin client, closed at the end. What Kafka refuses is a BrokerError in one line."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    timeout_ms = max(1, int(timeout.total_seconds() * 1000))
    try:
        admin = KafkaAdminClient(
            **connection.kafka_python(), bootstrap_timeout_ms=timeout_ms, request_timeout_ms=timeout_ms
        )
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"{connection.bootstrap} does not answer as a Kafka broker within {timeout.total_seconds():g} s "
            f"({error}). Fix: {_HOW_TO_GET_A_BROKER}"
        ) from error
    try:
        yield admin
    except KafkaError as error:
        raise BrokerError(
            f"the broker at {connection.bootstrap} refused: {' '.join(str(error).split())[:300]}"
        ) from error
    finally:
        admin.close()
