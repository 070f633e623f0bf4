"""What is personal is found in every way to write it, whatever surrounds it; and what is not personal stays."""

from __future__ import annotations

import html
import re
from urllib.parse import quote, unquote

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from personal_texts import ENCODINGS, PERSONAL, WORD

from workbench.reports.mask import Masks, mask_text, masked
from workbench.reports.personal import kind_of_name

AROUND = ["{}", "/ad?id=7&x={}&n=1", "/ad/{}/page", "({}, 7)", '"{}"', "https://a.example/?x={}#top", "said: {} twice"]


def is_left(what: str, text: str) -> bool:
    """Whether a text still holds something, however often one decodes it, in capitals or not."""
    for _ in range(4):
        if what.casefold() in text.casefold():
            return True
        text = html.unescape(unquote(re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), text)))
    return False


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(what=PERSONAL, around=st.sampled_from(AROUND))
def test_nothing_personal_is_left_in_any_encoding(encoding: str, what: str, around: str) -> None:
    if encoding == "capitals" and what.count(".") == 3:
        return  # the same address
    written = around.format(ENCODINGS[encoding](what))
    assert not is_left(what, mask_text(written)), written
    assert not is_left(what, Masks().text(written))


SECRETS = st.text(st.characters(categories=["L", "Nd"]), min_size=5, max_size=12)
NAMES = ["token", "access_token", "apiKey", "password", "PHPSESSID", "sid", "jwt", "user[email]", "first-name", "q"]
PAIRS = ["/a?{}={}&n=1", "/a;{}={}", '{{"{}": "{}"}}', "x%3F{}%3D{}%26n%3D1"]


@given(SECRETS, st.sampled_from(NAMES), st.sampled_from(PAIRS))
def test_what_stands_under_a_personal_name_is_masked_whatever_it_is(what: str, name: str, around: str) -> None:
    for encoded in (what, quote(what, safe="")):
        left = mask_text(around.format(name, encoded))
        assert what not in re.sub(f"{re.escape(name)}|secret|user|query", "", unquote(left))


@given(st.lists(PERSONAL | WORD, min_size=1, max_size=10), st.sampled_from(sorted(ENCODINGS)))
def test_no_two_sessions_pages_or_clicks_become_one_and_the_same_stay_the_same(people: list[str], way: str) -> None:
    written = [ENCODINGS[way](one) for one in people]
    table = {"session_id": written, "url": [f"/ad?x={one}" for one in written], "click_id": written}
    clicks = pd.DataFrame({name: pd.Series(texts, dtype=object) for name, texts in table.items()})
    hidden = masked(clicks)
    for name in clicks:
        pairs = set(zip(clicks[name], hidden[name], strict=True))
        assert len(pairs) == len(set(clicks[name])) == len(set(hidden[name])), name


def test_masks_that_a_stranger_wrote_do_not_make_two_sessions_one() -> None:
    sessions = ["203.0.113.x#1", "203.0.113.9", "203.0.113.x#1~2"]
    hidden = masked(pd.DataFrame({"session_id": pd.Series(sessions, dtype=object)}))["session_id"]
    assert hidden.tolist() == ["203.0.113.x#1", "203.0.113.x#1~2", "203.0.113.x#1~2~2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/ad?id=7&campaign=summer-2026&placement=top-banner-300x250", None),
        ("/ad?id=1234567890&_=1700000000000&utm_campaign=Summer-Campaign-2026-Landing-Page", None),
        ("/npm/vue@3.2.1/dist/vue.runtime.global.prod.js", None),
        ("no user agent, a key performance figure, the session of a query", None),
        ("02/Jan/2026:03:04:05 +0100 2026-01-02T03:04:05.000006Z 2026-01-02", None),
        ("203.0.113.x#1/a1/v1 host#2 …@example.com#3", None),
        ("/ad?user=&token=&id=3", None),
        ('Fix: --map session_id=visitor --map "session_id=a b,url=page"', None),
        ("/ad?redirect=/x?token=S3CRET&n=1", "/ad?redirect=/x?token=secret&n=1"),
        ("?u=https://a/?x=/y?token=S3CRET", "?u=https://a/?x=/y?token=secret"),
        ('{"request": "/x?password=hunter2"}', '{"request": "/x?password=secret"}'),
        ("?next=/reset?email=ann", "?next=/reset?email=user"),
        ("/ad?keyword=shoes&user_agent=Firefox&filename=x", None),
        ("https://ann:hunter2@shop.example/x", "https://…@shop.example/x"),
        ("/u/550e8400-e29b-41d4-a716-446655440000/x", "/u/550e…/x"),
        ("Authorization: Bearer abcd1234efgh", "Authorization: Bearer secret"),
        ("fe80::1%25eth0", "fe80:0:0:x%eth0"),
        ("/ad?to=%2B44%2020%207946%200958&id=3", "/ad?to=phone&id=3"),
        ("call (202) 555-0123 or 07700 900123", "call phone or phone"),
        ('192.0.2.7 - ann [02/Jan/2026:03:04:05 +0000] "GET /', '192.0.2.x - user [02/Jan/2026:03:04:05 +0000] "GET /'),
    ],
)
def test_what_is_masked_and_what_stays(text: str, said: str | None) -> None:
    assert mask_text(text) == (text if said is None else said)


def test_names_of_parameters_say_what_their_values_are() -> None:
    assert {kind_of_name(name) for name in ("client_secret", "X-Api-Key", "idToken", "ASPSESSIONID", "otp")} == {
        "secret"
    }
    assert {kind_of_name(name) for name in ("user", "customerId", "lastName", "login", "dob")} == {"user"}
    assert {kind_of_name(name) for name in ("id", "page", "keyword", "campaign_name", "author", "monkey", "ts")} == {
        None
    }


def test_an_address_is_known_again_in_other_spellings() -> None:
    url = "/ad?a=203-0-113-9&b=3405803785&c=198-51-100-7"
    clicks = pd.DataFrame({"ip": ["203.0.113.9"], "session_id": ["s"], "url": [url]}, dtype=object)
    assert masked(clicks)["url"].tolist() == ["/ad?a=203.0.113.x#1&b=203.0.113.x#1&c=198-51-100-7"]


def test_columns_that_are_carried_along_are_masked_by_their_names_too() -> None:
    clicks = pd.DataFrame(
        {
            "session_id": ["447700900123", "s2"],
            "ip": ["3405803785", "edge-7"],
            "user": ["ann", None],
            "user_id": [17, 18],
            "campaign": ["summer", "ann@x.example"],
            "cost": [0.5, 0.25],
            "referer": ["/?q=divorce+lawyer", None],
        }
    )
    hidden = masked(clicks)
    assert hidden["session_id"].tolist() == ["phone#1", "s2"]
    assert hidden["ip"].tolist() == ["203.0.113.x#1", "host#1"]
    assert hidden["user"].tolist() == ["user#1", None]
    assert hidden["user_id"].tolist() == ["user#2", "user#3"]
    assert hidden["campaign"].tolist() == ["summer", "…@x.example#1"]
    assert hidden["referer"].tolist() == ["/?q=query#1", None]
    assert hidden["cost"].equals(clicks["cost"])
