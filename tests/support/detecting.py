"""Detectors of a test, the clicks they are to judge, and waiting for what they do. No tests here."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import oracle
import pytest
from oracle import Record
from polling import until

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.detector.handle import Detector, detect
from workbench.detector.judging import Judging
from workbench.rule import Rule

Start = Callable[..., Detector]
SLOTS = 6
"""Task slots of the run's Spark: what a detector takes whose clicks have two partitions."""
CONF = {
    "spark.sql.shuffle.partitions": 2,
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
    ),
}
"""Settings of a session that shares the JVM with detectors: the second cannot be changed while a JVM runs."""


@contextlib.contextmanager
def detectors(connection: Connection, topics: Topics, **settings: Any) -> Iterator[Start]:
    """What starts detectors on these topics; they are stopped at the end."""
    started: list[Detector] = []

    def start(rule: Rule = Rule(), **options: Any) -> Detector:
        options = {"topics": topics, "starting": "earliest", "checkpoint_every": "5s", **settings, **options}
        started.append(detect(rule, connection, **options))
        return started[-1]

    try:
        yield start
    finally:
        for handle in started:
            handle.stop()


def held_back(patch: pytest.MonkeyPatch) -> threading.Event:
    """Detectors start as ever, but their queries only when this event is set; one that is stopped before has none."""
    go, start = threading.Event(), Judging.start

    def start_then(judging: Judging) -> None:
        until(lambda: go.is_set() or judging.ending.is_set())
        start(judging)

    patch.setattr(Judging, "start", start_then)
    return go


def send(connection: Connection, topics: Topics, records: list[Record]) -> None:
    ensure_topics(connection, topics)
    oracle.send(connection.bootstrap, topics.clicks, records)
