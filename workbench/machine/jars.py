"""The jar lock: which jars the two JVMs run, byte for byte, and how they get here. Starts neither JVM.

`jars.lock.json` names each jar by its Maven coordinates, size and SHA-256, in two sets: "kafka" is the
whole embedded broker, "spark" the Kafka connector (Spark itself comes with pyspark).
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from xml.sax.saxutils import quoteattr

from workbench.errors import JarMismatch, SetupError
from workbench.machine.folders import cache_dir, locked
from workbench.machine.java import find_java, java_env

__all__ = ["Jar", "fetch", "jar_lock", "jars", "missing_jars"]


@dataclasses.dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar: where it comes from (Maven coordinates), its file name, size in bytes and SHA-256."""

    set: str
    group: str
    artifact: str
    version: str
    file: str
    size: int
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies in the cache, once it is fetched."""
        return cache_dir() / "jars" / self.set / self.file


def jar_lock(name: str) -> list[Jar]:
    """The locked jars of the set `name`: "kafka" (the embedded broker) or "spark" (the Kafka connector)."""
    text = resources.files("workbench.machine").joinpath("jars.lock.json").read_text("utf-8")
    entries = [Jar(**entry) for entry in json.loads(text)]
    chosen = [jar for jar in entries if jar.set == name]
    if not chosen:
        raise ValueError(f"no jar set {name!r}: expected one of {sorted({jar.set for jar in entries})}")
    return chosen


def missing_jars(name: str) -> list[Jar]:
    """The jars of the set that are not in the cache yet."""
    return [jar for jar in jar_lock(name) if not jar.path.exists()]


def jars(name: str, say: Callable[[str], None] | None = None) -> list[Path]:
    """Paths of the jars of a set ("kafka" or "spark"), each compared with the lock; fetched first if missing.

    Reads every byte every time (43 MB, 0.1 s): it is called before each start of a JVM. `say` gets the one
    progress line of a fetch; by default it goes to standard error.

    Raises
    ------
    JarMismatch
        A jar is not, byte for byte, the locked one.
    SetupError
        A jar is missing and could not be fetched.
    """
    entries = jar_lock(name)
    if missing_jars(name):
        with locked(cache_dir() / "jars" / f"{name}.lock"):
            if missing := missing_jars(name):  # another process may have fetched them meanwhile
                fetch(name, missing, say or (lambda line: print(line, file=sys.stderr, flush=True)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda jar: _verify(jar, jar.path), entries))
    return [jar.path for jar in entries]


def _verify(jar: Jar, path: Path) -> None:
    with path.open("rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        digest = hashlib.file_digest(handle, "sha256").hexdigest() if size == jar.size else f"unread, {size:,} bytes"
    if digest != jar.sha256:
        raise JarMismatch(
            f"{path} is not the locked {jar.group}:{jar.artifact}:{jar.version}: SHA-256 {digest}, "
            f"expected {jar.sha256} ({jar.size:,} bytes). "
            "Fix: delete the file, it is fetched again; `workbench doctor` checks all of them"
        )


def fetch(name: str, wanted: list[Jar], say: Callable[[str], None]) -> None:
    """Fetch jars with the Ivy that pyspark ships: it needs no further program.

    Parameters
    ----------
    name
        What they are for, in errors.
    wanted
        Each is put where its `path` says, once it is found to be the locked one.
    say
        Gets one line, before it begins.

    Raises
    ------
    JarMismatch
        A jar is not, byte for byte, the locked one.
    SetupError
        A jar could not be fetched.
    """
    java = find_java()
    spec = importlib.util.find_spec("pyspark")
    ivy = next(Path(spec.origin).parent.glob("jars/ivy-*.jar"), None) if spec and spec.origin else None
    if ivy is None:
        raise SetupError("pyspark is not installed as it should be: no ivy jar in it. Fix: make setup")
    megabytes = sum(jar.size for jar in wanted) / 1e6
    say(f"Fetching {len(wanted)} jars ({megabytes:.0f} MB) into {wanted[0].path.parent}, once ...")
    wanted[0].path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir() / "jars", prefix="fetch-") as folder:
        work = Path(folder)
        (work / "ivy.xml").write_text(_ivy_module(name, wanted), "utf-8")
        (work / "settings.xml").write_text(_IVY_SETTINGS, "utf-8")
        command = [
            str(java.path),
            f"-Divy.default.ivy.user.dir={work}",
            "-cp",
            str(ivy),
            "org.apache.ivy.Main",
        ]
        command += [
            "-settings",
            str(work / "settings.xml"),
            "-ivy",
            str(work / "ivy.xml"),
            "-cache",
            str(work / "ivy"),
        ]
        command += ["-retrieve", f"{work}/out/[artifact]-[revision].[ext]", "-warn"]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=900, env=java_env(java), check=False)
        except subprocess.TimeoutExpired as error:
            raise SetupError(
                f"fetching the jars of {name!r} took over 15 minutes. Fix: see that the network works"
            ) from error
        absent = [jar for jar in wanted if not (work / "out" / jar.file).exists()]
        if absent:
            complaints = re.findall(
                r"^.*(?:Exception|ERROR|[Ee]rror|not found|failed).*$", ran.stdout + ran.stderr, re.MULTILINE
            )
            raise SetupError(
                f"could not fetch {len(absent)} of {len(wanted)} jars, the first is {absent[0].file} "
                f"(Ivy: {' '.join(complaints[0].split()) if complaints else f'exit status {ran.returncode}'}). "
                "Fix: the first run needs a network (a proxy: JAVA_TOOL_OPTIONS=-Dhttps.proxyHost=...)"
            )
        for jar in wanted:
            _verify(jar, work / "out" / jar.file)
            (work / "out" / jar.file).replace(jar.path)


# Checksums beside the files and POMs are not read: the lock names every jar and holds its SHA-256.
_IVY_SETTINGS = """<ivysettings>
  <property name="ivy.checksums" value=""/>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
"""


def _ivy_module(name: str, wanted: list[Jar]) -> str:
    dependencies = "\n".join(
        f"<dependency org={quoteattr(jar.group)} name={quoteattr(jar.artifact)} rev={quoteattr(jar.version)}"
        ' transitive="false" conf="default->*"/>'
        for jar in wanted
    )
    return (
        f'<ivy-module version="2.0"><info organisation="workbench" module={quoteattr(name)}/>'
        f'<configurations><conf name="default"/></configurations>'
        f"<dependencies>{dependencies}</dependencies></ivy-module>"
    )
