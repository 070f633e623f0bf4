"""The detector on a Spark cluster: a master and two workers of four slots each, in processes of their own.

Short sibling: tests/unit/spark/test_cluster.py
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import oracle
import psutil
import pytest
from detecting import Start, detectors
from polling import until
from spark_cluster import SparkCluster

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.detector.handle import detect
from workbench.errors import DetectorError
from workbench.rule import Rule
from workbench.spark import cluster as cluster_module
from workbench.spark.session import stop_spark

pytestmark = pytest.mark.java


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    with SparkCluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started
        stop_spark()  # the driver first: it would look for its executors


@pytest.fixture
def begin(connection: Connection, topics: Topics, cluster: SparkCluster) -> Iterator[Start]:
    """Start a detector on the cluster, on this test's topics; it is stopped at the end."""
    with detectors(connection, topics, master=cluster.url) as start:
        yield start


def listening(processes: list[psutil.Process]) -> list[str]:
    """The addresses at which these processes wait for connections, one for each port."""
    ports = [c for process in processes for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return [c.laddr.ip.removeprefix("::ffff:") for c in ports]


def reads_clicks(worker: subprocess.Popen[bytes], cluster: SparkCluster) -> bool:
    """Whether tasks of a worker read clicks. Only Spark's streaming shuffle, which they write to, does not ask where to
    listen."""
    return any(address != "127.0.0.1" for address in listening(cluster.executors(worker)))


@pytest.mark.long
@pytest.mark.own_jvm
def test_every_verdict_on_a_cluster_is_right_and_what_we_start_listens_on_the_loopback(
    connection: Connection, topics: Topics, begin: Start, cluster: SparkCluster
) -> None:
    records = oracle.hostile(20_000, seed=21, begin=datetime.now(UTC) - timedelta(seconds=20))
    ensure_topics(connection, topics)
    oracle.send(connection.bootstrap, topics.clicks, records)
    with begin() as handle:
        handle.wait_until_started()
        children = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
        ours = [p for p in children if "org.apache.spark.deploy.SparkSubmit" in p.cmdline()] + cluster.processes()
        assert len(ours) == 4  # driver, master, two workers
        assert set(listening(ours)) == {"127.0.0.1"}
        until(lambda: all(cluster.executors(worker) for worker in cluster.workers))  # one is enough for the start
        executors = [executor for worker in cluster.workers for executor in cluster.executors(worker)]
        assert len(executors) == 2
        # A port for each task that reads clicks, see `reads_clicks`.
        assert sum(address != "127.0.0.1" for address in listening(executors)) <= 2
        handle.wait_until_caught_up("180s")
        assert handle.progress.restarts == 0
    answer = oracle.compare(connection.bootstrap, topics)
    print(answer)
    assert answer.exact
    assert answer.clicks == 20_000
    assert answer.dead == {"malformed": sum(record.key == b"x" for record in records)}
    assert handle.progress.dropped_by_watermark == 0


@pytest.mark.long
@pytest.mark.own_jvm
def test_too_few_slots_are_told_with_their_numbers_instead_of_hanging(
    connection: Connection, topics: Topics, begin: Start
) -> None:
    ensure_topics(connection, topics, partitions=5)
    handle = begin()
    with pytest.raises(DetectorError, match=r"has 8 task slots, and the detector needs 10: .* 2 more cores"):
        handle.wait_until_started("120s")
    assert handle.state == "failed"


@pytest.mark.long
@pytest.mark.own_jvm
def test_a_cluster_without_room_for_an_executor_is_told_after_the_stated_wait(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.executor.memory 2g\n")  # the workers have 1g
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setattr(cluster_module, "_NO_EXECUTOR_S", 5.0)
    monkeypatch.setattr(cluster_module, "_SETTLED_S", 5.0)
    with pytest.raises(DetectorError, match=r"gave no executor within 5 s; .* 4 task slots\. .* 2g of memory free"):
        begin().wait_until_started("120s")


def test_a_master_that_does_not_answer_is_told_at_once(connection: Connection, topics: Topics) -> None:
    with pytest.raises(DetectorError, match=r"no Spark master answers \(127\.0\.0\.1:1: Connection refused\)"):
        detect(Rule(), connection, topics=topics, master="spark://127.0.0.1:1")
    with pytest.raises(
        DetectorError, match="not the URL of a Spark master: 'spark://here'; expected spark://HOST:PORT"
    ):
        detect(Rule(), connection, topics=topics, master="spark://here")


@pytest.mark.long
@pytest.mark.own_jvm
def test_verdicts_go_on_when_a_worker_and_then_an_executor_is_killed_and_none_is_missing_or_wrong(
    connection: Connection, topics: Topics, begin: Start, cluster: SparkCluster, caplog: pytest.LogCaptureFixture
) -> None:
    ensure_topics(connection, topics)
    enough = threading.Event()
    handle = begin().wait_until_started()
    records = oracle.hostile(150_000, seed=22, begin=datetime.now(UTC), per_second=500)
    arguments = connection.bootstrap, topics.clicks, records, enough
    sending = threading.Thread(target=oracle.send_live, args=arguments, daemon=True)
    sending.start()

    def until_restarted(times: int) -> None:
        until(lambda: handle.progress.restarts == times, 120)
        before = handle.progress.checkpoints
        until(lambda: handle.progress.checkpoints > before, 60)

    try:
        until(lambda: handle.progress.checkpoints >= 1 and handle.progress.verdicts > 2000)
        # All tasks may run on one worker, where its executor came first.
        gone, left = sorted(cluster.workers, key=lambda worker: not reads_clicks(worker, cluster))
        cluster.kill(gone)
        until_restarted(1)  # on the slots that are left
        (executor,) = cluster.executors(left)
        executor.kill()
        until_restarted(2)  # once the worker has started another one
    finally:
        enough.set()
        sending.join()
    handle.wait_until_caught_up("120s").stop()
    answer = oracle.compare(connection.bootstrap, topics)
    print(answer)
    assert answer.exact
    assert answer.clicks > 5000
    assert answer.records > answer.clicks + answer.revised  # what came since a checkpoint was judged again
    assert "2 restarts" in str(handle.progress)
    assert caplog.text.count("An executor was lost with its tasks") == 2
