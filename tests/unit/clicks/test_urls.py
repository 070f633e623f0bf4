"""Which ad a URL stands for: what is new with each click goes, and nothing else does."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.urls import DROPPED, Merged, dropped, parameters_of_ad, taken

WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5)
VALUE = st.text(st.characters(codec="ascii", exclude_characters="&#=?+%;"), max_size=5)
KEPT = st.tuples(WORD.filter(lambda name: name.lower() not in DROPPED and name.lower() != "subid"), VALUE)
GONE = st.tuples(st.sampled_from(["gclid", "FBCLID", "subid", "aff_sub2", "cb", "_"]), VALUE)


@given(st.lists(KEPT | GONE), st.sampled_from(["", "#top"]))
def test_dropped_parameters_go_and_all_others_stay_in_order(pairs: list[tuple[str, str]], end: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in pairs)
    url = f"/ad{'?' if pairs else ''}{query}{end}"
    found = dropped(pd.Series([url], dtype=object), parameters_of_ad([], []))
    names = {"gclid", "fbclid", "subid", "aff_sub2", "cb", "_"}
    left = [(name, value) for name, value in pairs if name.lower() not in names]
    assert found.urls[0] == f"/ad{'?' if left else ''}{'&'.join(f'{n}={v}' for n, v in left)}{end}"
    assert set(found.less) == ({url} if len(left) < len(pairs) else set())
    assert set(found.parameters) == {name.lower() for name, _ in pairs} - {name.lower() for name, _ in left}


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("/ad?id=7&gclid=Cj0K", "/ad?id=7"),
        ("/ad?gclid", "/ad"),
        ("/ad?gclidx=1&xgclid=2", "/ad?gclidx=1&xgclid=2"),
        ("/ad?id=gclid", "/ad?id=gclid"),
        ("/ad?&&gclid=a&id=7&", "/ad?&&id=7"),
        ("/ad?utm_campaign=a&utm_content=b&gclid=1&id=7", "/ad?id=7"),
        ("/ad?id=7&amp;gclid=1", "/ad?id=7"),
        ("/ad?gclid=1&amp;id=7", "/ad?id=7"),
        ("/ad?a=1;ord=2;id=7", "/ad?a=1;id=7"),
        ("/ad;jsessionid=A1.node?id=7", "/ad?id=7"),
        ("/ad;sid=1/x;v=2?sid=3", "/ad/x;v=2?sid=3"),
        ("/ad?ttclid=1&twclid=2&li_fat_id=3&wbraid=4&_gl=5&mc_eid=6&transaction_id=7&subid1=8&timestamp=9", "/ad"),
        ("/ad/gclid=7", "/ad/gclid=7"),
        ("/ad?", "/ad?"),
        ("", ""),
    ],
)
def test_only_whole_names_count(url: str, wanted: str) -> None:
    assert dropped(pd.Series([url]), DROPPED).urls[0] == wanted


def test_names_can_be_added_kept_and_all_be_kept() -> None:
    url = pd.Series(["/ad?sid=1&utm_campaign=a&utm_source=b&gclid=1"])
    assert dropped(url, parameters_of_ad(["sid", "utm_*"], [])).urls[0] == "/ad"
    keep = ["utm_campaign"]
    assert dropped(url, parameters_of_ad(["sid", "utm_*"], keep), keep).urls[0] == "/ad?utm_campaign=a"
    assert dropped(url, parameters_of_ad([], ["*"])).urls[0] == url[0]


def test_what_was_dropped_is_told_with_how_many_urls_became_one() -> None:
    told = Merged()
    assert str(told) == ""
    for urls in (["/ad?gclid=1", "/ad?gclid=2", "/ad?gclid=2&cb=3"], ["/b?GCLID=1", "/c?x=1"]):
        other = Merged()
        other.add(dropped(pd.Series(urls), DROPPED))
        told.update(other)
    assert str(told) == (
        "4 URLs without parameters that are new with each click: gclid (4), cb (1); 4 different ones became 2. "
        "--url-keep keeps a parameter"
    )


@given(st.lists(st.text(max_size=20)))
def test_the_ad_is_the_value_of_its_parameter(urls: list[str]) -> None:
    found = taken(pd.Series([*urls, "/a?campaign_id=7&x=1#y"], dtype=object), "campaign_id").to_list()
    assert found[-1] == "campaign_id=7"
    for url, ad in zip(urls, found, strict=False):
        assert ad is None or "campaign_id=" in url.lower()


def test_escaped_signs_are_seen_in_any_case() -> None:
    assert (
        dropped(pd.Series(["/ad?id=7&AMP;gclid=1", "/ad?id=7&amp;GCLID=1"]), DROPPED).urls.to_list() == ["/ad?id=7"] * 2
    )
