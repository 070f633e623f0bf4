"""One set of versions: pyproject.toml, the lock, environment.yml, the jars and this installation agree."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from workbench.machine.java import JAVA_VERSIONS
from workbench.spark.session import SPARK_VERSION

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def pins(lines: list[str]) -> dict[str, str]:
    """Name → version of requirements that name exactly one."""
    found = {}
    for requirement in map(Requirement, lines):
        (pin,) = requirement.specifier
        assert pin.operator == "==", f"{requirement} is not pinned"
        found[requirement.name] = pin.version
    return found


def locked() -> dict[str, set[str]]:
    """Name → versions in the lock (more than one where a marker decides)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


DIRECT = pins([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])


def test_every_direct_dependency_is_locked_at_its_pin() -> None:
    lock = locked()
    assert {name: lock.get(name) for name in DIRECT} == {name: {version} for name, version in DIRECT.items()}


def test_every_locked_package_has_hashes_and_no_host_is_named() -> None:
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == sum(map(len, locked().values())) > len(DIRECT)
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in LOCK
    assert "index" not in LOCK.replace("--no-emit-index-url", "")


def test_the_conda_environment_has_the_same_pins() -> None:
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert text == runpy.run_path(str(ROOT / "tools" / "environment.py"))["environment"](PYPROJECT)
    assert pins(re.findall(r"^      - ([a-z].*)$", text, re.MULTILINE)) == DIRECT
    python = re.search(r"- python=(\S+)", text)
    java = re.search(r"- openjdk=(\d+)", text)
    assert python is not None
    assert java is not None
    assert PROJECT["requires-python"] == f">={python[1]}"
    assert int(java[1]) in JAVA_VERSIONS


def test_what_is_installed_is_what_is_pinned() -> None:
    wrong = {
        name: found
        for name, version in DIRECT.items()
        if Version(found := importlib.metadata.version(name)) != Version(version)
    }
    assert wrong == {}


def test_spark_is_the_version_that_the_runtime_names_and_pandas_stays_below_3() -> None:
    assert DIRECT["pyspark"] == SPARK_VERSION
    assert Version(DIRECT["pandas"]) < Version("3")


def test_the_shell_check_and_the_package_want_the_same_java() -> None:
    script = (ROOT / "tools" / "system.sh").read_text("utf-8")
    assert f" in {' | '.join(map(str, JAVA_VERSIONS))}) return 0" in script


def test_ci_runs_what_a_developer_runs() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert commands == ["set -eu", 'cd "$(dirname "$0")/.."', "exec make test"]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {"run", "test", "lab", "clean", "lock", "setup"} <= set(targets)


@pytest.mark.parametrize(
    "module",
    [
        "rule",
        "clicks.record",
        "clicks.files",
        "clicks.traffic",
        "charts.figures",
        "cli.doctor",
        "broker.topics",
        "spark.session",
    ],
)
def test_a_module_is_imported_without_java_and_without_starting_spark(module: str) -> None:
    code = f"import sys, workbench.{module}; print([*{{'pyspark', 'kafka'}} & {{*sys.modules}}])"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout == "[]\n"
