"""Rows of JSON as cells: an object a line, or one document whose list of objects holds them. Paths are in `paths`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

import numpy as np
import pandas as pd

from workbench.sources.decoding import LONGEST_LINE, TOO_LONG, Text
from workbench.sources.json_values import cell, decoder
from workbench.sources.paths import lookup, names_of
from workbench.sources.rows import CHUNK_ROWS, Choose, Rows

__all__ = ["json_rows"]

_NAMED_FULLY: Final = 1000  # objects whose nested names are looked at
_LISTS: Final = ("events", "rows", "records", "data", "items", "results", "clicks", "hits", "entries", "logs")
_NEXT = re.compile(r"[ \t\r\n,]*+(\][ \t\r\n]*+\[)?")
_OBJECTS = re.compile(r"\[[ \t\r\n]*+(?=\{)")
_BETWEEN = re.compile(r"[ \t,\[\]}]*+")
_BROKEN: Final = "not JSON, from here to the end of the line"
_BEHIND: Final = "behind a broken object of JSON, and not an object on a line"

_Found = tuple[dict[str, Any] | None, str, str]
"""An object or None, "" or what is wrong, and the text."""


def json_rows(text: Text, choose: Choose, times: Callable[[], Sequence[str]] = lambda: ()) -> Iterator[Rows]:
    """Read JSON: one object a line, or a document that is a list of objects, or an object with such a list.

    Parameters
    ----------
    text
        The source.
    choose
        Gives the paths that are wanted, of the names in the first chunk. A path that leads nowhere is empty.
    times
        Gives the paths of the times, once `choose` was asked; a single one may be any number.

    Yields
    ------
    Rows
        The lines; of a document the objects of its list, whose place in it is what `line` says, and behind one that is
        broken the physical lines. Numbers are those of `json_values`.

    Raises
    ------
    ClickError
        `choose` raises one.
    """
    start = _first_in_document(text.head)
    found = _in_lines(text) if start is None else _in_document(text, start)
    wanted: Sequence[str] | None = None
    first = 1
    while block := list(islice(found, CHUNK_ROWS)):
        objects = [value for value, _, _ in block]
        if wanted is None and any(value is not None for value in objects):
            wanted = list(choose(_names(objects)))
        yield _rows(block, first, wanted or (), times())
        first += len(block)
    if wanted is None:
        choose([])


def _rows(block: list[_Found], first: int, wanted: Sequence[str], times: Sequence[str]) -> Rows:
    problem = np.empty(len(block), dtype=object)
    problem[:] = [why for _, why, _ in block]
    texts = [text for _, _, text in block]
    columns = {
        path: [None if value is None else cell(_at(value, path), times == (path,)) for value, _, _ in block]
        for path in wanted
    }
    return Rows(
        cells=pd.DataFrame(columns, index=pd.RangeIndex(len(block)), dtype=object),
        line=np.arange(first, first + len(block), dtype=np.int64),
        problem=problem,
        aside=np.full(len(block), "", dtype=object),
        text=texts.__getitem__,
    )


def _at(value: dict[str, Any], path: str) -> Any:
    return value[path] if path in value else lookup(value, path)


def _names(objects: Sequence[dict[str, Any] | None]) -> list[str]:
    there = [value for value in objects if value is not None]
    nested = chain.from_iterable(names_of(value) for value in there[:_NAMED_FULLY])
    flat = (
        name for value in there[_NAMED_FULLY:] for name, inner in value.items() if not isinstance(inner, dict | list)
    )
    return list(dict.fromkeys(chain(nested, flat)))


def _in_lines(text: Text) -> Iterator[_Found]:
    for line in text.lines():
        stripped = line.strip().removeprefix("\ufeff")
        if not stripped:
            yield None, "empty line", stripped
        elif len(line) > LONGEST_LINE:
            yield None, TOO_LONG, line
        else:
            yield *_loaded(stripped), stripped


def _loaded(text: str) -> tuple[dict[str, Any] | None, str]:
    try:
        value = decoder(text).decode(text)
    except RecursionError:
        return None, "JSON that is nested too deeply"
    except json.JSONDecodeError:
        return None, "not JSON"
    except ValueError as error:
        return None, f"not JSON: {error}"
    return (value, "") if isinstance(value, dict) else (None, "not a JSON object")


def _in_document(text: Text, at: int) -> Iterator[_Found]:
    """Yield the objects from a place on. The memory this takes is that of the longest object which may be."""
    listed = not text.head.startswith("{", at) or text.head[:at].strip() != ""
    blocks = text.blocks()
    whole = ""
    ended = False
    one_a_line: bool | None = None  # nothing speaks for it yet
    while True:
        while len(whole) - at < LONGEST_LINE and not ended:
            block = next(blocks, None)
            ended = block is None
            whole, at = whole[at:] + (block or ""), 0 if at <= len(whole) else at - len(whole)
        if gap := _NEXT.match(whole, at):
            at = gap.end()
            if gap[1]:  # a list behind the list
                continue
        if at == len(whole) and ended:
            if listed:
                yield None, "a list of JSON that has no end", ""
            return
        if whole[at : at + 1] == "]":
            return
        if at == len(whole):
            continue
        try:
            value, end = _decoder.raw_decode(whole, at)
        except (ValueError, RecursionError):
            yield from _in_rest(text.lines(chain([whole[at:]], blocks)), one_a_line)
            return
        found, at = whole[at:end], end
        one_a_line = one_a_line is not False and "\n" not in found
        if isinstance(value, dict) and decoder(found) is _decoder:
            yield value, "", found
        else:
            yield *_loaded(found), found


def _in_rest(lines: Iterator[str], one_a_line: bool | None) -> Iterator[_Found]:
    """Yield the physical lines from a broken object on. Where objects stand one a line, the others are still told."""
    first = next(lines)
    yield None, TOO_LONG if len(first) > LONGEST_LINE else _BROKEN, first
    one_a_line = first.strip() != "{" if one_a_line is None else one_a_line
    for line in lines:
        start = len(line) - len(line.lstrip(" \t,["))
        try:
            end = _decoder.raw_decode(line, start)[1] if one_a_line else start
        except (ValueError, RecursionError):
            end = start
        if end > start and _BETWEEN.fullmatch(line, end):
            yield *_loaded(line[start:end]), line
        elif not _BETWEEN.fullmatch(line):
            yield None, _BEHIND, line


def _first_in_document(head: str) -> int | None:
    """Say where the first object of a document begins; None where there is an object on each line."""
    start = _space(head, 0)
    if listed := _OBJECTS.match(head, start):
        return listed.end()
    first = head[start:].split("\n", 1)[0]
    if not first.startswith("{") or (_is_json(first) and head[start + len(first) :].strip()):
        return None
    if _is_json_before_another(head, start) and not _is_json(first):
        return start
    at = start
    try:
        while head[at] in "{,":  # through the names and values of the object, up to a list of objects
            name, at = _decoder.raw_decode(head, _space(head, at + 1))
            at = _space(head, at)
            if head[at] != ":":
                return None
            at = _space(head, at + 1)
            listed = _OBJECTS.match(head, at)
            if listed and (name in _LISTS or at > start + len(first)):
                return listed.end()
            at = _space(head, _decoder.raw_decode(head, at)[1])
        return start if head[at] == "}" and not _is_json(first) else None
    except (ValueError, RecursionError, IndexError):
        return None


def _is_json_before_another(head: str, at: int) -> bool:
    try:
        gap = _NEXT.match(head, _decoder.raw_decode(head, at)[1])
    except (ValueError, RecursionError):
        return False
    return gap is not None and head.startswith("{", gap.end())


def _space(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at


def _is_json(text: str) -> bool:
    try:
        _decoder.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


_decoder = decoder("")
