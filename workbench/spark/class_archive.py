"""An archive of the classes that Spark's JVM loads, as an earlier JVM had them: read, verified, laid out. Starts none.

A fifth of a detector's start is the loading of thousands of classes. The JVM maps them from the archive instead ("class
data sharing"), and falls back to the jars where the archive is not of the same Java, jars and collector, or is damaged.
`workbench prepare` makes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from workbench.machine.folders import cache_dir
from workbench.machine.java import Java

__all__ = ["KEPT", "archive_path", "java_option", "recording"]

KEPT = 3
"""Archives that stay in the cache: each is of one Java and one installed Spark, and takes some 200 MB."""

_recorded: Path | None = None


def archive_path(java: Java) -> Path:
    """Where the archive of this Java and of the installed Spark lies, made or not."""
    spark = importlib.util.find_spec("pyspark")
    parts = [java.home / "lib" / "modules", Path(spark.origin).parent / "jars"] if spark and spark.origin else []
    seen = [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in parts if path.exists()]
    name = hashlib.sha256("\n".join([str(java.version), *seen]).encode()).hexdigest()[:16]
    return cache_dir() / "classes" / f"spark-{name}.jsa"


def java_option(java: Java) -> str:
    """The option, quoted, for Spark's JVM to use the archive, or inside `recording` to make it. Empty without one."""
    if _recorded is not None:
        return shlex.quote(f"-XX:ArchiveClassesAtExit={_recorded}")
    path = archive_path(java)
    return shlex.quote(f"-XX:SharedArchiveFile={path}") if path.exists() else ""


@contextlib.contextmanager
def recording(java: Java) -> Iterator[None]:
    """Archive, at its end, the classes of the JVM that Spark starts inside. It must end inside, too."""
    global _recorded
    path = archive_path(java)
    path.parent.mkdir(parents=True, exist_ok=True)
    _recorded = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        yield
        _recorded.replace(path)
        for old in sorted(path.parent.glob("*.jsa"), key=lambda p: p.stat().st_mtime, reverse=True)[KEPT:]:
            old.unlink(missing_ok=True)
    finally:
        _recorded.unlink(missing_ok=True)
        _recorded = None
