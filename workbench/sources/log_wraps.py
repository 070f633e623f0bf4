r"""What log shippers and containers put around the lines of a log: syslog, CRI, Docker, Filebeat. The lines: `logs`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

__all__ = ["WRAPS", "unwrap", "wrap_of"]

_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9]{2}:[0-9]{2})"
_COLOUR = r"\x1b\[[0-9;]{0,16}m"
_PREFIXES = {
    "CRI (Kubernetes)": rf"{_STAMP} (?:stdout|stderr) F ",
    "syslog": (
        rf"(?:<[0-9]{{1,3}}>)?(?:[A-Z][a-z]{{2}} [ 0-9][0-9] [0-9:]{{8}}|{_STAMP}) (?:[^\s:]{{1,255}} )?"
        r"[^\s:\[]{1,128}(?:\[[0-9]{1,10}\])?: "
    ),
    "syslog (RFC 5424)": (
        rf"<[0-9]{{1,3}}>1 (?:{_STAMP}|-) \S{{1,255}} \S{{1,48}} \S{{1,128}} \S{{1,32}} (?:-|\[[^\]]*+\]) (?:\ufeff)?"
    ),
    "docker compose": rf"(?:{_COLOUR})?[A-Za-z0-9._-]{{1,128}} *\| ?(?:{_COLOUR} ?)?(?:{_STAMP} )?",
    "kubectl --prefix": r"\[pod/[^\]]{1,255}\] ",
    "docker logs --timestamps": rf"{_STAMP} ",
}
_KEYS = {"Docker (json-file)": "log", "Filebeat and the like": "message", "journald": "MESSAGE"}


def _after(pattern: str) -> Callable[[str], str | None]:
    match = re.compile(pattern).match

    def inner(line: str) -> str | None:
        found = match(line)
        return None if found is None else line[found.end() :]

    return inner


def _under(key: str) -> Callable[[str], str | None]:
    def inner(line: str) -> str | None:
        if not line.startswith("{"):
            return None
        try:
            record: Any = json.loads(line)
        except (ValueError, RecursionError):
            return None
        value = record.get(key) if isinstance(record, dict) else None
        return value.rstrip("\r\n") if isinstance(value, str) else None

    return inner


WRAPS: Final[dict[str, Callable[[str], str | None]]] = {
    **{name: _after(pattern) for name, pattern in _PREFIXES.items()},
    **{name: _under(key) for name, key in _KEYS.items()},
}
"""What it is called → what gives the line inside, None where the line is not wrapped so."""


def wrap_of(lines: Sequence[str]) -> str | None:
    r"""Which of `WRAPS` is around most of the lines; None where none is around a half.

    >>> wrap_of(['{"log":"192.0.2.7 - - ...\\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}'])
    'Docker (json-file)'
    """
    counts = {name: sum(inside(line) is not None for line in lines) for name, inside in WRAPS.items()}
    most = max(counts, key=lambda name: counts[name])
    return most if lines and counts[most] * 2 >= len(lines) else None


def unwrap(lines: Sequence[str], wrap: str) -> tuple[list[str], int]:
    """Give the line inside of each, or the line itself where it is not wrapped so, and how many were.

    >>> unwrap(["web-1  | GET /", "x"], "docker compose")
    (['GET /', 'x'], 1)
    """
    inner = [WRAPS[wrap](line) for line in lines]
    out = [line if inside is None else inside for line, inside in zip(lines, inner, strict=True)]
    return out, sum(inside is not None for inside in inner)
