"""Text from data as a label of a chart: the one place where it is escaped. Nothing else lives here."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["label"]


def label(text: object, limit: int = 48) -> str:
    """Text from data, safe and short enough for a Plotly label: cut in the middle, escaped, made visible.

    Plotly reads labels as pseudo-HTML, and as TeX between dollar signs. Control and bidirectional
    characters could hide or reorder what is shown, so they appear as their picture or code point.

    >>> label("<b>$5 & up</b>")
    '&lt;b&gt;&#36;5 &amp; up&lt;/b&gt;'
    >>> label("https://shop.example/" + "a" * 100, limit=24)
    'https://shop.ex…aaaaaaaa'
    >>> label("one\\ntwo \\u202eeerht")
    'one␊two \\\\u202eeerht'
    """
    return _label(str(text), limit)


@lru_cache(maxsize=16_384)
def _label(text: str, limit: int) -> str:
    if len(text) > limit:
        tail = limit // 3
        text = f"{text[: limit - tail - 1]}…{text[len(text) - tail :]}"
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _picture(c) for c in text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")


def _picture(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
