"""The jar lock: every byte is compared, and what is missing is fetched or named."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import JarMismatch, SetupError
from workbench.machine.jars import jar_lock, jars, missing_jars
from workbench.spark.session import CONNECTOR_VERSION

pytestmark = pytest.mark.java

NO_NETWORK = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9 -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9"


@pytest.fixture
def copied_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A jar cache of links to the real one: a test replaces the file that it alters."""
    real = {name: jars(name) for name in ("kafka", "spark")}
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    for name, paths in real.items():
        folder = tmp_path / "jars" / name
        folder.mkdir(parents=True)
        for path in paths:
            (folder / path.name).symlink_to(path)
    return tmp_path / "jars"


def test_the_lock_names_every_jar_once_with_size_and_sha256() -> None:
    for name in ("kafka", "spark"):
        lock = jar_lock(name)
        assert len({jar.file for jar in lock}) == len(lock)
        for jar in lock:
            assert jar.file == f"{jar.artifact}-{jar.version}.jar"
            assert jar.size > 0
            assert len(bytes.fromhex(jar.sha256)) == 32
    with pytest.raises(ValueError, match=r"'redpanda'.*\['kafka', 'spark'\]"):
        jar_lock("redpanda")


def test_the_connector_is_the_version_that_the_runtime_names() -> None:
    versions = {jar.version for jar in jar_lock("spark") if jar.group == "org.apache.spark"}
    assert versions == {CONNECTOR_VERSION}


@pytest.mark.parametrize("name", ["kafka", "spark"])
def test_a_second_run_needs_no_network(
    name: str, copied_cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", NO_NETWORK)
    assert [path.name for path in jars(name)] == [jar.file for jar in jar_lock(name)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("where", [0, 1000, -1])
def test_one_changed_byte_is_refused_with_the_file_both_digests_and_the_fix(copied_cache: Path, where: int) -> None:
    jar = jar_lock("spark")[0]
    path = copied_cache / "spark" / jar.file
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(JarMismatch) as refused:
        jars("spark")
    message = str(refused.value)
    assert str(path) in message
    assert jar.sha256 in message
    assert "delete the file" in message
    assert "\n" not in message


def test_a_truncated_jar_is_refused_with_both_sizes(copied_cache: Path) -> None:
    jar = jar_lock("kafka")[3]
    path = copied_cache / "kafka" / jar.file
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:1234])
    with pytest.raises(JarMismatch, match=rf"1,234 bytes.*{jar.size:,} bytes"):
        jars("kafka")


def test_without_a_network_a_missing_jar_is_named_and_nothing_half_fetched_stays(
    copied_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", NO_NETWORK)
    jar = jar_lock("spark")[1]
    (copied_cache / "spark" / jar.file).unlink()
    assert missing_jars("spark") == [jar]
    said: list[str] = []
    with pytest.raises(SetupError, match=rf"could not fetch 1 of 1 jars.*{jar.file}.*needs a network") as failed:
        jars("spark", say=said.append)
    assert "\n" not in str(failed.value)
    assert len(said) == 1
    assert sorted(p.name for p in copied_cache.iterdir()) == ["kafka", "spark", "spark.lock"]
