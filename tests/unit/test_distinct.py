"""Distinct texts: all of Unicode is told apart, as Python tells it apart, wherever the workbench groups by text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import workbench
from workbench.charts.sessions import top_view
from workbench.clicks.files import read
from workbench.clicks.order import order
from workbench.clicks.visits import visits
from workbench.distinct import count, distinct, groups, repeated
from workbench.reports import patterns
from workbench.rule import Rule, judge
from workbench.verdicts.evaluation import evaluate
from workbench.verdicts.shadow import compare

FIELD = Path(__file__).parents[1] / "data" / "field"
NEAR = st.text(st.sampled_from("a\0\ud800\udfff\ufffd?\u0301eé␀"), max_size=3)
"""Texts that something might take for one another: NUL, halves of pairs, what stands in for them, an é twice."""
TEXTS = st.lists(st.text(st.characters(), max_size=4) | NEAR, max_size=12)
MISSING = st.sampled_from([None, float("nan"), pd.NA])


def column(values: list[Any]) -> pd.Series[Any]:
    return pd.Series(values, dtype=object)


def numbered(values: list[Any]) -> list[int]:
    """What a dict says: the number of each, in the order in which they appear."""
    seen: dict[Any, int] = {}
    return [seen.setdefault(value, len(seen)) for value in values]


@given(TEXTS)
@example(["v\x000", "v\x001", "v", "v\0"])
@example(["\ud800", "\udbff", "?"])
def test_texts_are_told_apart_as_python_does_and_come_back_as_they_were(texts: list[str]) -> None:
    numbers, names = distinct(column(texts))
    assert numbers.tolist() == numbered(texts)
    assert names.tolist() == list(dict.fromkeys(texts))
    assert count(column(texts)) == len(set(texts))
    assert repeated(column(texts)).tolist() == [text in texts[:i] for i, text in enumerate(texts)]


@given(st.lists(NEAR | MISSING | st.integers(-1, 1) | st.just(b"a") | st.just(("a", None)), max_size=12))
def test_missing_values_have_no_number_and_what_is_no_text_is_no_texts_equal(values: list[Any]) -> None:
    numbers, names = distinct(column(values))
    there = [value for value in values if isinstance(value, tuple) or not pd.isna(value)]
    assert numbers[numbers >= 0].tolist() == numbered(there)
    assert int((numbers < 0).sum()) == len(values) - len(there)
    assert names.tolist() == list(dict.fromkeys(there))


@given(st.lists(st.tuples(NEAR, NEAR, st.sampled_from([0, 1]), NEAR | st.none()), max_size=12))
def test_rows_of_several_columns_are_told_apart(rows: list[tuple[Any, ...]]) -> None:
    columns = [pd.Series([row[i] for row in rows], dtype="int64" if i == 2 else object) for i in range(4)]
    assert groups(*columns).tolist() == numbered(rows)
    assert repeated(*columns).tolist() == [row in rows[:i] for i, row in enumerate(rows)]


@pytest.mark.parametrize("kind", ["category", "string", "string[pyarrow]", object])
def test_columns_of_other_types_are_numbered_by_their_values(kind: Any) -> None:
    texts = ["b\0y", "b\0x", None, "b\0y"]
    cells: Any = pd.Categorical(texts, categories=["c", "b\0x", "b\0y"]) if kind == "category" else texts
    made = pd.Series(cells, dtype=kind)
    numbers, names = distinct(made)
    assert (numbers.tolist(), names.tolist()) == ([0, 1, -1, 0], ["b\0y", "b\0x"])
    times = pd.to_datetime(pd.Series([5, 1, 5, float("nan")]), unit="s", utc=True)
    assert distinct(times)[0].tolist() == [0, 1, 0, -1]
    assert distinct(np.array([7, 3, 7]))[1].tolist() == [7, 3]


PEOPLE = st.lists(NEAR.filter(bool), min_size=1, max_size=10)


def clicks_of(people: list[str], pages: list[str] | None = None) -> pd.DataFrame:
    n = len(people)
    ts = pd.to_datetime(range(n), unit="s", utc=True).astype("datetime64[us, UTC]")
    table = {"click_id": [f"c\0{i}" for i in range(n)], "session_id": people, "url": pages or ["/ad"] * n}
    return pd.DataFrame({name: column(values) for name, values in table.items()} | {"ts": ts, "label": column(people)})


@given(PEOPLE)
@example(["v\x000", "v\x001", "v\x002"])  # three visitors
@example(["\ud800", "\udbff", "\udfff"])
def test_nothing_counts_the_clicks_of_one_visitor_for_another(people: list[str]) -> None:
    clicks, rule = clicks_of(people), Rule("1h", threshold=2)
    so_many = [people[:i].count(one) + 1 for i, one in enumerate(people)]
    judged = judge(clicks, rule)
    assert judged["clicks_in_window"].tolist() == so_many
    assert sorted(order(clicks).sessions.tolist()) == sorted(set(people))
    assert order(clicks).flagged(rule).sum() == judged["fraud"].sum()
    assert compare(judged, rule)["challenger"].tolist() == judged["fraud"].tolist()
    by_session = patterns.by_session(judged).set_index("session_id")["clicks"]
    assert dict(by_session) == {one: people.count(one) for one in people}
    assert patterns.by_session(clicks_of(["s"] * len(people), people).assign(fraud=False))["urls"].tolist() == [
        len(set(people))
    ]
    (by_url,) = patterns.by_url(judged).to_dict("records")
    twice = {one for one in people if people.count(one) > 1}
    assert (by_url["sessions"], by_url["flagged_sessions"]) == (len(set(people)), len(twice))
    assert len(top_view(judged.assign(fraud=True)).yaxis["tickvals"]) == min(len(set(people)), 15)


@given(PEOPLE)
def test_clicks_and_labels_are_evaluated_apart(people: list[str]) -> None:
    clicks = clicks_of(people).assign(click_id=column(people))
    found = evaluate(clicks, pd.DataFrame({"click_id": column(people[:1]), "fraud": True}), bots=people[:1])
    assert (found.clicks, found.flagged, found.missing) == (len(set(people)), 1, len(set(people)) - 1)
    assert (found.precision, found.recall) == (1.0, 1.0)
    assert found.by_kind.index.tolist() == sorted(set(people))


def test_clicks_whose_ids_differ_behind_a_nul_are_all_judged() -> None:
    clicks = clicks_of(["v"] * 4)
    clicks["ts"] = clicks["ts"].iloc[0]
    assert judge(clicks, Rule())["clicks_in_window"].tolist() == [4, 4, 4, 4]


def test_visitors_of_a_file_are_told_apart_behind_a_nul() -> None:
    recording = read(FIELD / "13-nul-head" / "nul-ids.jsonl")
    assert count(recording.clicks["session_id"]) == len(recording.clicks) == 5
    assert judge(recording.clicks, Rule())["clicks_in_window"].tolist() == [1] * 5


def test_visitors_of_a_log_are_told_apart_by_all_of_their_host_and_agent() -> None:
    ts = pd.Series(pd.to_datetime(range(5), unit="s", utc=True))
    hosts, agents = column(["h\0a", "h\0b", "h\0a", "h\0a", "h\0b"]), column(["x\0a", "x\0a", "x\0b", "x\0a", None])
    named = visits(hosts, agents, ts, timedelta(minutes=30)).tolist()
    assert named == ["h\0a/a1/v1", "h\0b/a1/v1", "h\0a/a2/v1", "h\0a/a1/v1", "h\0b/a2/v1"]


@given(TEXTS, NEAR)
def test_what_else_is_asked_of_pandas_about_texts_is_exact(texts: list[str], one: str) -> None:
    """These look things up by Python's comparison. Should another pandas do otherwise, they belong to `DANGEROUS`."""
    asked, known = column(texts), list(dict.fromkeys(texts))
    places = {text: place for place, text in enumerate(known)}
    assert asked.isin([one]).tolist() == [text == one for text in texts]
    assert asked.isin(known).all()
    assert (asked == one).tolist() == [text == one for text in texts]
    assert asked.map(places).tolist() == [places[text] for text in texts]
    assert dict(asked.value_counts()) == {text: texts.count(text) for text in known}
    index = pd.Index(known, dtype=object)
    assert index.get_indexer(pd.Index(texts, dtype=object)).tolist() == [places[text] for text in texts]
    assert pd.Series(range(len(known)), index=index).reindex(asked).tolist() == [places[text] for text in texts]
    assert index.difference(pd.Index([one], dtype=object), sort=False).tolist() == [x for x in known if x != one]
    table = pd.DataFrame({"text": index, "place": range(len(known))})
    assert asked.to_frame("text").merge(table, how="left")["place"].tolist() == [places[text] for text in texts]


DANGEROUS = {
    *("Categorical", "MultiIndex", "crosstab", "drop_duplicates", "duplicated", "factorize", "get_dummies", "groupby"),
    *("nunique", "pivot", "pivot_table", "set_index", "unique", "unstack"),
}
"""Of pandas' functions and methods those that may take two texts for one."""
BY_NAME = {"nunique", "unique"}
"""The same where agg(…) is asked for them."""
EXCUSE = re.compile(r"# not text: \w+")


def bare(source: str) -> Iterator[str]:
    """Where a module lets pandas compare what may be texts from strangers."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.expr | ast.keyword) and compares_texts(node):
            last = node.end_lineno or node.lineno
            if not any(EXCUSE.search(line) for line in lines[node.lineno - 1 : last]):
                yield f"{node.lineno}: {ast.unparse(node)}"


def compares_texts(node: ast.expr | ast.keyword) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="np")):
            return False  # NumPy asks Python
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in DANGEROUS
        case ast.Constant(value=str(name)):
            return name in BY_NAME
        case ast.Call(func=ast.Attribute(attr="replace"), args=[ast.Dict() | ast.DictComp()]):
            return True
        case ast.Call(func=ast.Attribute(attr="astype"), args=[ast.Constant(value="category")]):
            return True
        case ast.keyword(arg="dtype", value=ast.Constant(value="category")):
            return True
    return False


@pytest.mark.parametrize("path", sorted(Path(workbench.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_lets_pandas_compare_texts_from_strangers(path: Path) -> None:
    found = list(bare(path.read_text("utf-8")))
    assert found == [], "number them with `workbench.distinct`, or say behind it `# not text: …` what else they are"


@pytest.mark.parametrize(
    "source",
    [
        "clicks.groupby('session_id')",
        "groups = clicks.groupby(['session_id', 'url'], sort=False).ngroup()",
        "pd.factorize(clicks['url'])",
        "factorize(clicks['url'])",
        "clicks['session_id'].nunique()",
        "clicks.groupby(numbers).agg(urls=('url', 'nunique'))  # number",
        "clicks[\n    ~clicks.duplicated(\n        names\n    )\n]",
        "clicks['url'].astype('category')",
        "pd.Series(texts, dtype='category')",
        "map(pd.factorize, columns)",
        "pd.MultiIndex.from_arrays([a, b])",
        "clicks['ip'].replace({'a': 'b'})",
        "clicks.groupby('url')  # not text:",
    ],
)
def test_a_bare_comparison_is_found(source: str) -> None:
    assert list(bare(source)) != []


@pytest.mark.parametrize(
    "source",
    [
        "clicks.groupby(numbers)  # not text: numbers",
        "clicks[\n    ~clicks.duplicated(  # not text: whole numbers\n        names\n    )\n]",
        "text.replace('a', 'b')",
        "path.replace(other)",
        "'grouped by'",
        "np.unique(numbers)",
        "{'type': 'category'}",
    ],
)
def test_what_is_excused_or_compares_nothing_is_not_found(source: str) -> None:
    assert list(bare(source)) == []
