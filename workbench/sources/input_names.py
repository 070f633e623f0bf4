"""Names that tell inputs apart, and inputs that are the same but for how they are packed. Finding: `inputs`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from workbench.sources.one_input import Input

__all__ = ["named_apart", "without_copies"]

_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst|zstd)$", re.IGNORECASE)
_BLOCK = 1 << 20


def without_copies(inputs: Sequence[Input], notes: list[str]) -> list[Input]:
    """Leave out inputs that hold the same as another, or its beginning, and are called the same but for their packing.

    Who packs a log, and is interrupted, leaves both. Raises ClickError when one of them cannot be read.
    """
    alike = defaultdict(list)
    for one in inputs:
        if one.path is not None:
            alike[_bare(_parts(one))].append(one)
    copies: set[int] = set()
    for group in alike.values():
        for i, one in enumerate(group):
            for other in group[i + 1 :]:
                if id(one) in copies or id(other) in copies:
                    continue
                shorter = _beginning(one, other)
                if shorter is None:
                    both = f"{_file_name(one)} and {_file_name(other)}"
                    notes.append(f"{both} are called the same but hold other lines; both are read")
                else:
                    copies.add(id(shorter))
                    longer = _file_name(other if shorter is one else one)
                    notes.append(f"{_file_name(shorter)} holds nothing that {longer} does not hold; it is passed over")
    return [one for one in inputs if id(one) not in copies]


def named_apart(inputs: Sequence[Input]) -> list[Input]:
    """Name each by the end of its path, by as much of it as no other has. How it is packed is no part of its name."""
    paths = [_parts(one) for one in inputs]
    bare = [_bare(parts) for parts in paths]
    times = Counter(bare)
    # Unless it is all that tells two of them apart.
    paths = [parts if times[name] > 1 else name for parts, name in zip(paths, bare, strict=True)]
    names = [parts[-1] for parts in paths]
    for depth in range(2, max(map(len, paths), default=0) + 1):
        alike = Counter(names)
        names = [
            "/".join(parts[-depth:]) if alike[name] > 1 else name for name, parts in zip(names, paths, strict=True)
        ]
    apart = []
    taken: Counter[str] = Counter()
    for one, name in zip(inputs, names, strict=True):
        taken[name] += 1  # members of an archive may have one name altogether
        apart.append(replace(one, name=name if taken[name] == 1 else f"{name} ({taken[name]})"))
    return apart


def _beginning(one: Input, other: Input) -> Input | None:
    """Give the input that is the beginning of the other, or the same; None where they differ."""
    with one.open() as (first, _), other.open() as (second, _):
        while True:
            here, there = first.data.read(_BLOCK), second.data.read(_BLOCK)
            size = min(len(here), len(there))
            if here[:size] != there[:size]:
                return None
            if size < _BLOCK:
                return one if len(here) < len(there) else other


def _file_name(one: Input) -> str:
    return _parts(one)[-1]


def _parts(one: Input) -> tuple[str, ...]:
    if one.path is None:
        return (one.name,)
    inside = PurePath(one.member.filename).parts if one.member else ()
    return (*one.path.absolute().parts, *inside)


def _bare(parts: tuple[str, ...]) -> tuple[str, ...]:
    return (*parts[:-1], _PACKED.sub("", parts[-1]))
