"""The parameters that a notebook takes, read from its cell tagged "parameters", and values checked against them.

No kernel, no papermill, no pandas: a wrong parameter is told at once. Running the notebook is in `run`.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workbench.errors import ReportError

__all__ = ["Parameter", "check", "declared", "parse", "refuse_secrets"]

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (float, int),
    "int": (int,),
    "list": (list,),
    "str": (str,),
}
_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SECRET: Final = r"pass(?:word|wd|phrase)|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|credential"
_NAME = re.compile(r"[\w-]{1,40}")
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)
_SECRET_VALUE = re.compile(
    rf"(?:{_SECRET})s?[\"']?\s{{0,9}}[=:]\s{{0,9}}\S"  # password=…
    r"|://[^/\s:@]{0,99}:[^/\s@]+@"  # https://user:password@…
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY|\bBearer\s+\S{8}|\beyJ[\w-]{8,}\.eyJ"
    r"|\b(?:AKIA[0-9A-Z]{16}|gh[opsu]_\w{30}|github_pat_\w{20}|glpat-[\w-]{20}|xox[abprs]-\w{8}|sk-[\w-]{20})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a notebook: its name, its type ("any" where none can be told), its default as it is written."""

    name: str
    type: str
    default: str

    def __str__(self) -> str:
        return f"{self.name}: {self.type} = {self.default}"


def declared(notebook: Path | str) -> dict[str, Parameter]:
    """The parameters by name, in their order; none where no cell is tagged "parameters".

    They are the lines ``name: type = default`` of that cell; without a type the default's counts. Raises ReportError
    for what is no notebook, or a parameters cell that is no Python.
    """
    path = Path(notebook)
    if not path.is_file():
        raise ReportError(f"no notebook at {path}; give the path of an .ipynb file")
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        found = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", ())]
        source = "".join(found[0]["source"]) if found else ""
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ReportError(f"{path} is not a notebook that can be read: {error!r}") from error
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ReportError(
            f"the parameters cell of {path.name} is no Python: {error}; open it and correct it"
        ) from error
    parameters = (_parameter(statement) for statement in body)
    return {parameter.name: parameter for parameter in parameters if parameter is not None}


def check(notebook: Path | str, values: Mapping[str, Any]) -> None:
    """Raise ReportError for a parameter that the notebook does not take, of another type, or that is a secret."""
    refuse_secrets(values)
    accepted, name = declared(notebook), Path(notebook).name
    _require_accepted(values, accepted, name)
    for parameter, value in values.items():
        if not _fits(value, wanted := accepted[parameter].type):
            raise _wrong(parameter, f"{_short(repr(value))} ({type(value).__name__})", wanted, accepted, name)


def parse(notebook: Path | str, words: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` as written on a command line, each value as the type that the notebook declares.

    Raises ReportError as `check` does, and for a word without a name or an equals sign.
    """
    pairs = {}
    for word in words:
        parameter, equals, value = word.partition("=")
        if not equals or not parameter.strip():
            refuse_secrets({word: ""})
            raise ReportError(f"a parameter is written NAME=VALUE, as threshold=4: got {_short(repr(word))}")
        pairs[parameter.strip()] = value
    refuse_secrets(pairs)
    accepted, name = declared(notebook), Path(notebook).name
    _require_accepted(pairs, accepted, name)
    values: dict[str, Any] = {}
    for parameter, text in pairs.items():
        wanted = accepted[parameter].type
        values[parameter] = _read(text, wanted)
        if not _fits(values[parameter], wanted):
            raise _wrong(parameter, _short(repr(text)), wanted, accepted, name)
    return values


def refuse_secrets(values: Mapping[str, Any]) -> None:
    """Raise ReportError for a name or a value that looks like a password, a token or a key. It is not quoted.

    Parameters stay in the executed notebook and in the report, and a command line is seen by every process.
    """
    fix = "parameters are kept in the report; put it into the environment, which the notebook can read"
    for name, value in values.items():
        which = f"parameter {name!r}" if _NAME.fullmatch(name) else "a parameter"
        if _SECRET_NAME.search(name):
            raise ReportError(f"{which} is named like a secret: {fix}")
        if _SECRET_VALUE.search(value if isinstance(value, str) else repr(value)):
            raise ReportError(f"the value of {which} looks like a secret: {fix}")


def _parameter(statement: ast.stmt) -> Parameter | None:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        kind = statement.annotation.value if isinstance(statement.annotation, ast.Constant) else None
        named = str(kind) if kind is not None else ast.unparse(statement.annotation)
        return Parameter(statement.target.id, named, ast.unparse(statement.value))
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        try:
            default = ast.literal_eval(statement.value)
        except ValueError:
            default = None
        kind = "any" if default is None else type(default).__name__
        return Parameter(statement.targets[0].id, kind, ast.unparse(statement.value))
    return None


def _require_accepted(values: Iterable[str], accepted: Mapping[str, Parameter], notebook: str) -> None:
    for name in values:
        if name not in accepted:
            near = difflib.get_close_matches(name[:100], accepted, n=1, cutoff=0.5)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ReportError(f"no parameter {_short(name)!r}{hint}; {_takes(accepted, notebook)}")


def _wrong(name: str, got: str, wanted: str, accepted: Mapping[str, Parameter], notebook: str) -> ReportError:
    return ReportError(f"parameter {name!r} is {got}, expected {wanted}; {_takes(accepted, notebook)}")


def _takes(accepted: Mapping[str, Parameter], notebook: str) -> str:
    if not accepted:
        return f'{notebook} has no parameters (no cell tagged "parameters")'
    return f"{notebook} takes {', '.join(map(str, accepted.values()))}"


def _types(wanted: str) -> tuple[type, ...] | None:
    return _TYPES.get(wanted.partition("[")[0].strip())


def _fits(value: object, wanted: str) -> bool:
    types = _types(wanted)
    return types is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool)))


def _read(text: str, wanted: str) -> object:
    """The text as a value of that type, or as the text it is."""
    types = _types(wanted)
    if types is None or str in types:
        return text
    if bool in types:
        return _TRUTH.get(text.strip().lower(), text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:99]}…"
