r"""Lines of an Apache or nginx access log into page requests and sessions. Opening files is in `files`.

Common and Combined are understood, one line like

    192.0.2.7 - - [02/Jan/2026:03:04:05 +0100] "GET /ad?id=7 HTTP/1.1" 200 512 "https://a.example/" "Firefox"

with the last two parts left out in Common. What follows them is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.clicks.record import LONGEST_TEXT, TS_DTYPE
from workbench.distinct import distinct, groups, repeated

__all__ = ["LINE", "first_problem", "requests", "sessions"]

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
LINE: Final = re.compile(
    rf"(\S{{1,255}}+) [^\[]*+\[([^\]]*+)\] {_QUOTED} (?:[0-9]{{3}}|-) (?:[0-9]++|-)"
    rf'(?: "[^"\\]*+(?:\\.[^"\\]*+)*+" {_QUOTED}(?: .*)?| [^"]*+)?'
)
"""Host, time, request and user agent of a line, to be matched in full.

Every repetition ends at a character it cannot match itself and, being possessive (`*+`), is never tried again
with less. So the time it takes grows with the length of the line and no faster, whatever a client sends.
"""

_TIME = re.compile(
    r"(0[1-9]|[12][0-9]|3[01])/([A-Z][a-z]{2})/([0-9]{4}):([0-2][0-9]:[0-5][0-9]:[0-5][0-9])"
    r" ([+-](?:[01][0-9]|2[0-3]))([0-5][0-9])"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBER = {name: f"{number:02}" for number, name in enumerate(_MONTHS, 1)}
_REQUEST = r"^([A-Z]+) (\S.*?)(?: HTTP/[0-9.]+)?$"
_TOO_LONG = f"url or user agent of more than {LONGEST_TEXT} characters"
_CLICK_METHODS = ("GET", "POST")
_ASSET = (
    r"(?i)^[^?]*(?:\.(?:css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|bmp|woff2?|ttf|otf|eot)|/robots\.txt)"
    r"(?:\?|$)"
)


def requests(lines: Sequence[str], *, assets: bool = False) -> pd.DataFrame:
    """Read lines of a log, without their line ends.

    Returns one row for each line, in order:

    - ip: the host as logged; user_agent: None where there is none; url: the request target, query included
    - ts: datetime64[us, UTC]
    - problem: why the line is no request, "" where it is one
    - filtered: True for a request that is no click on a page. That is any method but GET and POST and, unless
      `assets`, every stylesheet, script, image, font, favicon and robots.txt. The status does not matter: a
      click that was answered with a redirect or an error was a click.

    >>> read = requests(['h.example - - [02/Jan/2026:03:04:05 +0100] "GET /ad HTTP/1.1" 200 5', "oops"])
    >>> read[["url", "ts"]]
        url                        ts
    0   /ad 2026-01-02 02:04:05+00:00
    1  None                       NaT
    >>> read["problem"].to_list()
    ['', 'not an access log line']
    """
    found = [LINE.fullmatch(line) for line in lines]
    rows = [match.groups() if match else (None,) * 4 for match in found]
    parts = pd.DataFrame(rows, columns=["ip", "time", "request", "user_agent"], dtype=object)
    request = parts["request"].str.extract(_REQUEST)
    method, target = request[0], _unescape(request[1])
    agent = _unescape(parts["user_agent"])
    ts = _times(parts["time"])
    problem = first_problem(
        {
            "empty line": pd.Series([not line.strip() for line in lines], dtype=bool),
            "not an access log line": parts["ip"].isna(),
            "time is not like 02/Jan/2026:03:04:05 +0100": ts.isna(),
            "no request": parts["request"].isin(["-", ""]),
            "not an HTTP request": method.isna(),
            _TOO_LONG: (target.str.len() > LONGEST_TEXT) | (agent.str.len() > LONGEST_TEXT),
        }
    )
    is_asset = target.str.contains(_ASSET, regex=True, na=False)
    return pd.DataFrame(
        {
            "ip": parts["ip"],
            "user_agent": agent.where(agent.notna() & ~agent.isin(["-", ""]), None),
            "url": target.where(target.notna(), None),
            "ts": ts,
            "problem": problem,
            "filtered": ~method.isin(_CLICK_METHODS) | (is_asset & (not assets)),
        }
    )


def sessions(ip: pd.Series[Any], user_agent: pd.Series[Any], ts: pd.Series[Any], idle_gap: timedelta) -> pd.Series[Any]:
    """Name the session of each request: one visit of one user agent at one address.

    All are of shape (n,), sorted by ts. A visit ends when more than `idle_gap` passes without a request.
    A name is the address, which of its user agents it is, and which visit of that one; these two are counted
    from 1 as they appear.

    >>> ts = pd.to_datetime(pd.Series([0, 60, 61, 9999]), unit="s", utc=True)
    >>> agent = pd.Series(["Firefox", "Firefox", "Safari", "Firefox"])
    >>> sessions(pd.Series(["192.0.2.7"] * 4), agent, ts, timedelta(minutes=30)).to_list()
    ['192.0.2.7/a1/v1', '192.0.2.7/a1/v1', '192.0.2.7/a2/v1', '192.0.2.7/a1/v2']
    """
    visitor = groups(ip, user_agent.fillna("-"))
    # Visitors are numbered as they appear, which is the order of those that were not there before.
    hosts = pd.Series(groups(ip)[~repeated(visitor)])
    nth_agent = hosts.groupby(hosts).cumcount().to_numpy()[visitor] + 1  # not text: numbers
    came_back = ts.groupby(visitor).diff() > idle_gap  # not text: numbers
    nth_visit = came_back.groupby(visitor).cumsum().astype(int) + 1  # not text: numbers
    return ip + "/a" + pd.Series(nth_agent, index=ip.index).astype(str) + "/v" + nth_visit.astype(str)


def first_problem(problems: Mapping[str, pd.Series[bool]]) -> NDArray[np.object_]:
    """Give each row the first of the problems it has, "" where it has none.

    >>> first_problem({"old": pd.Series([True, True, False]), "odd": pd.Series([False, True, True])}).tolist()
    ['old', 'old', 'odd']
    """
    reason = np.full(len(next(iter(problems.values()))), "", dtype=object)
    for text, applies in reversed(list(problems.items())):
        reason[applies.to_numpy(dtype=bool)] = text
    return reason


def _times(times: pd.Series[Any]) -> pd.Series[Any]:
    # Month names are read by hand, since strptime reads them in the language of the locale.
    codes, texts = distinct(times)
    iso = pd.Series([_iso(text) for text in texts], dtype=object)
    parsed = pd.to_datetime(iso, format="ISO8601", utc=True, errors="coerce").astype(TS_DTYPE)
    return parsed.reindex(codes).reset_index(drop=True)  # no time has the code -1, which is no row


def _iso(text: str) -> str | None:
    match = _TIME.fullmatch(text)
    if match is None or match[2] not in _MONTH_NUMBER:
        return None
    day, month, year, clock, hours, minutes = match.groups()
    return f"{year}-{_MONTH_NUMBER[month]}-{day}T{clock}{hours}:{minutes}"


def _unescape(text: pd.Series[Any]) -> pd.Series[Any]:
    r"""Undo \" and \\, which is how servers write them inside quotes. \xhh stays: it may be no UTF-8."""
    escaped = text.str.contains("\\", regex=False, na=False)
    return text.where(~escaped, text[escaped].str.replace(r'\\(["\\])', r"\1", regex=True))
