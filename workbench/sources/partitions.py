"""Columns that stand in the names of folders, as in "dt=2026-01-02/part-0.parquet". Finding files is in `inputs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote

__all__ = ["partition_of"]

_FOLDER = re.compile(r"([A-Za-z_]\w*)=(.*)")
_NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"


def partition_of(path: Path, folder: Path) -> dict[str, str | None]:
    """Read the columns of a file in a folder from the folders between them; None stands for no value.

    >>> partition_of(Path("clicks/dt=2026-01-02/pub=a%2Fb/part-0.parquet"), Path("clicks"))
    {'dt': '2026-01-02', 'pub': 'a/b'}
    """
    found = [_FOLDER.fullmatch(part) for part in (folder.name, *path.relative_to(folder).parts[:-1])]
    return {each[1]: None if each[2] == _NO_VALUE else unquote(each[2]) for each in found if each}
