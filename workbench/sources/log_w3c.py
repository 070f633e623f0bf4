"""Logs in the W3C's extended format, as of IIS and CloudFront: fields that #Fields names, blanks or tabs between."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from workbench.sources.log_format import LogFormat
from workbench.sources.log_lines import Cells

__all__ = ["DIRECTIVE", "FIELDS", "NO_FIELDS", "W3c"]

DIRECTIVE: Final = "line of a W3C log that begins with #"
NO_FIELDS: Final = "no #Fields line above it"
FIELDS: Final = "#fields:"
"""How the line begins, in small letters, that names what the lines below it have."""

_NAMES = {
    **{"c-ip": "ip", "x-forwarded-for": "forwarded", "cs(x-forwarded-for)": "forwarded"},
    **{"cs-method": "method", "cs-uri-stem": "url", "cs-uri-query": "query", "cs-uri": "uri", "sc-status": "status"},
    **{"cs(referer)": "referer", "cs(user-agent)": "user_agent", "cs(host)": "host", "cs-host": "host"},
    **{"x-host-header": "host_header", "cs-username": "user", "time-local": "time_local"},
}
_CELL = re.compile(r'"([^"]*+)"|(\S++)')


class W3c:
    """Reads the lines of one W3C log. What #Fields and #Date say holds for all lines after them, in later calls too."""

    def __init__(self, format: LogFormat) -> None:
        self._names = format.format.split()
        self._date = ""

    def __call__(self, lines: Sequence[str]) -> tuple[Cells, list[str]]:
        """Take lines apart. Gives their cells and, for each, "" or why it is no request though nothing is wrong."""
        rows: list[dict[str, str]] = []
        problem, aside = [], []
        for line in lines:
            row: dict[str, str] | str = {}
            if line.startswith("#"):
                self._directive(line)
                aside.append(DIRECTIVE)
            else:
                aside.append("")
                row = self._row(line)
            rows.append({} if isinstance(row, str) else row)
            problem.append(row if isinstance(row, str) else "")
        names = list(dict.fromkeys(name for row in rows for name in row)) or ["ip"]
        return Cells({name: [row.get(name) for row in rows] for name in names}, problem), aside

    def _directive(self, line: str) -> None:
        if line.lower().startswith(FIELDS):
            self._names = line[len(FIELDS) :].split()
        elif line.lower().startswith("#date:"):
            self._date = line[len("#date:") :].strip()[:10]

    def _row(self, line: str) -> dict[str, str] | str:
        if not self._names:
            return NO_FIELDS if line.strip() else "empty line"
        tabs = "\t" in line
        if tabs:
            cells = line.split("\t")
        elif '"' in line:
            cells = [found[1] if found[1] is not None else found[2] for found in _CELL.finditer(line)]
        else:
            cells = line.split()
        if len(cells) != len(self._names):
            return f"{len(cells)} fields, not the {len(self._names)} of #Fields" if line.strip() else "empty line"
        row = {}
        for name, value in zip(self._names, cells, strict=True):
            row[_NAMES.get(name.lower(), name.lower())] = value
        return _request(row, self._date, tabs)


def _request(row: dict[str, str], date: str, tabs: bool) -> dict[str, str] | str:
    clock = row.get("time", "")
    row["time"] = f"{row.pop('date', date)}T{clock}Z"
    if "host_header" in row:
        row["host"] = row["host_header"]
    if row.get("url", "-") == "-" and "uri" in row:
        row["url"] = row["uri"]
    if row.get("url", "-") == "-":
        return "no cs-uri-stem"
    if (agent := row.get("user_agent")) is not None:
        # CloudFront escapes what is escaped already; IIS writes + for blanks.
        row["user_agent"] = unquote(unquote(agent)) if tabs else agent.replace("+", " ")
    return row
