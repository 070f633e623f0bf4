"""Topics in memory and a query that is none: on them the detector's core is tested in milliseconds. No tests here."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError

from workbench.broker.topic_settings import TopicSettings
from workbench.broker.topics import Connection, Layout, Topics, TopicState
from workbench.clicks.record import TICK_KEY, TICK_VALUE
from workbench.detector import catch_up, judging, lost_clicks, positions, supervisor
from workbench.detector.checkpoint import Checkpoint
from workbench.detector.handle import Detector
from workbench.detector.judging import Judging, judged_at_start
from workbench.detector.positions import Positions
from workbench.detector.progress import ProgressLog
from workbench.detector.settings import DetectorSettings
from workbench.detector.supervisor import Supervisor
from workbench.errors import BrokerError, DetectorError
from workbench.rule import Rule

CONNECTION, TOPICS = Connection("127.0.0.1:1"), Topics()


@dataclass
class Kept:
    """One record in a partition."""

    offset: int
    timestamp: int
    key: bytes | None = b"s"
    value: bytes | None = b"{}"
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    hole: bool = False  # an offset that nobody who reads is given a record of


class FakeTopics:
    """The three topics of a workbench, of two partitions each. Any thread may call.

    away: while it is set, each request is refused.
    """

    def __init__(self, topics: Topics = TOPICS, partitions: int = 2) -> None:
        self.topics, self.away = topics, threading.Event()
        self.kept: dict[TopicPartition, list[Kept]] = {
            TopicPartition(topic, number): [] for topic in topics for number in range(partitions)
        }
        self.begin = dict.fromkeys(self.kept, 0)
        self.topic_id: str | None = "the first"
        self.settings: TopicSettings | None = TopicSettings(topics.clicks)
        self.ticks: list[dict[int, int]] = []

    def add(self, topic: str, partition: int = 0, timestamp: int = 1_000, **more: Any) -> int:
        """Append a record; its offset."""
        records = self.kept[TopicPartition(topic, partition)]
        records.append(Kept(len(records), timestamp, **more))
        return len(records) - 1

    def click(self, partition: int = 0, timestamp: int = 1_000) -> int:
        return self.add(self.topics.clicks, partition, timestamp)

    def tick(self, partition: int = 0, timestamp: int = 1_000) -> int:
        return self.add(self.topics.clicks, partition, timestamp, key=TICK_KEY, value=TICK_VALUE)

    def tombstone(self, partition: int = 0) -> int:
        return self.add(self.topics.clicks, partition, value=None)

    def gap(self, partition: int, offsets: int) -> None:
        """So many offsets that hold nothing: an aborted transaction and its mark."""
        for _ in range(offsets):
            self.add(self.topics.clicks, partition, hole=True)

    def verdict(self, partition: int, offset: int, timestamp: int = 1 << 45) -> None:
        """The verdict of the click there."""
        source = [("source", f"{partition}:{offset}".encode())]
        self.add(self.topics.verdicts, partition % 2, timestamp, headers=source)

    def judge_all(self) -> None:
        """A verdict for each click that has none, as the query would write them."""
        for place, clicks in self.kept.items():
            if place.topic == self.topics.clicks:
                verdicts = self.kept[TopicPartition(self.topics.verdicts, place.partition % 2)]
                done = {record.headers[0][1] for record in verdicts}
                for click in clicks:
                    is_click = click.key != TICK_KEY and click.value is not None and not click.hole
                    if is_click and f"{place.partition}:{click.offset}".encode() not in done:
                        self.verdict(place.partition, click.offset)

    def delete_before(self, partition: int, offset: int) -> None:
        """Do what retention does."""
        self.begin[TopicPartition(self.topics.clicks, partition)] = offset

    def add_partition(self) -> None:
        """One more of the clicks topic."""
        number = sum(place.topic == self.topics.clicks for place in self.kept)
        place = TopicPartition(self.topics.clicks, number)
        self.begin[place], self.kept[place] = 0, []

    def made_anew(self, topic_id: str | None = "the second") -> None:
        """Delete the clicks topic and make it anew."""
        self.topic_id = topic_id
        for place, records in self.kept.items():
            if place.topic == self.topics.clicks:
                records.clear()
                self.begin[place] = 0

    def delete_topic(self) -> None:
        self.kept = {place: records for place, records in self.kept.items() if place.topic != self.topics.clicks}

    def look(self) -> dict[str, Layout]:
        if self.away.is_set():
            raise BrokerError("the topics cannot be read: the broker is away")
        numbers: dict[str, list[int]] = {}
        for place in self.kept:
            numbers.setdefault(place.topic, []).append(place.partition)
        return {topic: Layout(sorted(some), self.topic_id) for topic, some in numbers.items()}

    def held(self) -> dict[str, TopicState]:
        """As `describe` gives it."""

        def of(topic: str, offsets: dict[TopicPartition, int]) -> dict[int, int]:
            return {place.partition: at for place, at in offsets.items() if place.topic == topic}

        ends = {place: len(records) for place, records in self.kept.items()}
        return {t: TopicState(of(t, self.begin), of(t, ends), self.topic_id) for t in self.topics}

    def watch(self, _: Connection, topics: Topics) -> FakeWatch:
        return FakeWatch(self)

    def begin_offsets(self, _: Connection, topic: str) -> dict[int, int]:
        if self.away.is_set():
            raise BrokerError("no broker answers")
        return {place.partition: at for place, at in self.begin.items() if place.topic == topic}

    def send_ticks(self, _: Connection, topic: str, at_ms: Mapping[int, int]) -> dict[int, int]:
        self.ticks.append(dict(at_ms))
        return {number: self.tick(number, ms) + 1 for number, ms in at_ms.items()}

    def consumer_at(self, _: Connection, at: dict[TopicPartition, int], most_bytes: int = 0) -> FakeConsumer:
        return FakeConsumer(self, dict(at))


class FakeWatch:
    """As much of a TopicWatch as the detector uses."""

    def __init__(self, held: FakeTopics) -> None:
        self.look = held.look

    def close(self) -> None:
        pass


class FakeConsumer:
    """As much of a KafkaConsumer as the detector uses."""

    def __init__(self, held: FakeTopics, at: dict[TopicPartition, int]) -> None:
        self._held, self._at = held, at
        self.closed = False

    def _answer(self) -> None:
        assert not self.closed
        if self._held.away.is_set():
            raise KafkaConnectionError("the broker is away")

    def assignment(self) -> set[TopicPartition]:
        return {*self._at}

    def assign(self, places: list[TopicPartition]) -> None:
        self._at = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._at[place] = offset

    def position(self, place: TopicPartition) -> int:
        return self._at[place]

    def end_offsets(self, places: list[TopicPartition], timeout_ms: int = 0) -> dict[TopicPartition, int]:
        self._answer()
        return {place: len(self._held.kept[place]) for place in places}

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        self._answer()
        return {place: self._held.begin[place] for place in places}

    def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Kept | None]:
        self._answer()
        return {
            place: next((r for r in self._held.kept[place] if r.timestamp >= ms and not r.hole), None)
            for place, ms in times.items()
        }

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Kept]]:
        self._answer()
        found = {}
        for place, at in self._at.items():
            first = max(at, self._held.begin[place])
            if records := self._held.kept[place][first : first + max_records]:
                self._at[place] = records[-1].offset + 1
                if records := [record for record in records if not record.hole]:
                    found[place] = records
        return found

    def close(self) -> None:
        self.closed = True


class FakeQuery:
    """A query that runs until it is stopped, or until a test makes it fail."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows
        self.all_tasks_run, self.stopped = True, False
        self.reports: list[Any] = []
        self.failure: Exception | None = None

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.stopped:
            raise DetectorError("the query failed: it ended without being asked to.")

    def stop(self) -> None:
        self.stopped = True


class FakeEngine:
    """Starts queries that are none, and may be told to fail.

    may_open: what it waits for before it has started. failures: raised by the next starts, one by one; None is none.
    lost: executors that are gone.
    """

    def __init__(self) -> None:
        self.may_open = threading.Event()
        self.may_open.set()
        self.tasks_run = True
        self.opened = threading.Event()
        self.failures: list[Exception | None] = []
        self.widened: list[int] = []
        self.queries: list[FakeQuery] = []
        self.lost = 0

    def open(self, ending: threading.Event) -> None:
        self.opened.set()
        while not self.may_open.wait(0.001) and not ending.is_set():
            pass

    def widen(self, partitions: int, ending: threading.Event) -> None:
        self.widened.append(partitions)

    def read(self, begin: Mapping[int, int]) -> Any:
        return dict(begin)

    def plan(self, clicks: Any, rule: Rule, hand_over: Any) -> Any:
        return clicks, rule, hand_over

    def start(self, rows: Any, folder: Path) -> FakeQuery:
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        self.queries.append(FakeQuery(rows))
        self.queries[-1].all_tasks_run = self.tasks_run
        return self.queries[-1]

    def note_executors(self) -> None:
        pass

    def has_lost_executor(self) -> bool:
        self.lost -= 1
        return self.lost >= 0

    def wait_for_slots(self, ending: threading.Event) -> None:
        pass


@dataclass
class Parts:
    """A detector of fakes, and what it is made of. Its thread runs once `supervisor.start()` is called."""

    topics: FakeTopics
    engine: FakeEngine
    checkpoint: Checkpoint
    positions: Positions
    log: ProgressLog
    judging: Judging
    supervisor: Supervisor
    handle: Detector

    def start(self) -> Detector:
        self.supervisor.start()
        return self.handle


@contextmanager
def parts(topics: FakeTopics, folder: Path, rule: Rule = Rule("10s", 3)) -> Iterator[Parts]:
    """A detector on these topics, beginning with their first records; nothing is left of it at the end."""
    settings = DetectorSettings(rule=rule, connection=CONNECTION, topics=topics.topics, checkpoint=folder / "state")
    with pytest.MonkeyPatch.context() as patch:
        for module in (positions, catch_up):
            patch.setattr(module, "consumer_at", topics.consumer_at)
        patch.setattr(positions, "TopicWatch", topics.watch)
        patch.setattr(lost_clicks, "begin_offsets", topics.begin_offsets)
        patch.setattr(supervisor, "send_ticks", topics.send_ticks)
        patch.setattr(supervisor, "_CHECK_EVERY_S", 0.001)
        patch.setattr(supervisor, "_TICK_EVERY_S", 0.0)
        patch.setattr(judging, "_SETTLED_S", 0.0)
        patch.setattr(catch_up, "_QUIET_S", 0.0)
        held = topics.held()
        clicks = held[settings.topics.clicks]
        identity = settings.identity(topics.topic_id, len(clicks.end))
        state = Checkpoint(settings.checkpoint, identity, scratch=folder, begin=dict.fromkeys(clicks.end, 0))
        begun = judged_at_start(state, settings.topics)
        where = Positions(CONNECTION, settings.topics, held)
        log = ProgressLog(settings.topics.clicks, begun.upto, where.outcomes())
        engine = FakeEngine()
        judge = Judging(settings, begun, state, where, log, cast(Any, engine))
        watch = Supervisor(settings, judge, where, log, state)
        try:
            yield Parts(topics, engine, state, where, log, judge, watch, Detector(settings, watch, judge, where, log))
        finally:
            engine.may_open.set()
            watch.stop()
            state.close()
