"""Text from strangers, made fit for where it goes: an error, a terminal, a chart, a spreadsheet. No parsing."""

from __future__ import annotations

import re
from functools import lru_cache
from reprlib import Repr
from typing import Final

__all__ = ["BLANKS", "LONGEST_TEXT", "first_line", "label", "printable", "quote", "spreadsheet_safe"]

BLANKS: Final = " \t\n\r\f\v"
"""What may stand before and after a value, and is no part of it."""

LONGEST_TEXT: Final = 8192
"""Characters a text of a click may have: a record must fit through the broker, the state of a session stay small."""

_short = Repr()
_short.maxstring = _short.maxother = 60
_RUNS = re.compile(r"""(^|[;,|])(?=[\s"'`]*[=+\-@＝＋－＠])""")


def quote(value: object) -> str:
    """Write a value for an error message, shortened in the middle.

    >>> quote("x" * 1000)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    return _short.repr(value)


def first_line(message: object, limit: int = 300) -> str:
    r"""What an error or a text says in its first line that is not blank, cut at `limit` characters.

    An error of Spark's goes on with the stack trace of Java. One that says nothing is named by its type.

    >>> first_line("\n  it failed \n\tat java.lang.Thread.run"), first_line(TimeoutError()), first_line("")
    ('it failed', 'TimeoutError', '')
    """
    line = next((line for line in map(str.strip, str(message).splitlines()) if line), "")
    if not line and isinstance(message, BaseException):
        return type(message).__name__
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def printable(text: str) -> str:
    r"""Text in which strangers' control characters cannot steer a terminal.

    >>> printable("caf\xe9 \x1b[2J")
    'café \\x1b[2J'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def spreadsheet_safe(text: str) -> str:
    """Text that no spreadsheet runs: an apostrophe before what would begin a formula, control characters spelt out.

    Text may become several cells where a list is divided by another sign than the comma, so what follows such a sign
    is treated as the start of a cell.

    >>> print(spreadsheet_safe('=HYPERLINK("http://a.example")'), spreadsheet_safe("/ad;=1+1"))
    '=HYPERLINK("http://a.example") /ad;'=1+1
    >>> print(spreadsheet_safe("/ad?a=1&b=2"))
    /ad?a=1&b=2
    """
    return _RUNS.sub(r"\1'", printable(text))


def label(text: object, limit: int = 48) -> str:
    r"""Text from data, safe and short enough for a Plotly label: cut in the middle, escaped, made visible.

    Plotly reads labels as pseudo-HTML, and as TeX between dollar signs. Control and bidirectional
    characters could hide or reorder what is shown, so they appear as their picture or code point.

    >>> label("<b>$5 & up</b>")
    '&lt;b&gt;&#36;5 &amp; up&lt;/b&gt;'
    >>> label("https://shop.example/" + "a" * 100, limit=24)
    'https://shop.ex…aaaaaaaa'
    >>> label("one\ntwo \u202eeerht")
    'one␊two \\u202eeerht'
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
