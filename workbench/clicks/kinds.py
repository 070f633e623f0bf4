"""Whether a column says that not all records are clicks: views, scrolls. Which are, the user says: see `where`.

Nothing is left out here: what looks like no click is named, with the option that leaves it out.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from workbench.clicks.parts import plain_name
from workbench.clicks.where import REQUESTS, Condition
from workbench.text import quote

__all__ = ["Kinds", "columns_of_kinds"]

_COLUMNS: Final = frozenset({
    "event", "eventname", "eventtype", "eventkind", "eventaction", "type", "kind", "action", "actiontype", "actionname",
    "hittype", "interaction", "interactiontype", "activity", "activitytype", "touchtype", "attributedtouchtype",
    "recordtype", "clicktype", "method", "requestmethod", "httpmethod", "httprequestmethod", "csmethod",
})  # fmt: skip
"""Usual names of columns that hold the kind of a record, in small letters and without signs."""

_FLAGS: Final = frozenset({"click", "isclick", "isclicked", "clicked", "clk", "wasclicked", "hasclick"})
"""Usual names of columns that say of each record, by yes or no, whether it is a click."""

_NO: Final = frozenset({"0", "false", "no", "n", "f", "0.0"})
_YES: Final = frozenset({"1", "true", "yes", "y", "t", "1.0"})

_CLICKS: Final = frozenset({"click", "clicks", "clicked", "clk", "tap", "taps", "tapped"})
_PAGES: Final = frozenset({"page", "pageview", "pageviews", "pv", "screenview", "visit", "landing", "landingpage"})
_OTHERS: Final = frozenset({
    "impression", "impressions", "imp", "imps", "view", "views", "viewed", "viewable", "viewability", "scroll",
    "scrolled", "scrolling", "conversion", "conversions", "converted", "install", "installs", "installed", "purchase",
    "purchased", "session", "first", "engagement", "hover", "mouseover", "mousemove", "heartbeat", "ping", "login",
    "signup", "register", "registration", "checkout", "cart", "unload", "refund", "render", "rendered", "served",
    "bid", "win", "head", "options", "trace", "connect", "propfind", "put", "patch", "delete",
})  # fmt: skip
"""Words in the names of what is no click."""

_MOST_KINDS: Final = 60  # different values; a column that has more holds something else
_SHOWN: Final = 8


def columns_of_kinds(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Give the columns that usually hold the kind of a record, those left out that are `taken` for something else.

    >>> columns_of_kinds(["ts", "Event Name", "page.type", "kindness"], ["ts"])
    ['Event Name', 'page.type']
    """
    usual = _COLUMNS | _FLAGS
    found = [
        name
        for name in names
        if name not in taken and not usual.isdisjoint({plain_name(name), plain_name(_last(name))})
    ]
    return found[:_SHOWN]


class Kinds:
    """Counts the values of columns, over all inputs of a source.

    >>> kinds = Kinds()
    >>> kinds.count("event", pd.Series(["click", "view", "view", None]))
    >>> list(kinds.warnings())[0][-34:]
    'Say which are: --where event=click'
    """

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._of_where: dict[str, Counter[str]] = {}

    def count(self, column: str, texts: pd.Series[Any]) -> None:
        """Count the values of records that are clicks so far."""
        _add(self._counts.setdefault(column, Counter()), texts)

    def count_where(self, condition: Condition, texts: pd.Series[Any]) -> None:
        """Count the values that a condition looks at, those among them which do not meet it."""
        _add(self._of_where.setdefault(condition.path, Counter()), texts)

    def warnings(self) -> Iterator[str]:
        """Yield what is to be said before any number: a column has kinds that look like no clicks."""
        for column, counts in self._counts.items():
            if 0 < len(counts) <= _MOST_KINDS and (said := _doubt(column, counts)):
                yield said

    def notes(self, where: Sequence[str]) -> Iterator[str]:
        """Yield the values of conditions that no record had, with those that there are."""
        for text in where:
            condition = Condition.of(text)
            counts = self._of_where.get(condition.path, Counter[str]())
            there = {value.strip().upper() for value in counts}
            lacking = [value for value in condition.values if value.upper() not in there]
            if lacking and len(counts) <= _MOST_KINDS:
                has = f"it has {_listed(counts)}" if counts else "it has no values"
                yield f"--where {text}: no record has {' or '.join(lacking)} as {condition.path}; {has}"


def _add(counts: Counter[str], texts: pd.Series[Any]) -> None:
    if len(counts) <= _MOST_KINDS:
        counts.update(text for text in texts.to_list() if isinstance(text, str))
        for text, _ in counts.most_common()[_MOST_KINDS + 1 :]:
            del counts[text]


def _doubt(column: str, counts: Mapping[str, int]) -> str | None:
    if not _FLAGS.isdisjoint({plain_name(column), plain_name(_last(column))}):
        return _doubt_of_flag(column, counts)
    clicks = [value for value in counts if _is_click(value)]
    pages = [value for value in counts if plain_name(value) in _PAGES]
    others = [value for value in counts if value not in (*clicks, *pages) and not _OTHERS.isdisjoint(_words(value))]
    if len(counts) == 1:
        if not others:
            return None
        fix = f"If these are meant: {_option(column, '=', others)}"
        return f"all records that count as clicks have {column} {quote(others[0])}, and that is no click. {fix}"
    if not others and not (clicks and len(clicks) < len(counts)):
        return None
    best = clicks or pages
    option = _option(column, "=", best) if best else _option(column, "!=", others)
    what = f"{column} holds records of several kinds, and all count as clicks: {_listed(counts)}"
    return f"{what}. Say which are: {option}"


def _doubt_of_flag(column: str, counts: Mapping[str, int]) -> str | None:
    """What a column of yes and no says, where some records are no clicks."""
    no = [value for value in counts if value.strip().lower() in _NO]
    yes = [value for value in counts if value.strip().lower() in _YES]
    if not no or len(no) + len(yes) < len(counts):
        return None
    option = _option(column, "=", yes) if yes else _option(column, "!=", no)
    return f"not all records are clicks by {column}, and all count as clicks: {_listed(counts)}. Say which: {option}"


def _is_click(value: str) -> bool:
    return value.strip().upper() in REQUESTS or not _CLICKS.isdisjoint(_words(value))


def _option(column: str, sign: str, values: Sequence[str]) -> str:
    return f"--where {shlex.quote(column + sign + ','.join(value.strip() for value in values))}"


def _listed(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda pair: -pair[1])
    shown = [f"{value if value.isalnum() or value.isidentifier() else quote(value)} {n:,}" for value, n in most]
    return ", ".join(shown[:_SHOWN]) + (" …" if len(shown) > _SHOWN else "")


def _words(value: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value[:200]).lower())


def _last(path: str) -> str:
    return re.split(r"[.\[]", path)[-1]
