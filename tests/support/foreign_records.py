"""Records as other people's producers write them, and mappings to read them by. No tests here."""

from __future__ import annotations

import json
import random
from typing import Any, Final

from workbench.clicks.mapping import Mapping

__all__ = ["HOSTS", "MAPPINGS", "records"]

MAPPINGS: Final = (
    Mapping(),
    Mapping(time_unit="ms", tz="Europe/Berlin", click_id="id"),
    Mapping(session_id=["ip", "user.id", "x"], time_unit="s", url_from="ad", client="first"),
    Mapping(session_id="user.id", url="p[page]", ts="a.b", time_unit="ns", tz="America/New_York", click_id="list[1]"),
    Mapping(session_id="p[sid]", url="=/ad", ts="list[0]", time_unit="us", method="method", client=1),
    Mapping(session_id="ip", time_unit="days", tz="UTC", url_keep=["utm_*"], url_drop=["sid", "x*"], client="last"),
    Mapping(session_id=["=shop", "x"], url="a.b", time_unit="ms", url_keep=["*"], method="method", assets=True),
    Mapping(
        session_id="user.id", user_agent="x", time_unit="ms", tz="UTC", click_id="id", url_keep=["*"],
        exclude=["10.0.0.0/8", "192.0.2.1", "2001:db8::/48", "fe80::/10", "utm_source", "url:gclid=", "ABC", "K", "İ"],
    ),
    Mapping(time_unit="s", where=["method=get,Head", "user.id!=s1, 12", "x=abc,true,1000,a/b"], url="=/ad"),
    Mapping(url=["host", "url", "query"], ts=["date", "time"], tz="Europe/Berlin", time_unit="s", method="method"),
    Mapping(url=["url", "x", "query", "id"], ts=["ts", "time"], tz="UTC", url_from="ad"),
)  # fmt: skip
"""Between them all that can be said of a topic."""

_ODD_TEXTS = (
    "", "-", "(not set)", " NULL ", "0", "0.0", "undefined", "a/b", "50%", "s\x00a", "s\x00b", "?", "\ud83d\ude00",
    "K", "x\n", "true", "12", "1e3", "[1]", "{}", "NaN", "Infinity", " INF", " +INF", "x" * 8192, "x" * 8193, "İ",
    "1.23E+12", "1,2e+15", "1.23E+1234", " s1", "s1\t", "1000.0", "-7.00", "10.0.0", " 1000 ", "007.0",
    "\ufeff", "ǅ", "\u2028",
)  # fmt: skip
_URLS = (
    "/ad", "/ad?id=7&gclid=x", "/ad?UTM_source=a&ad=7", "/ad?ad=&x1=2#top", "/ad?ad=a#gclid=1", "/?cb=1", "/?",
    "/a.css?x", "/a.CSS", "/robots.txt", "/ad?ſid=1&sid=2&SID=3", "?_=1&_=2&ad=3", "/ad?utm_source&sid",
    "/ad;jsessionid=A1.b?id=7", "/ad?id=7&amp;gclid=x&amp;ad=3", "/ad?id=7&AMP;gclid=x",
    "/ad?a=1;cb=2;ad=5", "/a;sid=1;x=2/b", "/ad?&amp;a",
    "/ad?amp;ord=1", "/ad?gclid=1&amp;", "/ad?utm_campaign=a&subid3=x&aff_sub=y", "/ad;JSESSIONID=", "/x;cb=1",
    "https://x.example/ad?xyz=1&AD=9", "/a.js\n", "/ad?gclid",
)  # fmt: skip
HOSTS = (
    "203.0.113.9", "10.0.0.1", "203.0.113.9:443, 10.0.0.1", "[2001:DB8::0:1]:443", "2001:db8:0:0:1:0:0:1",
    "::ffff:1.2.3.4", "fe80::1%eth0", "::1", "::", "0.0.0.0", "unknown, 198.51.100.7",
    'for="[2001:db8::9]:1"; proto=https', "ipv4:1.2.3.4", "Crawl-1.Example.", "999.1.1.1", "1.2.3", "a_b",
    "1::00001", "::01.2.3.4", "1:2:3:4:5:6:7::", "fd00::1, 10.0.0.2",
    "x" * 254,
    "192.0.2.1 10.1.1.1\t172.16.0.1", "256.1.1.1, example", "[::1", "1.2.3.4:99999", "1.2.3.4:999999", "123",
    "a.123", "::1.2.3.4", "1:0:0:2:0:0:0:3", "0:0:1::", "100.64.0.1,224.0.0.1", "host:80", "1.2.3.4%x", "::%lo",
    "12345::", ".:1", "::ffff:0:0",
)  # fmt: skip
_TIMES = (
    "2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "2026-01-02t03:04:05.123456789z", "2026-01-02 03:04",
    "2026-01-02T03:04.5Z", "2026-01-02 03:04:05,5 +0530", "2026-01-02 03:04:05 UTC", "2026-01-02 03:04:05GMT",
    "2026-01-02T03:04:05-18:00", "2026-01-02T03:04:05+18:30", "2026-01-02T03:04:05+19:00", "2026-01-02T24:00:00Z",
    "2026-02-30T00:00:00Z", "2026-03-29 02:30:00", "2026-10-25 02:30:00", "2026-03-08 02:30:00",
    "2026-11-01 01:30:00", " 2026-01-02T03:04:05Z\n", "\xa02026-01-02T03:04:05Z", "2026-01-02",
    "0000-01-02T03:04:05Z", "1500-01-02T03:04:05Z", "9999-12-31T23:59:59.999999999Z",
    "1969-12-31T23:59:59.9999999Z", "1767323045", " 1767323045123 ", "1767323045.25", "1.767323045e9",
    "1767323045123456789", "+5", "-1", ".5", "5.", "1e400", "1e-9", "46024.5", "99999999999999999999", "١٧", "soon",
    "Fri, 02 Jan 2026 03:04:05 GMT", "friday, 2 january 2026 03:04:05.5 +0100", "02/Jan/2026:03:04:05 +0000",
    "[02/Jan/2026:03:04:05 -0700]", "2-JAN-2026 03:04", "31 Feb 2026 03:04:05Z", "02/\u017fep/2026:03:04:05 Z",
    "20260102T030405Z", "20260102 030405.25", "20260102T030405+0100", "20261302T030405Z", "2026/01/02 03:04:05",
    "2026-01-02T03:04:05+01:00[Europe/Paris]", "2026-01-02 03:04:05 [UTC]", "2026-01-02T03:04[Etc/UTC]",
    "2026-01-02T03:04:05[Europe/Paris]", "Fri, 02 Jan 2026 3:04:05 GMT", "99/Jan/2026:03:04:05 Z",
    "", "2026-01-02T03:04:05 z", "2026-01-02T03:04:05+05", "2026-13-01T00:00:00Z",
)  # fmt: skip
_NUMBERS = (
    "0", "-0", "-0.0", "7", "12.0", "1.50", "1e3", "1E+2", "1.5e-7", "1767323045", "1767323045123", "1767323045.25",
    "46024.5", "1767323045123456", "1767323045123456789", "9007199254740993", "9007199254740993.0",
    "12345678901234567890", "12345678901234567890123456789012345678", "123456789012345678901234567890123456789",
    "0.1234567890123456789012345678901234567890", "1.7673E9", "1.767323045123E12", "NaN", "-Infinity", "Infinity",
    "1e999", "-1e999", "0.30000000000000004", "100.00", "1" * 1000, "true", "false", "null", "[]", "{}", '["x"]',
    "-46024.25", "253402300800", "1e-400",
)  # fmt: skip
_WRONG = (
    "1" * 1001, "00", ".5", "1.", "+1", "+INF", "-INF", "+Infinity", "INF", "nan", "'x'", '"\t"', '"\\ud800"',
    '"\\ude00\\ud83d"', "tru",
)  # fmt: skip
_ENTRIES = ("5", "null", '{"key":"page"}', '{"key":5,"value":1}', '{"key":null,"name":"sid","value":2}')
_MORE = (
    '"x":"twice"',
    '"ts":"2026-01-02T03:04:05Z"',
    '"price":NaN',
    '"note":" -INF"',
    *(f'"w":{one}' for one in _WRONG),
)
_SPELT = ('"\\u0041"', '"é"', '"\\/"', '"\\ud83d\\ude00"')


def records(seed: int, count: int) -> list[bytes]:
    """Values of records, most of them JSON objects with most of the fields that `MAPPINGS` name."""
    rnd = random.Random(seed)
    return [_wrapped(_record(rnd), rnd.randrange(120)) for _ in range(count)]


def _record(rnd: random.Random) -> bytes:
    def value(*texts: str) -> str:
        """JSON of a value, now and then of another kind."""
        kind = rnd.randrange(12)
        if kind == 0:
            return rnd.choice(_NUMBERS)
        if kind == 1:
            return rnd.choice(_SPELT)
        return json.dumps(rnd.choice(_ODD_TEXTS if kind == 2 else texts))

    def when() -> str:
        return rnd.choice(_NUMBERS) if rnd.randrange(3) == 0 else value(*_TIMES)

    def typed(value: str) -> str:
        kind = rnd.choice(("string_value", "int_value", "double_value", "other"))
        return rnd.choice((value, f'{{"{kind}":{value}}}', f'{{"string_value":null,"int_value":{value}}}'))

    def text() -> str:
        return value("s1", "s2", "abc")

    entries = [
        f'{{"{rnd.choice(("key", "name"))}":"{name}","value":{typed(made)}}}'
        for name, made in (("page", value(*_URLS)), ("sid", text()), ("page", text()))
    ]
    entries[rnd.randrange(8) :] = [rnd.choice(_ENTRIES)]
    fields: dict[str, str] = {
        "session_id": text(),
        "url": value(*_URLS),
        "ts": when(),
        "ip": value(*HOSTS),
        "x": text(),
        "id": text(),
        "user": rnd.choice((f'{{"id":{text()}}}',) * 6 + ("5", "null", '{"id":{}}')),
        "a": f'{{"b":{rnd.choice((value(*_URLS), when()))}}}',
        "list": f"[{when()},{text()}]",
        "p": f"[{','.join(entries)}]",
        "host": value("Shop.example", "shop.example:443", "b.example.", "[::1]:80", "c.example:8080", "-"),
        "query": value("id=7", "?gclid=1&ad=2", "-", "a=1&utm_source=x#y", "?"),
        "date": value("2026-01-02", "20260102", "2026-01-02 03:04:05Z", "02/Jan/2026", "1767323045", " 2026-01-02 "),
        "time": value("03:04:05", "3:04:05", "03:04", "030405", "03:04:05.5 +0100", "2026-01-02T03:04:05Z", "3:04 PM"),
        "method": rnd.choice(('"GET"', '"get"', '"POST"', '"HEAD"', "5", '"PO\u017fT"')),
    }
    if rnd.randrange(4) == 0:
        fields["a.b"] = rnd.choice((value(*_URLS), when(), "null"))
    for name in rnd.sample(sorted(fields), rnd.choice((0, 0, 1, 2))):
        del fields[name]
    pairs = [f"{json.dumps(name)}:{made}" for name, made in fields.items()]
    if rnd.randrange(5) == 0:
        pairs.append(rnd.choice(_MORE))
    return ("{" + ",".join(pairs) + "}").encode()


def _wrapped(record: bytes, how: int) -> bytes:
    mark, frame = b"\xef\xbb\xbf", b"\0\0\0\0\7"
    ways: tuple[Any, ...] = (
        mark + record, frame + record, frame + mark + record, record + b"\n", b"\r\n " + record, b"[" + record + b"]",
        record + b"\n" + record, record + b"," + record, record[:-1], record + b"\xff", record + b"]", record + b"\0",
        record + b',"x"] {}', frame + b"\x0amix-4\x0as", b"\0", b"", b"null", b"5", b'"x"', b"[]", b"[1", b" [5", b"{}",
        b"\xa0" + record, mark + mark + record, b"//" + record, record.replace(b":", b" : "), frame + b"[" + record,
    )  # fmt: skip
    return ways[how] if how < len(ways) else record
