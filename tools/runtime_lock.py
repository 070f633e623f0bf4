"""Print the part of requirements.lock that running needs, extras included: the images are built from it.

The lock says of each package what asked for it; what only the tests asked for is left out. setuptools
stays: it builds pyspark.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_HEAD = re.compile(r"^(?=[a-z0-9][a-z0-9._-]*==)", re.MULTILINE)


def runtime_lock(pyproject: str, lock: str) -> str:
    """The blocks of the lock's text that the dependencies in the text of pyproject.toml lead to, hashes included."""
    project = tomllib.loads(pyproject)["project"]
    extras = [pins for extra, pins in project["optional-dependencies"].items() if extra != "dev"]
    wanted = {re.split(r"[=<>;\[ ]", text)[0] for pins in (project["dependencies"], *extras) for text in pins}
    wanted = wanted - {project["name"]} | {"setuptools"}
    blocks = _HEAD.split(lock)[1:]
    asked_by = {block: set(re.findall(r"^    #\s+(?:via )?([a-z0-9._-]+)$", block, re.MULTILINE)) for block in blocks}
    name_of = {block: block.partition("==")[0] for block in blocks}
    while more := {name_of[block] for block in blocks if asked_by[block] & wanted} - wanted:
        wanted |= more
    return "".join(block for block in blocks if name_of[block] in wanted)


if __name__ == "__main__":
    root = Path(__file__).parent.parent
    print(runtime_lock((root / "pyproject.toml").read_text("utf-8"), (root / "requirements.lock").read_text("utf-8")))
