"""Folders, locks, logs, and which Java is taken."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.errors import JavaNotFound
from workbench.machine.folders import Java, cache_dir, find_java, java_env, locked, open_log, state_dir


def fake_java(folder: Path, version: str) -> Path:
    """A program that answers like the `java` of a version."""
    folder.mkdir(parents=True)
    program = folder / "java"
    program.write_text(
        f"#!/bin/sh\necho '    java.home = {folder.parent}' >&2\n"
        f"echo '    java.specification.version = {version}' >&2\n"
    )
    program.chmod(0o755)
    return program


def test_folders_follow_the_environment_when_asked_not_at_import(tmp_path: Path) -> None:
    environ = {"WORKBENCH_CACHE_DIR": str(tmp_path / "c"), "WORKBENCH_STATE_DIR": str(tmp_path / "s")}
    assert (cache_dir(environ), state_dir(environ)) == (tmp_path / "c", tmp_path / "s")
    assert cache_dir({}).name == state_dir({}).name == "click-fraud-workbench"


def test_java_home_comes_before_path_and_path_before_conda(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "home" / "bin", "21")
    path = fake_java(tmp_path / "path" / "bin", "17")
    conda = fake_java(tmp_path / "conda" / "lib" / "jvm" / "bin", "25")
    environ = {
        "JAVA_HOME": str(tmp_path / "home"),
        "PATH": f"{tmp_path / 'path' / 'bin'}:/usr/bin:/bin",
        "CONDA_PREFIX": str(tmp_path / "conda"),
    }
    assert find_java(environ) == Java(home, tmp_path / "home", 21)
    del environ["JAVA_HOME"]
    assert find_java(environ).path == path
    environ["PATH"] = str(tmp_path)
    assert find_java(environ) == Java(conda, tmp_path / "conda" / "lib" / "jvm", 25)


def test_a_java_of_another_version_is_passed_over_for_a_supported_one(tmp_path: Path) -> None:
    fake_java(tmp_path / "old" / "bin", "1.8")
    good = fake_java(tmp_path / "good" / "bin", "17")
    environ = {"JAVA_HOME": str(tmp_path / "old"), "PATH": f"{good.parent}:/usr/bin:/bin"}
    assert find_java(environ).path == good


def test_without_a_supported_java_the_error_says_what_is_there_and_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(JavaNotFound, match=r"none in JAVA_HOME, PATH or CONDA_PREFIX.*apt-get install openjdk"):
        find_java({"PATH": str(tmp_path)})
    fake_java(tmp_path / "old" / "bin", "11")
    with pytest.raises(JavaNotFound, match=r"JAVA_HOME: .*is Java 11.*PATH: .*did not run|JAVA_HOME: .*is Java 11"):
        find_java({"JAVA_HOME": str(tmp_path / "old"), "PATH": str(tmp_path)})
    with pytest.raises(JavaNotFound, match="did not run"):
        find_java({"JAVA_HOME": str(tmp_path / "absent"), "PATH": str(tmp_path)})


@pytest.mark.java
def test_the_java_of_this_machine_is_found_and_its_home_holds_it() -> None:
    java = find_java()
    assert java.version in (17, 21, 25)
    assert (java.home / "bin" / "java").exists()
    assert java_env(java)["JAVA_HOME"] == str(java.home)


def test_a_lock_keeps_another_process_out_until_it_is_released(tmp_path: Path) -> None:
    lock, mark = tmp_path / "deep" / "lock", tmp_path / "mark"
    code = (
        "import sys, pathlib; from workbench.machine.folders import locked\n"
        "print('ready', flush=True)\n"
        "with locked(pathlib.Path(sys.argv[1])): print(pathlib.Path(sys.argv[2]).exists())"
    )
    with locked(lock):
        other = subprocess.Popen([sys.executable, "-c", code, str(lock), str(mark)], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        mark.touch()
    said, _ = other.communicate(timeout=60)
    assert said == "True\n"


def test_only_the_newest_logs_of_a_kind_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_STATE_DIR", str(tmp_path))
    for number in range(4):
        with open_log(f"spark-{number}.log", keep=2) as log:
            log.write(b"x")
        os.utime(tmp_path / "logs" / f"spark-{number}.log", (time.time(), 1000 + number))
    open_log("other-1.log", keep=2).close()
    assert sorted(p.name for p in (tmp_path / "logs").iterdir()) == [
        "other-1.log",
        "spark-2.log",
        "spark-3.log",
    ]
