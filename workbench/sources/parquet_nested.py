"""Places in nested columns of Parquet, column by column where Arrow can, else value by value as `paths` has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.sources.paths import ENTRY_NAMES, ENTRY_VALUES, Step, lookup

__all__ = ["inside", "python_values"]


def inside(array: pa.Array, steps: Sequence[Step]) -> pa.Array | list[Any]:
    """Give what is at the end of some steps into each value of a column: an array, or Python's values."""
    for i, step in enumerate(steps):
        kind = array.type
        if isinstance(step, str) and pa.types.is_struct(kind) and kind.get_field_index(step) >= 0:
            array = pc.struct_field(array, [step])
        elif isinstance(step, tuple) and _are_entries(kind):
            array = _entries(array, step[0])
            if isinstance(array, list):
                return array if i == len(steps) - 1 else [None] * len(array)
        else:
            path = "value" + "".join(f".{each}" if isinstance(each, str) else _brackets(each) for each in steps[i:])
            return [lookup({"value": value}, path) for value in python_values(array)]
    return array


def python_values(array: pa.Array) -> list[Any]:
    """Give the values of an array as Python's, maps as dicts."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    values: list[Any] = array.to_pylist(maps_as_pydicts="lossy")
    return values


def _brackets(step: int | tuple[str]) -> str:
    return f"[{step[0] if isinstance(step, tuple) else step}]"


def _are_entries(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(kind.value_type):
        return False
    names = [kind.value_type.field(i).name for i in range(kind.value_type.num_fields)]
    key = next((name for name in ENTRY_NAMES if name in names), None)
    return key is not None and "value" in names and bool(pa.types.is_string(kind.value_type.field(key).type))


def _entries(array: pa.Array, name: str) -> pa.Array | list[Any]:
    """Give the value of the first entry of a name in each list."""
    entries, parents = pc.list_flatten(array), pc.list_parent_indices(array).to_numpy()
    key = next(each for each in ENTRY_NAMES if array.type.value_type.get_field_index(each) >= 0)
    found = np.flatnonzero(pc.fill_null(pc.equal(pc.struct_field(entries, [key]), name), False).to_numpy(False))
    rows, first = np.unique(parents[found], return_index=True)
    place = np.zeros(len(array), dtype=np.int64)
    place[rows] = found[first]
    missing = np.ones(len(array), dtype=bool)
    missing[rows] = False
    value = pc.struct_field(entries, ["value"]).take(pa.array(place, mask=missing))
    if not pa.types.is_struct(value.type):
        return value
    kinds = [pc.struct_field(value, [kind]) for kind in ENTRY_VALUES if value.type.get_field_index(kind) >= 0]
    kinds = [each for each in kinds if each.null_count < len(each)]
    if len(kinds) == 1:
        return kinds[0]
    if not kinds:
        return [None] * len(array)
    columns = [python_values(each) for each in kinds]
    return [next((each for each in row if each is not None), None) for row in zip(*columns, strict=True)]
