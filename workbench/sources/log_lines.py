"""Lines of a log into the cells of requests, by one format. Which format it is: `presets`; files and chunks: `logs`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workbench.sources.log_format import LogFormat
from workbench.sources.log_times import NOT_A_TIME, log_times
from workbench.sources.paths import lookup

__all__ = [
    "ABSOLUTE",
    "LOWER_CASE",
    "NOT_HTTP",
    "NO_LINE",
    "NO_REQUEST",
    "NO_URL",
    "Cells",
    "finished",
    "plain",
    "read_lines",
    "read_record",
]

NO_LINE: Final = "not a line of the format"
NO_URL: Final = "no URL in it"
NO_REQUEST: Final = "no request"
NOT_HTTP: Final = "not an HTTP request"
ABSOLUTE: Final = "absolute URLs, read as their paths"
LOWER_CASE: Final = "methods in small letters, read as capitals"

Texts = list[str | None]
"""A column of cells."""

_ABSOLUTE = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*+)(.*+)", re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_NUMBER = re.compile(r"[0-9]{1,19}(?:\.[0-9]++)?")
_NONE = frozenset({"-", ""})


@dataclass(eq=False)
class Cells:
    """Columns of a log's lines, each of shape (n,).

    raw: what stood there, by the names of the format. problem: "" or why the line is none. notes: what was done to
    lines, by how many.
    """

    raw: dict[str, Texts]
    problem: list[str]
    notes: Counter[str] = field(default_factory=Counter)


def read_lines(lines: Sequence[str], format: LogFormat) -> Cells:
    """Take lines apart by a format of kind "text" or "json"; `finished` makes requests of the cells.

    >>> from workbench.sources.log_compile import compiled
    >>> read_lines(['::1 [now] "GET /"', "?"], compiled('$remote_addr [$time_local] "$request"')).raw["ip"]
    ['::1', None]
    """
    if format.kind == "json":
        return _json(lines, format)
    full, nothing = format.pattern.fullmatch, (None,) * len(format.columns)
    rows = [match.groups() if (match := full(line)) else nothing for line in lines]
    columns: list[Texts] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in format.columns]
    raw = dict(zip(format.columns, columns, strict=True))
    return Cells(raw, ["" if time is not None else NO_LINE for time in raw["time"]])


def finished(cells: Cells, unit: str | None) -> dict[str, Texts]:
    """The columns of requests, under the names of `COLUMNS` and those of the format's own.

    - ip: the list of addresses that a proxy would hand on, where the line has a forwarded one beside its own
    - ts: RFC 3339, or without an offset where the line has none; a number that no `unit` is known of stays as it is
    - url: the path and the query, of absolute URLs too

    What cannot be a request gets its problem in `cells`.
    """
    raw, problem = dict(cells.raw), cells.problem
    n = len(problem)
    nothing: Texts = [None] * n
    out: dict[str, Texts] = {"ip": _addresses(raw.pop("ip", nothing), raw.pop("forwarded", None))}
    out["ts"] = _ts(raw.pop("time", nothing), unit, problem)
    request, method, url = raw.pop("request", None), raw.pop("method", nothing), raw.pop("url", nothing)
    if request is not None:
        method, url = _requests(request, method, url, problem)
    url = _with_query(url, raw.pop("query", None))
    out["method"] = _methods(method, cells.notes)
    host = raw.pop("host", nothing)
    out["url"], host = _paths(_unescaped(url), host, cells.notes)
    out["status"] = raw.pop("status", nothing)
    for name, column in {"referer": None, "user_agent": None, "host": host, "user": None}.items():
        values = raw.pop(name, nothing) if column is None else column
        out[name] = [None if value in _NONE else value for value in _unescaped(values)]
    return out | raw


def _addresses(ip: Texts, forwarded: Texts | None) -> Texts:
    if forwarded is None:
        return ip
    lists: Texts = []
    for own, others in zip(ip, forwarded, strict=True):
        if others is None or others in _NONE:
            lists.append(own)
        else:
            lists.append(others if own is None or own in _NONE else f"{others}, {own}")
    return lists


def _ts(time: Texts, unit: str | None, problem: list[str]) -> Texts:
    ts, wrong = log_times(time, unit)
    for i, reason in enumerate(wrong):
        if reason and not problem[i]:
            text = time[i]
            if reason == NOT_A_TIME and unit is None and text is not None and _NUMBER.fullmatch(text):
                ts[i] = text
            else:
                problem[i] = reason
    return ts


def _requests(request: Texts, method: Texts, url: Texts, problem: list[str]) -> tuple[Texts, Texts]:
    """The method and the target of each line like "GET /ad HTTP/1.1"."""
    methods, targets = list(method), list(url)
    for i, text in enumerate(request):
        if text is None:
            if not problem[i] and targets[i] is None:
                problem[i] = NO_REQUEST
            continue
        if text[:1] == "/" and targets[i] is None:  # some name the target alone so
            targets[i] = text
            continue
        first, _, rest = text.partition(" ")
        target, version, _ = rest.rpartition(" HTTP/")
        target = (target if version else rest).strip()
        if target and first.isalpha() and first.isascii() and not target.startswith("HTTP/"):
            methods[i], targets[i] = first, target
        elif not problem[i] and (targets[i] is None or methods[i] is None):
            problem[i] = NO_REQUEST if text in _NONE else NOT_HTTP
    return methods, targets


def _methods(method: Texts, notes: Counter[str]) -> Texts:
    changed = {name: name.upper() for name in set(method) if name is not None and not name.isupper()}
    if not changed:
        return method
    notes[LOWER_CASE] += sum(name in changed for name in method if name is not None)
    return [name if name is None else changed.get(name, name) for name in method]


def _with_query(url: Texts, query: Texts | None) -> Texts:
    if query is None:
        return url
    return [
        f"{path}?{rest.removeprefix('?')}" if path and rest and rest not in _NONE and "?" not in path else path
        for path, rest in zip(url, query, strict=True)
    ]


def _paths(url: Texts, host: Texts, notes: Counter[str]) -> tuple[Texts, Texts]:
    absolute = [i for i, text in enumerate(url) if text is not None and text[:1] in ("h", "H")]
    found = {i: match for i in absolute if (match := _ABSOLUTE.fullmatch(url[i] or "")) is not None}
    if not found:
        return url, host
    notes[ABSOLUTE] += len(found)
    url, host = list(url), list(host)
    for i, match in found.items():
        url[i] = match[2] if match[2].startswith("/") else f"/{match[2]}"
        host[i] = host[i] or match[1]
    return url, host


def _unescaped(texts: Texts) -> Texts:
    r"""Undo \" and \\, which is how servers write them inside quotes. \xhh stays: it may be no UTF-8."""
    escaped = [i for i, text in enumerate(texts) if text is not None and "\\" in text]
    texts = list(texts) if escaped else texts
    for i in escaped:
        texts[i] = _ESCAPED.sub(r"\1", texts[i] or "")
    return texts


def _json(lines: Sequence[str], format: LogFormat) -> Cells:
    names = ["time" if name == "ts" else name for name in format.paths]
    raw: dict[str, Texts] = {name: [] for name in names}
    problem = []
    for line in lines:
        record, wrong = read_record(line, format) if line.strip() else ({}, "empty line")
        found = [_first(record, paths) for paths in format.paths.values()]
        for name, value in zip(names, found, strict=True):
            raw[name].append(value)
        there = dict(zip(names, found, strict=True))
        asked = there.get("url") is not None or there.get("request") is not None
        problem.append(wrong or ("" if asked else NO_URL))
    return Cells(raw, problem)


def read_record(line: str, format: LogFormat) -> tuple[dict[str, Any], str]:
    """A line of JSON, or of labels and values, as names and values, and "" or what is wrong with it."""
    if format.name == "ltsv":
        labelled = [part.split(":", 1) for part in line.split("\t")]
        return {part[0]: part[1] for part in labelled if len(part) > 1}, ""
    try:
        record = json.loads(line, parse_float=str)  # as it stands: a float would round the microseconds of a time
    except (ValueError, RecursionError):
        return {}, "not JSON"
    if not isinstance(record, dict):
        return {}, "not a JSON object"
    return ({plain(name): value for name, value in record.items()} | record if format.any_case else record), ""


def plain(name: str) -> str:
    """A name in any case of letters and with any signs between: remote_addr, remoteAddr and Remote-Addr are one.

    >>> plain("Remote-Addr"), plain("@timestamp")
    ('remoteaddr', 'timestamp')
    """
    return name.lower().replace("_", "").replace("-", "").replace("@", "")


def _first(record: dict[str, Any], paths: Sequence[str]) -> str | None:
    for path in paths:
        value = lookup(record, path)
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None
