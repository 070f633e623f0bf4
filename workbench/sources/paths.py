"""Where in a record a value stands: "request.uri", "headers.User-Agent[0]", "event_params[page_location]".

Names of JSON objects are divided by points, a number in brackets is a place in a list, and a name in brackets is an
entry of a list that keeps names and values, as analytics exports do: {"key": "page_location", "value": {...}}. A name
that stands in the record as it is written, points and all, comes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from workbench.errors import ClickError
from workbench.text import quote

__all__ = ["ENTRY_NAMES", "ENTRY_VALUES", "Step", "lookup", "names_of", "parse"]

Step = str | int | tuple[str]
"""A name in an object, a place in a list, or (in a tuple) the name of an entry in a list of names and values."""

ENTRY_NAMES: Final = ("key", "name")
ENTRY_VALUES: Final = ("string_value", "int_value", "float_value", "double_value", "bool_value")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]{1,6})\]|\[([^\[\]]+)\]")
_DEEPEST: Final = 4


@lru_cache(maxsize=1024)
def parse(path: str) -> tuple[Step, ...]:
    """Give the steps of a path.

    >>> parse("request.headers.User-Agent[0]"), parse("event_params[ga_session_id]")
    (('request', 'headers', 'User-Agent', 0), ('event_params', ('ga_session_id',)))

    Raises ClickError for what is no path.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path) or not steps:
        found = _STEP.match(path, at)
        if found is None or (at == 0 and path.startswith(".")):
            raise ClickError(f"not a path: {quote(path)}; write names and places, as request.uri or headers.Host[0]")
        name, place, entry = found.groups()
        steps.append(name if name is not None else int(place) if place is not None else (entry,))
        at = found.end()
    return tuple(steps)


def lookup(record: object, path: str) -> Any:
    """Give the value at a path of a decoded JSON record, None where there is none.

    >>> lookup({"a": {"b": [1, 2]}, "a.c": 3}, "a.b[1]"), lookup({"a": {}, "a.c": 3}, "a.c"), lookup({}, "a[0].b")
    (2, 3, None)
    >>> lookup({"p": [{"key": "page", "value": {"string_value": "/ad"}}]}, "p[page]")
    '/ad'
    """
    if isinstance(record, Mapping) and path in record:
        return record[path]
    for step in parse(path):
        record = _step(record, step)
        if record is None:
            return None
    return record


def names_of(record: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[str]:
    """Yield the paths of all values in a record that are no objects or lists.

    >>> list(names_of({"a": {"b": 1, "c": ["x"]}, "p": [{"key": "k", "value": {"int_value": 2}}]}))
    ['a.b', 'a.c[0]', 'p[k]']
    """
    for name, value in record.items():
        yield from _names(f"{before}{name}", value, depth)


def _names(path: str, value: object, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping) and depth < _DEEPEST:
        yield from names_of(value, f"{path}.", depth + 1)
    elif isinstance(value, list):
        entries = [name for name in map(_entry_name, value) if name is not None]
        if entries:
            yield from (f"{path}[{name}]" for name in entries)
        elif value and not isinstance(value[0], Mapping | list):
            yield f"{path}[0]"
    else:
        yield path


def _step(value: object, step: Step) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    if not isinstance(value, list):
        return None
    if isinstance(step, int):
        return value[step] if step < len(value) else None
    found = next((entry for entry in value if _entry_name(entry) == step[0]), None)
    inner = None if found is None else found.get("value")
    if isinstance(inner, Mapping):
        return next((inner[kind] for kind in ENTRY_VALUES if inner.get(kind) is not None), None)
    return inner


def _entry_name(entry: object) -> str | None:
    if not isinstance(entry, Mapping) or "value" not in entry:
        return None
    name = next((entry[kind] for kind in ENTRY_NAMES if kind in entry), None)
    return name if isinstance(name, str) else None
