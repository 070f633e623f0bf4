"""Spark's side of the detector, with Spark's own handles played: what is asked of it, and what its failures become."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_detector import CONNECTION

from workbench.detector import streaming
from workbench.detector.settings import DetectorSettings
from workbench.detector.streaming import RunningQuery, SparkEngine, start_query
from workbench.errors import DetectorError
from workbench.rule import Rule
from workbench.spark import internals


class Query:
    """As much of a StreamingQuery as is used; it has one job of one stage."""

    runId = "run-1"

    def __init__(self, tasks: list[int], failure: Exception | None = None, reports: list[Any] | None = None) -> None:
        self.tasks, self.failure, self.recentProgress = tasks, failure, reports or []
        self.isActive = failure is None
        self.stops = 0

    def exception(self) -> Exception | None:
        return self.failure

    def stop(self) -> None:
        self.isActive, self.stops = False, self.stops + 1

    def statusTracker(self) -> Any:
        def tasks(number: int) -> Any:
            return SimpleNamespace(numActiveTasks=self.tasks.pop(0) if len(self.tasks) > 1 else self.tasks[0])

        return SimpleNamespace(
            getJobIdsForGroup=lambda group: [1, 2] if group == self.runId else [],
            getJobInfo=lambda number: SimpleNamespace(stageIds=[7]) if number == 1 else None,
            getStageInfo=tasks,
        )


def running(query: Query, tasks: int = 4, went_on_from: Path | None = None) -> RunningQuery:
    return RunningQuery(cast(Any, query), query, tasks, went_on_from)


def test_all_tasks_run_once_as_many_are_active() -> None:
    query = running(Query([0, 3, 4]))
    assert [query.all_tasks_run for _ in range(3)] == [False, False, True]


def test_a_query_that_runs_passes_and_one_that_ended_says_why() -> None:
    running(Query([4])).check()
    cause = ValueError("it broke\n\tat java.lang.Thread.run")
    with pytest.raises(DetectorError, match=r"the query failed: it broke\. Spark's log is in ") as raised:
        running(Query([0], cause)).check()
    assert raised.value.__cause__ is cause
    ended = Query([0])
    ended.stop()
    with pytest.raises(DetectorError, match="it ended without being asked to"):
        running(ended).check()


def test_one_that_failed_before_its_first_checkpoint_names_the_checkpoint_that_it_went_on_from(tmp_path: Path) -> None:
    failure = ValueError("no such file")
    with pytest.raises(DetectorError, match=f"go on from the checkpoint {tmp_path}: if that is damaged"):
        running(Query([0], failure), went_on_from=tmp_path).check()
    with pytest.raises(DetectorError, match="no such file") as raised:
        running(Query([0], failure, reports=["one"]), went_on_from=tmp_path).check()
    assert "checkpoint" not in str(raised.value)


def test_the_deepest_cause_is_told_beside_what_spark_says(monkeypatch: pytest.MonkeyPatch) -> None:
    outer, middle, inner = ValueError("task failed"), ValueError("lost"), ValueError("connection reset\nat java")
    causes: dict[BaseException | None, BaseException | None] = {outer: middle, middle: inner}
    monkeypatch.setattr(internals, "cause", causes.get)
    with pytest.raises(DetectorError, match=r"the query failed: task failed \(connection reset\)\."):
        running(Query([0], outer)).check()


def test_stopping_waits_until_no_task_is_left_and_gives_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    query = Query([4, 2, 0])
    running(query).stop()
    assert query.tasks == [0]
    running(query).stop()
    assert query.stops == 1
    monkeypatch.setattr(streaming, "_ENDED_S", 0.0)
    with pytest.raises(DetectorError, match="tasks of the query still ran"):
        running(Query([1])).stop()


class Writer:
    """Takes every setting of a stream writer, and notes them."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.said: dict[str, Any] = {}
        self.failure = failure

    def __getattr__(self, name: str) -> Any:
        def say(*args: Any, **options: Any) -> Writer:
            self.said[name if name != "option" else args[0]] = options or args[-1]
            return self

        return say

    def start(self) -> Query:
        if self.failure:
            raise self.failure
        return Query([4])


def rows(writer: Writer) -> Any:
    return SimpleNamespace(writeStream=writer, sparkSession=SimpleNamespace(sparkContext=None))


def test_a_query_is_in_real_time_mode_with_a_batch_as_long_as_checkpoints_are_apart(tmp_path: Path) -> None:
    writer = Writer()
    start_query(rows(writer), CONNECTION, tmp_path / "0", timedelta(seconds=7.5), 4).check()
    assert writer.said["trigger"] == {"realTime": "7500 milliseconds"}
    assert writer.said["outputMode"] == "update"
    assert writer.said["checkpointLocation"] == str(tmp_path / "0")
    assert writer.said["options"] == CONNECTION.spark()


def test_a_query_that_does_not_start_is_one_line_and_names_a_checkpoint_that_was_there(tmp_path: Path) -> None:
    failing = rows(Writer(RuntimeError("in the way\n\tat org.apache.spark")))
    with pytest.raises(DetectorError, match=r"^the query did not start: in the way\. Spark's log"):
        start_query(failing, CONNECTION, tmp_path / "0", timedelta(seconds=5), 4)
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "metadata").touch()
    with pytest.raises(DetectorError, match=f"go on from the checkpoint {tmp_path}"):
        start_query(failing, CONNECTION, tmp_path / "0", timedelta(seconds=5), 4)


class Cluster:
    """A cluster with too little room."""

    def __init__(self, session: Any) -> None:
        pass

    def wait_for_slots(self, needed: int, ending: threading.Event, settled_s: float | None = None) -> None:
        raise DetectorError(f"too few slots: {needed}")


def settings(master: str | None = None) -> DetectorSettings:
    return DetectorSettings(rule=Rule(), connection=CONNECTION, master=master)


def test_a_session_has_a_slot_for_each_task_and_two_to_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(streaming, "spark_session", lambda *args: asked.append(args))
    ending = threading.Event()
    ending.set()  # nothing is planned then
    engine = SparkEngine(settings(), partitions=3)
    assert engine.tasks == 6
    engine.open(ending)
    [(slots, master, conf)] = asked
    assert (slots, master) == (8, None)
    assert conf["spark.sql.shuffle.partitions"] == 3
    assert "FileSystemBased" in conf["spark.sql.streaming.checkpointFileManagerClass"]
    assert not engine.has_lost_executor()


def test_a_cluster_without_room_is_let_go_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(streaming, "spark_session", lambda *args: asked.append(args))
    monkeypatch.setattr(streaming, "Cluster", Cluster)
    monkeypatch.setattr(streaming, "stop_spark", lambda: asked.append("stopped"))
    with pytest.raises(DetectorError, match="too few slots: 4"):
        SparkEngine(settings("spark://there:7077"), partitions=2).open(threading.Event())
    (_, _, conf), stopped = asked
    assert stopped == "stopped"
    assert "spark.sql.streaming.checkpointFileManagerClass" not in conf  # renames may not be atomic on shared storage
