"""Evidence for a refund claim: each flagged click with the clicks that made it one, as rows of CSV. Nothing is judged.

The file is made to be sent on and opened in a spreadsheet by whoever gets it. Text from strangers cannot run there,
and what is personal is masked unless it is asked for. Which clicks are flagged is decided in `rule`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from workbench.charts.data import epoch_us, iso
from workbench.errors import ReportError
from workbench.reports.mask import masked
from workbench.reports.patterns import carried, windowed
from workbench.rule import Rule
from workbench.text import spreadsheet_safe

__all__ = ["COLUMNS", "rows", "write"]

COLUMNS: Final = (
    "ts",
    "session_id",
    "url",
    "ip",
    "user_agent",
    "crawler",
    "click_id",
    "rule_id",
    "window_ms",
    "threshold",
    "clicks_in_window",
    "earlier_click_ids",
    "earlier_ts",
)
_MOST_EARLIER: Final = 1_000_000
"""Earlier clicks looked up at a time: a chunk has as many rows as that allows."""


def rows(judged: pd.DataFrame, rule: Rule) -> Iterator[pd.DataFrame]:
    """The flagged clicks in the order of their times, in chunks. Nothing is masked or neutralised here.

    Parameters
    ----------
    judged
        As `rule.judge` gives it for this rule.
    rule
        The rule that judged.

    Yields
    ------
    DataFrame
        Columns: `COLUMNS`; ip, user_agent and crawler where `judged` has them; then those that were carried along.
        earlier_click_ids and earlier_ts (datetime64[us] in UTC, without a zone): in each row the threshold − 1 latest
        clicks before it in its window, oldest first; they and it are what the rule asks for. Where too few lie before
        it, others of its very microsecond complete them. clicks_in_window counts all.

    Raises
    ------
    ClickError
        A column is missing or holds empty cells.
    """
    windows = windowed(judged, rule)
    flagged = np.flatnonzero(windows.count >= rule.threshold)
    flagged = flagged[np.argsort(windows.rows[flagged], kind="stable")]  # judged clicks lie in the order of their times
    ids, ts = judged["click_id"].to_numpy(object), epoch_us(judged["ts"]).view("datetime64[us]")
    back = np.arange(rule.threshold - 1, 0, -1)
    size = max(1, _MOST_EARLIER // rule.threshold)
    for begin in range(0, max(len(flagged), 1), size):
        place = flagged[begin : begin + size]
        before = (place - windows.first[place])[:, None]
        others = place[:, None] + np.where(back <= before, -back, back - before)
        # Those of the same microsecond come last, as the click itself would.
        earlier = windows.rows[np.sort(others, axis=1)]
        chunk = judged.iloc[windows.rows[place]].reset_index(drop=True)
        found = chunk.assign(
            rule_id=rule.rule_id,
            window_ms=rule.window_ms,
            threshold=rule.threshold,
            clicks_in_window=windows.count[place],
            earlier_click_ids=pd.Series(list(ids[earlier]), dtype=object),
            earlier_ts=pd.Series(list(ts[earlier]), dtype=object),
        )
        more = [name for name in carried(judged) if name not in COLUMNS]
        yield found[[*(name for name in COLUMNS if name in found), *more]]


def write(
    judged: pd.DataFrame,
    rule: Rule,
    path: Path | str,
    *,
    session_id: Sequence[str] = (),
    show_personal: bool = False,
) -> int:
    """Write the evidence of all flagged clicks as CSV in UTF-8.

    Times are in UTC to the millisecond. The two columns of earlier clicks hold JSON lists. Memory is bounded by the
    clicks themselves, whatever the threshold.

    Parameters
    ----------
    judged, rule
        As for `rows`.
    path
        The file. It is there only when it is whole.
    session_id
        The paths that sessions were read from, as `Mapping.session_id`: what columns of people's names held is masked.
    show_personal
        Mask nothing.

    Returns
    -------
    int
        How many rows it has, without the header.

    Raises
    ------
    ReportError
        The file cannot be written; what was there before stays.
    ClickError
        As `rows` does.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    written = 0
    try:
        with part.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
            out = csv.writer(file)
            for chunk in rows(judged if show_personal else masked(judged, session_id), rule):
                cells = _cells(chunk)
                if not written:
                    out.writerow(map(spreadsheet_safe, cells.columns))
                out.writerows(cells.itertuples(index=False, name=None))
                written += len(cells)
        part.replace(path)
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror or error}; give another file") from error
    finally:
        part.unlink(missing_ok=True)
    return written


def _cells(chunk: pd.DataFrame) -> pd.DataFrame:
    cells: dict[str, Any] = {}
    for name in chunk.columns:
        if name == "ts":
            cells[name] = [f"{time}Z" for time in iso(epoch_us(chunk[name]))]
        elif name == "earlier_ts":
            cells[name] = [json.dumps([f"{t}Z" for t in np.datetime_as_string(ts, unit="ms")]) for ts in chunk[name]]
        elif name == "earlier_click_ids":
            cells[name] = [json.dumps([spreadsheet_safe(i) for i in ids], ensure_ascii=False) for ids in chunk[name]]
        elif chunk[name].dtype == object:
            cells[name] = ["" if pd.isna(text) else spreadsheet_safe(str(text)) for text in chunk[name]]
        else:
            cells[name] = chunk[name].to_numpy()
    return pd.DataFrame(cells, columns=chunk.columns)
