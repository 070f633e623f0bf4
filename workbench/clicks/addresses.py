"""Whether the addresses that visitors are told by are theirs: what is said before any number, where they are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from workbench.sources.hosts import entries_of, is_address, is_public

__all__ = ["Addresses"]

_LOOKED_AT: Final = 20_000  # values; they tell enough of all
_ENOUGH: Final = 50  # clicks; of fewer, shares say nothing
_FEWER: Final = 3
_NEARLY_ALL: Final = 0.95


class Addresses:
    """Looks at the first values that visitors are told by, over all inputs of a source.

    >>> seen = Addresses()
    >>> seen.add([f"198.51.100.{i}, 203.0.113.1" for i in range(60)], ["203.0.113.1"] * 60)
    >>> list(seen.warnings())[0][-66:]
    'If it is a CDN or a balancer, and no address is forged: --client 1'
    """

    def __init__(self) -> None:
        self._seen = self._with_list = self._v4 = self._cut = 0
        self._last: set[str] = set()
        self._before: set[str] = set()
        self._networks: set[str] = set()
        self._behind: Counter[int] = Counter()  # entries that stand to the right of the last public one but one

    def add(self, said: Iterable[object], taken: Iterable[object], lists: bool = True) -> None:
        """Look at values, and at the host that was taken from each. lists: whether a list of hosts is looked into."""
        if self._seen >= _LOOKED_AT:
            return
        for text, name in zip(said, taken, strict=True):
            if self._seen >= _LOOKED_AT:
                return
            if not isinstance(text, str) or not isinstance(name, str):
                continue
            self._seen += 1
            if lists and "," in text:
                self._look_into(text)
            if ":" not in name and is_address(name):
                self._v4 += 1
                if name.endswith(".0"):
                    self._cut += 1
                    self._networks.add(name)

    def _look_into(self, text: str) -> None:
        entries = entries_of(text)
        public = [i for i, entry in enumerate(entries) if is_public(entry)]
        if len(public) < 2:
            return
        self._with_list += 1
        self._last.add(entries[public[-1]])
        self._before.add(entries[public[-2]])
        self._behind[len(entries) - 1 - public[-2]] += 1

    def warnings(self) -> Iterator[str]:
        """Yield what is wrong, one sentence each, with the fix."""
        if self._seen < _ENOUGH:
            return
        if self._with_list > 0.5 * self._seen and _FEWER * len(self._last) <= len(self._before):
            behind = self._behind.most_common(1)[0][0]
            yield (
                f"lists of addresses end in one of {len(self._last):,} public addresses, which are taken for the "
                f"visitors', and {len(self._before):,} stand before those: visitors may be taken for one. If it is a "
                f"CDN or a balancer, and no address is forged: --client {behind}"
            )
        if self._cut >= _NEARLY_ALL * max(self._v4, 0.5 * self._seen) and len(self._networks) > 1:
            yield (
                f"{self._cut / self._v4:.0%} of the addresses end in .0, as if cut short to hide who they are of: up "
                "to 256 neighbours are one visitor, and may be flagged for it. Name the visitor by something else: "
                "--map session_id=…"
            )
