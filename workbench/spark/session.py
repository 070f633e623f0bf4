"""The Spark sessions of this process, and the one JVM behind them. No topics, no queries."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from workbench.errors import DetectorError, SetupError
from workbench.machine.folders import open_log, state_dir
from workbench.machine.jars import jars
from workbench.machine.java import find_java, log4j_option
from workbench.spark import internals
from workbench.spark.class_archive import java_option
from workbench.spark.cluster import is_cluster, is_on_loopback

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["CONNECTOR_VERSION", "SPARK_VERSION", "spark_session", "stop_spark"]

# The two versions differ on purpose. Spark 4.3 is the first whose real-time mode runs a stateful query, and
# no Kafka connector has been published for it; the one of 4.2 works with it wherever the detector uses it
# (real-time and micro-batch reads, writes, restarts). The tests are what vouches for the pair.
SPARK_VERSION = "4.3.0"
CONNECTOR_VERSION = "4.2.0"

# Measured on 2 cores with other work on them, one run for each of seven sets of flags, so take it as a hint. Processor
# time up to the first verdict: parallel collector 34 s, serial 24 s, serial with the optimising compiler starting eight
# times later 19 s. Memory of the driver: 1.5 GB parallel, 0.7 GB serial. Once warm the late compiler may cost a tenth
# of the throughput (113 against 101 us of processor time a click). With the first compiler alone it is less than half.
#
# Sizes: by default the heap begins with a 64th of the machine's memory (24 GiB) and is collected when that is full: the
# driver grew to 950 MB in 20 minutes at 1,000 clicks/s. With these it stays at 860 from the 13th on. And on the way
# to 180 MB of classes five full collections took 0.5 s, of which 0.2 s while clicks were judged.
_JAVA_OPTIONS = (
    "-Xms220m -Xmn120m -XX:MetaspaceSize=256m "
    "-XX:+UseSerialGC -XX:Tier4InvocationThreshold=40000 -XX:Tier4MinInvocationThreshold=5000 "
    "-XX:Tier4CompileThreshold=80000 -XX:Tier4BackEdgeThreshold=320000"
)

_guard = threading.RLock()
_sessions: dict[frozenset[tuple[str, str]], SparkSession] = {}
"""The sessions of the JVM that runs, by all their settings. Empty when there is none that the workbench started."""


def spark_session(
    slots: int,
    master: str | None = None,
    conf: Mapping[str, object] | None = None,
    java_options: str = _JAVA_OPTIONS,
) -> SparkSession:
    """A Spark session with these settings; the same one for the same settings, as long as its JVM runs.

    The sessions of a process share one JVM. Where only settings of queries differ from those of the running ones, a
    session beside them has them. Where the JVM itself is to be another one, the one that runs is ended and a new one
    started. Neither is done while a query runs: it may need all the slots.

    Spark's log goes to `state_dir()/logs/spark-<pid>.log`, not to the notebook. Python keeps its own Ctrl-C: Spark's
    would cancel every job, and so the detector, when a notebook's cell is interrupted.

    Parameters
    ----------
    slots
        Tasks that can run at once (`local[slots]`), at least: a JVM that runs and has more is taken. A real-time query
        holds one for each source and shuffle partition.
    master
        A cluster's master URL instead of this process; `slots` is not used then. The memory of its executors, its
        cores and its secrets come from `spark-defaults.conf` in the folder that the variable SPARK_CONF_DIR names.
    conf
        Further Spark settings; they win over the ones made here.
    java_options
        JVM flags of the driver, and of a cluster's executors.

    Raises
    ------
    SetupError
        No Java, an altered jar, or Spark does not start.
    DetectorError
        The running session has other settings and still runs a query.
    """
    if master is None and slots < 1:
        raise DetectorError(f"slots must be at least 1, got {slots}")
    with _guard:
        _drop_what_ended()
        settings = _settings(max(slots, _slots_there()), master, conf or {}, java_options)
        asked = frozenset(settings.items())
        if asked in _sessions:
            return _sessions[asked]
        for there, session in _sessions.items():
            if session.streams.active:
                changed = sorted({key for key, _ in asked ^ there})
                raise DetectorError(
                    f"Spark already runs a query in this process, with another {', '.join(changed)}. "
                    "Fix: stop that detector first (one real-time query per process)"
                )
        found = _beside(settings)
        if found is None:
            stop_spark()
            found = _start(settings)
        _sessions[asked] = found
        return found


def stop_spark(timeout_s: float = 20.0) -> None:
    """Stop the sessions and end their JVM. Nothing happens when there is none.

    Parameters
    ----------
    timeout_s
        How long the JVM has to end; it is killed then.
    """
    with _guard:
        if _sessions:
            _end(timeout_s)


def _slots_there() -> int:
    """How many task slots the JVM that runs in this process has; 0 where there is none, or a cluster has them."""
    master = dict(next(iter(_sessions), ())).get("spark.master", "")
    found = re.fullmatch(r"local\[(\d+)\]", master)
    return int(found[1]) if found else 0


def _beside(settings: dict[str, str]) -> SparkSession | None:
    """Another session in the JVM that runs; None where there is none, or these settings want another JVM."""
    if not _sessions:
        return None
    before, first = next(iter(_sessions.items()))
    changed = {key for key, _ in frozenset(settings.items()) ^ before}
    if not all(first.conf.isModifiable(key) for key in changed):
        return None
    session = first.newSession()  # with the settings of the first one
    for key in changed:
        if key in settings:
            session.conf.set(key, settings[key])
        else:
            session.conf.unset(key)
    return session


def _end(timeout_s: float = 20.0) -> None:
    """End pyspark's JVM, stopping its sessions first if there are any."""
    from py4j.protocol import Py4JError

    gateway, process, session = internals.gateway(), internals.jvm_process(), internals.session()
    if gateway is not None and process is not None:
        with contextlib.suppress(Py4JError, OSError):  # the JVM may be on its way out, or gone: see below
            if session is not None and process.poll() is None:
                session.stop()
            gateway.shutdown()
        if process.stdin is not None:
            process.stdin.close()  # Spark's gateway ends when its standard input does
        try:
            process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    internals.forget_jvm()
    _sessions.clear()


def _drop_what_ended() -> None:
    """Tidy up behind a JVM or sessions that are gone. Raises SetupError where somebody else's session runs."""
    process, context = internals.jvm_process(), internals.context()
    if _sessions and process is not None and process.poll() is not None:
        _end()  # its JVM died (killed, out of memory)
    elif context is None:
        if internals.gateway() is not None:  # stopped by the notebook with session.stop(): its JVM is still there
            _end()
    elif not _sessions:
        raise SetupError(
            f"a Spark session that the workbench did not start runs in this process ({context.master}). "
            "Fix: stop it with spark.stop() or restart the kernel"
        )


def _settings(slots: int, master: str | None, conf: Mapping[str, object], java_options: str) -> dict[str, str]:
    gigabytes = min(3.0, psutil.virtual_memory().total / 2**30 / 2)
    settings: dict[str, object] = {
        "spark.app.name": "click-fraud-workbench",
        "spark.master": master or f"local[{slots}]",
        "spark.driver.memory": f"{int(gigabytes * 1024)}m",
        "spark.driver.extraJavaOptions": f"{java_options} {shlex.quote(log4j_option())}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # That a task runs is told when it begins. By default it may be the next heartbeat, up to 10 s later.
        "spark.ui.liveUpdate.period": "0ms",
        "spark.sql.adaptive.enabled": "false",
        # Else each call that builds an expression makes five more, to tell the JVM which line of Python it is from.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": state_dir() / "warehouse",
        # How long a row may wait in the shuffle for others: the default costs 30 ms of the median latency.
        "spark.shuffle.streaming.networkBufferMaxWaitTimeMs": 2,
    }
    if is_on_loopback(master):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if is_cluster(master):  # without the driver's settings of the log: that file is not there
        settings["spark.executor.extraJavaOptions"] = java_options
    return {key: str(value) for key, value in {**settings, **conf}.items()}


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables while pyspark starts its JVM, which takes its environment from here."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _listen_on_loopback(jvm: Any) -> None:
    """Make "any address" mean 127.0.0.1 in this JVM, for whatever listens without naming one.

    Each task of a real-time query that runs in it opens a port for the shuffle on any address, asks nobody who connects
    for a password, and has no setting for that (StreamingShuffleWriter in Spark 4.3). What it tells the readers is
    spark.driver.host, which is 127.0.0.1. Connections to elsewhere are not touched: they name no address of their own.
    The executors of a cluster are other JVMs, which this does not reach.
    """
    held = jvm.java.lang.Class.forName("java.net.InetAddress").getDeclaredField("impl")
    held.setAccessible(True)
    impl = held.get(None)
    anywhere = impl.getClass().getDeclaredField("anyLocalAddress")
    anywhere.setAccessible(True)
    anywhere.set(impl, jvm.java.net.InetAddress.getByName("127.0.0.1"))


def _start(settings: dict[str, str]) -> SparkSession:
    java = find_java()
    connector = [str(path) for path in jars("spark")]
    home = importlib.util.find_spec("pyspark")
    if home is None or home.origin is None:
        raise SetupError(f"pyspark {SPARK_VERSION} is not installed. Fix: make setup")
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    changes = {
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(Path(home.origin).parent),  # not the one of another Spark on this machine
        "PYSPARK_PYTHON": sys.executable,
        # By default glibc keeps memory apart for each thread that RocksDB allocated from: some 150 MB in the end.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
    }
    loopback = is_on_loopback(settings["spark.master"])
    if loopback:
        changes["SPARK_LOCAL_IP"] = "127.0.0.1"
    conf = SparkConf(loadDefaults=False).setAll([*settings.items()])
    options = f"{settings['spark.driver.extraJavaOptions']} {java_option(java)}"
    conf.set("spark.driver.extraJavaOptions", options.strip())
    if is_cluster(settings["spark.master"]):
        conf.set("spark.jars", ",".join(connector))
    else:  # on the class path: only classes of that can be archived
        conf.set("spark.driver.extraClassPath", os.pathsep.join(connector))
    interrupt = signal.getsignal(signal.SIGINT)
    with open_log(f"spark-{os.getpid()}.log") as log, _environment(changes):
        popen: dict[str, Any] = {"stdout": log, "stderr": log}
        try:
            gateway = launch_gateway(conf, popen)
            if loopback:
                _listen_on_loopback(gateway.jvm)
            SparkContext(conf=conf, gateway=gateway)
            return SparkSession.builder.getOrCreate()
        except (PySparkException, Py4JError, OSError) as error:
            reason = " ".join(str(error).split())[:200]  # now: the text of a Java exception is in its JVM
            _end()
            raise SetupError(
                f"Spark did not start with Java {java.version} ({reason}). Its log: {log.name}. "
                "Fix: `workbench doctor` checks Java, memory and the jars"
            ) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, interrupt)
