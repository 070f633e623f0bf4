"""Print the part of requirements.lock that running needs: the images are built from it, without what only tests need.

The lock says of each package what asked for it; what no dependency of the project asked for is left out. setuptools
stays: it builds pyspark.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_HEAD = re.compile(r"^(?=[a-z0-9][a-z0-9._-]*==)", re.MULTILINE)


def runtime_lock(pyproject: str, lock: str) -> str:
    """The blocks of the lock's text that the dependencies in the text of pyproject.toml lead to, hashes included."""
    wanted = {re.split(r"[=<>;\[ ]", text)[0] for text in tomllib.loads(pyproject)["project"]["dependencies"]}
    wanted.add("setuptools")
    blocks = _HEAD.split(lock)[1:]
    asked_by = {block: set(re.findall(r"^    #\s+(?:via )?([a-z0-9._-]+)$", block, re.MULTILINE)) for block in blocks}
    name_of = {block: block.partition("==")[0] for block in blocks}
    while more := {name_of[block] for block in blocks if asked_by[block] & wanted} - wanted:
        wanted |= more
    return "".join(block for block in blocks if name_of[block] in wanted)


if __name__ == "__main__":
    root = Path(__file__).parent.parent
    print(runtime_lock((root / "pyproject.toml").read_text("utf-8"), (root / "requirements.lock").read_text("utf-8")))
