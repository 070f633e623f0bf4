"""Text that strangers might send, each in the hope that some reader takes it for more than text. No tests here."""

from __future__ import annotations

import html
from typing import Final

__all__ = ["FORMULAS", "LONG_AGENT", "MARK", "MARKUP", "ODD", "TEXTS", "shown"]

MARK: Final = "window.__pwned=1"

MARKUP: Final = {
    "script": f"<script>{MARK}</script>",
    "script in capitals, not closed": f"<SCRIPT>{MARK}//",
    "script behind the end of one": f"</script><script>{MARK}</script>",
    "out of a text area and a title": f"</textarea></title><script>{MARK}</script>",
    "picture that fails": f"<img src=x onerror={MARK}>",
    "picture with broken quotes": f'"><img src=x onerror="{MARK}">',
    "drawing that loads": f"<svg/onload={MARK}>",
    "frame": f'<iframe srcdoc="<script>parent.{MARK}</script>"></iframe>',
    "details that open": f"<details open ontoggle={MARK}>",
    "attribute in double quotes": f'" onmouseover="{MARK}" x="',
    "attribute in single quotes": f"' onmouseover='{MARK}' x='",
    "style that fetches": "<style>@import 'http://127.0.0.1:9/x.css';</style>",
    "page that moves on": '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">',
    "base of all links": '<base href="http://127.0.0.1:9/">',
    "comment and CDATA": f"<!--><![CDATA[<script>{MARK}</script>",
    "entities": f"&lt;script&gt;{MARK}&lt;/script&gt; &#60;b&#62; &amp;lt;",
    "chart link": f"<a href='javascript:{MARK}'>free</a>",
    "chart link to elsewhere": '<a href="http://127.0.0.1:9/" target="_blank">free</a>',
    "chart break and superscript": "one<br>two<sup>3</sup><sub>4</sub><b>5</b><em>6</em>",
    "chart span with a style": '<span style="font-size:900px;fill:url(http://127.0.0.1:9/)">big</span>',
    "chart template": "%{y} %{customdata[0]} %{x|%Y}<extra>gone</extra>",
    "TeX link": f"$\\href{{javascript:{MARK}}}{{x}}$",
    "TeX display": f"$$\\require{{html}}\\class{{x}}{{y}}\\href{{javascript:{MARK}}}{{z}}$$",
    "TeX in brackets": "\\(\\unicode{x3c}\\) \\[\\frac{1}{2}\\]",
    "Markdown link": f"[free](javascript:{MARK})",
    "Markdown picture": "![x](http://127.0.0.1:9/x.png)",
    "Markdown heading and rule": "# Report\n---\n> quoted `code`",
    "scheme": f"javascript:{MARK}",
    "page as data": f"data:text/html,<script>{MARK}</script>",
    "percent-encoded": "%3Cscript%3Ewindow.__pwned%3D1%3C/script%3E%00%0d%0aSet-Cookie:%20x=1",
    "template braces": "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} {0.__class__} {title}",
}

FORMULAS: Final = {
    "link": '=HYPERLINK("http://127.0.0.1:9/?"&A1,"free")',
    "program": "+cmd|' /C calc'!A0",
    "number": "-1+1",
    "function": "@SUM(1+1)",
    "tab before": "\t=1+1",
    "return before": "\r=1+1",
    "line before": "\n=1+1",
    "blank before": "  =1+1",
    "quote before": '"=1+1',
    "apostrophe before": "'=1+1",
    "behind a semicolon": "/ad;=cmd|' /C calc'!A0",
    "behind a comma and a tab": "/ad,\t@SUM(1)",
    "in the next cell and the next row": 'a","=1+1"\r\n"=2+2',
    "wide sign": "＝1+1",
    "wide at": "＠SUM(1)",
    "invisible before": "\u200b=1+1",
    "mark of the byte order before": "\ufeff=1+1",
    "hard blank before": "\xa0=1+1",
}

ODD: Final = {
    "NUL": "before\0after",
    "right to left": "invoice\u202egnp.exe",
    "isolates": "\u2066\u2067a\u2069\u200f b",
    "zero width": "pay\u200bpal\u200d\u2060.example",
    "combining": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̵̵̴ͫ͗̄ͫͦ",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪",
    "outside the basic plane": "𝕏\U0010ffff\ufffe",
    "colours": "\x1b[31mred\x1b[0m \x1b[2J\x1b[H",
    "title of the terminal": "\x1b]0;owned\x07\x1b]8;;http://127.0.0.1:9/\x1b\\link\x1b]8;;\x1b\\",
    "one-byte escapes": "\x9b2J\x9d0;owned\x9c\x7f\x08\x08",
    "lines": "one\ntwo\r\nthree\x0bfour\x0cfive\x85six\u2028seven\u2029eight",
    "overwriting": "FRAUD\rok   ",
    "formats": "%s %n %(name)s %d {} {0} {name!r}",
    "escapes spelt out": "\\ud800 \\u0000 \\x1b[2J \\n \\\\",
    "quotes": "\"'`´‘’“”«»",
    "JSON": '","fraudClick":"No","x":"',
    "SQL": "'; drop table clicks; --",
    "path": "../../../../etc/passwd\\..\\..",
    "only blanks": "   ",
    "as long as may be": "x" * 8_192,
}

TEXTS: Final = {
    f"{kind}: {name}": text
    for kind, texts in (("markup", MARKUP), ("formula", FORMULAS), ("odd", ODD))
    for name, text in texts.items()
}
"""All of them by name. Each can be a click_id, a session_id, a url and a user agent."""

LONG_AGENT: Final = "Mozilla/5.0 (" + "compatible; " * 5_461
"""64 kB of user agent: more than a click may have."""


def shown(label: str) -> str:
    """What one reads of a label that a browser draws."""
    return html.unescape(label)
