"""What a format of log lines is. Format strings are read in `log_compile`; those that have names are in `presets`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

__all__ = ["COLUMNS", "LogFormat"]

COLUMNS: Final = ("ip", "ts", "method", "url", "status", "referer", "user_agent", "host", "user")
"""What a log can tell of a request, under one name whatever the format calls it."""


@dataclass(frozen=True, eq=False)
class LogFormat:
    """One format of log lines.

    Attributes
    ----------
    name : str
        What it is called, "custom" where it was written out.
    kind : str
        "text" for a line that a regular expression reads, "w3c" for fields that #Fields names, "json".
    docs : str
        The page of the server's documentation that has it.
    format : str
        As the documentation writes it; of W3C the fields.
    loose : bool
        Of text, whether what comes after the size may be missing, and more may stand between or behind.
    columns : tuple of str
        What the groups of `pattern` are, for text.
    stages : tuple of str
        Regular expressions of the line's beginnings, each longer than the one before; the last is the whole line.
    labels : tuple of str
        What each of the stages reads last.
    paths : mapping
        Of JSON, field → its paths, of which the first that is there counts.
    needs, unless : tuple of str
        What lines must have, or may not have, to be taken for it: of JSON, paths of which one must be there and none
        may be; of text, columns of which each must hold a host in some line.
    any_case : bool
        Of JSON, whether names are these in any case of letters, with and without underscores.
    unit : str or None
        What a time counts that is a number; None leaves that to the column.
    json : str or None
        The preset to take where the lines are JSON.
    whole_urls : bool
        Whether its URLs have the host in them, as those that a balancer or a proxy is asked for.
    """

    name: str
    kind: Literal["text", "w3c", "json"]
    docs: str = ""
    format: str = ""
    loose: bool = False
    columns: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    paths: Mapping[str, Sequence[str]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    any_case: bool = False
    unit: str | None = None
    json: str | None = None
    whole_urls: bool = False

    @property
    def knows_host(self) -> bool:
        """Whether its lines tell the site that was asked; of W3C logs they themselves say so."""
        return self.kind == "w3c" or self.whole_urls or "host" in (*self.columns, *self.paths)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The line, to be matched in full; its groups are `columns`."""
        return re.compile(self.stages[-1])

    @cached_property
    def _begins(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(stage) for stage in self.stages)

    def reach(self, line: str) -> tuple[int, int]:
        """How many characters a line goes along with the format, and to which of the stages that leads."""
        end = last = 0
        for n, stage in enumerate(self._begins, 1):
            if (found := stage.match(line)) is None:
                break
            if found.end() > end:  # what may be missing, and is, takes the line no further
                end, last = found.end(), n
        return end, last
