"""Java: finding one that can run the JVMs, and what each JVM is started with. Starts none that stays."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from workbench.errors import JavaNotFound

__all__ = ["JAVA_VERSIONS", "Java", "find_java", "java_env", "log4j_option"]

JAVA_VERSIONS = (17, 21, 25)
_INSTALL_JAVA = (
    "install one (Debian: apt-get install openjdk-17-jre-headless; conda: conda install openjdk=17), or set JAVA_HOME"
)


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that can run the JVMs: the `java` program, its home and its major version."""

    path: Path
    home: Path
    version: int


def _probe(path: Path) -> Java:
    """Ask a program for its version. Raises JavaNotFound when it is no Java or not a supported one."""
    try:
        asked = subprocess.run(
            [str(path), "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JavaNotFound(f"{path} did not run ({error})") from error
    home = re.search(r"^\s*java\.home = (.+)$", asked.stderr, re.MULTILINE)
    version = re.search(r"^\s*java\.specification\.version = (?:1\.)?(\d+)", asked.stderr, re.MULTILINE)
    if home is None or version is None:
        raise JavaNotFound(f"{path} does not say which Java it is")
    if int(version[1]) not in JAVA_VERSIONS:
        raise JavaNotFound(f"{path} is Java {version[1]}")
    return Java(path, Path(home[1].strip()), int(version[1]))


def find_java(environ: Mapping[str, str] = os.environ) -> Java:
    """The first supported Java of JAVA_HOME, PATH and the conda prefix, in this order.

    Raises
    ------
    JavaNotFound
        None of them has one; the message says what each place held and what to install.
    """
    places: list[tuple[str, Path | str | None]] = [
        ("JAVA_HOME", environ.get("JAVA_HOME") and Path(environ["JAVA_HOME"], "bin", "java")),
        ("PATH", shutil.which("java", path=environ.get("PATH", ""))),
        (
            "CONDA_PREFIX",
            environ.get("CONDA_PREFIX") and Path(environ["CONDA_PREFIX"], "lib", "jvm", "bin", "java"),
        ),
        ("CONDA_PREFIX", environ.get("CONDA_PREFIX") and Path(environ["CONDA_PREFIX"], "bin", "java")),
    ]
    seen = []
    for name, path in places:
        if not path:
            continue
        try:
            return _probe(Path(path))
        except JavaNotFound as reason:
            seen.append(f"{name}: {reason}")
    found = "; ".join(seen) or "there is none in JAVA_HOME, PATH or CONDA_PREFIX"
    raise JavaNotFound(f"Java 17, 21 or 25 is needed; {found}. Fix: {_INSTALL_JAVA}")


def java_env(java: Java) -> dict[str, str]:
    """Environment of this process with JAVA_HOME set to `java`, for a child process."""
    return {**os.environ, "JAVA_HOME": str(java.home)}


def log4j_option() -> str:
    """The JVM option that makes a JVM log warnings and errors, and nothing else, to its standard error."""
    return f"-Dlog4j2.configurationFile={resources.files('workbench.machine') / 'log4j2.properties'}"
