"""The checksums that Hadoop keeps beside the files which it writes: do they fit. What the files say is not read here.

Hadoop writes `.NAME.crc` beside NAME: "crc", a zero byte, the length of a piece, and the CRC-32 of each piece of the
file. Spark 4.3 has them written for its logs of offsets and commits, and does not look at them when it reads: a digit
of an offset that is another would go by unseen. Of the state itself Spark has checksums of its own, which it checks.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

__all__ = ["first_damaged"]

_LOGS = ("metadata", "offsets/*", "commits/*", "sources/*/*", "state/*/_metadata/**/*", "state/*/*/_metadata/**/*")
"""Spark's files that have no other checksum. It writes each whole and then gives it its name, so a crash harms none."""


def first_damaged(checkpoint: Path) -> Path | None:
    """The first of Spark's logs below this folder that is not as it was written; None where all are.

    A file without a checksum beside it passes: not every file system keeps them.
    """
    files = (path for pattern in _LOGS for path in sorted(checkpoint.glob(pattern)))
    return next((path for path in files if path.name[0] != "." and path.is_file() and not _fits(path)), None)


def _fits(path: Path) -> bool:
    sidecar = path.with_name(f".{path.name}.crc")
    if not sidecar.exists():
        return True
    told, content = sidecar.read_bytes(), path.read_bytes()
    if len(told) < 8 or told[:4] != b"crc\0":
        return False
    (size,) = struct.unpack(">i", told[4:8])
    if size < 1:
        return False
    sums = (zlib.crc32(content[at : at + size]) for at in range(0, len(content), size))
    return told[8:] == b"".join(struct.pack(">I", each) for each in sums)
