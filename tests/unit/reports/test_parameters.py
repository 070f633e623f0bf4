"""Parameters of notebooks: read without running anything, typed as declared, and never a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import ReportError
from workbench.reports.parameters import check, declared, parse

CELL = """window: str = "10s"  # with = and "quotes"
threshold: int = 3
rate: float = 50.0
quiet: bool = False
seeds: list[int] = [1, 2]
prices: "dict[str, float]" = {}
anything = None
plain = 7
print("no parameter")"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "nb.ipynb"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# text"},
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": CELL.splitlines(keepends=True)},
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_parameters_are_read_with_their_types_and_defaults(notebook: Path) -> None:
    assert [str(parameter) for parameter in declared(notebook).values()] == [
        "window: str = '10s'",
        "threshold: int = 3",
        "rate: float = 50.0",
        "quiet: bool = False",
        "seeds: list[int] = [1, 2]",
        "prices: dict[str, float] = {}",
        "anything: any = None",
        "plain: int = 7",
    ]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("window=2m", "2m"),
        ("window=a=b", "a=b"),
        ("window=", ""),
        (" threshold = 4", 4),
        ("rate=5", 5),
        ("rate=2.5e1", 25.0),
        ("quiet=yes", True),
        ("quiet=False", False),
        ("seeds=[3]", [3]),
        ('prices={"a": 1.5}', {"a": 1.5}),
        ("anything=x", "x"),
    ],
)
def test_a_word_becomes_a_value_of_the_declared_type(notebook: Path, word: str, value: Any) -> None:
    (found,) = parse(notebook, [word]).values()
    assert found == value
    assert type(found) is type(value)
    check(notebook, parse(notebook, [word]))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "treshold=4",
            r"no parameter 'treshold' \(did you mean 'threshold'\?\); nb.ipynb takes window: str = '10s', thr",
        ),
        ("threshold=four", r"'threshold' is 'four', expected int; nb.ipynb takes .*rate: float = 50.0"),
        ("threshold=4.0", r"'threshold' is '4.0', expected int"),
        ("threshold=true", r"'threshold' is 'true', expected int"),
        ("rate=fast", "'rate' is 'fast', expected float"),
        ("quiet=maybe", "'quiet' is 'maybe', expected bool"),
        ("seeds=1", r"'seeds' is '1', expected list\[int\]"),
        ("threshold", "written NAME=VALUE, as threshold=4: got 'threshold'"),
        ("=4", "written NAME=VALUE"),
        ("x" * 10_000 + "=4", "no parameter 'xxx"),
    ],
)
def test_a_word_that_is_wrong_is_refused_with_the_right_ones(notebook: Path, word: str, said: str) -> None:
    with pytest.raises(ReportError, match=said) as refused:
        parse(notebook, [word])
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "word",
    [
        "password=hunter2secret",
        "SASL_PASSWORD=hunter2secret",
        "api-key=hunter2secret",
        "apikey=hunter2secret",
        "authToken=hunter2secret",
        "client_secret=hunter2secret",
        "aws_secret_access_key=hunter2secret",
        "window=password=hunter2secret",
        'window={"api_key": "hunter2secret"}',
        "window=https://ann:hunter2secret@broker.example/x",
        "window=Bearer hunter2secret",
        "window=eyJhbGciOiJI.eyJzdWIiOiIxhunter2secret",
        "window=-----BEGIN RSA PRIVATE KEY-----hunter2secret",
        "window=ghp_hunter2secret" + "0" * 30,
        "window=AKIA" + "A" * 16,
        "password hunter2secret",
    ],
)
def test_a_secret_is_refused_unquoted_and_the_environment_is_named(notebook: Path, word: str) -> None:
    with pytest.raises(ReportError, match="put it into the environment") as refused:
        parse(notebook, [word])
    assert "hunter2secret" not in str(refused.value)
    name, equals, value = word.partition("=")
    if equals:
        with pytest.raises(ReportError, match="put it into the environment"):
            check(notebook, {name: value})
        with pytest.raises(ReportError, match="looks like a secret"):
            check(notebook, {"seeds": ["password=x"]})


@pytest.mark.parametrize(
    "value", ["/logs/secretary.log", "Tokens of the week", "https://shop.example:8080/a@b", "risk-" * 9]
)
def test_what_only_resembles_a_secret_is_taken(notebook: Path, value: str) -> None:
    check(notebook, {"window": value})


@pytest.mark.parametrize("content", [None, "no JSON", "[]", "{}", '{"cells": [1]}', "\ud800"])
def test_what_is_no_notebook_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "x.ipynb").write_text(content, errors="surrogatepass")
    with pytest.raises(ReportError, match=r"x\.ipynb"):
        declared(tmp_path / "x.ipynb")


def test_a_parameters_cell_that_is_no_python_is_told(notebook: Path) -> None:
    notebook.write_text(notebook.read_text().replace("threshold: int = 3", "threshold: int ="))
    with pytest.raises(ReportError, match=r"parameters cell of nb\.ipynb is no Python"):
        declared(notebook)
