"""Tiles and tables that a report's cells put out: HTML in which text from data is only text. Charts are in `charts`.

The styles are said twice: inline for JupyterLab, which knows no class of ours, and as classes for the report's page,
which lets no inline style through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from itertools import islice
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from workbench.machine.extras import extra
from workbench.text import label

with extra("report"):
    from IPython.display import HTML, JSON

__all__ = ["lines", "notices", "numbers", "table", "tiles", "versions"]

_LIMITS: Final = {"url": 60, "user_agent": 60, "session_id": 40}
_LIMIT: Final = 80
_NAMES: Final = {"session_id": "session", "click_id": "click", "ts": "time (UTC)", "url": "URL", "urls": "URLs"}
_GRID: Final = "display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem;margin:1rem 0"
_TILE: Final = "border:1px solid #dde3ea;border-radius:6px;padding:.7rem .9rem"
_ALARM: Final = "border:1px solid #d55e00;border-left-width:6px;background:#fdece3;padding:.7rem .9rem"
_LEFT: Final = ' class="left" style="text-align:left"'


def tiles(figures: Mapping[str, Any]) -> HTML:
    """A row of tiles, each a number in large type over its name.

    Parameters
    ----------
    figures
        Name → number. A value may be a pair: the number, and what to say of it in small type. Whole numbers get commas;
        None is a dash.

    Returns
    -------
    HTML
        For a cell to put out.
    """
    made = []
    for name, value in figures.items():
        number, note = value if isinstance(value, tuple) else (value, "")
        made.append(
            f'<div class="tile" style="{_TILE}"><div class="number" style="font-size:1.7rem">{_text(number)}</div>'
            f'<div class="name">{_text(name)}</div><div class="note" style="opacity:.65">{_text(note)}</div></div>'
        )
    return HTML(f'<div class="tiles tex2jax_ignore mathjax_ignore" style="{_GRID}">{"".join(made)}</div>')


def table(frame: pd.DataFrame, rows: int = 15, empty: str = "None.") -> HTML:
    """The first rows of a frame, its index left out, and how many more there are.

    Text is cut in the middle and stands whole in the tip of its cell; times are in UTC to the millisecond, or to the
    second where no more is known; a column named share is in percent; a list has one line an entry.

    Parameters
    ----------
    frame
        What to show. Text in it is only text, whatever it holds.
    rows
        How many rows to show.
    empty
        What to say where there are none.

    Returns
    -------
    HTML
        For a cell to put out.
    """
    if frame.empty:
        return HTML(f'<p class="note">{_text(empty)}</p>')
    shown = frame.head(rows)
    columns = [_column(str(name), shown[name]) for name in shown.columns]
    left = [_is_text(shown[name]) for name in shown.columns]
    heads = [_NAMES.get(str(name), str(name).replace("_", " ")) for name in shown.columns]
    head = "".join(f"<th{_LEFT if at else ''}>{_text(name)}</th>" for name, at in zip(heads, left, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{_LEFT if at else ''}{cell}</td>" for cell, at in zip(row, left, strict=True)) + "</tr>"
        for row in zip(*columns, strict=True)
    )
    more = len(frame) - len(shown)
    note = f'<p class="note">and {more:,} more</p>' if more else ""
    markup = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"
    return HTML(f'<div class="tex2jax_ignore mathjax_ignore">{markup}</div>')


def notices(texts: Iterable[str]) -> HTML:
    """What is to be read before any number, each in a frame.

    Parameters
    ----------
    texts
        What to say. Text in it is only text.

    Returns
    -------
    HTML
        For a cell to put out; empty where there is nothing to say.
    """
    made = "".join(f'<p class="alarm" style="{_ALARM}">{_text(text, 1000)}</p>' for text in texts)
    return HTML(f'<div class="tex2jax_ignore mathjax_ignore">{made}</div>' if made else "")


def lines(texts: Iterable[str], empty: str = "None.") -> HTML:
    """Texts as they are written, one a line.

    Parameters
    ----------
    texts
        What to show. Text in it is only text.
    empty
        What to say where there are none.

    Returns
    -------
    HTML
        For a cell to put out.
    """
    made = "\n".join(_text(text, 2000) for text in texts)
    shown = f"<pre>{made}</pre>" if made else f'<p class="note">{_text(empty)}</p>'
    return HTML(f'<div class="tex2jax_ignore mathjax_ignore">{shown}</div>')


def numbers(found: Mapping[str, Any]) -> JSON:
    """The results of a notebook as JSON, for programs to read: what its cell tagged "summary" puts out.

    Parameters
    ----------
    found
        Name → what fits into JSON.

    Returns
    -------
    JSON
        For that cell to put out; `summary` reads it back.
    """
    return JSON(found, expanded=True)


def versions() -> pd.DataFrame:
    """Which versions of what makes a report are installed.

    Returns
    -------
    DataFrame
        Columns: package, version.
    """
    names = ["click-fraud-workbench", "crawler-user-agents", "numpy", "pandas", "papermill", "plotly"]
    return pd.DataFrame({"package": names, "version": [version(name) for name in names]})


def _column(name: str, values: pd.Series[Any]) -> list[str]:
    """Each cell from behind the name of its tag: its tip, and its text."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return [f">{time}" for time in _times(values.dt.tz_convert("UTC").to_numpy("datetime64[us]"))]
    if values.dtype.kind == "f":
        return [
            ">–" if np.isnan(value) else f">{value:.1%}" if name == "share" else f">{value:,.2f}" for value in values
        ]
    if len(values) and all(isinstance(value, np.ndarray) and value.dtype.kind == "M" for value in values):
        times = iter(_times(np.concatenate(values.to_list())))
        return [">" + "<br>".join(islice(times, len(value))) for value in values]
    return [_cell(value, _LIMITS.get(name, _LIMIT)) for value in values]


def _cell(value: object, limit: int) -> str:
    text = _written(value)
    tip = f' title="{_text(text, 600)}"' if len(text) > limit else ""
    return f"{tip}>{label(text, limit)}"


def _times(times: np.ndarray[Any, Any]) -> list[str]:
    unit: Literal["s", "ms"] = "s" if bool((times == times.astype("datetime64[s]")).all()) else "ms"
    return [str(time).replace("T", " ") for time in np.datetime_as_string(times, unit=unit, casting="unsafe")]


def _written(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return "–" if value is None else str(value)


def _is_text(values: pd.Series[Any]) -> bool:
    return values.dtype.kind in "ObM" or isinstance(values.dtype, pd.DatetimeTZDtype)


def _text(value: object, limit: int = 200) -> str:
    return label(_written(value), limit).replace('"', "&quot;")
