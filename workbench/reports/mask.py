"""Who people are, hidden in what is handed on: what is shown in place of addresses, mail, phones, secrets and names.

What a report or a file of evidence hands on should tell visitors apart without saying who they are or where they live.
So each thing has a number, and one thing has one number throughout. What such things look like is in `personal`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
import pandas as pd

from workbench.distinct import distinct
from workbench.reports import addresses
from workbench.reports.personal import Kind, Name, is_phone, kind_of_name, replaced, whole
from workbench.reports.suspects import suspects
from workbench.sources.csv_cells import Cells
from workbench.sources.csv_header import Header

__all__ = ["Masks", "mask_text", "masked"]

_FIRST: Final = ("ip", "session_id", "click_id", "url")
_APART: Final = ("session_id", "click_id", "url")
_OURS: Final = frozenset([*_FIRST, "user_agent", "ts", "fraud", "clicks_in_window", "crawler", "label", "rule_id"])


def mask_text(text: str) -> str:
    """Mask what is personal in one text, without numbers.

    >>> mask_text("203.0.113.9 asked 2001:db8:1:2::3 for ann@example.com at 10:05:03")
    '203.0.113.x asked 2001:db8:1:x for …@example.com at 10:05:03'
    >>> mask_text("/ad?id=7&access_token=S3CRET&to=%2B44%2020%207946%200958")
    '/ad?id=7&access_token=secret&to=phone'
    """
    return replaced(text, lambda kind, what: None if kind == "spelt" else _form(kind, what))


def masked(clicks: pd.DataFrame, session_id: Sequence[str] = ()) -> pd.DataFrame:
    """The same clicks with what is personal masked, in all columns of text: see `Masks.frame`.

    >>> ip = ["203.0.113.9", "203.0.113.7"]
    >>> clicks = pd.DataFrame({"ip": ip, "session_id": [f"{one}/a1/v1" for one in ip]})
    >>> masked(clicks)["session_id"].tolist()
    ['203.0.113.x#1/a1/v1', '203.0.113.x#2/a1/v1']
    """
    return Masks().frame(clicks, session_id)


class Masks:
    """The masks of one report: what is the same has the same mask wherever it stands, and what is not, another.

    A mask is what may be shown – the network of an address, the domain of an e-mail address, the first characters of a
    long secret, or only what it is – and a number in the order of appearance.
    """

    def __init__(self) -> None:
        self._masks: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def of(self, kind: Kind, what: str) -> str | None:
        """The mask of one thing; None for what may be an address and is none that was seen."""
        if kind == "spelt":
            return self._masks.get(("address", what))
        if (known := self._masks.get((kind, what))) is None:
            form = _form(kind, what)
            self._counts[form] = number = self._counts.get(form, 0) + 1
            known = self._masks[kind, what] = f"{form}#{number}"
        return known

    def text(self, text: str) -> str:
        """Mask what is personal in a text, with the numbers that it has in the frame.

        >>> Masks().text("ann@example.com, bob@example.com, ann@example.com")
        '…@example.com#1, …@example.com#2, …@example.com#1'
        """
        return replaced(text, self.of)

    def line(self, text: str, header: Header | None) -> str:
        """Mask what is personal in a line; of CSV also what stands in a column that is named for it.

        Where the cells are not as many as the columns, nobody knows which is which: all of the line is masked.

        >>> header = Header(",", ["user", "ip", "url"], 1, 1)
        >>> Masks().line("ann,203.0.113.9,/ad", header), Masks().line("ann,203.0.113.9", header)
        ('user#1,203.0.113.x#1,/ad', '2 cells, masked since they are not 3')
        """
        if header is None or not any(name not in _OURS and kind_of_name(name) for name in header.names):
            return self.text(text)
        cells = Cells(header.divider).of(text) or [text]
        if len(cells) != len(header.names):
            return f"{len(cells)} cells, masked since they are not {len(header.names)}"
        return header.divider.join(map(self._cell, cells, header.names))

    def _cell(self, cell: str, column: str) -> str:
        kind = None if column in _OURS else kind_of_name(column)
        if cell and kind and (_is_of_people(cell, column) or kind in ("secret", "query")):
            return str(whole(cell, kind, self.of))
        return self.text(cell)

    def frame(self, clicks: pd.DataFrame, session_id: Sequence[str] = ()) -> pd.DataFrame:
        """The same clicks with what is personal masked in all columns of text.

        A host in the column ip that is no address becomes "host#1" and so on, at the beginning of session names too. In
        user agents, where versions look like addresses, only those addresses are masked that the columns ip or
        session_id hold. Columns that are named for what is personal, as user, are masked whole, and so is what of a
        session's name was read from such a column: `session_id` has their paths, as `Mapping.session_id`. No two
        sessions, pages or clicks become one.
        """
        out = clicks.copy(deep=False)
        hosts = self._hosts(clicks["ip"]) if "ip" in clicks else {}
        if hosts and "session_id" in clicks:
            out["session_id"] = _without_hosts(clicks["session_id"], clicks["ip"], hosts)
        # User agents come last: in them only addresses are masked that were seen elsewhere.
        others = [name for name in clicks if name not in _OURS and _is_text(clicks[name], str(name))]
        for name in [*_FIRST, *others, "user_agent"]:
            if name in clicks:
                change = self._change(str(name), hosts, session_id)
                out[name] = _mapped(out[name], change, apart=name in _APART, all_of_them=change != self.text)
        return out

    def _change(self, column: str, hosts: dict[str, str], paths: Sequence[str]) -> Callable[[str], str]:
        if column == "ip":
            return lambda text: hosts.get(text) or self.text(text)
        if column == "session_id":
            return lambda text: self._session(text, paths)
        if column == "click_id":  # by which its owner finds the click
            return lambda text: replaced(text, self._but("opaque"))
        if column == "user_agent":
            return lambda text: replaced(text, self._known)
        if column not in _OURS and (kind := kind_of_name(column)):
            return lambda text: str(whole(text, kind, self.of))
        return self.text

    def _session(self, text: str, paths: Sequence[str]) -> str:
        if is_phone(text):
            return str(self.of("phone", text))
        if len(paths) == 1:
            return self._part(text, paths[0])
        parts = text.split("/")  # as `intake.visitor` joins them
        if len(parts) != len(paths) or not any(map(_is_of_people, parts, paths)):
            return self.text(text)
        return "/".join(self._part(part, path, unquote) for part, path in zip(parts, paths, strict=True))

    def _part(self, part: str, path: str, read: Callable[[str], str] = str) -> str:
        if _is_of_people(part, path) and (kind := kind_of_name(path)):
            return str(whole(read(part), kind, self.of))
        return self.text(part)

    def _but(self, left: Kind) -> Name:
        return lambda kind, what: None if kind == left else self.of(kind, what)

    def _known(self, kind: Kind, what: str) -> str | None:
        if kind in ("address", "spelt"):
            return self._masks.get(("address", what))
        return self.of(kind, what) if kind == "e-mail" else None

    def _hosts(self, ip: pd.Series[Any]) -> dict[str, str]:
        """The masks of the hosts that are no addresses, and of the addresses that are written as one number."""
        hosts: dict[str, str] = {}
        number = 1
        for text in distinct(ip)[1]:
            if isinstance(text, str) and text:
                if address := addresses.as_number(text):
                    hosts[text] = str(self.of("address", address))
                elif self.text(text) == text:
                    hosts[text] = f"host#{number}"
                    number += 1
        return hosts


def _is_of_people(part: str, path: str) -> bool:
    """Whether a value was read from a column of names or the like; a number in a column of ids is none."""
    named = part != "" and kind_of_name(path) in ("user", "e-mail", "phone")
    return named and (not path.lower().endswith("id") or any(map(str.isalpha, part)))


def _is_text(column: pd.Series[Any], name: str) -> bool:
    """Whether a column may hold what is personal: text, or anything where its name says so."""
    return column.dtype == object or isinstance(column.dtype, pd.StringDtype) or kind_of_name(name) is not None


def _form(kind: Kind, what: str) -> str:
    match kind:
        case "address" | "spelt":
            return addresses.network(what)
        case "e-mail":
            return f"…@{mask_text(what.rpartition('@')[2])}"
        case "opaque":
            return f"{what[:4]}…"
    return kind


def _without_hosts(session_id: pd.Series[Any], ip: pd.Series[Any], hosts: dict[str, str]) -> pd.Series[Any]:
    """Hide the hosts where a session's name begins with its own."""
    rows = zip(session_id, ip, strict=True)
    return pd.Series([_without(session, host, hosts) for session, host in rows], session_id.index, dtype=object)


def _without(session: Any, host: Any, hosts: dict[str, str]) -> Any:
    if host not in hosts or not isinstance(session, str) or not session.startswith(host):
        return session
    rest = session[len(host) :]
    return session if rest[:1].isalnum() else hosts[host] + rest


def _mapped(column: pd.Series[Any], change: Callable[[str], str], *, apart: bool, all_of_them: bool) -> pd.Series[Any]:
    """The column with each distinct text changed once. apart: no two become one. all_of_them: not suspects alone."""
    numbers, values = distinct(column)
    changed = [str(value) for value in values]
    for place in range(len(changed)) if all_of_them else np.flatnonzero(suspects(changed)).tolist():
        changed[place] = change(changed[place])
    if apart:
        seen: dict[Any, int] = {}
        for place, value in enumerate(changed):
            seen[value] = again = seen.get(value, 0) + 1
            while again > 1 and (value := f"{changed[place]}~{again}") in seen:
                again += 1
            if again > 1:
                changed[place] = value
                seen[value] = 1
    found = np.empty(len(changed) + 1, dtype=object)
    found[:-1] = changed
    return pd.Series(found[numbers], index=column.index, dtype=object)
