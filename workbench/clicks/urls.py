r"""Which ad a URL stands for: parameters that are new with each click are dropped, or one parameter is the ad.

The id that an ad network adds to each click, campaign tags and cache busters make a URL of its own of every click, and
a bot that clicks one ad all day would click each URL once. Where a campaign tag is all that tells one ad from another,
it is kept by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

__all__ = [
    "DROPPED",
    "TRAILING",
    "Dropped",
    "Merged",
    "ad_pattern",
    "dropped",
    "new_with_each",
    "parameter_pattern",
    "parameters_of_ad",
    "path_pattern",
    "taken",
]

DROPPED: Final = (
    # A click's id: of ad networks, as AdGuard's URL tracking filter (TrackParamFilter/sections/general_url.txt) and
    # Brave's query filter (components/query_filter) have them; of affiliates; of real-time bidding.
    "gclid", "gbraid", "wbraid", "dclid", "gclsrc", "gad_source", "srsltid", "fbclid", "msclkid", "ttclid", "twclid",
    "yclid", "ysclid", "ymclid", "igshid", "igsh", "epik", "rdt_cid", "sccid", "scclid", "li_fat_id", "tblci", "obclid",
    "ob_click_id", "dicbo", "qclid", "ndclid", "irclickid", "clickid", "click_id", "click_uuid", "clickref", "cjevent",
    "zanpid", "awc", "sscid", "tduid", "ymid", "rtkcid", "rb_clickid", "k_clickid", "bsft_clkid", "external_click_id",
    "unicorn_click_id", "mindbox-click-id", "ransiteid", "lptoken", "aff_click_id", "aff_sub*", "subid*", "sub_id*",
    "transaction_id", "impression_id", "imp_id", "impid", "auction_id", "bid_id", "request_id",
    # A person's or a visit's: of the same lists.
    "mc_eid", "mkt_tok", "_ga", "_gl", "_gac", "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp", "hsctatracking", "_kx",
    "__s", "_openstat", "_branch_match_id", "_branch_referrer", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id",
    "wickedid", "bsft_uid", "jsessionid", "phpsessid",
    # Campaign tags, Google's and Matomo's: a bot may come by another one each time.
    "utm_*", "mtm_*", "pk_*", "gad_campaignid",
    # Numbers that only keep browsers from using what they have.
    "ord", "cb", "cachebuster", "cachebust", "cache_buster", "cache_bust", "nocache", "no_cache", "rnd", "rand",
    "random", "correlator", "timestamp", "ts", "_ts", "_t", "_dc", "_",
)  # fmt: skip
"""Names of parameters that are dropped unless asked for; `*` stands for any letters."""

_PATH_ONLY: Final = ("sid",)
"""Besides those, behind a ";" in a path, where servers write the id of a session."""

TRAILING: Final = r"(?i)(?:&amp;|[?&;])(?=#|\z)"
"""What is left at the end of a query whose last parameter went, in Java's words."""


class Dropped(NamedTuple):
    """What dropping parameters did.

    urls: of shape (n,). parameters: each → how many URLs had it. times: each URL that had one → how often it was there;
    less: the same → what it is without.
    """

    urls: pd.Series[Any]
    parameters: Counter[str]
    times: dict[str, int]
    less: dict[str, str]


class Merged:
    """What dropping did to all URLs so far, to be told. Of URLs beyond `_MOST` it is only said that there are more."""

    def __init__(self) -> None:
        self._clicks = 0
        self._parameters: Counter[str] = Counter()
        self._before: set[int] = set()
        self._after: set[int] = set()

    def add(self, found: Dropped) -> None:
        """Count what one call of `dropped` did."""
        self._clicks += sum(found.times.values())
        self._parameters += found.parameters
        for seen, texts in ((self._before, found.less), (self._after, set(found.less.values()))):
            seen.update(hash(text) for text, _ in zip(texts, range(max(0, _MOST - len(seen))), strict=False))

    def update(self, other: Merged) -> None:
        """Count what was done to the URLs of another input."""
        self._clicks += other._clicks
        self._parameters += other._parameters
        self._before |= other._before
        self._after |= other._after

    def __str__(self) -> str:
        if not self._clicks:
            return ""
        names = ", ".join(f"{name} ({count:,})" for name, count in self._parameters.most_common(_SHOWN))
        more = f" and {len(self._parameters) - _SHOWN} more" if len(self._parameters) > _SHOWN else ""
        before, after = (f"{'over ' * (len(seen) >= _MOST)}{len(seen):,}" for seen in (self._before, self._after))
        return (
            f"{self._clicks:,} URLs without parameters that are new with each click: {names}{more}; "
            f"{before} different ones became {after}. --url-keep keeps a parameter"
        )


def parameters_of_ad(drop: Sequence[str], keep: Collection[str]) -> tuple[str, ...]:
    """Give the names to drop: the usual ones and `drop`, without those in `keep`. A `*` in `keep` keeps all.

    >>> parameters_of_ad(["sid"], keep=["utm_*", "_"])[-3:]
    ('_t', '_dc', 'sid')
    """
    if "*" in keep:
        return ()
    kept = {name.lower() for name in keep}
    return tuple(name for name in dict.fromkeys((*DROPPED, *drop)) if name.lower() not in kept)


def parameter_pattern(names: Collection[str], keep: Collection[str] = (), end: str = r"\Z") -> str:
    r"""Make the regular expression of parameters to drop, in the syntax that Python and Java share but for `end`.

    A parameter goes with the sign that divides it from the next: & or ;, or &amp; as pages write it. Its name is the
    first group.
    """
    spared, one = _alternatives(names, keep, end)
    return rf"(?i)(?:(?<=[?&])|(?<=&amp;))(?!amp;){spared}({one})(?:=[^&;#]*)?(?:&amp;|[&;]|(?=#|{end}))"


def path_pattern(names: Collection[str], keep: Collection[str] = (), end: str = r"\Z") -> str:
    r"""Make the same of parameters behind a ";", as ";jsessionid=…" in a path."""
    also = [name for name in _PATH_ONLY if name not in keep]
    spared, one = _alternatives((*names, *also), keep, end)
    return rf"(?i)(?<!&amp);{spared}({one})=[^;/?#&]*(?=[;/?#&]|{end})"


def ad_pattern(name: str, end: str = r"\Z") -> str:
    """Make the regular expression that finds the value of one parameter, its first group."""
    return rf"(?i)(?:[?&]|&amp;){_glob(name)}=([^&#]+?)(?=[&#]|{end})"


def dropped(urls: pd.Series[Any], names: Collection[str], keep: Collection[str] = ()) -> Dropped:
    """Drop parameters from the URLs.

    >>> urls = pd.Series(["/ad?id=7&gclid=x", "/ad;jsessionid=A?ORD=1&amp;GCLID=y&amp;id=7&cb=1#top", "/ad"])
    >>> found = dropped(urls, DROPPED)
    >>> found.urls.to_list(), found.parameters
    (['/ad?id=7', '/ad?id=7#top', '/ad'], Counter({'gclid': 2, 'jsessionid': 1, 'ord': 1, 'cb': 1}))
    """
    told: Counter[str] = Counter()
    often: dict[str, int] = {}
    less: dict[str, str] = {}
    if not names:
        return Dropped(urls, told, often, less)
    in_path = re.compile(path_pattern(names, keep), re.ASCII)
    in_any_query = re.compile(parameter_pattern(names, keep), re.ASCII)
    # The same where there is no &amp;, for which each letter would be looked at twice.
    in_query = re.compile(in_any_query.pattern.replace("(?:(?<=[?&])|(?<=&amp;))(?!amp;)", "(?<=[?&])"), re.ASCII)
    values = urls.to_numpy(dtype=object, copy=True)
    some = [i for i, v in enumerate(values.tolist()) if isinstance(v, str) and ("?" in v or ";" in v)]
    for url, times in Counter(values[some].tolist()).items():
        found: list[str] = []

        def gone(match: re.Match[str], found: list[str] = found) -> str:
            found.append(match[1].lower())
            return ""

        new = in_path.sub(gone, url) if ";" in url else url
        new = (in_any_query if ";" in new else in_query).sub(gone, new)
        if found:
            often[url], less[url] = times, _trailing.sub("", new) or "/"
            told.update(dict.fromkeys(found, times))
    if less:
        for i in some:
            values[i] = less.get(values[i], values[i])
    return Dropped(pd.Series(values, index=urls.index, dtype=object), told, often, less)


def taken(urls: pd.Series[Any], name: str) -> pd.Series[Any]:
    """Give the ad that one parameter names, as "campaign_id=7"; None where a URL has none. Shape (n,).

    >>> taken(pd.Series(["/land?campaign_id=7&x=1", "/other?y=campaign_id"]), "campaign_id").to_list()
    ['campaign_id=7', None]
    """
    pattern = re.compile(ad_pattern(name), re.ASCII)
    found = [pattern.search(url) if isinstance(url, str) else None for url in urls]
    return pd.Series([f"{name}={match[1]}" if match else None for match in found], index=urls.index, dtype=object)


def new_with_each(urls: Collection[str]) -> list[str]:
    """Give the parameters that most of the URLs have, and with another value in nearly each of them.

    >>> new_with_each([f"/ad?id=7&sid={i}" for i in range(100)])
    ['sid']
    """
    values: dict[str, list[str]] = {}
    for url in urls:
        for pair in url.partition("#")[0].partition("?")[2].split("&"):
            name, sign, value = pair.partition("=")
            if sign and re.fullmatch(r"[\w.-]{1,40}", name):
                values.setdefault(name, []).append(value)
    return [name for name, of in values.items() if len(of) > len(urls) / 2 and len(set(of)) >= _NEARLY_ALL * len(of)]


_NEARLY_ALL: Final = 0.9
_MOST: Final = 200_000  # URLs that are told apart for the count of those that became one
_SHOWN: Final = 12  # parameters that are named
_trailing = re.compile(TRAILING.replace(r"\z", r"\Z"))


def _alternatives(names: Collection[str], keep: Collection[str], end: str) -> tuple[str, str]:
    """What none of the names may be, and the names."""
    spared = "".join(rf"(?!{_glob(name)}(?:[=&;#]|{end}))" for name in keep)
    return spared, "|".join(map(_glob, names))


def _glob(name: str) -> str:
    return r"[^=&;#]*".join(map(re.escape, name.split("*")))
