"""Which column holds which field, where the mapping does not say: usual names are taken, and the guess is told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from collections.abc import Mapping as MappingOf
from typing import Final

from workbench.clicks.mapping import CONSTANT, FIELD_NAMES, Mapping
from workbench.clicks.parts import HOSTS, QUERIES
from workbench.clicks.where import conditions
from workbench.errors import ClickError

__all__ = ["CARRIED", "USUAL", "is_address", "resolved"]

USUAL: Final[MappingOf[str, tuple[str, ...]]] = {
    "session_id": (
        "session_id", "session", "sid", "domain_sessionid", "visitor_id", "visitor", "user_pseudo_id",
        "full_visitor_id", "anonymous_id", "distinct_id", "client_id", "appsflyer_id", "device_id", "idfa", "gaid",
        # The last two may tell apart no more than the visits of one person.
        "cookie_id", "fingerprint", "user_id", "uid", "visit_id", "ga_session_id",
    ),
    "url": (
        "url", "page_url", "page_location", "landing_page_url", "landing_page", "landing_url", "final_url", "click_url",
        "original_url", "event_source_url", "event_params[page_location]", "context.page.url", "properties.url",
        "properties.$current_url", "$current_url", "action_url", "page", "uri", "request_uri", "cs_uri_stem",
        "pathname", "path", "link", "href", "ad_url", "ad_id", "creative_id",
    ),
    "ts": (
        "ts", "timestamp", "@timestamp", "event_timestamp", "event_time", "click_time", "click_timestamp", "click_ts",
        "clicked_at", "attributed_touch_time", "touch_time", "derived_tstamp", "collector_tstamp", "datetime",
        "date_time", "time_stamp", "occurred_at", "created_at", "time", "date",
    ),
    "click_id": ("click_id",),  # a wrong one would make several clicks one; without it each is its line
    "ip": (
        "ip", "ip_address", "client_ip", "client_ip_address", "remote_addr", "remote_ip", "context.ip", "device_ip",
        "user_ip", "user_ipaddress", "c_ip",
    ),
    "user_agent": ("user_agent", "useragent", "http_user_agent", "context.userAgent", "ua", "cs_user_agent", "agent"),
    "label": ("label", "is_fraud", "fraud", "is_bot", "is_fraudulent", "fraudulent"),
}  # fmt: skip
"""Usual names of the columns of each field, the likeliest first, however they are written (fooBar, foo bar)."""

CARRIED: Final[MappingOf[str, tuple[str, ...]]] = {
    "campaign": ("campaign", "campaign_id", "campaign_name", "utm_campaign"),
    "publisher": ("publisher", "publisher_id", "pub_id", "site_id", "media_source"),
    "country": ("country", "country_code", "geo_country"),
    "cost": ("cost", "cpc", "cost_per_click", "price", "bid"),
}
"""Fields that are carried along where their usual names are there."""


def resolved(mapping: Mapping, names: Sequence[str], source: str) -> tuple[Mapping, list[str]]:
    """Fill in the paths that a mapping leaves open.

    Parameters
    ----------
    mapping
        What was said.
    names
        The columns there are, or the paths of a record's values.
    source
        What is read, for the messages.

    Returns
    -------
    mapping : Mapping
        With a path for each field there is. Those that the mapping named are kept.
    notes : list of str
        The guesses.

    Raises
    ------
    ClickError
        Fields that must be there have no column: all of them, in one line.

    Examples
    --------
    >>> found, notes = resolved(Mapping(url="channel"), ["userId", "channel", "click_time"], "a.csv")
    >>> found.session_id, found.ts, notes
    (('userId',), 'click_time', ['session_id is read from userId, ts from click_time'])
    """
    there = {_plain(name): name for name in reversed(names)}
    taken = {path for name in FIELD_NAMES for path in mapping.paths_of(name)} | set(mapping.carry.values())
    asked = dict.fromkeys(condition.path for condition in conditions(mapping.where))
    wrong = [
        path
        for path in (*taken, *(asked.keys() - taken))
        if not path.startswith(CONSTANT) and not _is_there(path, names)
    ]
    guesses: dict[str, str | tuple[str, ...]] = {}
    for name, usual in USUAL.items():
        if mapping.paths_of(name):
            continue
        for one in usual:
            found = one if one in names else there.get(_plain(one))
            if found is not None and (name in _MAY_BE_SHARED or found == name or found not in taken):
                guesses[name] = _together(name, found, there, taken)
                taken.update(guesses[name] if isinstance(guesses[name], tuple) else (found,))
                break
    missing = [name for name in ("session_id", "url", "ts") if not mapping.paths_of(name) and name not in guesses]
    if missing or wrong:
        raise ClickError(_what_is_missing(mapping, names, source, missing, wrong, guesses))
    carry = dict(mapping.carry)
    for name, usual in CARRIED.items():
        found = next((there[_plain(one)] for one in usual if _plain(one) in there), None)
        if name not in carry and found is not None and found not in taken:
            carry[name] = found
    notes = []
    if told := [f"{name} {'is read ' if not i else ''}from {path}" for i, (name, path) in enumerate(_told(guesses))]:
        notes.append(", ".join(told))
    if new := [
        f"{name} (from {path})" if name != path else name for name, path in carry.items() if name not in mapping.carry
    ]:
        notes.append(f"carried along: {', '.join(new)}")
    return mapping.but(**guesses, carry=carry), notes


def is_address(path: str) -> bool:
    """Say whether the name of a column is one that addresses usually have.

    >>> is_address("request.clientIp"), is_address("device")
    (True, False)
    """
    return _plain(re.split(r"[.\[]", path)[-1]) in _ADDRESSES


def _together(name: str, found: str, there: MappingOf[str, str], taken: Collection[str]) -> str | tuple[str, ...]:
    """A column, with those that make a whole of it where they are plain by their names: host and query, date and clock.

    >>> _together("ts", "Time", {"date": "Date", "time": "Time"}, ()), _together("url", "path", {"host": "host"}, ())
    (('Date', 'Time'), ('host', 'path'))
    """

    def first(names: Sequence[str]) -> list[str]:
        return [there[_plain(one)] for one in names if there.get(_plain(one), found) not in (found, *taken)][:1]

    if name == "ts" and _plain(found) in ("date", "time"):
        parts = [found, *first(["time"])] if _plain(found) == "date" else [*first(["date"]), found]
    elif name == "url" and _plain(found) in _OF_A_SITE:
        parts = [*first(HOSTS), found, *(first(QUERIES) if _plain(found) in _WITHOUT_QUERY else ())]
    else:
        parts = [found]
    return tuple(parts) if len(parts) > 1 else found


def _told(guesses: MappingOf[str, str | tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, _written(path)) for name, path in guesses.items() if name != path]


def _written(path: str | tuple[str, ...]) -> str:
    return path if isinstance(path, str) else "+".join(path)


def _is_there(path: str, names: Sequence[str]) -> bool:
    """Whether a path leads to a value that was seen, or may lead to one: objects and lists need not all be alike."""
    if path in names:
        return True
    root = re.split(r"[.\[]", path, maxsplit=1)[0]
    return root != path and any(re.split(r"[.\[]", name, maxsplit=1)[0] == root for name in names)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _what_is_missing(
    mapping: Mapping,
    names: Sequence[str],
    source: str,
    missing: Sequence[str],
    wrong: Sequence[str],
    guesses: MappingOf[str, str | tuple[str, ...]],
) -> str:
    """One line: what there is, what is wanted, and the option to write, filled in as far as can be told."""
    said = []
    if wrong:
        said.append(f"no column {' or '.join(map(repr, sorted(wrong)))}")
    if missing:
        said.append(f"no column for {_and(missing)}")
    pairs = []
    for name in ("session_id", "url", "ts"):
        given = mapping.paths_of(name)
        right = [path for path in given if path not in wrong]
        pairs.append(f"{name}={'+'.join(right) or _written(guesses.get(name, '')) or _likely(name, given, names)}")
    pairs += [
        f"{name}={_likely(name, [path], names)}"
        for name in FIELD_NAMES[3:]
        for path in mapping.paths_of(name)
        if path in wrong
    ]
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    shown = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"
    carried = {name: path for name, path in mapping.carry.items() if path in wrong}
    asked = [one for one in conditions(mapping.where) if one.path in wrong]
    elsewhere = {*carried.values(), *(one.path for one in asked)}
    options = [("--map", ",".join(pairs))] if missing or set(wrong) - elsewhere else []
    options += [("--carry", f"{name}={_likely(name, [path], names)}") for name, path in carried.items()]
    options += [("--where", one.but(_likely("", [one.path], names))) for one in asked]
    option = " ".join(f"{way} {_quoted(value)}" for way, value in options)
    return f"{source} has {' and '.join(said)}; it has {shown or 'no columns'}. Fix: {option}"


def _quoted(value: str) -> str:
    """A value as a shell takes it."""
    return f'"{value}"' if re.search(r"[^\w.,=+@-]", value) else value


def _likely(name: str, given: Sequence[str], names: Sequence[str]) -> str:
    """What could be written for a field: what is called alike, else what often serves for it."""
    near = {_plain(re.split(r"[.\[]", one)[-1]): one for one in reversed(names)}
    near |= {_plain(one): one for one in reversed(names)}
    for wanted in (*given, name):
        if close := difflib.get_close_matches(_plain(wanted), near, n=1, cutoff=0.6):
            return near[close[0]]
    if name == "session_id":
        address = next((near[one] for one in near if one in _ADDRESSES), None)
        others = (next((near[_plain(one)] for one in usual if _plain(one) in near), None) for usual in _OF_A_DEVICE)
        return "+".join(filter(None, [address, *others])) if address else "COLUMN"  # a device alone is many people's
    return next((near[_plain(one)] for one in _STAND_INS.get(name, ()) if _plain(one) in near), "COLUMN")


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


_SHOWN: Final = 20  # columns in a message
_LONGEST_SHOWN: Final = 300
_OF_A_DEVICE: Final = (("device", "device_model"), ("os",), USUAL["user_agent"])
_STAND_INS: Final[MappingOf[str, tuple[str, ...]]] = {
    "url": (
        "channel", "creative", "placement", "ad_group", "adgroup", "banner", "banner_id", "campaign", "campaign_id",
        "app", "site_id", "site_domain", "site", "screen_name",
    ),
    "ts": ("hour", "day", "received_at", "sent_at", "server_time", "log_time"),
}  # fmt: skip
"""Columns that often say what was clicked, or when, under another name: to be suggested, never taken."""
_WITHOUT_QUERY: Final = ("csuristem", "pathname", "path")
_OF_A_SITE: Final = ("uri", "requesturi", *_WITHOUT_QUERY)
"""Columns of URLs, as written by `_plain`, that do not have the host of the site in them."""
_MAY_BE_SHARED: Final = ("ip", "user_agent")
"""Fields that a column may hold which names the visitor as well."""
_ADDRESSES: Final = frozenset(
    _plain(name.split(".")[-1])
    for name in (
        *USUAL["ip"], "x_forwarded_for", "xff", "forwarded_for", "forwarded", "x_real_ip", "real_ip", "source_ip",
        "src_ip", "remote_host", "host_ip", "visitor_ip", "ip_addr", "ipaddr", "ipv4", "ipv6", "peer", "client",
    )
)  # fmt: skip
