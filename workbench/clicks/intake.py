"""Raw cells into clicks: what is believed of them, and what becomes of all the rest. Reading cells is in the readers.

Every row ends as a click, as rejected with a reason, or as filtered with a reason. The same is done in Spark's words to
the records of a topic, in `detector.foreign`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.clicks import urls
from workbench.clicks.columns import is_address
from workbench.clicks.crawlers import crawlers
from workbench.clicks.exclusions import Exclusions
from workbench.clicks.hosts import hosts
from workbench.clicks.identity import is_visitor
from workbench.clicks.mapping import CONSTANT, Mapping
from workbench.clicks.record import FIELDS, LONGEST_TEXT, OPTIONAL, TS_DTYPE, is_text
from workbench.clicks.rows import Rows
from workbench.clicks.times import Times

__all__ = ["CRAWLERS", "NO_VISITOR_SAID", "Chunk", "Intake", "visitor"]

NO_VISITOR_SAID: Final = "no visitor: the id is empty, (not set), -, null, 0 or the like"
CRAWLERS: Final = "known crawlers and health checks"
_EXCLUDED: Final = "excluded"
_NO_PAGE: Final = "no clicks on pages: pictures, scripts, other methods"
_ASSET: Final = (
    r"(?i)^[^?]*(?:\.(?:css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|bmp|woff2?|ttf|otf|eot)|/robots\.txt)(?:\?|$)"
)
_TEXT_SHOWN: Final = 200

Objects = npt.NDArray[np.object_]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chunk:
    """What became of the rows of one chunk: lines == len(clicks) + len(rejected) + sum of filtered.

    clicks: a frame with the fields of a click, those carried along, and line (its place in the source); session_id is
    None where visits are to be made of the lines. crawlers: the same of those that were set aside, which `filtered`
    counts. rejected: columns line, reason and text. filtered: reason → rows.
    """

    clicks: pd.DataFrame
    crawlers: pd.DataFrame
    lines: int
    rejected: pd.DataFrame
    filtered: Counter[str]


class Intake:
    """Takes in the rows of one source, chunk by chunk.

    mapping: with a path for each field there is. source: its name, which ids are made of. visits: whether visits are to
    be made of a log's lines where there is no session_id. told: what was done to values, by how many.
    """

    def __init__(self, mapping: Mapping, source: str, visits: bool) -> None:
        self.told: Counter[str] = Counter()
        self._mapping, self._source = mapping, source
        self._visits = visits and not mapping.session_id
        self._times = Times(mapping, mapping.ts or "ts", source)
        self._excluded = Exclusions(mapping.exclude) if mapping.exclude else None
        self._drop = urls.parameters_of_ad(mapping.url_drop, mapping.url_keep)

    @property
    def unit(self) -> str | None:
        """What times that are numbers count; None where there were none."""
        return self._times.unit

    def take(self, rows: Rows) -> Chunk:
        """Sort out the rows of a chunk. Raises ClickError when a column cannot be what it is taken for."""
        self.told.update(rows.notes)
        cells, n = rows.cells, len(rows.line)
        problem, aside = rows.problem.astype(object), rows.aside.astype(object)
        out = pd.DataFrame(index=pd.RangeIndex(n))
        self._take_url(cells, out, problem, aside)
        out["ts"] = self._take_ts(cells, problem, aside)
        out["ip"] = self._hosts(cells, self._mapping.ip, "addresses that are none")
        out["user_agent"] = self._texts(cells, self._mapping.user_agent)
        out["user_agent"] = out["user_agent"].where(out["user_agent"] != "-", None)
        out["label"] = self._texts(cells, self._mapping.label)
        self._take_visitor(cells, out, problem, aside)
        self._take_id(cells, out, rows, problem, aside)
        for name, path in self._mapping.carry.items():
            out[name] = _cells(cells, path, n).to_numpy()
        _put(problem, aside, self._what_is_no_page(cells, out), into=aside, text=_NO_PAGE)
        if self._excluded is not None:
            _put(problem, aside, self._excluded(out["ip"], out["url"], out["user_agent"]), into=aside, text=_EXCLUDED)
        if self._mapping.crawlers == "aside":
            _put(problem, aside, crawlers(out["user_agent"]).to_numpy(), into=aside, text=CRAWLERS)
        out["line"] = rows.line
        return _sorted_out(out, rows, problem, aside)

    def _take_url(self, cells: pd.DataFrame, out: pd.DataFrame, problem: Objects, aside: Objects) -> None:
        out["url"] = self._texts(cells, self._mapping.url)
        _put(problem, aside, out["url"].isna().to_numpy(), into=problem, text=_no_text("url"))
        out["url"], changed = urls.dropped(out["url"], self._drop, self._mapping.url_keep)
        if changed.any():
            self.told["URLs without parameters that are new with each click"] += int(changed.sum())
        if self._mapping.url_from is not None:
            out["url"] = urls.taken(out["url"], self._mapping.url_from)
            text = f"no {self._mapping.url_from} in the URL"
            _put(problem, aside, out["url"].isna().to_numpy(), into=aside, text=text)

    def _take_ts(self, cells: pd.DataFrame, problem: Objects, aside: Objects) -> pd.Series[Any]:
        ts = pd.Series(pd.NaT, index=pd.RangeIndex(len(cells)), dtype=TS_DTYPE)
        left = np.flatnonzero((problem == "") & (aside == ""))
        if len(left):
            values = _cells(cells, self._mapping.ts or "ts", len(cells)).iloc[left].reset_index(drop=True)
            found, reason = self._times(values)
            ts = ts.to_frame("ts").assign(ts=found.set_axis(left))["ts"] if len(left) < len(ts) else found
            problem[left] = reason
            self.told.update(self._times.told)
            self._times.told.clear()
        return ts

    def _take_visitor(self, cells: pd.DataFrame, out: pd.DataFrame, problem: Objects, aside: Objects) -> None:
        if self._visits:
            out["session_id"] = pd.Series([None] * len(out), dtype=object)
            _put(problem, aside, out["ip"].isna().to_numpy(), into=problem, text="no address or host name of a visitor")
            return
        parts, wrong = [], np.zeros(len(out), np.bool_)
        for path in self._mapping.session_id:
            raw = _cells(cells, path, len(cells))
            texts = _texts(raw)
            wrong |= (texts.isna() & raw.notna() & (raw != "")).to_numpy(dtype=bool)
            parts.append((hosts(texts, self._mapping.client).fillna(texts) if is_address(path) else texts).to_list())
        names = [visitor(values) for values in zip(*parts, strict=True)]
        out["session_id"] = pd.Series(names, index=out.index, dtype=object)
        too_long = np.array([name is not None and len(name) > LONGEST_TEXT for name in names], bool)
        _put(problem, aside, wrong | too_long, into=problem, text=_no_text("session_id"))
        _put(problem, aside, out["session_id"].isna().to_numpy(), into=aside, text=NO_VISITOR_SAID)

    def _take_id(self, cells: pd.DataFrame, out: pd.DataFrame, rows: Rows, problem: Objects, aside: Objects) -> None:
        if self._mapping.click_id is None:
            out["click_id"] = [f"{self._source}:{number}" for number in rows.line.tolist()]
            return
        out["click_id"] = self._texts(cells, self._mapping.click_id)
        _put(problem, aside, out["click_id"].isna().to_numpy(), into=problem, text=_no_text("click_id"))

    def _what_is_no_page(self, cells: pd.DataFrame, out: pd.DataFrame) -> Bools:
        if self._mapping.method is None:
            return np.zeros(len(out), np.bool_)
        method = self._texts(cells, self._mapping.method).str.upper()
        other: Bools = (method.notna() & (method != "GET") & (method != "POST")).to_numpy(dtype=bool)
        if not self._mapping.assets:
            other |= out["url"].str.contains(_ASSET, regex=True, na=False).to_numpy(dtype=bool)
        return other

    def _hosts(self, cells: pd.DataFrame, path: str | None, told: str | None = None) -> pd.Series[Any]:
        texts = self._texts(cells, path)
        found = hosts(texts, self._mapping.client)
        if told and (lost := int((found.isna() & texts.notna() & (texts != "-")).sum())):
            self.told[told] += lost
        return found

    @staticmethod
    def _texts(cells: pd.DataFrame, path: str | None) -> pd.Series[Any]:
        """The cells of a path as texts, None where they are none that can be kept."""
        return _texts(_cells(cells, path, len(cells)))


def visitor(parts: Sequence[str | None]) -> str | None:
    """Name the visitor that several values are together, so that no two are alike. None where there is no visitor.

    >>> visitor(["87540", "1", None]), visitor(["a/b", "c"]), visitor(["(not set)", None])
    ('87540/1/', 'a%2Fb/c', None)
    """
    if not any(part is not None and is_visitor(part) for part in parts):
        return None
    if len(parts) == 1:
        return parts[0]
    return "/".join((part or "").replace("%", "%25").replace("/", "%2F") for part in parts)


def _cells(cells: pd.DataFrame, path: str | None, n: int) -> pd.Series[Any]:
    if path is None:
        return pd.Series([None] * n, dtype=object)
    if path.startswith(CONSTANT):
        return pd.Series([path[len(CONSTANT) :]] * n, dtype=object)
    return cells[path] if path in cells.columns else pd.Series([None] * n, dtype=object)


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """Texts that can be ids. Whole numbers are written out, other kinds are None."""
    if values.dtype == object:
        try:
            texts = pa.array(values, pa.string(), from_pandas=True)
        except (pa.ArrowException, UnicodeEncodeError):
            pass
        else:
            length = pc.utf8_length(texts).fill_null(0).to_numpy()
            good = (length > 0) & (length <= LONGEST_TEXT)
            return values if good.all() else values.where(good, None)
    return pd.Series([_text(value) for value in values], index=values.index, dtype=object)


def _text(value: object) -> str | None:
    if isinstance(value, bool | np.bool_):
        value = str(bool(value)).lower()
    elif isinstance(value, int | np.integer):
        value = str(value)
    elif isinstance(value, float | np.floating) and np.isfinite(value):
        number = float(value)
        value = str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    return value if isinstance(value, str) and is_text(value) else None


def _no_text(field: str) -> str:
    return f"{field} is not text of 1 to {LONGEST_TEXT} characters"


def _put(problem: Objects, aside: Objects, where: Bools, *, into: Objects, text: str) -> None:
    """Give a reason to the rows that have none yet."""
    into[where & (problem == "") & (aside == "")] = text


def _sorted_out(out: pd.DataFrame, rows: Rows, problem: Objects, aside: Objects) -> Chunk:
    bad, filtered = problem != "", (problem == "") & (aside != "")
    named = [*FIELDS, *OPTIONAL]
    out = out[[*named, *(name for name in out.columns if name not in named)]]
    rejected = pd.DataFrame(
        {
            "line": rows.line[bad],
            "reason": problem[bad],
            "text": pd.Series([rows.text(i)[:_TEXT_SHOWN] for i in np.flatnonzero(bad).tolist()], dtype=object),
        }
    )
    kept = out[~bad & ~filtered]
    return Chunk(
        clicks=kept.reset_index(drop=True),
        crawlers=out[filtered & (aside == CRAWLERS)].reset_index(drop=True),
        lines=len(out),
        rejected=rejected,
        filtered=Counter(aside[filtered].tolist()),
    )
