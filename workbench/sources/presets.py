"""Formats of logs by name, and which of them lines are in. They are data, in `data/log-formats.toml`."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from workbench.errors import ClickError
from workbench.sources.hosts import client_of, host, is_address
from workbench.sources.log_compile import compiled
from workbench.sources.log_format import LogFormat
from workbench.sources.log_lines import NO_REQUEST, NOT_HTTP, Cells, finished, plain, read_lines, read_record
from workbench.sources.log_w3c import FIELDS
from workbench.sources.log_wraps import unwrap, wrap_of
from workbench.sources.paths import lookup
from workbench.text import quote

__all__ = ["NAMES", "SAMPLE", "find", "fits", "guess", "nearest", "sample"]

SAMPLE: Final = 100
"""Lines that a format is told from."""

_FILE = Path(__file__).parent / "data" / "log-formats.toml"
_LEAST = 0.2  # of the sampled lines are in the format; no table has so many
_AS_GOOD = 0.8  # of the most lines that any format fits, so that a few odd lines do not decide
_FIT = frozenset({"", NO_REQUEST, NOT_HTTP})


def _names() -> tuple[str, ...]:
    return tuple(tomllib.loads(_FILE.read_text("utf-8")))


NAMES: Final = _names()
"""What `find` knows by name, in the order of the file."""


@cache
def _presets() -> dict[str, LogFormat]:
    found = {}
    for name, preset in tomllib.loads(_FILE.read_text("utf-8")).items():
        docs = preset["docs"]
        if "paths" in preset:
            any_case = preset.get("any_case", False)
            more = _in_any_case if any_case else tuple
            found[name] = LogFormat(
                name,
                "json",
                docs,
                paths={field: more(paths) for field, paths in preset["paths"].items()},
                needs=more(preset["needs"]),
                unless=more(preset.get("unless", ())),
                any_case=any_case,
                unit=preset.get("unit"),
                whole_urls=preset.get("whole_urls", False),
            )
        elif "fields" in preset:
            found[name] = LogFormat(name, "w3c", docs, preset["fields"])
        else:
            loose = preset.get("loose", False)
            needs, sibling = tuple(preset.get("needs", ())), preset.get("json")
            text = compiled(preset["format"], name=name, docs=docs, loose=loose, needs=needs, json=sibling)
            found[name] = replace(text, whole_urls=preset.get("whole_urls", False))
    return found


def _in_any_case(paths: Iterable[str]) -> tuple[str, ...]:
    """Paths, and for those that are names alone how these are looked up in any case."""
    paths = tuple(paths)
    return (*paths, *(plain(path) for path in paths if "." not in path))


@cache
def _also() -> dict[str, str]:
    presets: dict[str, Any] = tomllib.loads(_FILE.read_text("utf-8"))
    return {also: name for name, preset in presets.items() for also in preset.get("also", ())}


def find(name: str) -> LogFormat:
    """Give the format of a name, or of a format string.

    Parameters
    ----------
    name
        One of `NAMES` or of their other names ("nginx", "apache", "npm"), or a string as Apache's LogFormat, nginx's
        log_format or a #Fields line has it.

    Returns
    -------
    LogFormat
        The format.

    Raises
    ------
    ClickError
        There is no format of that name, or the string is none.

    Examples
    --------
    >>> find("VHost_Combined").name, find('%h %t "%r"').columns
    ('vhost-combined', ('ip', 'time', 'request'))
    """
    if name.lower().startswith(FIELDS):
        return LogFormat("custom", "w3c", format=name[len(FIELDS) :].strip())
    if "%" in name or "$" in name:
        return compiled(name)
    plain = name.strip().lower().replace("_", "-").replace(" ", "-")
    plain = _also().get(plain, plain)
    if plain not in _presets():
        close = difflib.get_close_matches(plain, [*NAMES, *_also()], n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        known = ", ".join(NAMES)
        raise ClickError(
            f"no such log format: {quote(name)}; {hint}there are {known}, and format strings as servers have them"
        )
    return _presets()[plain]


def sample(lines: Sequence[str]) -> list[str]:
    """The lines a format is told from: the first that hold something, without line ends and NULs around them."""
    bare = (line.strip("\r\n\0").removeprefix("\ufeff") for line in lines)
    return [line for line in bare if line.strip()][:SAMPLE]


def guess(lines: Sequence[str]) -> LogFormat | None:
    """Say which format lines are in, None where it is none of those that have names.

    Parameters
    ----------
    lines
        The first of a file, some hundred. What log shippers put around lines is seen through.

    Returns
    -------
    LogFormat or None
        The one that fits most lines. Of those that fit nearly as many, the one that reads most of them.

    Examples
    --------
    >>> guess(['shop.example:443 192.0.2.7 - - [02/Jan/2026:03:04:05 +0100] "GET /ad HTTP/1.1" 200 5']).name
    'vhost-combined'
    """
    seen = sample(lines)
    found = _guess(seen)
    if found is None and (wrap := wrap_of(seen)) is not None:
        found = _guess(unwrap(seen, wrap)[0])
    return found


def nearest(line: str) -> tuple[LogFormat, str] | None:
    """The format that a line comes closest to, and what of that format it has last; None where it has not even a time.

    >>> found = nearest('192.0.2.7 - - [02/Jan/2026:03:04:05 +0100] "GET /ad')
    >>> found[0].name, found[1]
    ('common', 'time')
    """
    texts = {name: preset for name, preset in _presets().items() if preset.kind == "text" and not preset.needs}
    reached = {name: preset.reach(line) for name, preset in texts.items()}
    best = max(reached, key=lambda name: reached[name][0])
    labels = _presets()[best].labels[: reached[best][1]]
    return (_presets()[best], labels[-1]) if "time" in labels else None


def _guess(lines: list[str]) -> LogFormat | None:
    if not lines:
        return None
    for line in lines:
        if line.lower().startswith(FIELDS):
            names = line.lower()
            return _presets()["cloudfront" if "x-edge-location" in names else "iis" if "s-ip" in names else "w3c"]
    scores = {name: fits(lines, preset) for name, preset in _presets().items() if preset.kind != "w3c"}
    most = max(fit for fit, _ in scores.values())
    if most == 0 or most < _LEAST * len(lines):
        return None
    good = {name: filled / fit for name, (fit, filled) in scores.items() if fit >= _AS_GOOD * most}
    return _presets()[max(good, key=lambda name: good[name])]


def fits(lines: Sequence[str], preset: LogFormat) -> tuple[int, int]:
    r"""How many of the lines are in a format beyond doubt, and how many cells it reads of these.

    >>> fits(["www.example.com - - [02/Jan/2026:03:04:05 +0000] \"GET /\" 200 5", "x"], find("common"))
    (1, 5)
    """
    cells = read_lines(lines, preset)
    if all(problem not in _FIT for problem in cells.problem):
        return 0, 0
    raw = {name: list(column) for name, column in cells.raw.items()}
    read = finished(Cells(cells.raw, list(cells.problem)), preset.unit)
    who = [client_of(text or "-") for text in read["ip"]]
    fit = filled = 0
    held = set()
    for i, problem in enumerate(cells.problem):
        if problem in _FIT and read["ts"][i] is not None and who[i] is not None:
            row = {name: column[i] for name, column in raw.items() if column[i] is not None}
            if _likely(row, preset) and (preset.kind == "text" or _is_log(lines[i], preset)):
                fit += 1
                filled += len(row)
                held |= {name for name in preset.needs if client_of(row.get(name) or "-") is not None}
    return (fit, filled) if preset.kind == "json" or held == {*preset.needs} else (0, 0)


def _likely(row: dict[str, str | None], preset: LogFormat) -> bool:
    """Whether what a line has as its host and its forwarded list can be these."""
    name, forwarded = row.get("host") or "-", row.get("forwarded") or "-"
    if preset.columns[:1] == ("host",) and "port" not in row and not _is_name(name):
        return False
    if "port" in row and not (row["port"] or "").isdigit():
        return False
    if any(_is_address(part) for part in (row.get("user") or "").split()):
        return False
    proxied = client_of(forwarded)
    return forwarded in ("-", "unknown") or (proxied is not None and is_address(proxied))


def _is_address(text: str) -> bool:
    name = host(text)
    return name is not None and is_address(name)


def _is_name(text: str) -> bool:
    """Whether a text is a host name, not an address; underscores are let pass, as servers do."""
    name = host(text.replace("_", "-"))
    return name is not None and not is_address(name)


def _is_log(line: str, preset: LogFormat) -> bool:
    record, _ = read_record(line, preset)
    return any(lookup(record, path) is not None for path in preset.needs) and all(
        lookup(record, path) is None for path in preset.unless
    )
