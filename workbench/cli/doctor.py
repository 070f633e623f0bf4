"""What `workbench doctor` looks at: Java, jars, packages, widgets, broker, topics, disk, memory. It mends nothing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import psutil
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from workbench.broker.connection import BROKERS_VARIABLE, brokers_named
from workbench.broker.diagnosis import listens
from workbench.broker.embedded import DEFAULT_PORT, port_holder
from workbench.broker.security import SECURITY_VARIABLE
from workbench.broker.topic_settings import settings_of
from workbench.broker.topics import Connection, EmbeddedBroker, Topics, describe
from workbench.errors import TopicError, WorkbenchError
from workbench.machine.extras import Extra, how_to_install
from workbench.machine.folders import cache_dir, state_dir
from workbench.machine.jars import jar_lock, jars, missing_jars
from workbench.machine.java import find_java

__all__ = ["DISK_GB", "MEMORY_GB", "Check", "checks", "doctor"]

_DISTRIBUTION = "click-fraud-workbench"
_LOCK = Path(__file__).parents[2] / "requirements.lock"
_WIDGETS = {"anywidget": "anywidget", "ipywidgets": "@jupyter-widgets/jupyterlab-manager", "jupyterlab": None}
DISK_GB = 5.0
MEMORY_GB = 3.0  # Spark and the embedded broker together, while they work


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report: what was looked at, whether it is well, what was seen, what to do if not."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def doctor(brokers: str | None = None, topics: Topics = Topics()) -> bool:
    """Look at all that the workbench needs of this machine, and print what is well and what is not, with the fix.

    Parameters
    ----------
    brokers
        The broker to look at, as for `connect`.
    topics
        Of these that of the clicks is looked at, where it is there.

    Returns
    -------
    bool
        Whether all is well. Nothing is raised for what is not.
    """
    failed = 0
    for check in checks(os.environ, brokers, topics):
        print(f"{'ok    ' if check.ok else 'not ok'}  {check.name}: {check.detail}", flush=True)
        if not check.ok:
            failed += 1
            print(f"        fix: {check.fix}", flush=True)
    print("All is well." if not failed else f"{failed} not ok.", flush=True)
    return not failed


def checks(environ: Mapping[str, str], brokers: str | None = None, topics: Topics = Topics()) -> Iterator[Check]:
    """The checks, in the order in which things need each other, each made when it is asked for."""
    yield _java(environ)
    for name in ("kafka", "spark"):
        yield _jars(name)
    yield _packages()
    for package, extension in _WIDGETS.items() if _LOCK.exists() or _version("jupyterlab") else ():
        yield _widget(package, extension)
    yield _codecs()
    yield from _broker(environ, brokers, topics)
    yield _disk()
    yield _memory()


def _attempt(name: str, probe: Callable[[], str]) -> Check:
    """A check that is ok unless it raises; our messages carry their own fix."""
    try:
        return Check(name, True, probe())
    except WorkbenchError as error:
        problem, _, fix = str(error).partition(" Fix: ")
        return Check(name, False, problem, fix or "see the message")


def _java(environ: Mapping[str, str]) -> Check:
    def probe() -> str:
        java = find_java(environ)
        return f"{java.version}, {java.path}"

    return _attempt("Java", probe)


def _jars(name: str) -> Check:
    label = f"jars of {name}"
    if missing := missing_jars(name):
        return Check(
            label,
            False,
            f"{len(missing)} of {len(jar_lock(name))} are missing in {missing[0].path.parent}",
            "make setup fetches them (needs Java and a network, once)",
        )
    return _attempt(
        label, lambda: f"all {len(jars(name))} are byte for byte the locked ones, in {cache_dir() / 'jars'}"
    )


def _packages() -> Check:
    """Every package that the workbench was installed with, against its lock."""
    without = []
    if _LOCK.exists():
        source, wanted = "requirements.lock", _pins(_LOCK.read_text("utf-8").splitlines())
    else:  # installed without its source tree: the direct pins are what there is
        source, required = "the direct pins", importlib.metadata.requires(_DISTRIBUTION) or []
        wanted = _pins(required)
        for extra in get_args(Extra):
            brought = _pins(required, extra)
            if all(map(_version, brought.keys() - wanted.keys())):
                wanted |= brought
            else:
                without.append(extra)
    wrong = []
    for name, version in wanted.items():
        found = _version(name) or "missing"
        if found == "missing" or Version(found) != Version(version):
            wrong.append(f"{name} is {found}, locked {version}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return Check("packages", False, "; ".join(wrong[:3]) + more, "make setup (after git pull: make -B setup)")
    detail = f"Python {sys.version.split()[0]}, all {len(wanted)} packages as in {source}"
    return Check("packages", True, detail + (f"; without the extras {', '.join(without)}" if without else ""))


def _version(name: str) -> str | None:
    """The version that is installed, None where none is."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pins(lines: list[str], extra: str = "") -> dict[str, str]:
    """Name → version of each `name==version ; marker` that applies to this machine, with an extra or without."""
    pins = {}
    for line in lines:
        try:
            requirement = Requirement(line.split("#")[0].rstrip(" \\"))
        except InvalidRequirement:
            continue  # a hash, a comment or an empty line
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            for pin in requirement.specifier:
                if pin.operator == "==":
                    pins[requirement.name] = pin.version
    return pins


def _widget(package: str, extension: str | None) -> Check:
    """A widget needs its Python package and, in JupyterLab, the front-end extension that came with it."""
    version = _version(package)
    if version is None:
        return Check(package, False, "is not installed", f"{how_to_install('lab')}; in a checkout make setup")
    if extension is None:
        return Check(package, True, version)
    described = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / extension / "package.json"
    try:
        front_end = json.loads(described.read_text("utf-8"))["version"]
    except (OSError, ValueError, KeyError):
        return Check(
            package,
            False,
            f"{version}, but JupyterLab's extension {extension} is not at {described}",
            "make setup",
        )
    return Check(package, True, f"{version}, with JupyterLab's extension {extension} {front_end}")


def _codecs() -> Check:
    """What Spark reads is read here too: it brings its own codecs along, and the clients here need packages."""
    from workbench.broker.clients import CODECS  # not at the top: kafka-python takes a while

    if missing := [name for name, there in CODECS.items() if not there()]:
        fix = "make setup (without its source tree: pip install lz4 python-snappy zstandard)"
        return Check("codecs", False, f"records compressed by {', '.join(missing)} are read by Spark only", fix)
    return Check("codecs", True, f"{', '.join(CODECS)} are read here as by Spark")


def _broker(environ: Mapping[str, str], brokers: str | None, topics: Topics) -> Iterator[Check]:
    if brokers_named(environ, brokers) or environ.get(SECURITY_VARIABLE, "").strip():
        how = "the one you named" if brokers else f"named by {BROKERS_VARIABLE}"
        yield from _answers(lambda: Connection.from_env(environ, brokers=brokers), how, topics)
        return
    status = EmbeddedBroker().status()
    if (there := status.bootstrap) is not None:
        yield from _answers(lambda: Connection(there), f"the embedded one, {status.memory_mb} MB", topics)
        return
    busy = [port for port in (DEFAULT_PORT, DEFAULT_PORT + 1) if listens(f"127.0.0.1:{port}", 1.0)]
    if busy:
        taken = "; ".join(f"{port} by {port_holder(port)}" for port in busy)
        fix = f"end that process, or, if it is a Kafka broker, set {BROKERS_VARIABLE}=127.0.0.1:{busy[0]}"
        yield Check("ports", False, f"taken: {taken}", fix)
    else:
        yield Check("ports", True, f"{DEFAULT_PORT} and {DEFAULT_PORT + 1} are free for the embedded broker")
    yield Check("broker", True, "the embedded one does not run; it is started when it is needed")


def _answers(found: Callable[[], Connection], which: str, topics: Topics) -> Iterator[Check]:
    def probe() -> str:
        connection = found()
        connection.check()
        return f"{connection.bootstrap} answers ({which})"

    yield (answer := _attempt("broker", probe))
    if answer.ok:
        yield from _clicks(found(), topics.clicks)


def _clicks(connection: Connection, topic: str) -> Iterator[Check]:
    """The topic of clicks, where it is there: does it keep them, and who dates them."""
    try:
        held = describe(connection, [topic])[topic]
        settings = settings_of(connection, topic)
    except TopicError:
        return  # it is made when it is needed
    except WorkbenchError as error:
        yield Check("clicks", False, str(error), "see the message")
        return
    count = len(held.end)
    there = f"{topic} has {count} partition{'' if count == 1 else 's'}"
    if settings is None:
        yield Check("clicks", True, f"{there}; its settings may not be looked at by this user")
    elif settings.loses_clicks:
        yield Check("clicks", False, settings.loses_clicks, settings.keep_all)
    elif settings.dates_on_arrival:
        yield Check("clicks", True, f"{there}; {settings.dates_on_arrival}. To replay one: {settings.date_by_sender}")
    else:
        yield Check("clicks", True, f"{there}, and keeps each click")


def _disk() -> Check:
    place = state_dir()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    fix = f"free some space at {place}, or set WORKBENCH_STATE_DIR to a folder on another disk"
    return Check("disk", free >= DISK_GB, f"{free:.1f} GB free at {place} ({DISK_GB:g} are enough)", fix)


def _memory() -> Check:
    free = psutil.virtual_memory().available / 1e9
    fix = "end other programs: Spark and the embedded broker need it while they work"
    return Check("memory", free >= MEMORY_GB, f"{free:.1f} GB available ({MEMORY_GB:g} are enough)", fix)
