r"""What of a text says who somebody is, or lets one in as somebody: found in every way to write it. Masks: `mask`.

Addresses, e-mail addresses and phone numbers are known by their look; secrets by the name of the parameter they are
in, or as long values that no one can read; user names and queries by the name of the parameter.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal
from urllib.parse import unquote

from workbench.reports import addresses

__all__ = ["Kind", "Name", "is_phone", "kind_of_name", "replaced", "whole"]

Kind = Literal["address", "spelt", "e-mail", "phone", "secret", "opaque", "user", "query"]
"""spelt: an address if one knows it. secret: by its parameter's name. opaque: by its look."""

Name = Callable[[Kind, str], str | None]
"""What to write in place of something; None leaves it."""

_NAMED: Final[dict[Kind, re.Pattern[str]]] = {
    "secret": re.compile(
        r"(?:access|refresh|id|auth|user|csrf|xsrf|api)?tokens?|(?:api|access|secret|private)?key|o?auth|authorization"
        r"|pass(?:w(?:or)?[dt]|phrase|code)?|pwd|secret|sess(?:ion)?(?:id)?|(?:php|j|asp)?sess(?:ion)?id|sid|jwt"
        r"|sig(?:nature)?|otp|pin|[cx]srf|credentials?|cookie|ticket|bearer|sso|saml"
    ),
    "e-mail": re.compile(r"e?mails?|mailto"),
    "phone": re.compile(r"(?:tele|mobile|cell)?phone(?:number)?|tel|mobile|msisdn|cell|whatsapp|fax"),
    "user": re.compile(
        r"(?:user|login|uid|account|customer|member)(?:name|id)?|(?:first|last|full|sur|nick|given|family)name"
        r"|street(?:address)?|zip(?:code)?|postcode|birth(?:day|date)|dob|ssn|iban|passport|idfa|[ga]aid"
        r"|(?:advertising|device)id"
    ),
}
_WHOLE_NAME = re.compile(r"(?:(?:first|last|full|sur|nick|given|family|display|real|user|login|customer) )?name")
_QUERY = re.compile(r"q|query|search ?(?:term|query|words?)?|keywords")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_NAME_OF = re.compile(
    r"(?<![\w.\-\[\]$%])(?<!--map )(?<!--map \")([\w.\-\[\]$%]{1,80}+)"  # a name; our fixes name columns
    r"""(?:=|%3[Dd]|["']{1,2}\s{0,3}:\s{0,3})"""
)
_VALUE = re.compile(r"""""?(?![,}\s"])((?:[^"\\]|\\.)*+)|'([^']*+)|([^&;\s"'<>#,}]++)""")
_LOGIN = re.compile(r"(?<=://)[^/\s@?#]{1,255}+(?=@)")
_HEADER = re.compile(r"(?i)\b(bearer|basic)(\s{1,3}|%20|\+)([\w.~+/=-]{8,}+)")
_LOGGED = re.compile(r"(^\S{1,255}+ \S{1,64}+ )(?!- )(\S{1,255}+)(?= \[[0-9]{1,2}/)")
_CODED = re.compile(
    r"""(?<![^\s&=?/#;,"'<>])(?:[^\s&=?/#;,"'<>%]|%(?![0-9A-Fa-f]{2}))*+%[0-9A-Fa-f]{2}[^\s&=?/#;,"'<>]*+"""
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,10});")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_LOCAL = r"\w.!$'*+^`{|}~\-"
_EMAIL = re.compile(rf"\w[{_LOCAL}]{{0,63}}+@(?=[^\W\d_])[\w-]{{1,63}}+(?:\.[\w-]{{1,63}}+){{0,8}}")
_PHONES = re.compile(
    r"(?<![\w+])(?:\+[ (]?[1-9](?:[ .()/+-]{0,2}[0-9]){7,14}(?![0-9])"
    r"|(?<![.-])(?:\([0-9]{2,5}\)[ .-]?[0-9]{3,4}[ .-]?[0-9]{3,4}|0?[0-9]{2,4}([.-])[0-9]{3,4}\1[0-9]{3,4}"
    r"|0[0-9]{3,4} [0-9]{3} ?[0-9]{3,4}|0[1-9][0-9]{8,9})(?![\w.-]))"
)
_WHOLE_PHONE = re.compile(r"(?:tel:)?\+?(?:[ .()/-]{0,2}[0-9]){10,15}")
_OPAQUE = re.compile(r"eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+)?|[A-Za-z0-9_-]{20,}+")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_CHANGE = re.compile(r"(?=[a-z][A-Z0-9]|[A-Z][0-9]|[0-9][A-Za-z]|[A-Z]{2}[a-z])")
_CODES = re.compile(r"""[%\\=&"']|://""")
_SIGNS = re.compile(r"[@ +]")  # three, as each alone is much faster than all in one
_DIGITS = re.compile(r"[0-9](?:[0-9]{7}|[-_][0-9]|[0-9][.)][0-9]{3}|(?<=0)[xX])")
_LONG = re.compile(r"[A-Za-z0-9_-]{20}")
_DEPTH: Final = 4


def replaced(text: str, name: Name) -> str:
    r"""The text with all that is personal replaced by its name, however it is encoded.

    What holds something personal in an encoding is given decoded; all else stays as it is.

    >>> show = lambda kind, what: f"<{kind}>"
    >>> replaced("/ad?id=7&u=ann.smith%40example.com&token=S3CRET&ip=203%2E0%2E113%2E9", show)
    '/ad?id=7&u=<e-mail>&token=<secret>&ip=<address>'
    """
    if not _CODES.search(text) and not _looks_personal(text):  # as nearly all ids of a million do not
        return text
    return _replaced(text, name, _DEPTH)


def is_phone(text: str) -> bool:
    """Say whether a text is all of a phone number.

    >>> is_phone("+44 20 7946 0958"), is_phone("447700900123"), is_phone("visitor-17")
    (True, True, False)
    """
    return len(text) < 40 and _WHOLE_PHONE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def kind_of_name(name: str) -> Kind | None:
    """What the value of a parameter, or a column, of that name is; None where the name says nothing.

    >>> [kind_of_name(name) for name in ("accessToken", "e-mail", "user[first_name]", "campaign_name", "keyword")]
    ['secret', 'e-mail', 'user', None, None]
    """
    words = [word.lower() for word in _WORDS.findall(unquote(name))]
    if "agent" in words:
        return None
    joined = {*words, "".join(words), *map("".join, pairwise(words))}
    for kind, known in _NAMED.items():
        if any(known.fullmatch(word) for word in joined):
            return kind
    if words[-1:] == ["name"] and _WHOLE_NAME.fullmatch(" ".join(words[-2:])):
        return "user"
    return "query" if _QUERY.fullmatch(" ".join(words)) else None


def whole(value: str, kind: Kind, name: Name) -> str | None:
    """The name of a value that is all personal, of that kind by the name it stands under, or an e-mail address."""
    if _EMAIL.fullmatch(value):
        return name("e-mail", value)
    return name("user" if kind == "e-mail" else kind, value)


def _replaced(text: str, name: Name, depth: int) -> str:
    if (
        "&" in text
        and ";" in text
        and _ENTITY.search(text)
        and (changed := _if_changed(html.unescape(text), text, name, depth)) != text
    ):
        return changed
    if "\\" in text and (changed := _if_changed(_unescaped(text), text, name, depth)) != text:
        return changed
    if "=" in text or ":" in text or "%3" in text:
        if any(map(kind_of_name, _NAME_OF.findall(text))):
            text = _named(text, name)
        if "@" in text:
            text = _LOGIN.sub(lambda match: name("secret", match[0]) or match[0], text)
    if "%" in text:
        text = _CODED.sub(lambda match: _if_changed(unquote(match[0]), match[0], name, depth), text)
    if not _looks_personal(text):
        return text
    if " " in text:
        text = _LOGGED.sub(lambda match: match[1] + (name("user", match[2]) or match[2]), text)
        text = _HEADER.sub(lambda match: match[1] + match[2] + (name("secret", match[3]) or match[3]), text)
    if "@" in text:
        text = _EMAIL.sub(lambda match: name("e-mail", match[0]) or match[0], text)
    text = addresses.replaced(text, lambda address: name("address", address))
    text = addresses.spelt(text, lambda address: name("spelt", address))
    text = _PHONES.sub(lambda match: name("phone", match[0]) or match[0], text)
    return _OPAQUE.sub(lambda match: (name("opaque", match[0]) if _is_opaque(match[0]) else None) or match[0], text)


def _looks_personal(text: str) -> bool:
    found = _SIGNS.search(text) or _DIGITS.search(text) or (len(text) >= 20 and _LONG.search(text))
    return bool(found) or text.count(".") > 2 or text.count(":") > 1


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), text)


def _if_changed(decoded: str, text: str, name: Name, depth: int) -> str:
    """The decoded text without what is personal, or the text itself where there is nothing of the kind."""
    changed = _replaced(decoded, name, depth - 1) if depth and decoded != text else decoded
    return text if changed == decoded else changed


def _named(text: str, name: Name) -> str:
    """The text without values that stand under the name of something personal, in the values of other names too."""
    done: list[str] = []
    at = 0
    while found := _NAME_OF.search(text, at):
        end = found.end()
        done.append(text[at:end])
        at = end
        kind = kind_of_name(found[1])
        match = _VALUE.match(text, end) if kind else None
        if kind and match and (value := match[1] or match[2] or match[3]):
            done += [match[0].removesuffix(value), whole(unquote(value), kind, name) or value]
            at = match.end()
    return "".join([*done, text[at:]])


def _is_opaque(run: str) -> bool:
    """Whether a run of letters and digits is none that a person wrote: its kinds of characters change all the time."""
    changes = len(_CHANGE.findall(run))
    return run.startswith("eyJ") or _UUID.fullmatch(run) is not None or (changes >= 4 and changes * 5 >= len(run))
