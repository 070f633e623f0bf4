"""The engines beside the detector: environments of their own, and each running as a process that can be watched.

What a run does with them is in `peer_runs`. An environment is made once, in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from workbench.broker.topics import Connection, Topics
from workbench.machine.folders import cache_dir, locked
from workbench.machine.jars import Jar, fetch
from workbench.machine.java import find_java, java_env

__all__ = ["ENGINES", "Engine", "EngineFailed", "Running"]

FOLDER = Path(__file__).resolve().parent / "peers"
FLINK_CONNECTOR = Jar(
    set="flink",
    group="org.apache.flink",
    artifact="flink-sql-connector-kafka",
    version="5.0.0-2.2",  # the newest; there is none yet that names 2.3
    file="flink-sql-connector-kafka-5.0.0-2.2.jar",
    size=10_666_527,
    sha256="5605c691d11a501382c383fecba37a7a552467da5ab7ba904ef5d6f3d62c5616",
)


class EngineFailed(Exception):
    """An engine could not be installed, ended by itself or wrote nothing; the message says which."""


@dataclass(frozen=True)
class Engine:
    """One way to do the job. `script` and `package` are None for the workbench's own detector."""

    name: str
    label: str
    keeps: str  # what is still known after a crash
    script: str | None = None
    package: str | None = None

    @property
    def requirements(self) -> Path:
        return FOLDER / f"requirements-{self.name}.txt"

    @property
    def version(self) -> str:
        """The version of the engine, from its requirements."""
        text = Path(__file__).parent.parent.joinpath("pyproject.toml") if self.package is None else self.requirements
        found = re.search(rf"^\W*{self.package or 'pyspark'}==([^\s\";]+)", text.read_text("utf-8"), re.MULTILINE)
        assert found is not None
        return found[1]

    def prepare(self) -> list[str]:
        """Install what is not there yet; the command that runs the engine, without topics. Raises EngineFailed."""
        if self.script is None:
            return [sys.executable, "-m", "workbench", "detect"]
        home = cache_dir() / "peers" / self.name
        wanted, stamp, python = self.requirements.read_text("utf-8"), home / "installed.txt", home / "bin" / "python"
        with locked(home.with_suffix(".lock")):
            if not stamp.exists() or stamp.read_text("utf-8") != wanted:
                print(f"Installing {self.label} {self.version} into {home}, once ...", flush=True)
                uv = str(Path(sys.executable).parent / "uv")
                _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)])
                _run([uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(self.requirements)])
                stamp.write_text(wanted, "utf-8")
        return [str(python), str(FOLDER / self.script)]

    def arguments(self, connection: Connection, topics: Topics) -> list[str]:
        """What names the broker and the topics on the engine's command line."""
        if self.script is None:
            named = {
                "--brokers": connection.bootstrap,
                "--clicks-topic": topics.clicks,
                "--verdicts-topic": topics.verdicts,
                "--dead-letter-topic": topics.dead_letters,
                "--from": "earliest",
            }
            return [text for pair in named.items() for text in pair]
        more = [str(flink_connector())] if self.name == "flink" else []
        return [connection.bootstrap, *topics, *more]


ENGINES = [
    Engine("pass-through", "pass-through", "nothing to keep", "pass_through.py", "confluent-kafka"),
    Engine("workbench", "this workbench (Spark)", "all, checkpoint every 60 s"),
    Engine("bytewax", "Bytewax", "all, recovery store every 60 s", "bytewax_rule.py", "bytewax"),
    Engine("flink", "Flink SQL", "all, checkpoint every 60 s", "flink_rule.py", "apache-flink"),
    Engine("pathway", "Pathway", "nothing: reads all again", "pathway_rule.py", "pathway"),
    Engine("quix", "Quix Streams", "all, changelog topic", "quix_rule.py", "quixstreams"),
]


def flink_connector() -> Path:
    """The jar with which Flink reads Kafka; fetched once. Raises SetupError where it cannot be."""
    with locked(FLINK_CONNECTOR.path.parent.with_suffix(".lock")):
        if not FLINK_CONNECTOR.path.exists():
            fetch("flink", [FLINK_CONNECTOR], print)
    return FLINK_CONNECTOR.path


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = [line.strip(" ╰├│─▶×") for line in ran.stderr.splitlines() if line.strip()]
        raise EngineFailed(f"not installed: {said[-1] if said else f'exit status {ran.returncode}'}")


@dataclass
class Running:
    """An engine's processes. `freeze` and `thaw` hold all of them still, so that a backlog can be written meanwhile."""

    engine: Engine
    process: psutil.Popen
    log: Path
    peak_bytes: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    @contextlib.contextmanager
    def start(cls, engine: Engine, connection: Connection, topics: Topics, log: Path) -> Iterator[Running]:
        """Run the engine until the block ends; its output goes to the file `log`."""
        command = [*engine.prepare(), *engine.arguments(connection, topics)]
        with log.open("wb") as out:
            process = psutil.Popen(
                command, stdout=out, stderr=out, start_new_session=True, cwd=log.parent, env=java_env(find_java())
            )
        running = cls(engine, process, log)
        watch = threading.Thread(target=running._watch)
        watch.start()
        try:
            yield running
        finally:
            running._over.set()
            watch.join()
            running.stop()

    def tree(self) -> list[psutil.Process]:
        try:
            return [self.process, *self.process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def freeze(self) -> None:
        for process in self.tree():
            process.suspend()

    def thaw(self) -> None:
        for process in self.tree():
            process.resume()

    def check(self) -> None:
        """Raise EngineFailed where the engine has ended."""
        if self.process.poll() is not None:
            lines = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
            raise EngineFailed(f"ended by itself: {lines[-1] if lines else 'without a word'}")

    def stop(self) -> None:
        tree = self.tree()
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.terminate()
        _, left = psutil.wait_procs(tree, timeout=20)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            used = 0
            for process in self.tree():
                with contextlib.suppress(psutil.NoSuchProcess):
                    used += process.memory_info().rss
            self.peak_bytes = max(self.peak_bytes, used)
