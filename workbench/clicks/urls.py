r"""Which ad a URL stands for: parameters that are new with each click are dropped, or one parameter is the ad.

The id that an ad network adds to each click, campaign tags and cache busters make a URL of its own of every click, and
a bot that clicks one ad all day would click each URL once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["DROPPED", "ad_pattern", "dropped", "new_with_each", "parameter_pattern", "parameters_of_ad", "taken"]

DROPPED: Final = (
    "gclid", "gbraid", "wbraid", "dclid", "gclsrc", "gad_source", "gad_campaignid", "srsltid", "fbclid", "msclkid",
    "ttclid", "twclid", "yclid", "ysclid", "igshid", "epik", "rdt_cid", "sccid", "li_fat_id", "tblci", "obclid",
    "irclickid", "clickid", "click_id", "mc_cid", "mc_eid", "_ga", "_gl", "_hsenc", "_hsmi", "utm_*", "mtm_*", "pk_*",
    "cb", "cachebuster", "cachebust", "cache_buster", "nocache", "rnd", "rand", "random", "correlator", "_",
)  # fmt: skip
"""Names of parameters that are dropped unless asked for; `*` stands for any letters."""


def parameters_of_ad(drop: Sequence[str], keep: Collection[str]) -> tuple[str, ...]:
    """Give the names to drop: the usual ones and `drop`, without those in `keep`. A `*` in `keep` keeps all.

    >>> parameters_of_ad(["sid"], keep=["utm_*", "_"])[-3:]
    ('random', 'correlator', 'sid')
    """
    if "*" in keep:
        return ()
    kept = {name.lower() for name in keep}
    return tuple(name for name in dict.fromkeys((*DROPPED, *drop)) if name.lower() not in kept)


def parameter_pattern(names: Collection[str], keep: Collection[str] = (), end: str = r"\Z") -> str:
    r"""Make the regular expression of parameters to drop, in the syntax that Python and Java share but for `end`.

    A parameter goes with the sign that divides it from the next.
    """
    one = "|".join(map(_glob, names))
    spared = "".join(rf"(?!{_glob(name)}(?:[=&#]|{end}))" for name in keep)
    return rf"(?i)(?<=[?&]){spared}(?:{one})(?:=[^&#]*)?(?:&|(?=#|{end}))"


def ad_pattern(name: str, end: str = r"\Z") -> str:
    """Make the regular expression that finds the value of one parameter, its first group."""
    return rf"(?i)[?&]{_glob(name)}=([^&#]+?)(?=[&#]|{end})"


def dropped(
    urls: pd.Series[Any], names: Collection[str], keep: Collection[str] = ()
) -> tuple[pd.Series[Any], npt.NDArray[np.bool_]]:
    """Drop parameters from the URLs. Returns them, and which of them are others than before. Both of shape (n,).

    >>> dropped(pd.Series(["/ad?id=7&gclid=x", "/ad?utm_a=1&GCLID=y&id=7&cb=1#top", "/ad"]), DROPPED)[0].to_list()
    ['/ad?id=7', '/ad?id=7#top', '/ad']
    """
    changed = np.zeros(len(urls), np.bool_)
    if not names:
        return urls, changed
    pattern = re.compile(parameter_pattern(names, keep), re.ASCII)
    values = urls.to_numpy(dtype=object, copy=True)
    for i in np.flatnonzero(_has_query(values)).tolist():
        new, count = pattern.subn("", values[i])
        if count:
            values[i], changed[i] = _TRAILING.sub("", new) or "/", True
    return pd.Series(values, index=urls.index, dtype=object), changed


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
_TRAILING = re.compile(r"[?&](?=#|\Z)")


def _has_query(values: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    return np.fromiter((isinstance(v, str) and "?" in v for v in values), np.bool_, len(values))


def _glob(name: str) -> str:
    return r"[^=&#]*".join(map(re.escape, name.split("*")))
