r"""A format of log lines, as a server's settings write it, into one regular expression. Which there are: `presets`.

`%h %l %u %t "%r" %>s %b` of Apache and `$remote_addr - $remote_user [$time_local] "$request"` of nginx are understood.
Every repetition ends at a character it cannot match itself and, being possessive (`*+`), is never tried again with
less. So the time it takes grows with the length of a line and no faster, whatever a client sends.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import pairwise

from workbench.errors import ClickError
from workbench.sources.log_format import LogFormat
from workbench.text import quote

__all__ = ["compiled", "narrowed"]

_APACHE = {
    **{"h": "ip", "a": "ip", "t": "time", "r": "request", "m": "method", "U": "url", "q": "query", "s": "status"},
    **{"v": "host", "V": "host", "u": "user", "l": "ident", "b": "size", "B": "size", "O": "size", "I": "bytes_in"},
    **{"D": "duration_us", "T": "duration", "p": "port", "H": "protocol", "P": "pid", "X": "connection", "f": "file"},
    **{"A": "server_ip", "k": "keepalive", "L": "log_id", "R": "handler", "S": "transferred"},
}
_HEADERS = {
    **{"referer": "referer", "referrer": "referer", "user-agent": "user_agent", "host": "host"},
    **{"x-forwarded-for": "forwarded", "forwarded": "forwarded"},
}
_NGINX = {
    **dict.fromkeys(("remote_addr", "client", "client_ip", "realip_remote_addr", "http_x_real_ip"), "ip"),
    **dict.fromkeys(("proxy_protocol_addr", "http_cf_connecting_ip", "http_true_client_ip"), "ip"),
    **dict.fromkeys(("time_local", "time_iso8601", "msec", "accept_date", "start_time", "time"), "time"),
    **dict.fromkeys(("http_x_forwarded_for", "proxy_add_x_forwarded_for", "http_forwarded"), "forwarded"),
    **dict.fromkeys(("bucket", "host", "http_host", "server_name", "ssl_server_name"), "host"),
    **dict.fromkeys(("request_uri", "uri"), "url"),
    **dict.fromkeys(("status", "status_code", "elb_status_code"), "status"),
    **dict.fromkeys(("body_bytes_sent", "bytes_sent", "bytes_read"), "size"),
    **{"request": "request", "request_method": "method", "http_referer": "referer", "http_user_agent": "user_agent"},
    **{"remote_user": "user", "args": "query", "query_string": "query"},
}
_TOKEN_APACHE = re.compile(r"%(?:!?[0-9,]+)?[<>]?(?:\{([^{}]*)\}(\^?[A-Za-z]{1,2})|([A-Za-z%]))")
_TOKEN_NGINX = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_TIMES_APACHE = re.compile(r"%\{[^{}]*\}t(?:[ .,:T]?%\{[^{}]*\}t)+")
_STATEMENT = re.compile(r"\s*(?:log_format\s+\S+\s+(?:escape=\w+\s+)?)(.*?);?\s*", re.DOTALL)
_DIRECTIVE = re.compile(r"\s*(?:LogFormat|CustomLog)\s+\"((?:[^\"\\]|\\.)*)\".*", re.DOTALL)
_PIECE = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")

_HOST_AND_URL = "host and url"
_ALWAYS = ("ip", "forwarded", "time", "ts", "request", "method", "url", "query", _HOST_AND_URL)
_ADDRESSES = r"(?:\"[^\"]*+\"|[^\s,\"]++(?:, ?[^\s,\"]++)*+)"
_NO_ADDRESS = r"(?![0-9]{1,3}+(?:\.[0-9]{1,3}+){3}|[0-9A-Fa-f]*+:[0-9A-Fa-f:.]*+ )"
_BEFORE_BRACKET = r"(?:[^ \t]++|[ \t](?![ \t]{0,8}+\[[^\[\]]*+(?:\]|\Z)))*+"  # user names may have blanks and brackets
_LIST = r"[^\s,\"]*+(?:(?:, ?| : )[^\s,\"]++)*+"  # of several servers that were asked
_BLANKS = r"[ \t]++"
_EXTRA = rf"(?:{_BLANKS}[^\s\"]++(?=[ \t]|\Z))*+"
_TAIL = rf"(?:{_BLANKS}(?:[^\s\"]*+\"(?:[^\"\\]++|\\.|\"(?![ \t]|\Z))*+\"|[^\s\"]++))*+[ \t]*+"
_TIME = (
    r"(?:[0-9]{1,2}/[A-Za-z]{3}/[0-9]{4}[: ][0-9:.,]++(?: [+-][0-9:]++)?+"
    r"|[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ][0-9:.,]++(?:Z| ?[+-][0-9:]++)?+|[0-9]++(?:\.[0-9]++)?+)"
)


def compiled(
    format: str,
    *,
    name: str = "custom",
    docs: str = "",
    loose: bool = False,
    needs: tuple[str, ...] = (),
    json: str | None = None,
    keep: Collection[str] | None = None,
) -> LogFormat:
    r"""Compile a format string.

    Parameters
    ----------
    format
        As Apache's LogFormat or nginx's log_format has it, with or without that word and the quotes around it.
    name, docs
        What the format is called, and where it is described.
    loose
        What comes after the size may be missing, and more may stand between or behind.
    needs
        Columns that must hold a host in some line, for lines to be taken for this format.
    json
        The preset to take where the lines are JSON.
    keep
        The columns that lines give; None is all.

    Returns
    -------
    LogFormat
        Of kind "text".

    Raises
    ------
    ClickError
        The string names nothing, nothing that tells who, when or what, or two things with nothing between.

    Examples
    --------
    >>> compiled('$remote_addr [$time_iso8601] "$request"').pattern.fullmatch('::1 [now] "GET /"').groups()
    ('::1', 'now', 'GET /')
    """
    text = _unquoted(format)
    tokens = _joined(list(_tokens(text)))
    names = [token for is_name, token in tokens if is_name]
    told = "write it as the server's settings do, as '%h %l %u %t \"%r\" %>s %b' or '$remote_addr [$time_local] ...'"
    if not all({*names} & one for one in ({"ip", "forwarded"}, {"time"}, {"request", "url", _HOST_AND_URL})):
        raise ClickError(f"a log format names the address, the time and the request: got {quote(format)}; {told}")
    for (one, first), (other, second) in pairwise(tokens):
        if one and other:
            raise ClickError(f"nothing divides {first} and {second} in the log format {quote(format)}; {told}")
    parts, columns = _parts(tokens, loose, keep)
    stages = [
        "".join(part for part, _, _ in parts[: n + 1]) + f"(?={_literal(after, loose)})"
        for n, (_, _, after) in enumerate(parts)
    ]
    whole = "".join(part for part, _, _ in parts)
    return LogFormat(
        name=name,
        kind="text",
        docs=docs,
        format=text,
        loose=loose,
        columns=tuple(columns),
        stages=(*stages, whole + (rf"{_TAIL}\Z" if loose else r" *+\Z")),
        labels=(*(label.lstrip("_") for _, label, _ in parts), "end"),
        unit=_unit(text),
        needs=needs,
        json=json,
    )


def narrowed(format: LogFormat, columns: Collection[str]) -> LogFormat:
    """The same format that reads no more than columns need, which takes less time.

    >>> narrowed(compiled('%h %l %u %t "%r" %>s %b'), ["url"]).columns
    ('ip', 'time', 'request')
    """
    keep = {*columns, *_ALWAYS}
    if format.kind == "text":
        found = compiled(format.format, name=format.name, docs=format.docs, loose=format.loose, keep=keep)
        return replace(found, whole_urls=format.whole_urls)
    return replace(format, paths={name: paths for name, paths in format.paths.items() if name in keep})


def _parts(
    tokens: list[tuple[bool, str]], loose: bool, keep: Collection[str] | None
) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Of all that the format names the expression, the name and what follows; and the columns of the groups."""
    parts: list[tuple[str, str, str]] = []
    columns: list[str] = []
    before = ""
    past_size = False
    for at, (is_name, token) in enumerate(tokens):
        if not is_name:
            before = token
            continue
        after = "" if at + 1 == len(tokens) else tokens[at + 1][1]
        quoted = before.endswith('"') and after.startswith('"')
        text = _literal(before, loose) + _group(token, before, after, loose, columns, keep)
        closing = '"' if quoted else "]" if before.endswith("[") and after.startswith("]") else ""
        if closing:
            text += re.escape(closing)
            after = after[1:]
            tokens[at + 1] = (False, after)
        if past_size:
            extra = _EXTRA if quoted else ""
            text = f"(?:{extra}{text})?+"
        parts.append((text, token, "" if past_size else after))
        past_size = past_size or (loose and token == "size")
        before = ""
    text, name, _ = parts.pop()
    parts.append((text + _literal(before, loose), name, ""))
    return parts, columns


def _literal(text: str, loose: bool) -> str:
    return re.escape(text).replace(r"\ ", _BLANKS) if loose else re.escape(text)


def _joined(tokens: list[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """What stands together with nothing between and can be told apart all the same: host, path and query of a URL."""
    joined: list[tuple[bool, str]] = []
    for is_name, token in tokens:
        before = joined[-1] if joined else (False, "")
        if is_name and before == (True, "host") and token == "url":
            joined[-1] = (True, _HOST_AND_URL)
        elif not (is_name and before[0] and before[1] in ("url", _HOST_AND_URL) and token in ("query", "is_args")):
            joined.append((is_name, token))
    return joined


def _group(name: str, before: str, after: str, loose: bool, columns: list[str], keep: Collection[str] | None) -> str:
    pattern = _pattern(name, before, after, loose)
    if (
        name in columns
        or name in ("ident", "size", "protocol")
        or name.startswith("_")
        or not (keep is None or name in keep)
    ):
        return f"(?:{pattern})"
    if name == _HOST_AND_URL:
        columns += ["host", "url"]
        return rf"([^\s/\"]*+)({pattern})"
    columns.append(name)
    return f"({pattern})"


def _pattern(name: str, before: str, after: str, loose: bool) -> str:
    if before.endswith('"') and after.startswith('"'):
        follows = r"[ \t]|\Z" if loose else re.escape(after[1:]) or r"\Z"
        return rf'[^"\\]*+(?:(?:\\.|"(?!{follows}))[^"\\]*+)*+'
    if before.endswith("[") and after.startswith("]"):
        return r"[^\]]*+"
    if name == "ident":
        return rf"-(?![^ \t])|{_NO_ADDRESS}\S++"
    if name == "user" and after.startswith(" ["):
        return rf"-(?=[ \t]\[)|{_BEFORE_BRACKET}"
    if name == "captured_headers":
        return r"(?:\{[^{}]*+\} )*+"
    if name == "time":
        return _TIME
    if name == "rest":
        return r".*+"
    plain = not after or after[0].isspace() or after.startswith('"')
    if name in ("ip", "forwarded"):
        return _ADDRESSES if plain else rf"\[[^\]]*+\]|(?:(?!{re.escape(after)})[^\s\"])++"
    if name == "host" and not plain:
        return rf"\[[^\]]*+\]|(?:(?!{re.escape(after)})\S)++"
    if name == "status":
        return r"[0-9]{3}|-1?"
    if name == "size":
        return r"\+?[0-9]++(?:\.[0-9]++)?+|-" if loose else r"\+?[0-9]++|-"  # a time may stand before it
    if name.startswith("upstream_"):
        return _LIST
    if plain and name not in ("request", "user_agent", "referer", "url", _HOST_AND_URL):
        return r"[^\s\"]*+"
    return rf"(?:(?!{re.escape(after)}).)*+" if after else r".*+"


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    """What the format names (True), and the text between (False)."""
    nginx = "$" in text
    if not nginx:
        text = _TIMES_APACHE.sub("%{all}t", text)
    at = 0
    literal = ""
    for found in (_TOKEN_NGINX if nginx else _TOKEN_APACHE).finditer(text):
        literal += text[at : found.start()]
        at = found.end()
        if found[0] == "%%":
            literal += "%"
            continue
        name = _NGINX.get(found[1] or found[2], found[1] or found[2]) if nginx else _apache(*found.groups())
        in_brackets = not nginx and found[0].lstrip("%!0123456789,<>") == "t"
        if in_brackets:
            literal += "["
        if literal:
            yield False, literal
        yield True, name.lower()
        literal = "]" if in_brackets else ""
    if literal + text[at:]:
        yield False, literal + text[at:]


def _apache(argument: str | None, of: str | None, letter: str | None) -> str:
    if argument is None or of is None:
        return _APACHE.get(str(letter), f"%{letter}")
    if of == "t":
        return "time"
    if of == "i":
        return _HEADERS.get(argument.lower(), argument)
    return _APACHE.get(of, argument) if of in ("a", "p", "P") else argument


def _unit(text: str) -> str:
    """What a time counts that is a number: nginx has seconds only, Apache what the format says."""
    counts = re.search(r"%\{(?:begin:|end:)?(msec|usec)\}t", text)
    return "s" if counts is None else {"msec": "ms", "usec": "us"}[counts[1]]


def _unquoted(format: str) -> str:
    """The format itself: without the statement around it, and what a line of settings escapes."""
    if (directive := _DIRECTIVE.fullmatch(format)) is not None:
        format = directive[1]
    elif (statement := _STATEMENT.fullmatch(format)) is not None:
        pieces = [single or double for single, double in _PIECE.findall(statement[1])]
        format = "".join(pieces) or statement[1]
    return format.replace('\\"', '"').replace("\\t", "\t").strip("\r\n")
