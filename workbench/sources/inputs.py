"""What a user names – files, patterns, folders, stdin – as the inputs to read, in order. Unpacking is in `packing`."""

from __future__ import annotations

import glob
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Final

from workbench.errors import ClickError
from workbench.sources import cut_zip
from workbench.sources.input_names import named_apart, without_copies
from workbench.sources.one_input import Input, unreadable
from workbench.sources.partitions import partition_of
from workbench.text import quote

__all__ = ["STDIN", "Input", "Source", "inputs_of"]

Source = str | Path | Sequence[str | Path]
"""A file, a folder, a pattern as "logs/access.log.*.gz", "-" for stdin, or several of them."""

STDIN: Final = "-"

_PASSED_OVER = re.compile(r"[._]|.*\.crc$|Thumbs\.db$")
_TABLES: Final = {"_delta_log": "Delta", "metadata": "Iceberg"}


def inputs_of(source: Source) -> tuple[list[Input], list[str]]:
    """Find the inputs of a source.

    Parameters
    ----------
    source
        What the user named.

    Returns
    -------
    inputs : list of Input
        In the order in which they were named; those of a folder or a pattern in natural order, log.9 before log.10.
    notes : list of str
        What was passed over, or may not be meant.

    Raises
    ------
    ClickError
        Something is not there or cannot be read, or there is nothing in it.
    """
    notes: list[str] = []
    found: list[Input] = []
    seen: set[tuple[int, int]] = set()
    named = [source] if isinstance(source, str | Path) else source
    if not isinstance(named, Sequence) or not all(isinstance(one, str | Path) for one in named):
        raise ClickError(f"a source is a file, a folder, a pattern or a list of them: got {type(source).__name__}")
    for one in named:
        for each in _expanded(str(one), notes):
            key = _identity(each)
            if key in seen:
                notes.append(f"{each.name} was named more than once; it is read once")
                continue
            seen.add(key)
            found.extend(_members(each, notes))
    if not found:
        raise ClickError(f"nothing to read in {quote(source)}: name a file of clicks")
    return named_apart(without_copies(found, notes)), notes


def _expanded(one: str, notes: list[str]) -> Iterator[Input]:
    if one == STDIN:
        yield Input("stdin", None, 0)
        return
    if re.match(r"[a-z][a-z0-9+]{1,9}://", one):
        raise ClickError(f"cannot read {quote(one)}: files are read from this machine only; fetch it first")
    path = Path(one).expanduser()
    if path.is_dir():
        yield from _in_folder(path, notes)
    elif path.exists() or not glob.has_magic(one):
        yield _file(path, named=True)
    else:
        there = [Path(each) for each in sorted(glob.glob(str(path), recursive=True), key=_natural)]  # noqa: PTH207
        files = [_file(each, named=False) for each in there if not each.is_dir()]
        if not there:
            raise ClickError(f"no file is called like {quote(one)}; check the pattern")
        yield from _not_empty(files, notes)
        if not files:
            for each in there:
                yield from _in_folder(each, notes)


def _in_folder(folder: Path, notes: list[str]) -> Iterator[Input]:
    for inside, kind in _TABLES.items():
        if (folder / inside).is_dir() and (kind == "Delta" or any((folder / inside).glob("*.metadata.json"))):
            what = f"{folder} is a {kind} table; its files are read as they are, replaced and deleted rows among them"
            notes.append(f"{what}; write the table as Parquet to have its state of today")
    files: list[Path] = []
    passed_over = 0
    for at, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not _PASSED_OVER.match(name) and name != "metadata"]
        wanted = [name for name in names if not _PASSED_OVER.match(name)]
        passed_over += len(names) - len(wanted)
        files += [Path(at) / name for name in wanted]
    if passed_over:
        notes.append(f"{folder}: {passed_over} files as _SUCCESS, .name or name.crc are passed over")
    files.sort(key=lambda path: _natural(str(path)))
    found = list(
        _not_empty([replace(_file(path, named=False), partition=partition_of(path, folder)) for path in files], notes)
    )
    if not found:
        raise ClickError(f"there is no file to read in the folder {folder}; name a file of clicks, or another folder")
    yield from found


def _not_empty(found: list[Input], notes: list[str]) -> Iterator[Input]:
    for each in found:
        if each.size == 0 and each.path is not None and each.path.is_file():
            notes.append(f"{each.name} is empty")
        else:
            yield each


def _file(path: Path, named: bool) -> Input:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise unreadable(str(path), error) from error
    return Input(path.name, path, size, named=named)


def _members(one: Input, notes: list[str]) -> Iterator[Input]:
    """Give the members of a zip archive; any other file is one by itself."""
    if one.path is None:
        yield one
        return
    try:
        if not one.path.is_file() or not _is_zip(one.path):
            yield one
            return
        infos = [info for info in _listed(one, notes) if not info.is_dir()]
    except zipfile.BadZipFile as error:
        fix = "get it whole, or mend it with zip -FF"
        raise ClickError(f"cannot read {one.path} as a zip archive: {error}; {fix}") from error
    except (OSError, ValueError, NotImplementedError) as error:
        raise unreadable(str(one.path), error) from error
    names = {info.filename for info in infos}
    if "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= names:
        raise ClickError(f"cannot read {one.path}: it is a workbook of a spreadsheet; save the sheet as CSV (UTF-8)")
    encrypted = [info.filename for info in infos if info.flag_bits & 1]
    if encrypted:
        raise ClickError(
            f"cannot read {one.path}: {quote(encrypted[0])} in it is encrypted; unpack it with its password"
        )
    wanted = [info for info in infos if info.file_size and not _hidden(PurePath(info.filename))]
    if len(wanted) < len(infos):
        notes.append(f"{one.name}: {len(infos) - len(wanted)} members that are empty or hidden are passed over")
    for info in sorted(wanted, key=lambda info: _natural(info.filename)):
        yield replace(one, name=PurePath(info.filename).name, member=info, size=info.compress_size)


def _listed(one: Input, notes: list[str]) -> list[zipfile.ZipInfo]:
    assert one.path is not None, "stdin has no members"
    if zipfile.is_zipfile(one.path):
        with zipfile.ZipFile(one.path) as archive:
            return archive.infolist()
    with one.path.open("rb") as file:
        found = cut_zip.members(file)
    if not found:
        raise zipfile.BadZipFile("its end is missing, and no member can be told")
    count = "1 member" if len(found) == 1 else f"{len(found)} members"
    notes.append(f"{one.name} was cut: {count} begin in its {one.size:,} bytes; what came after is missing")
    return found


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _hidden(path: PurePath) -> bool:
    return any(_PASSED_OVER.match(part) for part in path.parts)


def _identity(one: Input) -> tuple[int, int]:
    if one.path is None:
        return (-1, -1)
    try:
        about = one.path.stat()
    except OSError as error:
        raise unreadable(str(one.path), error) from error
    return (about.st_dev, about.st_ino)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort numbers in names as numbers."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"([0-9]+)", name)]
