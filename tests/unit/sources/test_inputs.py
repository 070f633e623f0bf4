"""Whatever names a source – files, patterns, folders, stdin – each input is read once, under a name of its own."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from raw_rows import FIELD

from workbench.errors import ClickError
from workbench.sources.decoding import Text
from workbench.sources.inputs import Input, Source, inputs_of


def names(source: Source) -> list[str]:
    return [one.name for one in inputs_of(source)[0]]


def made(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    return folder


def held(one: Input) -> str:
    with one.open() as (unpacked, _):
        return unpacked.data.read().decode()


@pytest.mark.parametrize("suffix", ["", ".bz2", ".xz", ".zst"])
def test_rotated_logs_are_read_whatever_packs_them(suffix: str) -> None:
    folder = FIELD / "26-rotated"
    lines = {}
    for one in inputs_of([folder / f"access.log.1{suffix}", folder / "access.zip", folder / "multi.log.gz"])[0]:
        with one.open() as (unpacked, tell):
            lines[one.name] = list(Text(unpacked.data, unpacked.head).lines())
            assert tell() == one.size
    assert lines["access.log.1"] == lines["access.log"]
    assert {name: len(held) for name, held in lines.items()} == {"access.log.1": 4, "access.log": 4, "multi.log": 6}


def test_a_log_that_lies_there_packed_and_unpacked_is_read_once_and_told() -> None:
    found, notes = inputs_of(FIELD / "26-rotated")
    assert [one.name for one in found] == ["access.log.1", "access.log.2", "access.log", "multi.log"]
    assert notes == [
        f"access.log.1{suffix} holds nothing that access.log.1 does not hold; it is passed over"
        for suffix in (".bz2", ".xz", ".zst")
    ]


def test_of_two_of_a_name_the_longer_is_read_and_both_where_they_differ(tmp_path: Path) -> None:
    made(tmp_path, "a.log", "b.log")
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b"a.log and more"))
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(b"else"))
    found, notes = inputs_of(tmp_path)
    assert {one.name: held(one) for one in found} == {"a.log": "a.log and more", "b.log": "b.log", "b.log.gz": "else"}
    assert notes == [
        "a.log holds nothing that a.log.gz does not hold; it is passed over",
        "b.log and b.log.gz are called the same but hold other lines; both are read",
    ]


def test_patterns_and_folders_are_in_natural_order(tmp_path: Path) -> None:
    made(tmp_path, "a.log.10.gz", "a.log.9.gz", "a.log", "b.csv")
    assert names(tmp_path / "a.log*") == ["a.log", "a.log.9", "a.log.10"]
    assert names(str(tmp_path)) == ["a.log", "a.log.9", "a.log.10", "b.csv"]
    assert names([tmp_path / "b.csv", tmp_path / "a.log.9.gz"]) == ["b.csv", "a.log.9"]
    made(tmp_path, "[1].log")
    assert names(tmp_path / "[1].log") == ["[1].log"]


def test_what_other_programs_put_into_folders_is_passed_over_and_told(tmp_path: Path) -> None:
    made(
        tmp_path, "_SUCCESS", "._SUCCESS.crc", ".part.crc", "part-0.parquet", "_delta_log/0.json", "sub/part-1.parquet"
    )
    (tmp_path / "part-2.parquet").touch()
    found, notes = inputs_of(tmp_path)
    assert [one.name for one in found] == ["part-0.parquet", "part-1.parquet"]
    assert not any(one.named for one in found)
    assert [note.removeprefix(str(tmp_path)) for note in notes] == [
        " is a Delta table; its files are read as they are, replaced and deleted rows among them; "
        "write the table as Parquet to have its state of today",
        ": 3 files as _SUCCESS, .name or name.crc are passed over",
        "part-2.parquet is empty",
    ]


def test_folders_of_a_partitioned_table_give_columns(tmp_path: Path) -> None:
    made(tmp_path, "dt=2026-01-02/pub=a%20b/part-0.csv", "dt=__HIVE_DEFAULT_PARTITION__/part-0.csv")
    found = inputs_of(tmp_path)[0]
    assert [(one.name, one.partition) for one in found] == [
        ("pub=a%20b/part-0.csv", {"dt": "2026-01-02", "pub": "a b"}),
        ("dt=__HIVE_DEFAULT_PARTITION__/part-0.csv", {"dt": None}),
    ]
    assert inputs_of(tmp_path / "dt=*")[0] == found
    assert inputs_of(tmp_path / "dt=2026-01-02")[0][0].partition == found[0].partition


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    made(tmp_path, "a.log", "b.log")
    (tmp_path / "link.log").symlink_to("a.log")
    found, notes = inputs_of([tmp_path / "a.log", tmp_path / "*.log", tmp_path, "-", "-"])
    assert [one.name for one in found] == ["a.log", "b.log", "stdin"]
    assert notes.count("a.log was named more than once; it is read once") == 2
    assert "stdin was named more than once; it is read once" in notes


def test_inputs_of_one_name_have_names_of_their_own(tmp_path: Path) -> None:
    made(tmp_path, "w1/x/a.log", "w2/x/a.log.gz", "w2/y/a.log", "b.log")
    assert names(tmp_path) == ["b.log", "w1/x/a.log", "w2/x/a.log", "y/a.log"]


def test_the_members_of_a_zip_archive_are_inputs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.writestr("logs/a.log", "a")
        archive.writestr("logs/b.log.gz", gzip.compress(b"b"))
        archive.writestr("__MACOSX/._a.log", "x")
        archive.writestr("logs/empty.log", "")
    found, notes = inputs_of(tmp_path / "logs.zip")
    assert {one.name: held(one) for one in found} == {"a.log": "a", "b.log": "b"}
    assert notes == ["logs.zip: 2 members that are empty or hidden are passed over"]


def test_workbooks_and_archives_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "x")
    with pytest.raises(ClickError, match="workbook of a spreadsheet; save the sheet as CSV"):
        inputs_of(tmp_path / "a.xlsx")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04" + b"\0" * 20)
    with pytest.raises(ClickError, match="zip -FF"):
        inputs_of(tmp_path / "cut.zip")


class NoSeek(io.RawIOBase):
    """A file to write, in which nobody goes back: sizes are then written behind the members."""

    def __init__(self) -> None:
        self.held = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.held += bytes(data)
        return len(data)


@pytest.mark.parametrize(
    ("method", "streamed"), [(zipfile.ZIP_DEFLATED, False), (zipfile.ZIP_DEFLATED, True), (zipfile.ZIP_STORED, False)]
)
def test_an_archive_that_was_cut_gives_what_it_holds_and_says_where_it_ends(
    tmp_path: Path, method: int, streamed: bool
) -> None:
    one, two = ("".join(f"{name} {n * n}\n" for n in range(9000)) for name in "ab")
    out = NoSeek() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("logs/", "")
        archive.writestr("logs/a.log", one)
        archive.writestr("logs/b.log", two)
    data = out.held if isinstance(out, NoSeek) else out.getvalue()
    path = tmp_path / "logs.zip"
    for cut in (len(data) - 30, data.rindex(b"PK\1\2", 0, data.rindex(b"PK\1\2"))):
        path.write_bytes(data[:cut])
        found, notes = inputs_of(path)
        assert notes == [f"logs.zip was cut: 3 members begin in its {cut:,} bytes; what came after is missing"]
        assert {each.name: held(each) for each in found} == {"a.log": one, "b.log": two}
    path.write_bytes(data[: len(data) * 3 // 4])
    found, _ = inputs_of(path)
    assert held(found[0]) == one
    with found[1].open() as (unpacked, _):
        text = unpacked.data.read().decode()
    assert two.startswith(text)
    assert len(text) > 20_000
    assert unpacked.warnings[0].startswith(f"b.log was cut, or is still being written: {len(text):,} bytes with ")


def test_stdin_is_read_without_going_back(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.write(write, gzip.compress(b"a\nb\n"))
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(pipe))
        [one], _ = inputs_of("-")
        with one.open() as (unpacked, tell):
            assert unpacked.data.read() == b"a\nb\n"
            assert tell() == 0


@pytest.mark.parametrize("source", ["nowhere.log", "no*.log", "s3://bucket/a.log", [], "a\0b"])
def test_what_is_not_there_is_an_error_of_ours(tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClickError):
        inputs_of(source)
    with pytest.raises(ClickError, match="no file to read in the folder"):
        inputs_of(tmp_path)


def test_a_file_that_is_gone_when_it_is_read_is_an_error_of_ours(tmp_path: Path) -> None:
    [one], _ = inputs_of(made(tmp_path, "a.log") / "a.log")
    (tmp_path / "a.log").unlink()
    with pytest.raises(ClickError, match=r"cannot read a\.log: No such file"), one.open():
        pass
