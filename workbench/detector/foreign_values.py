"""Visitors' addresses and times of other people's records, as Spark's columns. Records and texts are in `foreign`.

`host` follows the rule of `sources.hosts` to the letter; `moment`, that of `clicks.times` for values by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from workbench.clicks.dates import DATED, MONTHS, WORDED, WRITTEN
from workbench.clicks.epochs import DAY_ZERO_US, LEAST_US, MOST_US, NUMBER, UNITS
from workbench.clicks.mapping import Client
from workbench.clicks.times import NO_TIME, NO_TIME_AT_ALL, NO_UNIT, NO_ZONE, left_out
from workbench.sources.hosts import NOBODY
from workbench.text import BLANKS

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from pyspark.sql import Column

    from workbench.clicks.mapping import Mapping

__all__ = ["INSIDE", "host", "in_network", "moment", "text_of_time"]

_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4: Final = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME: Final = rf"^(?=.{{1,253}}\z)(?:{_LABEL}\.)*(?![0-9]+\z){_LABEL}\z"
_MAYBE_V6: Final = rf"^(?=[0-9A-Fa-f]*:)(?!.*[0-9A-Fa-f]{{5}})[0-9A-Fa-f:]+(?:(?<=:){_V4})?\z"
INSIDE: Final = (
    r"^(?:(?:0|10|127)\.|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|169\.254\.|172\.(?:1[6-9]|2[0-9]|3[01])\."
    r"|192\.168\.|2(?:2[4-9]|[3-5][0-9])\.|::1?\z|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|ff[0-9a-f]{2}:)"
)
"""Addresses in their normal form that are in one of the networks of `sources.hosts.NOT_PUBLIC`."""

_FARTHEST: Final = 9.2e18
_EARLIEST, _LATEST = -9_214_560_000_000_000, 9_214_646_400_000_000  # the years that pandas reads: 1678 to 2261


def host(text: Column, client: Client) -> Column:
    """The visitor's address or host name in a text, null where there is none."""
    entries = F.split(F.translate(text, "\"'", ""), r"[,; \t\n\r\f\x0B]+")
    entries = F.transform(entries, _bare)
    entries = F.transform(
        entries, lambda x: F.when(x.rlike(r"^[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*%"), _before(x, "%")).otherwise(x)
    )
    entries = F.filter(F.transform(entries, _normal), lambda x: x.isNotNull() & ~x.isin(*sorted(NOBODY)))
    last = F.try_element_at(entries, F.lit(-1))
    if client == "first":
        return F.get(entries, F.lit(0))
    if client == "last":
        return last
    if client == "public":
        public = F.filter(entries, lambda x: (x.contains(":") | x.rlike(rf"^{_V4}\z")) & ~x.rlike(INSIDE))
        return F.coalesce(F.try_element_at(public, F.lit(-1)), last)
    return F.get(entries, F.greatest(F.lit(0), F.size(entries) - 1 - client))


def in_network(host: Column, network: IPv4Network | IPv6Network) -> Column:
    """Whether a host, as `host` gives it, is an address of the network; null or false where it is none."""
    if network.version == 4:
        octets = F.split(host, r"\.")
        number = sum((F.get(octets, F.lit(i)).try_cast("bigint") * 256 ** (3 - i) for i in range(4)), F.lit(0))
        return host.rlike(rf"^{_V4}\z") & number.between(int(network[0]), int(network[-1]))
    groups = F.transform(F.split(_groups(host), ":"), lambda group: F.lpad(group, 4, "0"))
    least, most = (address.exploded.replace(":", "") for address in (network[0], network[-1]))
    return F.when(host.contains(":"), F.array_join(groups, "").between(least, most))


def _groups(text: Column) -> Column:
    """All eight groups of an IPv6 address, as Java writes them; null where it is none."""
    return F.substring_index(F.try_reflect(F.lit("java.net.InetAddress"), F.lit("getByName"), text), "/", -1)


def _bare(entry: Column) -> Column:
    """An entry without prefix, brackets and port."""
    entry = F.regexp_replace(entry, r"^(?i)(?:ip(?:v[46])?|for)[:=]", "")
    bracketed = F.regexp_extract(entry, r"^\[([^\[\]]*+)\]", 1)
    return (
        F.when(entry.rlike(r"^\[[^\[\]]*+\](?::[0-9]{0,5})?\z"), bracketed)
        .when(entry.rlike(r"^[^:]++:[0-9]{0,5}\z"), _before(entry, ":"))
        .otherwise(entry)
    )


def _before(text: Column, sign: str) -> Column:
    return F.substring_index(text, sign, 1)


def _normal(entry: Column) -> Column:
    """The normal form of an address or name, null where it is none."""
    name = F.when(entry.endswith("."), F.left(entry, F.length(entry) - 1)).otherwise(entry)
    return (
        F.when(entry.rlike(rf"^{_V4}\z"), entry)
        .when(entry.rlike(_MAYBE_V6), _v6(entry))
        .when(name.rlike(_NAME), F.lower(name))
    )


def _v6(text: Column) -> Column:
    """RFC 5952 of an IPv6 address, or null. Java writes all eight groups, and of an IPv4 address in it that alone."""
    long = _groups(text)
    short = long
    for zeros in range(2, 9):
        found = rf"^((?:(?!0(?::0){{{zeros - 1}}}(?::|\z))[0-9a-f]+:)*)0(?::0){{{zeros - 1}}}(?::|\z)"
        short = F.when(long.rlike(found), F.regexp_replace(long, found, "$1:")).otherwise(short)
    short = F.when(short.startswith(":") & ~short.startswith("::"), F.concat(F.lit(":"), short)).otherwise(short)
    return short


def moment(raw: Column, text: Column, kind: Column, mapping: Mapping) -> tuple[Column, Column]:
    """The time that a value is, named event_time, and why it is none. `text` is its `text_of_time`."""
    is_number = (kind == "BIGINT") | kind.startswith("DECIMAL") | (kind == "DOUBLE") & ~text.contains("Inf")
    is_number |= (kind == "STRING") & text.rlike(f"^(?:{NUMBER.pattern})\\z")
    is_date = (kind == "STRING") & text.rlike(rf"^(?:{DATED})\z")
    dated, no_date = _dated(text, mapping.tz)
    counted, no_count = _counted(raw, kind, text, mapping)
    found = F.when(is_date, dated).when(is_number, counted)
    why = (
        F.when(kind == "", NO_TIME_AT_ALL)
        .when(is_date, F.when(dated.isNull(), no_date))
        .when(is_number, F.when(counted.isNull(), no_count))
        .otherwise(NO_TIME)
    )
    return found.alias("event_time"), why


def text_of_time(said: Column) -> Column:
    """A text, of a date that is written otherwise in the way of `DATED`. To be worked out once: it is long."""
    text = F.btrim(said, F.lit(BLANKS))
    worded = rf"^(?:{WORDED})\z"
    day, month, year, clock, fraction, zone = (F.regexp_extract(text, worded, i) for i in range(1, 7))
    number = (F.instr(F.lit(MONTHS), F.lower(month)) + 2) / 3
    written = F.when(
        text.rlike(worded),
        F.concat(
            *(year, F.lit("-"), F.lpad(number.cast("int").cast("string"), 2, "0"), F.lit("-"), F.lpad(day, 2, "0")),
            *(F.lit(" "), clock, fraction, F.upper(zone)),
        ),
    )
    for form, words in WRITTEN:
        pattern = rf"^(?:{form})\z"
        written = written.when(text.rlike(pattern), F.regexp_replace(text, pattern, words))
    return F.when(text.rlike(rf"^(?:{DATED})\z"), text).otherwise(written.otherwise(text))


def _dated(text: Column, tz: str | None) -> tuple[Column, Column]:
    seconds = F.substr(text, F.lit(17))
    seconds = F.when(seconds.startswith(":"), seconds).otherwise(F.concat(F.lit(":00"), seconds))
    whole = F.upper(F.concat(F.left(text, F.lit(16)), F.replace(seconds, F.lit(","), F.lit("."))))
    found = whole.try_cast("timestamp")
    found = F.when(F.unix_micros(found).between(_EARLIEST, _LATEST), found)
    has_zone = text.rlike(r"(?:[Zz]|UTC|GMT|[+-][0-9:]+)\z")
    local, no_local = _zoned(found, tz)
    return F.when(has_zone, found).otherwise(local), F.when(has_zone | found.isNull(), NO_TIME).otherwise(no_local)


def _counted(raw: Column, kind: Column, text: Column, mapping: Mapping) -> tuple[Column, Column]:
    """Numbers as `clicks.epochs` reads them: whole ones exactly, others as floating-point numbers."""
    unit = mapping.time_unit
    if unit is None:
        return F.lit(None).cast("timestamp"), F.lit(NO_UNIT)
    is_whole = (
        (kind == "BIGINT")
        | kind.rlike(r"^DECIMAL\([0-9]+,0\)")
        | text.rlike(r"^[+-]?[0-9]{1,38}\z") & (kind == "STRING")
    )
    digits = text.try_cast("decimal(38,0)")
    most = F.lit(2**63 - 1).cast("decimal(38,0)")
    exact = F.greatest(F.least(digits, most), -most).cast("bigint")
    number = F.when(kind == "DOUBLE", F.try_variant_get(raw, "$", "double")).otherwise(text.try_cast("double"))
    floor = F.floor(F.greatest(F.least(number, F.lit(_FARTHEST)), F.lit(-_FARTHEST)))
    whole = F.when(is_whole, exact).otherwise(floor)
    part = F.when(is_whole | (F.abs(number) >= 9e15), 0.0).otherwise(number - F.floor(number))
    each, shift = UNITS[unit], DAY_ZERO_US if unit == "days" else 0
    if unit == "ns":
        about = whole.cast("double") / 1e3
        micros = F.call_function("div", whole - F.pmod(whole, F.lit(1000)), F.lit(1000))
    else:
        about = whole.cast("double") * each
        micros = F.try_multiply(whole, F.lit(each)) + F.rint(part * each).cast("bigint") + shift
    inside = (about + shift).between(LEAST_US, MOST_US) & (micros <= MOST_US)
    found = F.when(inside, F.timestamp_micros(micros))
    no_time = F.lit(f"{NO_TIME} in {unit}")
    if unit != "days":
        return found, no_time
    local, no_local = _zoned(found, mapping.tz)
    return local, F.when(found.isNull(), no_time).otherwise(no_local)


def _zoned(local: Column, tz: str | None) -> tuple[Column, Column]:
    """Times of a zone in UTC. An hour that comes twice is the first one; one left out is no time."""
    if tz is None:
        return F.lit(None).cast("timestamp"), F.lit(NO_ZONE)
    found = F.to_utc_timestamp(local, tz)
    return F.when(F.from_utc_timestamp(found, tz) == local, found), F.lit(left_out(tz))
