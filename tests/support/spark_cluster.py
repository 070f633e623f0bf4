"""A Spark cluster of this machine for the tests: a standalone master and its workers, all told to use the loopback."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import time
from pathlib import Path
from typing import Self

import psutil
from ports import free_port

from workbench.machine.java import find_java

_UP_S = 60.0


class SparkCluster:
    """Starts a master, and workers with `slots` task slots each; `down()` ends whatever is left of them.

    folder: for logs and what the workers keep.
    """

    def __init__(self, folder: Path, workers: int = 2, slots: int = 4) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        port = free_port()
        self.url = f"spark://127.0.0.1:{port}"
        try:
            self._java("master", "master.Master", "--host", "127.0.0.1", "--port", str(port))
            self._until("master", "I have been elected leader")
            self.workers = [self._worker(number, slots) for number in range(workers)]
            for number in range(workers):
                self._until(f"worker-{number}", "Successfully registered with master")
        except BaseException:
            self.down()
            raise

    def _worker(self, number: int, slots: int) -> subprocess.Popen[bytes]:
        size = ("--cores", str(slots), "--memory", "1g", "--work-dir", str(self._folder / f"work-{number}"))
        return self._java(f"worker-{number}", "worker.Worker", "--host", "127.0.0.1", *size, self.url)

    def _java(self, name: str, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        java, spec = find_java(), importlib.util.find_spec("pyspark")
        assert spec is not None
        assert spec.origin is not None
        home = Path(spec.origin).parent
        environ = {**os.environ, "JAVA_HOME": str(java.home), "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
        environ["SPARK_SCALA_VERSION"] = "2.13"  # as Spark's own scripts set it
        flags = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx192m", "-Dspark.master.rest.enabled=false"]
        command = [str(java.path), *flags, "-cp", f"{home}/jars/*", f"org.apache.spark.deploy.{main}", *arguments]
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                [*command, "--webui-port", "0"], env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._processes[name] = process
        return process

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _until(self, name: str, said: str) -> None:
        log, deadline = self._log(name), time.monotonic() + _UP_S
        while said not in (text := log.read_text("utf-8", errors="replace")):
            assert self._processes[name].poll() is None, text[-2000:]
            assert time.monotonic() < deadline, f"{log} does not say {said!r}"
            time.sleep(0.1)

    def executors(self, worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """The JVMs in which a worker's tasks run."""
        return [p for p in psutil.Process(worker.pid).children() if p.status() != psutil.STATUS_ZOMBIE]

    def processes(self) -> list[psutil.Process]:
        """Master and workers that live."""
        return [psutil.Process(process.pid) for process in self._processes.values() if process.poll() is None]

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """Let a worker and its executors vanish, as when its machine fails."""
        for process in [*self.executors(worker), psutil.Process(worker.pid)]:
            process.kill()
        worker.wait(30)

    def down(self) -> None:
        """End workers first, for they end their executors; then the master."""
        for process in reversed(self._processes.values()):
            with contextlib.suppress(psutil.NoSuchProcess):
                left = psutil.Process(process.pid).children() if process.poll() is None else []
                process.terminate()
                psutil.wait_procs(left, timeout=10)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
