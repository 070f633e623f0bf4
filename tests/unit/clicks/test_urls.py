"""Which ad a URL stands for: what is new with each click goes, and nothing else does."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.urls import DROPPED, dropped, parameters_of_ad, taken

WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5)
VALUE = st.text(st.characters(codec="ascii", exclude_characters="&#=?+%;"), max_size=5)
KEPT = st.tuples(WORD.filter(lambda name: name.lower() not in {"cb", "rnd", "rand", "epik", "yclid"}), VALUE)
GONE = st.tuples(st.sampled_from(["gclid", "FBCLID", "utm_source", "utm_x", "cb", "_"]), VALUE)


@given(st.lists(KEPT | GONE), st.sampled_from(["", "#top"]))
def test_dropped_parameters_go_and_all_others_stay_in_order(pairs: list[tuple[str, str]], end: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in pairs)
    url = f"/ad{'?' if pairs else ''}{query}{end}"
    found, changed = dropped(pd.Series([url], dtype=object), parameters_of_ad([], []))
    names = {"gclid", "fbclid", "utm_source", "utm_x", "cb", "_"}
    left = [(name, value) for name, value in pairs if name.lower() not in names]
    assert found[0] == f"/ad{'?' if left else ''}{'&'.join(f'{n}={v}' for n, v in left)}{end}"
    assert bool(changed[0]) == (len(left) < len(pairs))


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("/ad?id=7&gclid=Cj0K", "/ad?id=7"),
        ("/ad?gclid", "/ad"),
        ("/ad?gclidx=1&xgclid=2", "/ad?gclidx=1&xgclid=2"),
        ("/ad?id=gclid", "/ad?id=gclid"),
        ("/ad?&&utm_campaign=a&id=7&", "/ad?&&id=7"),
        ("/ad/gclid=7", "/ad/gclid=7"),
        ("/ad?", "/ad?"),
        ("", ""),
    ],
)
def test_only_whole_names_count(url: str, wanted: str) -> None:
    assert dropped(pd.Series([url]), DROPPED)[0][0] == wanted


def test_names_can_be_added_kept_and_all_be_kept() -> None:
    url = pd.Series(["/ad?sid=1&utm_campaign=a&utm_source=b"])
    assert dropped(url, parameters_of_ad(["sid"], []))[0][0] == "/ad"
    keep = ["utm_campaign"]
    assert dropped(url, parameters_of_ad(["sid"], keep), keep)[0][0] == "/ad?utm_campaign=a"
    assert dropped(url, parameters_of_ad([], ["*"]))[0][0] == url[0]


@given(st.lists(st.text(max_size=20)))
def test_the_ad_is_the_value_of_its_parameter(urls: list[str]) -> None:
    found = taken(pd.Series([*urls, "/a?campaign_id=7&x=1#y"], dtype=object), "campaign_id").to_list()
    assert found[-1] == "campaign_id=7"
    for url, ad in zip(urls, found, strict=False):
        assert ad is None or "campaign_id=" in url.lower()
