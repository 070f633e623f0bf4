"""The Spark session: one per process, quiet, and unharmed by Ctrl-C.

Short sibling: tests/spark/test_session.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from detecting import CONF, SLOTS
from pyspark.sql import SparkSession

from workbench.errors import DetectorError, JavaNotFound, SetupError
from workbench.machine.folders import state_dir
from workbench.spark import internals
from workbench.spark.session import SPARK_VERSION, spark_session, stop_spark

pytestmark = pytest.mark.java


@pytest.fixture
def no_session() -> Iterator[None]:
    """Begin without a session and leave none."""
    stop_spark()
    yield
    stop_spark()


def jvms() -> list[psutil.Process]:
    """The Spark JVMs that this process started."""
    living = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in living if "org.apache.spark.deploy.SparkSubmit" in child.cmdline()]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a terminal: a shell that starts the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_a_running_query_is_unharmed_by_ctrl_c_and_keeps_its_session(spark: SparkSession) -> None:
    assert len(jvms()) == 1
    query = spark.readStream.format("rate").load().writeStream.format("noop").start()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert query.isActive
    with pytest.raises(DetectorError, match=r"already runs a query.*another spark\.master"):
        spark_session(SLOTS + 1)
    assert query.isActive
    query.stop()
    assert spark.range(10).count() == 10
    assert len(jvms()) == 1


def test_other_settings_of_queries_need_no_other_jvm_and_each_session_keeps_its_own(spark: SparkSession) -> None:
    (jvm,) = jvms()
    before = spark.conf.get("spark.sql.shuffle.partitions")
    conf = {**CONF, "spark.sql.shuffle.partitions": 7, "spark.sql.streaming.minBatchesToRetain": 5}
    other = spark_session(SLOTS, conf=conf)
    assert other.conf.get("spark.sql.shuffle.partitions") == "7"
    assert spark.conf.get("spark.sql.shuffle.partitions") == before
    assert spark_session(SLOTS, conf=CONF) is spark
    assert spark_session(SLOTS - 1, conf=CONF) is spark  # it has more slots than that
    again = {"spark.sql.streaming.minBatchesToRetain": 5, **CONF, "spark.sql.shuffle.partitions": 7}
    assert spark_session(SLOTS, conf=again) is other
    assert jvms() == [jvm]
    query = other.readStream.format("rate").load().writeStream.format("noop").start()
    with pytest.raises(DetectorError, match=r"already runs a query.*another spark\.sql\.shuffle\.partitions"):
        spark_session(SLOTS, conf={**CONF, "spark.sql.shuffle.partitions": 3})
    query.stop()


@pytest.mark.usefixtures("spark")
def test_only_the_loopback_is_listened_on() -> None:
    anywhere = internals.gateway().jvm.java.net.ServerSocket(0)  # as the shuffle of a real-time query listens
    assert anywhere.getInetAddress().isLoopbackAddress()
    (jvm,) = jvms()
    ports = [c.laddr.ip for c in jvm.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert ports
    assert {ip.removeprefix("::ffff:") for ip in ports} == {"127.0.0.1"}
    anywhere.close()


@pytest.mark.long
@pytest.mark.own_jvm
@pytest.mark.usefixtures("ctrl_c", "no_session")
def test_one_session_serves_until_its_settings_change_and_a_running_query_keeps_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    session = spark_session(3)
    assert session.version == SPARK_VERSION
    assert session.sparkContext.master == "local[3]"
    assert signal.getsignal(signal.SIGINT) is handler
    assert spark_session(3) is session
    assert len(jvms()) == 1
    (first,) = jvms()

    query = session.readStream.format("rate").load().writeStream.format("noop").start()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert query.isActive
    with pytest.raises(DetectorError, match=r"already runs a query.*another spark\.master"):
        spark_session(4)
    assert query.isActive
    query.stop()

    other = spark_session(4, conf={"spark.sql.shuffle.partitions": 7})
    assert other.sparkContext.master == "local[4]"
    assert other.conf.get("spark.sql.shuffle.partitions") == "7"
    assert not first.is_running()
    assert other.range(10).count() == 10
    stop_spark()
    assert jvms() == []
    assert capfd.readouterr() == ("", "")  # all of Spark's own words are in its log
    assert (state_dir() / "logs" / f"spark-{os.getpid()}.log").exists()


@pytest.mark.long
@pytest.mark.own_jvm
@pytest.mark.usefixtures("no_session")
def test_a_session_that_was_stopped_or_whose_jvm_died_is_replaced() -> None:
    spark_session(2).stop()
    session = spark_session(2)
    assert session.range(3).count() == 3
    (jvm,) = jvms()
    jvm.kill()
    jvm.wait(30)
    assert spark_session(2).range(3).count() == 3


@pytest.mark.long
@pytest.mark.own_jvm
@pytest.mark.usefixtures("no_session")
def test_a_session_of_somebody_else_is_left_alone() -> None:
    code = (
        "from pyspark.sql import SparkSession\n"
        "theirs = SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate()\n"
        "from workbench.spark.session import spark_session\n"
        "try: spark_session(2)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "print(theirs.range(4).count())\n"
        "theirs.stop()\n"
        "print(spark_session(2).range(5).count())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=250, check=False)
    told, theirs, ours = ran.stdout.splitlines()
    assert told.startswith("SetupError a Spark session that the workbench did not start runs")
    assert "local[1]" in told
    assert (theirs, ours) == ("4", "5")


@pytest.mark.own_jvm
@pytest.mark.usefixtures("no_session")
def test_a_jvm_that_does_not_start_is_one_line_with_its_log() -> None:
    with pytest.raises(
        SetupError, match=r"Spark did not start with Java \d+.*Its log: .*spark-\d+\.log\. Fix: "
    ) as failed:
        spark_session(2, java_options="-Xmx1k")
    assert "\n" not in str(failed.value)
    assert jvms() == []


@pytest.mark.own_jvm
@pytest.mark.usefixtures("no_session")
def test_without_java_spark_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JAVA_HOME", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JavaNotFound, match="install one"):
        spark_session(2)


@pytest.mark.parametrize("slots", [0, -1])
def test_a_session_needs_a_slot(slots: int) -> None:
    with pytest.raises(DetectorError, match=f"at least 1, got {slots}"):
        spark_session(slots)
