"""A byte of a checkpoint changes on its disk. The detector says so, or judges on exactly: never wrong in silence.

By default a flip for each kind of file. WORKBENCH_FAULTS_FLIPS=200 makes as many, in 8 minutes or so;
WORKBENCH_FAULTS_SEED=7 makes others.

Short sibling: tests/faults/test_damaged_checkpoint.py
"""

from __future__ import annotations

import collections
import os
import random
import shutil
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import oracle
import pytest
from detecting import Start, detectors, send
from fault_table import row
from oracle import Record
from polling import until

from workbench.broker.topics import Connection, Topics, end_offsets
from workbench.detector.checkpoint import Checkpoint
from workbench.detector.hand_over import HandOver, Judged
from workbench.detector.sidecars import first_damaged
from workbench.errors import CheckpointMismatch, DetectorError
from workbench.rule import Rule

FLIPS = int(os.environ.get("WORKBENCH_FAULTS_FLIPS", "12"))
SEED = int(os.environ.get("WORKBENCH_FAULTS_SEED", "20261125"))

KINDS = {
    "workbench.json": "workbench.json",
    "offsets": "[0-9]/offsets/[0-9]*",
    "commits": "[0-9]/commits/[0-9]*",
    "first offsets": "[0-9]/sources/[0-9]/[0-9]*",
    "query's id": "[0-9]/metadata",
    "operator": "[0-9]/state/0/_metadata/metadata",
    "schema": "[0-9]/state/0/0/_metadata/schema",
    "changelog": "[0-9]/state/0/[0-9]/*.changelog",
    "snapshot": "[0-9]/state/0/[0-9]/*.zip",
    "table": "[0-9]/state/0/[0-9]/SSTs/*.sst",
    "checksum of state": "[0-9]/state/0/[0-9]/*.crc",
    "checksum of the rest": "[0-9]/*/.*.crc",
}
"""The files of a checkpoint by kind, as patterns."""


@dataclass
class Made:
    """A checkpoint with state, what was judged up to it, and clicks that came after it and wait to be judged."""

    connection: Connection
    topics: Topics
    folder: Path
    records: list[Record]
    said: dict[str, bool] = field(default_factory=dict)
    letters: set[tuple[int, int]] = field(default_factory=set)

    def ends(self) -> dict[str, dict[int, int]]:
        return {
            topic: end_offsets(self.connection, topic) for topic in (self.topics.verdicts, self.topics.dead_letters)
        }

    def take(self, since: dict[str, dict[int, int]]) -> tuple[dict[str, bool], set[tuple[int, int]]]:
        """The verdicts and dead letters written since then, on top of those before the checkpoint."""
        said = dict(self.said)
        for message in oracle.read(self.connection.bootstrap, self.topics.verdicts, since.get(self.topics.verdicts)):
            verdict = oracle.decoded(message)
            click_id = verdict["click_id"]
            said[click_id] = said.get(click_id, False) or verdict["fraudClick"] == "Yes"
        read = oracle.read(self.connection.bootstrap, self.topics.dead_letters, since.get(self.topics.dead_letters))
        letters = ((letter["partition"], letter["offset"]) for letter in map(oracle.decoded, read))
        return said, self.letters | set(letters)


@pytest.fixture(scope="module")
def made(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A checkpoint of a rule that took over from another, with a snapshot of its state and changes after that."""
    mark = f"damaged-{random.randrange(1 << 32):x}"
    topics = Topics(f"{mark}-clicks", f"{mark}-verdicts", f"{mark}-dead-letters")
    folder = tmp_path_factory.mktemp("damaged") / "state"
    records = oracle.hostile(6_000, SEED, datetime.now(UTC) - timedelta(seconds=40), per_second=200)
    found = Made(connection, topics, folder, records)
    # Each part has clicks of the whole time, so that what is judged last depends on all that was kept before.
    first, second, last = (records[part::3] for part in range(3))
    with detectors(connection, topics) as begin:
        send(connection, topics, [])
        with begin(Rule("10s", 4), checkpoint=folder) as handle:
            handle.apply(Rule("10s", 3))
            send(connection, topics, first)
            handle.wait_until_caught_up("60s")
            until(lambda: any(folder.glob(KINDS["snapshot"])), 300)  # Spark looks once a minute whether one is due
            send(connection, topics, second)
            handle.wait_until_caught_up("60s")
            done = handle.progress.checkpoints
            until(lambda: handle.progress.checkpoints >= done + 2)
    found.said, found.letters = found.take({})
    send(connection, topics, last)
    return found


def flip(folder: Path, kind: str, chance: random.Random) -> str:
    """Change one byte of a file of this kind, of the newest one as a rule; where it was."""
    files = sorted((path for path in folder.glob(KINDS[kind]) if path.stat().st_size), key=lambda p: p.stat().st_mtime)
    path = files[-1] if chance.random() < 0.7 else chance.choice(files)
    content = bytearray(path.read_bytes())
    place = chance.randrange(len(content))
    content[place] ^= chance.randrange(1, 256)
    path.write_bytes(content)
    return f"{path.relative_to(folder)} at {place:,} of {len(content):,}"


@pytest.mark.long
@pytest.mark.java
@pytest.mark.timeout(600 + 30 * FLIPS)
def test_a_flipped_byte_is_told_or_changes_no_verdict(made: Made, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}, {sum(1 for path in made.folder.rglob('*') if path.is_file())} files")
    clicks = oracle.read(made.connection.bootstrap, made.topics.clicks)
    malformed = sum(record.key == b"x" for record in made.records)
    outcomes: collections.Counter[str] = collections.Counter()
    missing = wrong = 0
    with detectors(made.connection, made.topics) as begin:
        for number in range(FLIPS):
            kind = list(KINDS)[number % len(KINDS)]
            copy = tmp_path / str(number)
            shutil.copytree(made.folder, copy)
            where = flip(copy, kind, chance)
            since = made.ends()
            told = judged_on(begin, copy)
            if told:
                print(f"{where}: {told}")
                assert str(copy) in told
                assert "fresh=True (--fresh)" in told
                outcomes["told"] += 1
            else:
                said, letters = made.take(since)
                good = [m for m in clicks if (m.partition(), m.offset()) not in letters]
                expected = oracle.truth(good, 10_000_000, 3)
                absent = [click_id for click_id in expected if click_id not in said]
                untrue = [click_id for click_id in said if said[click_id] != expected.get(click_id)]
                print(f"{where}: judged on; missing {absent[:3]}, wrong {untrue[:3]}")
                assert len(letters) == malformed
                missing, wrong = missing + len(absent), wrong + len(untrue)
                outcomes["exact"] += not absent and not untrue
            shutil.rmtree(copy)
    survived = f"{outcomes['told']} told, {outcomes['exact']} exact"
    row("byte of a checkpoint flipped", FLIPS, survived, missing, wrong)
    assert missing == wrong == 0
    assert outcomes.total() == FLIPS
    assert outcomes["told"] >= FLIPS // 3


def judged_on(begin: Start, checkpoint: Path) -> str:
    """Judge what waits, from this checkpoint on; what the detector says is wrong with it."""
    try:
        with begin(Rule("10s", 3), checkpoint=checkpoint) as handle:
            handle.wait_until_caught_up("60s")
    except DetectorError as error:
        return str(error)
    return ""


@pytest.mark.java
def test_a_flipped_byte_of_what_was_saved_last_is_told_and_the_sound_copy_goes_on(
    connection: Connection, topics: Topics, begin: Start, tmp_path: Path
) -> None:
    chance, state = random.Random(SEED), tmp_path / "state"
    print(f"seed {SEED}")
    records = oracle.hostile(2_000, SEED, datetime.now(UTC) - timedelta(seconds=12), per_second=200)
    send(connection, topics, records[::2])
    with begin(checkpoint=state) as handle:
        handle.wait_until_caught_up("120s")
        until(lambda: handle.progress.checkpoints >= 1)
    send(connection, topics, records[1::2])
    for kind in ("offsets", "operator"):
        copy = tmp_path / kind
        shutil.copytree(state, copy)
        where = flip(copy, kind, chance)
        told = judged_on(begin, copy)
        print(f"{where}: {told}")
        assert str(copy) in told
        assert "fresh=True (--fresh)" in told
    assert judged_on(begin, state) == ""
    answer = oracle.compare(connection.bootstrap, topics)
    assert answer.exact
    assert answer.clicks == 2_000


IDENTITY = {"rule": "4-in-20s", "clicks": "clicks", "partitions": 2, "late": "30s", "ahead": "10s"}
HAND_OVER = HandOver(
    7, Rule("10s", 3), Rule("20s", 4), Judged({0: 120, 1: 97}, {0: (122, 125)}, 1795553992767), {0: 20, 1: 1}, 10**15
)


@pytest.mark.parametrize("hand_over", [None, HAND_OVER], ids=["first rule", "hand-over"])
def test_every_flip_of_a_bit_in_what_a_checkpoint_says_of_itself_is_told(
    tmp_path: Path, hand_over: HandOver | None
) -> None:
    path = tmp_path / "state"
    made = Checkpoint(path, IDENTITY, scratch=tmp_path)
    if hand_over:
        made.take_over(hand_over)
    made.close()
    content = (path / "workbench.json").read_bytes()
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (path / "workbench.json").write_bytes(flipped)
        with pytest.raises(CheckpointMismatch, match=r"state.* .*fresh=True \(--fresh\)"):
            Checkpoint(path, IDENTITY, scratch=tmp_path)
    row("bit of workbench.json flipped", 8 * len(content), "all told", 0, 0)


@pytest.mark.parametrize(
    "content", [b"", b"v1\n{}\n{", b"v1\n{}\n7", b'v1\n{}\n{"clicks":7}', b'v1\n{}\n{"clicks":{"0":null}}', b"\xff"]
)
def test_offsets_that_cannot_be_read_are_told_before_anything_starts(tmp_path: Path, content: bytes) -> None:
    made = Checkpoint(tmp_path / "state", IDENTITY, scratch=tmp_path)
    for name in ("commits", "offsets"):
        (made.spark_path / name).mkdir(parents=True)
        (made.spark_path / name / "3").write_bytes(content)
    with pytest.raises(CheckpointMismatch, match=r"offsets in the checkpoint .*state are damaged .*fresh=True"):
        made.committed("clicks")
    made.close()


COMMIT = b'v2\n{"nextBatchWatermarkMs":0}'
COMMIT_SIDECAR = b"crc\0" + (512).to_bytes(4, "big") + zlib.crc32(COMMIT).to_bytes(4, "big")


def test_every_flip_of_a_bit_in_a_log_or_in_its_checksum_is_told(tmp_path: Path) -> None:
    log, sidecar = tmp_path / "commits" / "3", tmp_path / "commits" / ".3.crc"
    log.parent.mkdir()
    for path, content in ((log, COMMIT), (sidecar, COMMIT_SIDECAR)):
        log.write_bytes(COMMIT)
        sidecar.write_bytes(COMMIT_SIDECAR)
        assert first_damaged(tmp_path) is None
        for bit in range(8 * len(content)):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            if path == log or bit // 8 not in range(4, 8):  # one piece is one piece, however long it might be
                assert first_damaged(tmp_path) == log
        for length in range(len(content)):
            path.write_bytes(content[:length])
            assert first_damaged(tmp_path) == log
    row("bit of a log or of its checksum flipped", 8 * len(COMMIT + COMMIT_SIDECAR), "all told", 0, 0)


def test_what_a_crash_leaves_half_written_is_no_damage(tmp_path: Path) -> None:
    for name in ("commits/.3.b1946ac9.tmp", "state/0/1/000008-b1946ac9.sst"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(COMMIT[:5])
        path.with_name(f".{path.name}.crc").write_bytes(b"")
    (tmp_path / "commits" / "2").write_bytes(COMMIT)  # its checksum would have been next
    assert first_damaged(tmp_path) is None
