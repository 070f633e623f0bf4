"""The embedded broker's life: one per home, found again by anyone, gone when it is told to be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from ports import free_port
from processes import has_ended

from workbench.broker.topics import Connection, EmbeddedBroker, ensure_topics
from workbench.errors import BrokerError, JarMismatch
from workbench.machine.jars import jar_lock, jars

pytestmark = pytest.mark.java

UP_ELSEWHERE = (
    "import sys, pathlib; from workbench.broker.topics import EmbeddedBroker\n"
    "broker = EmbeddedBroker(pathlib.Path(sys.argv[1]), port=0); broker.up(); print(broker.status().pid)"
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker that has not been started, in a home whose name would upset a properties file."""
    broker = EmbeddedBroker(tmp_path / "ho me,é#", port=0)
    try:
        yield broker
    finally:
        broker.down()


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def listens(connection: Connection) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(connection.bootstrap.split(":")[1])), timeout=1).close()
    except OSError:
        return False
    return True


def test_two_processes_that_start_it_at_once_get_one_broker_which_outlives_them(
    broker: EmbeddedBroker,
) -> None:
    others = [
        subprocess.Popen([sys.executable, "-c", UP_ELSEWHERE, str(broker.home)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    pids = {other.communicate(timeout=200)[0] for other in others}
    assert [other.returncode for other in others] == [0, 0]
    status = broker.status()
    assert pids == {f"{status.pid}\n"}
    assert status.running
    assert status.since is not None
    assert status.memory_mb is not None
    assert status.memory_mb > 50
    connection = broker.up()
    assert connection.bootstrap == status.bootstrap
    assert broker.status().pid == status.pid
    assert ensure_topics(connection, ["kept"]) == {"kept": 2}

    broker.down()
    assert not listens(connection)
    assert not broker.status().running
    assert status.pid is not None
    assert has_ended(status.pid)
    broker.down()  # a second time: nothing to do

    connection = broker.up()
    assert ensure_topics(connection, ["kept"], strict=True, partitions=2) == {"kept": 2}
    killed = broker.status().pid
    assert killed is not None
    psutil.Process(killed).kill()  # the pid file stays
    assert eventually(lambda: not broker.status().running)
    broker.up()
    assert broker.status().pid not in (killed, None)


def test_a_running_broker_listens_on_the_loopback_only(embedded_broker: EmbeddedBroker) -> None:
    pid = embedded_broker.status().pid
    assert pid is not None
    listening = [c.laddr.ip for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert len(listening) == 2
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_its_log_holds_no_error_and_no_chatter(embedded_broker: EmbeddedBroker, connection: Connection) -> None:
    connection.check()
    log = embedded_broker.log.read_text("utf-8")
    assert "ERROR" not in log
    assert "SLF4J" not in log
    assert " INFO " not in log


@pytest.mark.parametrize(
    "record",
    [
        '{"pid": 2147483646, "create_time": 1.0, "port": 29092}',
        f'{{"pid": {os.getpid()}, "create_time": 1.0, "port": 29092}}',
        '{"pid": 12',
        "[]",
        "{}",
        "",
    ],
    ids=["dead", "another process", "half written", "a list", "empty object", "empty"],
)
def test_a_stale_pid_file_is_no_running_broker_and_ends_nobody(broker: EmbeddedBroker, record: str) -> None:
    broker.home.mkdir()
    (broker.home / "broker.json").write_text(record)
    assert not broker.status().running
    broker.down()
    assert not (broker.home / "broker.json").exists()
    assert psutil.pid_exists(os.getpid())


@pytest.mark.parametrize("taken", [0, 1], ids=["its own", "its controller's"])
def test_a_busy_port_is_named_with_the_process_that_has_it(tmp_path: Path, taken: int) -> None:
    with socket.socket() as holder:
        port = free_port()
        busy = port + taken
        holder.bind(("127.0.0.1", busy))
        holder.listen()
        broker = EmbeddedBroker(tmp_path, port=port)
        with pytest.raises(BrokerError) as failed:
            broker.up()
    message = str(failed.value)
    assert f"port {busy} is taken by" in message
    assert f"(pid {os.getpid()})" in message
    assert "--port" in message
    assert f"WORKBENCH_BROKERS=127.0.0.1:{busy}" in message
    assert not broker.status().running


@pytest.mark.parametrize("port", [-1, 80, 65535, 70000])
def test_a_port_that_cannot_be_is_quoted(port: int) -> None:
    with pytest.raises(BrokerError, match=f"{port}; expected 1024 to 65534"):
        EmbeddedBroker(port=port)


def test_a_crash_during_start_quotes_the_log_and_leaves_nothing(broker: EmbeddedBroker) -> None:
    (broker.home / "data").mkdir(parents=True)
    (broker.home / "data" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=99\n")
    with pytest.raises(BrokerError) as failed:
        broker.up()
    message = str(failed.value)
    assert "ended while it started" in message
    assert "99" in message  # Kafka's own reason
    assert str(broker.log) in message
    assert "\n" not in message
    assert not broker.status().running
    assert not (broker.home / "broker.json").exists()


def test_a_data_folder_that_cannot_be_prepared_quotes_the_log(broker: EmbeddedBroker) -> None:
    (broker.home / "data").mkdir(parents=True)
    (broker.home / "data" / "meta.properties").mkdir()
    (broker.home / "data" / "meta.properties.tmp").mkdir()
    with pytest.raises(BrokerError, match=r"ended while it started|could not prepare its data folder"):
        broker.up()


def test_an_altered_jar_is_refused_before_the_jvm_starts(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = jars("kafka")
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    folder = tmp_path / "jars" / "kafka"
    folder.mkdir(parents=True)
    for path in real[1:]:
        (folder / path.name).symlink_to(path)
    content = bytearray(real[0].read_bytes())
    content[len(content) // 2] ^= 0x80
    (folder / real[0].name).write_bytes(content)
    with pytest.raises(JarMismatch, match=jar_lock("kafka")[0].file):
        broker.up()
    assert not broker.log.exists()


def test_the_pid_file_is_plain_json_of_pid_start_time_and_port(embedded_broker: EmbeddedBroker) -> None:
    record = json.loads((embedded_broker.home / "broker.json").read_text())
    status = embedded_broker.status()
    assert record["pid"] == status.pid
    assert f"127.0.0.1:{record['port']}" == status.bootstrap
    assert record["create_time"] == psutil.Process(record["pid"]).create_time()
