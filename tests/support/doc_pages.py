"""The pages that tell how the workbench is used, and the examples in them: what the tests run and compare."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
"""README and the pages of `docs`."""


def guide() -> str:
    """All of it, one page after the other."""
    return "\n".join(page.read_text("utf-8") for page in GUIDE)


def blocks(text: str, language: str) -> list[str]:
    """The blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def console(text: str) -> list[tuple[str, list[str]]]:
    """Each command of the console blocks, without its comment, and the lines that the page says are printed."""
    found: list[tuple[str, list[str]]] = []
    for line in "\n".join(blocks(text, "console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:].partition(" #")[0].strip(), []))
        elif line.strip():
            found[-1][1].append(line.rstrip())
    return found


def examples(*, live: bool) -> dict[str, str]:
    """The Python of the pages by where it stands: that which connects to a broker, or the rest."""
    found = {
        f"{page.stem}-{number}": code
        for page in GUIDE
        for number, code in enumerate(blocks(page.read_text("utf-8"), "python"), 1)
    }
    return {name: code for name, code in found.items() if ("wb.connect()" in code) is live}
