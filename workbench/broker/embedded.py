"""The embedded broker: one real Kafka node on 127.0.0.1 in a process of its own. No topics, no clients.

It outlives the notebook that started it, and any process of the same user finds it again through a file
with its pid and start time. One home folder is one broker, however often and from wherever it is started.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from workbench.broker.connection import BROKERS_VARIABLE, Connection
from workbench.errors import BrokerError
from workbench.machine.folders import locked, state_dir
from workbench.machine.jars import jars
from workbench.machine.java import find_java, java_env, log4j_option

__all__ = ["DEFAULT_PORT", "SERVER_PROPERTIES", "BrokerStatus", "EmbeddedBroker", "port_holder"]

DEFAULT_PORT = 29092
_START_S = 120.0  # up in 5 s on an idle machine
_STOP_S = 30.0

# Retention is by size, not by age: replayed clicks carry the times of a recorded log, and an age limit
# would delete them; for the same reason a segment is not closed by the time span it holds. Paths are
# relative to the broker's home, so that no character of it can upset Kafka's properties format.
SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=data
auto.create.topics.enable=false
num.partitions=2
log.message.timestamp.type=CreateTime
log.retention.ms=-1
log.retention.bytes=1073741824
log.segment.bytes=134217728
log.roll.hours=87600
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""

# Brokers that this process started: Python reaps them and does not warn that it left them running on purpose.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """Whether the embedded broker runs, and where; what only a running one has is None otherwise.

    Attributes
    ----------
    running : bool
        Whether it runs.
    pid : int or None
        Its process.
    bootstrap : str or None
        Where it listens, as "127.0.0.1:29092".
    home : Path
        The folder with its data.
    since : datetime or None
        When it was started, in UTC.
    memory_mb : float or None
        Memory its process has, in 10^6 bytes.
    log : Path
        The file it writes its log to.
    """

    running: bool
    pid: int | None
    bootstrap: str | None
    home: Path
    since: datetime | None
    memory_mb: float | None
    log: Path


class EmbeddedBroker:
    """The Kafka node of one home folder.

    Parameters
    ----------
    home
        Its data, log and pid file; `state_dir()/broker` by default.
    port
        Where it listens when it has to be started (the next port too, for its controller); 0 takes two free
        ones. A broker of this home that runs already is kept, on whatever port it is.
    """

    def __init__(self, home: Path | None = None, port: int = DEFAULT_PORT) -> None:
        if port != 0 and not 1024 <= port < 65535:
            raise BrokerError(f"not a port for the broker: {port}; expected 1024 to 65534, or 0 for a free one")
        self.home = (home or state_dir() / "broker").absolute()
        self.port = port
        self.log = self.home / "broker.log"
        self._pid_file = self.home / "broker.json"

    def __repr__(self) -> str:
        return f"EmbeddedBroker(home={str(self.home)!r}, port={self.port})"

    def up(self) -> Connection:
        """Start the broker unless it runs, wait until it answers, and say where it is.

        Raises
        ------
        BrokerError
            The port is taken, or the broker ended while it started; the message quotes its log.
        SetupError
            No Java, or a jar that is missing or altered.
        """
        with locked(self.home / "lock"):
            found = self._find()
            if found is None:
                found = self._start()
            process, connection = found
            self._wait_until_ready(process, connection)
            return connection

    def down(self) -> None:
        """End the broker and return when it is gone; its data stay. Nothing happens when it does not run."""
        with locked(self.home / "lock"):
            found = self._find()
            if found is not None:
                self._end(found[0])
            self._pid_file.unlink(missing_ok=True)

    def status(self) -> BrokerStatus:
        """Whether it runs, by the pid file and the process table; asks the broker nothing."""
        found = self._find()
        if found is not None:
            process, connection = found
            with contextlib.suppress(psutil.Error):  # it may end between two questions
                since = datetime.fromtimestamp(process.create_time(), UTC)
                memory_mb = round(process.memory_info().rss / 1e6, 1)
                return BrokerStatus(True, process.pid, connection.bootstrap, self.home, since, memory_mb, self.log)
        return BrokerStatus(False, None, None, self.home, None, None, self.log)

    def _find(self) -> tuple[psutil.Process, Connection] | None:
        """The running broker of this home. A pid file whose process is gone, or another by now, is stale."""
        try:
            record = json.loads(self._pid_file.read_text("utf-8"))
            process = psutil.Process(int(record["pid"]))
            if abs(process.create_time() - float(record["create_time"])) < 0.01 and not _gone(process):
                return process, Connection(f"127.0.0.1:{int(record['port'])}")
        except (FileNotFoundError, psutil.NoSuchProcess, ValueError, KeyError, TypeError):
            pass  # no pid file, half of one, or a dead pid: the broker does not run
        return None

    def _start(self) -> tuple[psutil.Process, Connection]:
        java = find_java()
        classpath = os.pathsep.join(str(path) for path in jars("kafka"))
        port, controller = _two_free_ports() if self.port == 0 else (self.port, self.port + 1)
        for wanted in (port, controller):
            _refuse_busy(wanted)
        (self.home / "data").mkdir(parents=True, exist_ok=True)
        (self.home / "server.properties").write_text(self._properties(port, controller), "utf-8")
        command = [str(java.path), "-Xmx512m", "-XX:+UseSerialGC", log4j_option(), "-cp", classpath]
        with self.log.open("wb") as log:
            if not (self.home / "data" / "meta.properties").exists():
                cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
                form = [
                    "kafka.tools.StorageTool",
                    "format",
                    f"--cluster-id={cluster}",
                    "--config",
                    "server.properties",
                ]
                made = subprocess.run(
                    [*command, *form], cwd=self.home, env=java_env(java), stdout=log, stderr=log, check=False
                )
                if made.returncode != 0:
                    raise self._crashed("could not prepare its data folder")
            child = subprocess.Popen(
                [*command, "kafka.Kafka", "server.properties"],
                cwd=self.home,
                env=java_env(java),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _children[child.pid] = child
        process = psutil.Process(child.pid)
        record = {"pid": child.pid, "create_time": process.create_time(), "port": port}
        fresh = self._pid_file.with_suffix(".new")
        fresh.write_text(json.dumps(record), "utf-8")
        fresh.replace(self._pid_file)
        return process, Connection(f"127.0.0.1:{port}")

    def _properties(self, port: int, controller: int) -> str:
        """Kafka's settings; of two lines for the same one it takes the last."""
        return SERVER_PROPERTIES.format(port=port, controller=controller)

    def _wait_until_ready(self, process: psutil.Process, connection: Connection) -> None:
        """Wait for the answer to a real request: an open port comes seconds before a broker that serves."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if _gone(process):
                self._pid_file.unlink(missing_ok=True)
                raise self._crashed("ended while it started")
            try:
                socket.create_connection(("127.0.0.1", int(connection.bootstrap.rpartition(":")[2])), timeout=1).close()
                connection.check()
                return
            except (OSError, BrokerError):
                time.sleep(0.1)
        self._end(process)
        self._pid_file.unlink(missing_ok=True)
        raise self._crashed(f"did not answer within {_START_S:.0f} s and was ended")

    def _crashed(self, what: str) -> BrokerError:
        return BrokerError(
            f"the embedded broker {what}: {_last_words(self.log)}. Its log: {self.log}. "
            f"Fix: mend that, or delete {self.home / 'data'} to begin with an empty broker"
        )

    def _end(self, process: psutil.Process) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            if not _wait_gone(process, _STOP_S):
                process.kill()
                _wait_gone(process, _STOP_S)


def _gone(process: psutil.Process) -> bool:
    """Whether the process has ended. One that its parent has not reaped yet has ended too."""
    child = _children.get(process.pid)
    if child is not None:
        if child.poll() is None:
            return False
        del _children[process.pid]
        return True
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait_gone(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (gone := _gone(process)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return gone


def _two_free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does: old connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BrokerError(
                f"port {port} is taken by {port_holder(port)}. Fix: end that process, choose another port "
                f"(`workbench broker up --port N`), or, if it is a Kafka broker, "
                f"set {BROKERS_VARIABLE}=127.0.0.1:{port}"
            ) from error


def port_holder(port: int) -> str:
    """The process that listens on a local port, as "java (pid 123)", as far as this user may see."""
    with contextlib.suppress(psutil.Error):
        for open_socket in psutil.net_connections("tcp"):
            if open_socket.status == psutil.CONN_LISTEN and open_socket.laddr.port == port and open_socket.pid:
                return f"{psutil.Process(open_socket.pid).name()} (pid {open_socket.pid})"
    return "another process"


def _last_words(log: Path) -> str:
    """The line of a JVM's log that says best why it ended: the last cause, else error, else line."""
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    for pattern in (
        r"Caused by: ",
        r"(Exception in thread .*?)?[\w.$]+(Exception|Error)\b",
        r".*\b(ERROR|FATAL|Error)\b",
    ):
        matching = [line for line in lines if re.match(pattern, line)]
        if matching:
            return matching[-1].removeprefix("Caused by: ")[:300]
    return lines[-1][:300] if lines else "it said nothing"
