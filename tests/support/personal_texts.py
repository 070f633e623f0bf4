"""Texts that say who somebody is, in every way to write them. No tests here."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import quote

from hypothesis import strategies as st

__all__ = ["ADDRESSES", "EMAILS", "ENCODINGS", "PERSONAL", "PHONES", "TOKENS", "WORD"]

WORD = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"), min_size=3, max_size=12).filter(str.isalpha)
EMAILS = st.builds(lambda a, b, c: f"{a}.{b}@{c}.example", WORD, WORD, WORD)
PHONES = st.builds(
    lambda country, number, sign: f"+{country}{sign}{number[:4]}{sign}{number[4:]}",
    st.integers(1, 99),
    st.text(st.sampled_from("0123456789"), min_size=8, max_size=10),
    st.sampled_from(["", " ", "-"]),
)
TOKENS = st.text(st.sampled_from("ABCDEFGHabcdefgh0123456789"), min_size=32, max_size=64).filter(
    lambda text: len(re.findall("[A-Z][0-9]|[0-9][A-Za-z]|[a-z][A-Z0-9]", text)) * 3 > len(text)
)
ADDRESSES = st.ip_addresses(v=4).map(str).filter(lambda a: not a.startswith("0.")) | st.ip_addresses(v=6).map(
    lambda a: a.exploded
)
PERSONAL = EMAILS | PHONES | TOKENS | ADDRESSES


def percent_all(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, lower case": lambda text: re.sub("%..", lambda m: m[0].lower(), quote(text, safe="")),
    "percent, all of it": percent_all,
    "percent, dots and colons": lambda text: quote(text, safe="").replace(".", "%2E").replace("-", "%2D"),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "HTML": lambda text: html.escape(text).replace("@", "&#64;").replace(".", "&#x2e;"),
    "JSON": lambda text: text.replace("@", "\\u0040").replace(".", "\\u002e"),
    "capitals": str.upper,
}
