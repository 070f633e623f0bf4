"""What the tests share: one embedded broker for the whole run, and topics of their own for each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from detecting import Start, detectors
from hypothesis import settings

from workbench.broker.topics import Connection, EmbeddedBroker, Topics, ensure_topics
from workbench.click_page.limits import Limits
from workbench.click_page.server import ClickServer
from workbench.errors import JavaNotFound
from workbench.machine.java import find_java
from workbench.spark.session import stop_spark

if TYPE_CHECKING:
    from secured import SecuredBroker

# No test may fail for being slow on a busy machine. A failure prints what draws the same example again.
settings.register_profile("workbench", deadline=None, print_blob=True)
settings.load_profile("workbench")


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the run out of the user's state folder (broker, checkpoints, logs) and off the user's brokers."""
    with pytest.MonkeyPatch.context() as patch:
        state = tmp_path_factory.mktemp("state")
        patch.setenv("WORKBENCH_STATE_DIR", str(state))
        named = ("BROKERS", "SECURITY", "SASL_", "USERNAME", "PASSWORD", "CA_FILE", "CLIENT_FILE")
        for name in [name for name in os.environ if name.startswith(tuple(f"WORKBENCH_{of}" for of in named))]:
            patch.delenv(name)
        yield state


@pytest.fixture(scope="session")
def embedded_broker(own_state: Path) -> Iterator[EmbeddedBroker]:
    """The run's one broker, on free ports, in a folder of the run; ended after the last test."""
    broker = EmbeddedBroker(own_state / "shared-broker", port=0)
    try:
        broker.up()
        yield broker
    finally:
        broker.down()


@pytest.fixture(scope="session")
def connection(embedded_broker: EmbeddedBroker) -> Connection:
    """How to reach the run's broker."""
    return embedded_broker.up()


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A second broker, with TLS and logins. Not in the state folder: its settings hold the password."""
    from secured import SecuredBroker

    broker = SecuredBroker(tmp_path_factory.mktemp("secured") / "broker")
    try:
        broker.up()
        yield broker
    finally:
        broker.down()


@pytest.fixture
def topics() -> Topics:
    """Three topic names that no other test uses; `ensure_topics(connection, topics)` creates them."""
    mark = uuid.uuid4().hex[:8]
    return Topics(f"clicks-{mark}", f"verdicts-{mark}", f"dead-letters-{mark}")


@pytest.fixture
def begin_page(connection: Connection, topics: Topics) -> Iterator[Callable[..., ClickServer]]:
    """Start a click page on this test's topics, on a free port and without strict limits; it is closed at the end."""
    from visitor import GENEROUS, KEY

    started: list[ClickServer] = []

    def start(limits: Limits = GENEROUS, **options: Any) -> ClickServer:
        ensure_topics(connection, topics)
        started.append(ClickServer(connection, topics, limits=limits, key=KEY, **options).start())
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def begin(connection: Connection, topics: Topics) -> Iterator[Start]:
    """Start a detector on this test's topics; it is stopped at the end."""
    with detectors(connection, topics) as start:
        yield start


@pytest.fixture(scope="session", autouse=True)
def no_spark_left(own_state: Path) -> Iterator[None]:
    """End Spark's JVM after the last test."""
    yield
    stop_spark()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs Java where there is none: tests marked `java`, and all that use the broker."""
    needing = [
        item
        for item in items
        if item.get_closest_marker("java") or {"embedded_broker", "secured"} & {*getattr(item, "fixturenames", ())}
    ]
    if not needing:
        return
    try:
        find_java()
    except JavaNotFound as reason:
        for item in needing:
            item.add_marker(pytest.mark.skip(reason=str(reason)))
