"""What the tests share: one embedded broker and one Spark for a whole run, topics of their own for each test, and the
order in which they run."""

from __future__ import annotations

import collections
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from detecting import CONF, SLOTS, Start, detectors
from hypothesis import settings

from workbench.broker.topics import Connection, EmbeddedBroker, Topics, ensure_topics
from workbench.click_page.limits import Limits
from workbench.click_page.server import ClickServer
from workbench.errors import JavaNotFound
from workbench.machine.java import find_java
from workbench.spark.session import spark_session, stop_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
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
    """Start a click page on this test's topics, on a free port and without strict limits; it is stopped at the end."""
    from visitor import GENEROUS, KEY

    started: list[ClickServer] = []

    def start(limits: Limits = GENEROUS, **options: Any) -> ClickServer:
        ensure_topics(connection, topics)
        started.append(ClickServer(connection, topics, limits=limits, key=KEY, **options).start())
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def begin(connection: Connection, topics: Topics) -> Iterator[Start]:
    """Start a detector on this test's topics; it is stopped at the end."""
    with detectors(connection, topics) as start:
        yield start


@pytest.fixture
def spark(own_state: Path) -> SparkSession:
    """A session in the JVM that the run's detectors have too."""
    return spark_session(SLOTS, conf=CONF)


@pytest.fixture(scope="session", autouse=True)
def no_spark_left(own_state: Path) -> Iterator[None]:
    """End Spark's JVM after the last test."""
    yield
    stop_spark()


# --- which tests run, and in which order ----------------------------------------------------------------------------

ROOMS = ("spark", "faults", "notebooks", "browser", "broker", "unit")
"""In this order, so that with two processes one begins with Spark, and the other has all that is next."""
IN_SPARK = ("spark", "faults")
"""Their tests have one process, one JVM and one broker."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep in one process the tests of Spark, those in JupyterLab, and else those of a file."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file.startswith(tuple(f"tests/{room}/" for room in IN_SPARK)):
                return "spark"
            return "lab" if file.startswith("tests/browser/") and file.endswith("lab.py") else file

    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests in order, and skip what needs a Java that is not there."""
    items.sort(key=_place)
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


def _room(item: pytest.Item) -> str:
    """The folder below tests that a test is in; for the doctests of the package, that of its unit tests."""
    tests = Path(__file__).parent
    room = item.path.relative_to(tests).parts[0] if item.path.is_relative_to(tests) else ""
    return room if room in ROOMS else "unit"


def _place(item: pytest.Item) -> tuple[bool, bool, int]:
    """What Spark is for comes first. Last of that is what ends the JVM of the others."""
    room = _room(item)
    return room not in IN_SPARK, item.get_closest_marker("own_jvm") is not None, ROOMS.index(room)


# --- what a run tells at its end ------------------------------------------------------------------------------------

_left_out = pytest.StashKey[int]()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count the long tests that are left out."""
    if items:
        stash = items[0].config.stash
        stash[_left_out] = stash.get(_left_out, 0) + sum(item.get_closest_marker("long") is not None for item in items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the count to the process that tells it, where there is another one."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(_left_out, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take it: each process has left out the same tests."""
    node.config.stash[_left_out] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Where the time of a whole run went, by files; and how many long tests were left out."""
    if config.option.markexpr in ("long", "not long") and not config.option.collectonly:
        seconds: dict[str, float] = collections.defaultdict(float)
        tests = collections.Counter[str]()
        for report in (each for reports in terminalreporter.stats.values() for each in reports):
            if isinstance(report, pytest.TestReport):
                file = report.nodeid.partition("::")[0]
                seconds[file] += report.duration
                tests[file] += report.when == "call"
        most = None if config.option.markexpr == "long" else 10
        terminalreporter.section("where the time went" if most else "what ran")
        for file, took in sorted(seconds.items(), key=lambda each: -each[1])[:most]:
            terminalreporter.line(f"{took:7.1f} s  {tests[file]:4} tests  {file}")
    if left_out := config.stash.get(_left_out, 0):
        terminalreporter.line(f"{left_out} long tests were left out: make test-long runs them.")
