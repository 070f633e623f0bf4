"""The disk under the checkpoint is full: the detector says so, and where; when there is room again it is exact.

Short sibling: tests/faults/test_disk_full.py
"""

from __future__ import annotations

import itertools
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashing import clicks_coming, hold_exact, outcomes, until_first_outcome
from detecting import Start
from polling import until

from workbench.broker.topics import Connection, Topics
from workbench.errors import DetectorError

SEED = 20261126


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"a disk to fill cannot be mounted: {error}")
    if mounted.returncode != 0:
        pytest.skip(f"a disk to fill cannot be mounted: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing more goes on it; the file to delete."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.writelines(itertools.repeat(bytes(4096)))
    return ballast


@pytest.mark.long
@pytest.mark.java
def test_a_disk_that_fills_up_is_named_and_when_there_is_room_nothing_is_lost(
    connection: Connection, topics: Topics, begin: Start, small_disk: Path
) -> None:
    state = small_disk / "state"
    with clicks_coming(connection, topics, SEED) as clicks:
        running = begin(checkpoint=state).wait_until_started()
        until(lambda: running.progress.checkpoints >= 1)
        ballast = fill(small_disk)
        until(lambda: running.state == "failed", 120)
        print(running.error)
        named = rf"the disk is full: .*{re.escape(str(state))} cannot be written \(\d\.\d MB free of 64\.0\)"
        with pytest.raises(DetectorError, match=named):
            running.wait_until_caught_up()
        running.stop()  # it lets go of the checkpoint only once it has cleaned up
        ballast.unlink()
        before, since = outcomes(connection, topics), time.monotonic()
        again = begin(checkpoint=state)
        seconds = until_first_outcome(connection, topics, before, since)
        clicks.end()
        again.wait_until_caught_up("120s")
        assert again.progress.dropped_by_watermark == 0
    hold_exact(
        connection,
        topics,
        clicks,
        fault="disk full under the checkpoint",
        injected="1 full disk",
        survived="no, told; started again",
        seconds=seconds,
    )


@pytest.mark.java
def test_no_detector_starts_with_a_checkpoint_on_a_full_disk(begin: Start, small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(DetectorError, match=r"the disk is full: .* \(0\.0 MB free of 64\.0\)"):
        begin(checkpoint=small_disk / "state")
