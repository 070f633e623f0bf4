"""Several columns together as one URL, or as one time: host, path and query; date and clock. Visitors are in `intake`.

The same is done in Spark's words to the records of a topic, in `detector.foreign_parts`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from datetime import time as clock
from typing import Any, Final, Literal

import pandas as pd

from workbench.clicks.dates import is_whole
from workbench.text import BLANKS

__all__ = ["ABSOLUTE", "HOSTS", "QUERIES", "USUAL_PORT", "Role", "moments", "name_of", "plain_name", "role", "urls"]

Role = Literal["host", "query", "path"]
"""What a part of a URL is: the host, the query behind "?", or anything else, as its path."""

HOSTS: Final = (
    "host", "hostname", "http_host", "cs_host", "vhost", "virtual_host", "request_host", "domain", "url_domain",
    "server_name", "req_host", "domain_name", "x_host_header", "page_host", "page_hostname",
)  # fmt: skip
"""Usual names of the column of a site's host, the likeliest first."""
QUERIES: Final = (
    "cs_uri_query", "query_string", "query", "url_query", "querystring", "uri_query", "request_query", "query_str",
    "args",
)  # fmt: skip
"""Usual names of the column of what stands behind the "?" of a URL."""

ABSOLUTE: Final = r"[A-Za-z][A-Za-z0-9+.-]{0,20}://"
"""How a URL begins that has its host already."""
USUAL_PORT: Final = r"(?::(?:80|443)|\.)\z"
"""What is left out at the end of a host; in Java's words."""

_ABSOLUTE = re.compile(ABSOLUTE)
_USUAL_PORT = re.compile(USUAL_PORT.replace(r"\z", r"\Z"))
_NOTHING: Final = ("", "-")


def role(path: str) -> Role:
    """Say what a column is to a URL, by its name.

    >>> role("request.Host"), role("cs-uri-query"), role("channel")
    ('host', 'query', 'path')
    """
    name = plain_name(name_of(path))
    return "host" if name in _HOSTS else "query" if name in _QUERIES else "path"


def name_of(path: str) -> str:
    """The last name of a path.

    >>> name_of("request.headers.Host[0]"), name_of("event_params[page]")
    ('Host', 'page')
    """
    names = [name for name in re.split(r"[.\[\]]", path) if name and not name.isdigit()]
    return names[-1] if names else path


def plain_name(name: str) -> str:
    """A name as it is compared with others: in small letters, without signs.

    >>> plain_name("fooBar"), plain_name("foo bar"), plain_name("Foo_Bar")
    ('foobar', 'foobar', 'foobar')
    """
    return re.sub(r"[\W_]+", "", name).lower()


def urls(texts: Sequence[pd.Series[Any]], paths: Sequence[str]) -> tuple[pd.Series[Any], set[str]]:
    """Put URLs together. Each column is of shape (n,), texts and None; None comes of rows with nothing but a host.

    Returns them, and the hosts there were.

    A host is in small letters and without a usual port. What follows it stands as it is, a query behind "?"; of other
    columns each is a further step of the path, in which "/" is written %2F and "%" %25, so that no two are alike.

    >>> host, path = pd.Series(["Shop.example:443", None]), pd.Series(["/ad", "/ad"])
    >>> urls([host, path, pd.Series(["id=7", "-"])], ["host", "path", "query"])[0].to_list()
    ['shop.example/ad?id=7', '/ad']
    >>> urls([pd.Series(["497"]), pd.Series(["a/b"])], ["channel", "creative"])[0].to_list()
    ['497/a%2Fb']
    """
    roles = [role(path) for path in paths]
    found: list[str | None] = [None] * len(texts[0])
    asked, hosts = [False] * len(found), set[str]()
    for i, (column, kind) in enumerate(zip(texts, roles, strict=True)):
        values = column.to_list()
        if kind == "host":
            known = {value: _host(value) for value in set(values)}
            hosts |= {host for host in known.values() if host is not None}
            values = [known[value] for value in values]
        first, after_host, name = i == 0, roles[:i] == ["host"] * i, name_of(paths[i])
        if kind == "path":
            asked = [was or value not in (None, "", "-") for was, value in zip(asked, values, strict=True)]
        found = [
            value
            if first
            else before + value  # as most are
            if after_host and kind == "path" and before and value and value[0] == "/"
            else _with(before, value, kind, after_host, name)
            for before, value in zip(found, values, strict=True)
        ]
    if "path" in roles:
        found = [url if was else None for url, was in zip(found, asked, strict=True)]
    return pd.Series(found, index=texts[0].index, dtype=object), hosts


def moments(columns: Sequence[pd.Series[Any]]) -> pd.Series[Any]:
    """Put times together, a date and a clock. A part that is a whole time by itself is the time. Shape (n,).

    >>> moments([pd.Series(["2026-03-10", "2026-03-10"]), pd.Series(["9:00:00", "1773133200"])]).to_list()
    ['2026-03-10 09:00:00', '1773133200']
    """
    rows = zip(*([_as_text(value) for value in column] for column in columns), strict=True)
    return pd.Series([_moment(row) for row in rows], index=columns[0].index, dtype=object)


def _with(before: str | None, part: str | None, kind: Role, after_host: bool, name: str) -> str | None:
    """A URL with one part more."""
    part = None if part in _NOTHING else part
    if kind == "query":
        return before if part is None else f"{before or ''}{_sign(before)}{part.removeprefix('?')}"
    if after_host:
        return part if before is None or (part and _ABSOLUTE.match(part)) else f"{before}{_step(part)}"
    if before is not None and "?" in before:
        return before if part is None else f"{before}&{name}={part}"
    return f"{before or ''}/{(part or '').replace('%', '%25').replace('/', '%2F')}"


def _step(path: str | None) -> str:
    """What follows a host."""
    return "" if path is None else path if path[0] in "/?" else f"/{path}"


def _sign(before: str | None) -> str:
    return "&" if before is not None and "?" in before else "?"


def _host(text: str | None) -> str | None:
    return None if text is None or text in _NOTHING else _USUAL_PORT.sub("", text).lower()


def _moment(parts: Sequence[str | None]) -> str | None:
    there = [part.strip(BLANKS) for part in parts if part]
    whole = next((part for part in there if is_whole(part)), None)
    if whole is not None or not there:
        return whole
    return " ".join(f"0{part}" if part[1:2] == ":" and part[0] in "0123456789" else part for part in there)


def _as_text(value: object) -> str | None:
    """A part of a time as text; of a day that a table holds as a time, the day."""
    if value is pd.NaT:
        return None
    if isinstance(value, datetime):
        midnight = value.time() == clock(0) and value.tzinfo is None
        return value.date().isoformat() if midnight else value.isoformat(" ")
    if isinstance(value, date | clock):
        return value.isoformat()
    return value if isinstance(value, str) else None


_HOSTS, _QUERIES = frozenset(map(plain_name, HOSTS)), frozenset(map(plain_name, QUERIES))
