"""`workbench prepare`: what the JVMs need, got ready once, so that later starts need no network and are sooner done."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.cli.console import say
from workbench.cli.private import private_broker
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from argparse import Namespace

    from workbench.machine.java import Java

__all__ = ["prepare"]

_RATE = 500.0  # clicks a second
_EXIT_S = 120.0  # the JVM writes the archive when it ends


def prepare(args: Namespace) -> int:
    """Fetch the jars and archive Spark's classes, unless that is done. Without the archive all works, more slowly."""
    from workbench.machine.folders import locked
    from workbench.machine.jars import jars
    from workbench.machine.java import find_java
    from workbench.spark.class_archive import archive_path

    for name in ("kafka", "spark"):
        jars(name)
    java = find_java()
    path = archive_path(java)
    with locked(path.parent / "lock"):
        if not path.exists():
            say("Archiving Spark's classes, so that it starts sooner (half a minute, once) ...")
            try:
                _archive(java)
            except (WorkbenchError, OSError) as error:
                say(f"Going on without: {error}")
                return 0
    print(f"The jars are there, and Spark's classes ({path.stat().st_size / 1e6:,.0f} MB).")
    return 0


def _archive(java: Java) -> None:
    """Run a detector on a broker of its own, through a change of the rule: so its JVM loads what detectors need."""
    from workbench.broker import sender
    from workbench.broker.topics import Topics, ensure_topics
    from workbench.clicks.traffic import Traffic
    from workbench.detector.handle import detect
    from workbench.rule import Rule
    from workbench.spark.class_archive import recording
    from workbench.spark.session import stop_spark

    traffic, topics = Traffic(rate=_RATE, duration="8s"), Topics()
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(private_broker())
        ensure_topics(connection, topics)
        stack.enter_context(recording(java))
        stack.callback(stop_spark, _EXIT_S)
        with detect(Rule(), connection, topics=topics, checkpoint_every="5s") as handle:
            handle.wait_until_started()
            clicks = traffic.clicks(datetime.now(UTC))
            sender.send(clicks, connection, topic=topics.clicks).wait()
            handle.wait_until_caught_up()
            handle.apply(Rule("5s", 4))
