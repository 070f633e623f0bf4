"""A Spark cluster as the detector sees it, with its executors played: room for all tasks, losses, and its address."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from workbench.errors import DetectorError
from workbench.spark import cluster as module
from workbench.spark import internals
from workbench.spark.cluster import Cluster, check_master


class Played:
    """Spark's own context: how many slots there are, and which executors."""

    def __init__(self, slots: list[int]) -> None:
        self.slots, self.executors = slots, {"0"} if slots[0] else set()

    def resourceProfileManager(self) -> Any:
        return SimpleNamespace(defaultResourceProfile=lambda: "default")

    def maxNumConcurrentTasks(self, profile: str) -> int:
        assert profile == "default"
        return self.slots.pop(0) if len(self.slots) > 1 else self.slots[0]

    def getExecutorIds(self) -> Any:
        return SimpleNamespace(mkString=lambda comma: comma.join(sorted(self.executors)))


def cluster(played: Played, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(internals, "java_context", lambda context: played)
    conf = {"spark.executor.memory": "2g", "spark.driver.host": "127.0.0.1"}
    context = SimpleNamespace(master="spark://there:7077", getConf=lambda: conf)
    return Cluster(cast(Any, SimpleNamespace(sparkContext=context)))


def test_waiting_ends_as_soon_as_there_is_room_for_every_task(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played([0, 2, 4])
    cluster(played, monkeypatch).wait_for_slots(4, threading.Event())
    assert played.slots == [4]


def test_waiting_ends_without_room_where_the_detector_is_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    ending = threading.Event()
    ending.set()
    cluster(Played([0]), monkeypatch).wait_for_slots(4, ending)


def test_too_few_slots_are_counted_once_they_no_longer_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DetectorError, match=r"has 8 task slots, and the detector needs 10: .* 2 more cores"):
        cluster(Played([2, 8]), monkeypatch).wait_for_slots(10, threading.Event(), settled_s=0.0)


def test_a_cluster_that_gives_no_executor_has_longer_and_is_told_with_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_NO_EXECUTOR_S", 0.6)
    with pytest.raises(DetectorError, match=r"gave no executor within 1 s; .* 4 task slots\. .* 2g of memory free"):
        cluster(Played([0]), monkeypatch).wait_for_slots(4, threading.Event(), settled_s=0.0)


def test_each_executor_that_is_lost_counts_once_and_one_that_came_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOSS_IS_KNOWN_S", 0.0)
    played = Played([4])
    seen = cluster(played, monkeypatch)
    assert not seen.has_lost_one()
    played.executors = {"0", "1"}
    seen.note_executors()
    assert not seen.has_lost_one()
    played.executors = {"2"}
    seen.note_executors()
    assert seen.has_lost_one()
    assert not seen.has_lost_one()
    played.executors = set()
    assert seen.has_lost_one()


def test_a_master_that_does_not_answer_is_told_at_once_and_one_of_several_is_enough() -> None:
    check_master(None)
    check_master("local[4]")
    check_master("yarn")
    with pytest.raises(DetectorError, match=r"no Spark master answers \(127\.0\.0\.1:1: Connection refused\)"):
        check_master("spark://127.0.0.1:1")
    with socket.create_server(("127.0.0.1", 0)) as answers:
        check_master(f"spark://127.0.0.1:1,127.0.0.1:{answers.getsockname()[1]}")


@pytest.mark.parametrize("master", ["spark://here", "spark://:7077", "spark://here:0", "spark://here:port"])
def test_what_is_no_masters_url_is_refused(master: str) -> None:
    with pytest.raises(DetectorError, match=r"not the URL of a Spark master: .*; expected spark://HOST:PORT"):
        check_master(master)
