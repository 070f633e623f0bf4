"""Which Java is taken, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import JavaNotFound
from workbench.machine.java import Java, find_java, java_env


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
