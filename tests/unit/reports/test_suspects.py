"""What is passed over by the quick look holds nothing personal: the slow one leaves it as it is."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from personal_texts import ENCODINGS, PERSONAL

from workbench.reports.mask import mask_text, masked
from workbench.reports.personal import kind_of_name
from workbench.reports.suspects import suspects

WORDS = [
    *("access", "refresh", "id", "auth", "user", "csrf", "xsrf", "api", "token", "tokens", "secret", "private", "key"),
    *("oauth", "authorization", "password", "passwd", "passphrase", "passcode", "pwd", "sess", "session", "sessid"),
    *("phpsessid", "jsessionid", "sid", "jwt", "sig", "signature", "otp", "pin", "credential", "credentials", "cookie"),
    *("ticket", "bearer", "sso", "saml", "email", "mails", "mailto", "telephone", "mobilephone", "phonenumber", "tel"),
    *("mobile", "msisdn", "cell", "whatsapp", "fax", "username", "login", "uid", "account", "customerid", "membername"),
    *("first", "last", "full", "sur", "nick", "given", "family", "name", "street", "streetaddress", "zip", "zipcode"),
    *("postcode", "birthday", "birthdate", "dob", "ssn", "iban", "passport", "idfa", "gaid", "aaid", "advertising"),
    *("device", "advertisingid", "deviceid", "q", "query", "search", "term", "words", "keywords", "display", "real"),
    *("agent", "page", "campaign", "ref", "v2"),
]
NAMES = st.builds(
    lambda words, sign, form: sign.join(map(form, words)),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.sampled_from(["", "_", "-", ".", "[", "é", "$", "7"]),
    st.sampled_from([str, str.upper, str.title, lambda word: "_".join(word), lambda word: "".join(word.title())]),
)
VALUES = st.text(st.sampled_from("ab1.:-/ '\"\ud83d\ude00é"), max_size=8) | PERSONAL
PIECES = st.sampled_from(["/ad", "?", "&", "#", ",", '"', "'", ": ", "=", "x", "12345", "\n", "\0", "ſ", "K", "0x"])


def holds(text: str) -> None:
    if mask_text(text) != text:
        assert suspects([text])[0], text


@given(st.lists(PIECES | NAMES | VALUES, max_size=8).map("".join))
@example("/ad?to_ken=a")
@example("/?Q=shoes")
def test_what_is_changed_is_a_suspect(text: str) -> None:
    holds(text)


@given(st.lists(st.builds("{}{}{}".format, NAMES, st.sampled_from(["=", '":"', "':'", '""  : ']), VALUES), max_size=3))
def test_what_stands_under_a_personal_name_is_a_suspect(pairs: list[str]) -> None:
    holds(f"/ad?{'&'.join(pairs)}")


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(what=PERSONAL)
def test_what_is_encoded_is_a_suspect(encoding: str, what: str) -> None:
    holds(ENCODINGS[encoding](what))


def test_every_word_that_names_something_personal_is_known() -> None:
    names = ["".join(words) for n in (1, 2) for words in itertools.product(WORDS, repeat=n)]
    names += ["_".join(words) for words in itertools.product(WORDS, repeat=2)]
    personal = [name for name in names if kind_of_name(name)]
    assert len(personal) > 1_000
    assert all(suspects([f"/?{name}=x" for name in personal]))


def test_what_few_urls_hold_is_looked_for_in_few() -> None:
    pages = [f"/product/{number}?ref=home&page={number % 50}#top" for number in range(500)]
    assert not suspects([*pages, "/", "", "v1", "https://shop.example/a.b?c"]).any()
    assert suspects(["\ud800"]).all()


def test_texts_that_are_masked_alike_stay_apart_beside_those_that_are_passed_over() -> None:
    urls = ["/a?pin=1", "/a?pin=2", "/a?pin=pin#1", "/b", None]
    found = masked(pd.DataFrame({"url": urls}))["url"].tolist()
    assert len({*found}) == len(urls)
    assert found[3:] == ["/b", None]
