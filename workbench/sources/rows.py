"""Lines of a source as raw cells, which every reader gives. Nothing is believed or judged here; `intake` does that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.sources.csv_header import Header

__all__ = ["CHUNK_ROWS", "Choose", "Inexact", "Rows"]

CHUNK_ROWS: Final = 100_000
"""The most rows that a reader gives at once, which bounds the memory it takes."""


class Inexact(int):
    """A whole number that stood as a floating-point one too large for all its digits: a time may be it, no id."""


Choose = Callable[[Sequence[str]], Sequence[str]]
"""Says which paths are wanted of a table, given the names there are; raises ClickError for what is missing."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Lines of a source as cells, before any of it is believed.

    Every physical line of a source is one row of one `Rows`, so lines == clicks + rejected + filtered in the end.

    Attributes
    ----------
    cells : DataFrame
        Columns of objects (Parquet may give typed ones), named by the path that was asked for; None or NaN where there
        is nothing. The index is 0..n-1.
    line : array of int64, shape (n,)
        The physical line of each, from 1; in Parquet the row.
    problem : array of objects, shape (n,)
        "" or why the line cannot be read at all.
    aside : array of objects, shape (n,)
        "" or why it is no click though nothing is wrong with it, as "comment".
    text : callable
        Gives the i-th line as it stood.
    notes : mapping
        What was done to lines so that they could be read → how many. They are among the rows all the same.
    header : Header or None
        Of CSV, what divides the cells of its lines, and what they are called.
    """

    cells: pd.DataFrame
    line: NDArray[np.int64]
    problem: NDArray[np.object_]
    aside: NDArray[np.object_]
    text: Callable[[int], str]
    notes: Mapping[str, int] = field(default_factory=dict)
    header: Header | None = None
