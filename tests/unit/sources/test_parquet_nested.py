"""A place in a nested column is the same whether Arrow goes there or Python."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.sources.parquet_nested import inside, python_values
from workbench.sources.paths import lookup, parse

VALUE = pa.struct([("string_value", pa.string()), ("int_value", pa.int64()), ("double_value", pa.float64())])
TYPES = {
    "key": pa.list_(pa.struct([("key", pa.string()), ("value", VALUE)])),
    "name": pa.large_list(pa.struct([("value", pa.string()), ("name", pa.string())])),
    "struct": pa.struct([("a", pa.struct([("b", pa.int64())])), ("c", pa.list_(pa.string()))]),
    "map": pa.map_(pa.string(), pa.int64()),
}
KEYS = st.none() | st.sampled_from(["k", "j"])
A_VALUE = st.none() | st.fixed_dictionaries(
    {
        "string_value": st.none() | st.just("s"),
        "int_value": st.none() | st.just(7),
        "double_value": st.none() | st.just(0.5),
    }
)
ROWS: dict[str, st.SearchStrategy[Any]] = {
    "key": st.none() | st.lists(st.none() | st.fixed_dictionaries({"key": KEYS, "value": A_VALUE}), max_size=3),
    "name": st.none() | st.lists(st.fixed_dictionaries({"name": KEYS, "value": st.none() | st.just("v")}), max_size=3),
    "struct": st.none()
    | st.fixed_dictionaries(
        {"a": st.none() | st.fixed_dictionaries({"b": st.none() | st.just(1)}), "c": st.none() | st.lists(st.just("x"))}
    ),
    "map": st.none()
    | st.dictionaries(st.sampled_from(["k", "a"]), st.integers(0, 9), max_size=2).map(lambda d: [*d.items()]),
}
PATHS = ["v[k]", "v[k].a", "v[0]", "v.a.b", "v.a", "v.c[0]", "v.c[1]", "v.k", "v.none", "v.a.none"]


@given(st.data(), st.sampled_from(list(TYPES)))
@settings(max_examples=400, deadline=None)
def test_arrow_and_python_find_the_same(data: st.DataObject, kind: str) -> None:
    array = pa.array(data.draw(st.lists(ROWS[kind], max_size=8)), TYPES[kind])
    array = array.slice(data.draw(st.integers(0, 3)))
    for path in PATHS:
        found = inside(array, parse(path)[1:])
        found = found if isinstance(found, list) else python_values(found)
        assert found == [lookup({"v": value}, path) for value in python_values(array)], path
