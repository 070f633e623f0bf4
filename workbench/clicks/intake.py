"""Raw cells into clicks: what is believed of them, and what becomes of all the rest. Reading cells is in the readers.

Every row ends as a click, as rejected with a reason, or as filtered with a reason. The same is done in Spark's words to
the records of a topic, in `detector.foreign`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.clicks import parts, urls
from workbench.clicks.addresses import Addresses
from workbench.clicks.columns import is_address
from workbench.clicks.crawlers import crawlers
from workbench.clicks.exclusions import Exclusions
from workbench.clicks.ids import Ids, ids, lost_digits, no_text, plain_value, texts, visitor
from workbench.clicks.kinds import Kinds
from workbench.clicks.mapping import CONSTANT, Mapping
from workbench.clicks.record import FIELDS, OPTIONAL
from workbench.clicks.times import Times
from workbench.clicks.where import conditions
from workbench.sources.hosts import hosts
from workbench.sources.rows import Rows
from workbench.text import LONGEST_TEXT

__all__ = ["ASSET", "CRAWLERS", "EXCLUDED", "NO_PAGE", "NO_VISITOR_SAID", "Chunk", "Intake", "no_ad", "notes_of"]

NO_VISITOR_SAID: Final = "no visitor: the id is empty, (not set), -, null, 0 or the like"
CRAWLERS: Final = "known crawlers and health checks"
EXCLUDED: Final = "excluded"
NO_PAGE: Final = "no clicks on pages: pictures, scripts, other methods"
ASSET: Final = (
    r"[^?]*(?:\.(?:css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|bmp|woff2?|ttf|otf|eot)|/robots\.txt)(?:\?|\Z)"
)
"""What no click is on, to be matched from the beginning of a URL without regard to capital letters of ASCII."""

_is_asset = re.compile(ASSET, re.IGNORECASE | re.ASCII).match
_TEXT_SHOWN: Final = 200
_URL, _TS = "\0url", "\0ts"  # columns that are put together of several, under names that no other has

Objects = npt.NDArray[np.object_]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chunk:
    """What became of the rows of one chunk: lines == len(clicks) + len(rejected) + sum of filtered.

    clicks: a frame with the fields of a click, those carried along, and line (its place in the source); session_id is
    None where visits are to be made of the lines. crawlers: the same of those that were set aside, which `filtered`
    counts. rejected: columns line, reason and text. filtered: reason → rows; aside: line and reason of each of those.
    """

    clicks: pd.DataFrame
    crawlers: pd.DataFrame
    lines: int
    rejected: pd.DataFrame
    filtered: Counter[str]
    aside: pd.DataFrame


class Intake:
    """Takes in the rows of one source, chunk by chunk.

    mapping: with a path for each field there is. source: its name, which ids are made of. visits: whether visits are to
    be made of a log's lines where there is no session_id. told: what was done to values, by how many.
    alone: each row is read by itself, see `Times`. kinds: counts the values of `kinds_in`, columns that may say which
    rows are clicks. addresses: looks at those that visitors are told by.
    """

    def __init__(
        self,
        mapping: Mapping,
        source: str,
        visits: bool,
        alone: bool = False,
        kinds: Kinds | None = None,
        kinds_in: Sequence[str] = (),
        addresses: Addresses | None = None,
    ) -> None:
        self.told: Counter[str] = Counter()
        self._given, self._source = mapping, source
        self._mapping = _one_path_each(mapping)
        self.hosts: set[str] = set()
        self.merged = urls.Merged()
        self._visits = visits and not mapping.session_id
        self._times = Times(mapping, "+".join(mapping.paths_of("ts")) or "ts", source, alone)
        self._excluded = Exclusions(mapping.exclude) if mapping.exclude else None
        self._where, self._requests = conditions(mapping.where), conditions((), mapping.method)
        self._kinds, self._kinds_in = kinds or Kinds(), kinds_in
        self._addresses = addresses or Addresses()
        self._drop = urls.parameters_of_ad(mapping.url_drop, mapping.url_keep)

    @property
    def unused(self) -> set[str]:
        """Exclusions that no row was left out for so far."""
        return set() if self._excluded is None else self._excluded.unused

    @property
    def unit(self) -> str | None:
        """What times that are numbers count; None where there were none."""
        return self._times.unit

    def take(self, rows: Rows) -> Chunk:
        """Sort out the rows of a chunk. Raises ClickError when a column cannot be what it is taken for."""
        self.told.update(rows.notes)
        rows = self._put_together(rows)
        sorting = _Sorting(rows)
        # What costs least comes first, and is not looked at again.
        sorting.put_aside(self._no_page(sorting.cells), NO_PAGE)
        for condition in self._where:
            values = ids(_cells(sorting.cells, condition.path)).tidy
            self._kinds.count_where(condition, values)
            sorting.put_aside(~condition.met(values), condition.reason)
        self._take_text(sorting, "url", self._mapping.url)
        sorting.columns["user_agent"] = self._agents(sorting.cells)
        sorting.columns["ip"] = self._hosts(texts(_cells(sorting.cells, self._mapping.ip)), self._visits)
        if self._excluded is not None:  # before anything of the URL is left out
            found = sorting.columns
            sorting.put_aside(self._excluded(found["ip"], found["url"], found["user_agent"]), EXCLUDED)
        self._take_ad(sorting)
        self._tell_no_address(sorting)
        self._take_ts(sorting)
        self._take_visitor(sorting)
        self._take_id(sorting, rows)
        sorting.columns["label"] = texts(_cells(sorting.cells, self._mapping.label))
        for path in self._kinds_in:
            self._kinds.count(path, texts(_cells(sorting.cells, path)))
        for name, path in self._mapping.carry.items():
            values = _cells(sorting.cells, path).astype(object)
            sorting.columns[name] = pd.Series([plain_value(value) for value in values], dtype=object)
        return sorting.chunk(rows, self._mapping.crawlers == "aside")

    def _put_together(self, rows: Rows) -> Rows:
        """The rows with one column for the URL and one for the time, where several columns are these."""
        made = {}
        if len(paths := self._given.paths_of("url")) > 1:
            made[_URL], hosts_found = parts.urls([texts(_cells(rows.cells, path)) for path in paths], paths)
            self.hosts |= hosts_found
        if len(paths := self._given.paths_of("ts")) > 1:
            cells = [_cells(rows.cells, path) for path in paths]
            made[_TS] = parts.moments([said.where(said.notna(), raw) for raw in cells for said in [texts(raw)]])
        return replace(rows, cells=rows.cells.assign(**made)) if made else rows

    def _no_page(self, cells: pd.DataFrame) -> Bools:
        other = np.zeros(len(cells), np.bool_)
        for condition in self._requests:
            other |= ~condition.met(texts(_cells(cells, condition.path)))
            if not self._mapping.assets:
                url = _cells(cells, self._mapping.url).to_numpy()
                other |= np.array([isinstance(text, str) and _is_asset(text) is not None for text in url], np.bool_)
        return other

    def _take_ad(self, sorting: _Sorting) -> None:
        """Make of the URL what the ad is counted by."""
        url = sorting.columns["url"]
        if self._mapping.url_from is not None:
            ad = urls.taken(url, self._mapping.url_from)
            sorting.columns["url"] = ad
            sorting.put_aside(ad.isna().to_numpy(), no_ad(self._mapping.url_from))
            return
        found = urls.dropped(url, self._drop, self._mapping.url_keep)
        sorting.columns["url"] = found.urls
        self.merged.add(found)

    def _take_ts(self, sorting: _Sorting) -> None:
        ts, reason = self._times(_cells(sorting.cells, self._mapping.ts))
        self.told.update(self._times.told)
        self._times.told.clear()
        sorting.columns["ts"] = ts
        for text in dict.fromkeys(reason[reason != ""].tolist()):
            wrong = reason == text
            sorting.reject(wrong, text)
            reason = reason[~wrong]

    def _take_visitor(self, sorting: _Sorting) -> None:
        if self._visits:
            sorting.columns["session_id"] = pd.Series([None] * len(sorting.cells), dtype=object)
            sorting.reject(sorting.columns["ip"].isna().to_numpy(), "no address or host name of a visitor")
            return
        parts, wrong = [], np.zeros(len(sorting.cells), np.bool_)
        lost = wrong.copy()
        for path in self._mapping.session_id:
            raw = _cells(sorting.cells, path)
            found = self._ids("session_id", raw)
            said = found.tidy
            lost |= found.lost
            wrong |= (found.given.isna() & raw.notna() & (raw != "")).to_numpy(dtype=bool)
            parts.append((self._hosts(said, True).fillna(said) if is_address(path) else said).to_list())
        names = [visitor(values) for values in zip(*parts, strict=True)]
        too_long = np.array([name is not None and len(name) > LONGEST_TEXT for name in names], np.bool_)
        sorting.columns["session_id"] = pd.Series(names, dtype=object)
        sorting.reject(lost, lost_digits("session_id"))
        sorting.reject((wrong | too_long)[~lost], no_text("session_id"))
        sorting.put_aside(sorting.columns["session_id"].isna().to_numpy(), NO_VISITOR_SAID)

    def _hosts(self, said: pd.Series[Any], tell_visitors: bool) -> pd.Series[Any]:
        client = self._mapping.client
        found = hosts(said, client)
        if tell_visitors:
            self._addresses.add(said, found, client == "public")
        return found

    def _take_id(self, sorting: _Sorting, rows: Rows) -> None:
        if self._mapping.click_id is None:
            made = [f"{self._source}:{number}" for number in rows.line[sorting.left].tolist()]
            sorting.columns["click_id"] = pd.Series(made, dtype=object)
            return
        self._take_text(sorting, "click_id", self._mapping.click_id)

    def _take_text(self, sorting: _Sorting, field: str, path: str | Sequence[str] | None) -> None:
        found = self._ids(field, _cells(sorting.cells, path))
        sorting.columns[field] = found.tidy
        sorting.reject(found.lost, lost_digits(field))
        sorting.reject(sorting.columns[field].isna().to_numpy(), no_text(field))

    def _ids(self, field: str, values: pd.Series[Any]) -> Ids:
        found = ids(values)
        if found.changed:
            self.told[f"values of {field} read without blanks around them or .0 behind them"] += found.changed
        return found

    def _agents(self, cells: pd.DataFrame) -> pd.Series[Any]:
        agents = texts(_cells(cells, self._mapping.user_agent))
        return agents.where(agents != "-", None)

    def _tell_no_address(self, sorting: _Sorting) -> None:
        if self._visits:
            return
        said = texts(_cells(sorting.cells, self._mapping.ip))
        if lost := int((sorting.columns["ip"].isna() & said.notna() & (said != "-")).sum()):
            self.told[f"values of {self._mapping.ip} that are no address, left out of ip"] += lost


class _Sorting:
    """The rows of a chunk while they are sorted out: what is left, and the columns that were made of it so far.

    left: which rows are left, shape (m,). cells, columns: of those, with the index 0..m-1.
    """

    def __init__(self, rows: Rows) -> None:
        self._problem, self._aside = rows.problem.astype(object), rows.aside.astype(object)
        self.left = np.arange(len(rows.line))
        self.cells = rows.cells
        self.columns: dict[str, pd.Series[Any]] = {}
        self._keep((self._problem == "") & (self._aside == ""))

    def reject(self, where: Bools, why: str) -> None:
        """Reject rows of those that are left."""
        self._problem[self.left[where]] = why
        self._keep(~where)

    def put_aside(self, where: Bools, why: str) -> None:
        """Filter out rows of those that are left."""
        self._aside[self.left[where]] = why
        self._keep(~where)

    def _keep(self, where: Bools) -> None:
        if where.all():
            return
        self.left = self.left[where]
        self.cells = self.cells[where].reset_index(drop=True)
        self.columns = {name: column[where].reset_index(drop=True) for name, column in self.columns.items()}

    def chunk(self, rows: Rows, crawlers_aside: bool) -> Chunk:
        """What became of all rows."""
        named = (*FIELDS, *OPTIONAL)
        order = [*named, *(name for name in self.columns if name not in named)]
        clicks = pd.DataFrame({name: self.columns[name] for name in order}, copy=False)
        clicks["line"] = rows.line[self.left]
        crawler = np.zeros(len(clicks), np.bool_)
        if crawlers_aside:
            crawler = crawlers(clicks["user_agent"]).to_numpy()
            self._aside[self.left[crawler]] = CRAWLERS
        bad, filtered = self._problem != "", self._aside != ""
        rejected = {
            "line": rows.line[bad],
            "reason": self._problem[bad],
            "text": pd.Series([rows.text(i)[:_TEXT_SHOWN] for i in np.flatnonzero(bad).tolist()], dtype=object),
        }
        return Chunk(
            clicks=clicks[~crawler].reset_index(drop=True),
            crawlers=clicks[crawler].reset_index(drop=True),
            lines=len(rows.line),
            rejected=pd.DataFrame(rejected),
            filtered=Counter(self._aside[filtered & ~bad].tolist()),
            aside=pd.DataFrame({"line": rows.line[filtered & ~bad], "reason": self._aside[filtered & ~bad]}),
        )


def notes_of(merged: urls.Merged, exclude: Sequence[str], unused: Collection[str], told: Counter[str]) -> list[str]:
    """What is told of a reading: what intakes did to values, put together, and exclusions that left out nothing."""
    notes = [text for text in [str(merged)] if text]
    notes += [f"--exclude {entry} left out nothing" for entry in exclude if entry in unused]
    return notes + [f"{count:,} {what}" if count else what for what, count in told.items()]


def _one_path_each(mapping: Mapping) -> Mapping:
    several = {"url": _URL, "ts": _TS}
    return mapping.but(**{name: made for name, made in several.items() if len(mapping.paths_of(name)) > 1})


def _cells(cells: pd.DataFrame, path: str | Sequence[str] | None) -> pd.Series[Any]:
    """The cells of a path, or its constant, or nothing."""
    if isinstance(path, str) and path in cells.columns:
        return cells[path]
    value = path[len(CONSTANT) :] if isinstance(path, str) and path.startswith(CONSTANT) else None
    return pd.Series([value] * len(cells), dtype=object)


def no_ad(parameter: str) -> str:
    """Why a URL is set aside where a parameter is to name the ad."""
    return f"no {parameter} in the URL"
