"""A Spark cluster as the detector sees it: its master, its executors and their task slots. The session is in `session`.

A real-time query holds a slot for each of its tasks for as long as it runs. Spark refuses to start one while it has
fewer free ones, and that is always so until the first executors have come: hence the waiting here.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from typing import TYPE_CHECKING

from workbench.errors import DetectorError
from workbench.spark import internals

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Cluster", "check_master", "is_cluster", "is_loopback", "is_on_loopback"]

_ANSWER_S = 5.0
_NO_EXECUTOR_S = 60.0
_SETTLED_S = 10.0  # executors of one cluster register within seconds of each other
_LOSS_IS_KNOWN_S = 5.0  # a task may fail a moment before the driver knows that an executor is gone
_STANDALONE = "spark://"


def is_cluster(master: str | None) -> bool:
    """Whether a master URL names executors in processes of their own.

    >>> is_cluster("spark://127.0.0.1:7077"), is_cluster("local[4]"), is_cluster(None)
    (True, False, False)
    """
    return master is not None and not master.startswith("local")


def is_on_loopback(master: str | None) -> bool:
    """Whether Spark runs on this machine alone: without a cluster, or with masters that are all on its loopback.

    >>> is_on_loopback("spark://127.0.0.1:7077"), is_on_loopback("spark://localhost:1,10.0.0.7:2")
    (True, False)
    """
    if not is_cluster(master):
        return True
    hosts = [host for host, _ in _addresses(master or "")]
    return bool(hosts) and all(is_loopback(host) for host in hosts)


def check_master(master: str | None) -> None:
    """Raise DetectorError where a standalone master's URL cannot be, or none answers: Spark would try for a minute."""
    if master is None or not master.startswith(_STANDALONE):
        return
    reasons = []
    for host, port in _addresses(master):
        try:
            if not host or not 0 < port < 65536:
                raise DetectorError(f"not the URL of a Spark master: {master!r}; expected spark://HOST:PORT")
            socket.create_connection((host, port), timeout=_ANSWER_S).close()
            return
        except OSError as error:
            reasons.append(f"{host}:{port}: {error.strerror or error}")
    raise DetectorError(
        f"no Spark master answers ({'; '.join(reasons)}). Fix: start it, or name the URL that its log and its page show"
    )


def _addresses(master: str) -> list[tuple[str, int]]:
    """Host and port of each master of a standalone cluster; port 0 where there is none that can be."""
    if not master.startswith(_STANDALONE):
        return []
    found = []
    for address in master.removeprefix(_STANDALONE).split(","):
        host, _, port = address.rpartition(":")
        found.append((host.strip("[]"), int(port) if port.isascii() and port.isdigit() else 0))
    return found


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Cluster:
    """The executors of a session on a cluster. One thread at a time.

    Parameters
    ----------
    session
        A session whose master is a cluster's.
    """

    def __init__(self, session: SparkSession) -> None:
        self._context = session.sparkContext
        self._seen: set[str] = set()

    def slots(self) -> int:
        """Tasks that its executors can run at once, whether they are busy or not."""
        spark = internals.java_context(self._context)
        return int(spark.maxNumConcurrentTasks(spark.resourceProfileManager().defaultResourceProfile()))

    def note_executors(self) -> None:
        """Take note of the executors that are there."""
        self._seen |= self._executors()

    def has_lost_one(self) -> bool:
        """Whether an executor is gone that was there; waits a little for the news. Each loss counts once."""
        deadline = time.monotonic() + _LOSS_IS_KNOWN_S
        while not (gone := self._seen - self._executors()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        self._seen -= gone
        return True

    def wait_for_slots(self, needed: int, ending: threading.Event, settled_s: float | None = None) -> None:
        """Wait until there are task slots enough.

        Parameters
        ----------
        needed
            How many.
        ending
            Ends the waiting when it is set.
        settled_s
            How long after the last change in their number to give up.

        Raises
        ------
        DetectorError
            It names the slots needed and those there.
        """
        patience = _SETTLED_S if settled_s is None else settled_s
        since, found = time.monotonic(), self.slots()
        while found < needed and not ending.wait(0.1):
            now = self.slots()
            if now != found:
                since, found = time.monotonic(), now
            allowed_s = max(patience, _NO_EXECUTOR_S) if found == 0 else patience
            if time.monotonic() - since > allowed_s:
                raise DetectorError(self._too_few(needed, found, allowed_s))
        self.note_executors()

    def _too_few(self, needed: int, found: int, allowed_s: float) -> str:
        where = f"the Spark cluster {self._context.master}"
        if found == 0:
            memory = self._context.getConf().get("spark.executor.memory", "1g")
            return (
                f"{where} gave no executor within {allowed_s:.0f} s; the detector needs {needed} task slots. Fix: see "
                f"on the master's page that workers are alive with cores and {memory} of memory free, and that they "
                f"can reach this machine as {self._context.getConf().get('spark.driver.host')}"
            )
        return (
            f"{where} has {found} task slots, and the detector needs {needed}: one for each partition of the clicks "
            f"topic and one for each shuffle partition. Fix: give it {needed - found} more cores, or clicks of fewer "
            "partitions"
        )

    def _executors(self) -> set[str]:
        names = internals.java_context(self._context).getExecutorIds().mkString(",")
        return set(filter(None, names.split(",")))
