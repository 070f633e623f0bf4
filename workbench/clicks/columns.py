"""Which column holds which field, where the mapping does not say: usual names are taken, and the guess is told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from collections.abc import Mapping as MappingOf
from typing import Final

from workbench.clicks.mapping import CONSTANT, FIELD_NAMES, Mapping
from workbench.clicks.parts import HOSTS, QUERIES, plain_name
from workbench.clicks.where import conditions
from workbench.errors import ClickError

__all__ = ["CARRIED", "USUAL", "MissingColumns", "doubts", "is_address", "resolved"]

USUAL: Final[MappingOf[str, tuple[str, ...]]] = {
    "session_id": (
        "session_id", "session", "sid", "domain_sessionid", "visitor_id", "visitor", "user_pseudo_id",
        "full_visitor_id", "anonymous_id", "distinct_id", "tealium_visitor_id", "client_id", "appsflyer_id",
        "device_id", "click_device_id", "domain_userid", "browser_id", "amplitude_id", "idfa", "gaid",
        # The last two may tell apart no more than the visits of one person.
        "cookie_id", "fingerprint", "user_id", "uid", "visit_id", "ga_session_id",
    ),
    "url": (
        "url", "page_url", "page_location", "landing_page_url", "landing_page", "landing_url", "final_url", "click_url",
        "original_url", "click_original_request", "original_request", "lander_url", "event_source_url",
        "event_params[page_location]", "context.page.url", "properties.url",
        "properties.$current_url", "$current_url", "event_properties.url", "action_url", "page",
        "url.full", "url.original", "uri", "request_uri", "cs_uri_stem", "pathname", "path", "req_path",
        "resource_path", "link", "href", "ad_url", "ad_id", "creative_id",
    ),
    "ts": (
        "ts", "click_time", "click_timestamp", "click_ts", "clicked_at", "click_date_utc", "click_date_and_time",
        "attributed_touch_time", "touch_time", "timestamp", "@timestamp", "event_timestamp", "event_time",
        "derived_tstamp", "collector_tstamp", "server_timestamp", "datetime", "date_time", "time_stamp", "occurred_at",
        "date_received", "created_at", "click_date", "req_time_sec", "time", "date", "request_time",
    ),
    "click_id": ("click_id",),  # a wrong one would make several clicks one; without it each is its line
    "ip": (
        "ip", "ip_address", "client_ip", "client_ip_address", "remote_addr", "remote_ip", "context.ip", "device_ip",
        "user_ip", "user_ipaddress", "c_ip", "visit_ip", "click_device_ip", "user_data_ip", "cli_ip", "client.ip",
        "source.ip",
    ),
    "user_agent": (
        "user_agent", "useragent", "http_user_agent", "context.userAgent", "ua", "cs_user_agent", "agent",
        "request_user_agent", "user_agent.original", "user_data_user_agent", "click_device_ua", "device_ua",
    ),
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
    there = _by_plain_name(names)
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
            found = one if one in names else there.get(plain_name(one))
            if found is not None and (name in _MAY_BE_SHARED or found == name or found not in taken):
                guesses[name] = _together(name, found, there, taken)
                taken.update(guesses[name] if isinstance(guesses[name], tuple) else (found,))
                break
    missing = [name for name in ("session_id", "url", "ts") if not mapping.paths_of(name) and name not in guesses]
    if missing or wrong:
        raise MissingColumns(*_what_is_missing(mapping, names, source, missing, wrong, guesses))
    carry = dict(mapping.carry)
    for name, usual in CARRIED.items():
        found = next((there[plain_name(one)] for one in usual if plain_name(one) in there), None)
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


def doubts(mapping: Mapping, names: Sequence[str]) -> list[str]:
    """Say where sessions are named by what is unique only within a user.

    >>> doubts(Mapping(session_id="ga_session_id"), ["ga_session_id", "user_pseudo_id"])[0][-51:]
    'both: --map session_id=user_pseudo_id+ga_session_id'
    """
    if len(mapping.session_id) != 1 or mapping.session_id[0] not in _of_user(names):
        return []
    (session,) = mapping.session_id
    user = next(iter(_users(names)), "USER")
    what = f"{session} is unique only within a user, so that clicks of several visitors may be taken for one's"
    return [f"{what}. Name both: --map {_quoted(f'session_id={user}+{session}')}"]


def _users(names: Sequence[str]) -> list[str]:
    """Columns that usually tell users apart, and not their sessions."""
    return [name for usual in _USERS for name in names if plain_name(name) == plain_name(usual)]


def _of_user(names: Sequence[str]) -> list[str]:
    """Columns that usually number the sessions of each user."""
    return [name for usual in _SESSIONS_OF_USER for name in names if plain_name(name) == plain_name(usual)]


class MissingColumns(ClickError):
    """Columns are missing. likely: the mapping that the message tells to write, as far as it can be told."""

    def __init__(self, text: str, fix: str, likely: MappingOf[str, str | list[str]]) -> None:
        super().__init__(f"{text}. Fix: {fix}", fix)
        self._text, self.likely = text, likely

    def and_then(self, fix: str) -> ClickError:
        """The error to raise, with the options that would be asked for next, if there are any."""
        if not fix:
            return ClickError(str(self), self.fix)
        also = "times without a zone" if fix == "--tz UTC" else "times whose kind is to be said"
        return ClickError(f"{self._text}, and {also}. Fix: {self.fix} {fix}", f"{self.fix} {fix}")


def is_address(path: str) -> bool:
    """Say whether the name of a column is one that addresses usually have.

    >>> is_address("request.clientIp"), is_address("device")
    (True, False)
    """
    return plain_name(re.split(r"[.\[]", path)[-1]) in _ADDRESSES


def _together(name: str, found: str, there: MappingOf[str, str], taken: Collection[str]) -> str | tuple[str, ...]:
    """A column, with those that make a whole of it where they are plain by their names: host, query, clock, visit.

    >>> _together("ts", "Time", {"date": "Date", "time": "Time"}, ()), _together("url", "path", {"host": "host"}, ())
    (('Date', 'Time'), ('host', 'path'))
    """

    def first(names: Sequence[str]) -> list[str]:
        return [there[plain_name(one)] for one in names if there.get(plain_name(one), found) not in (found, *taken)][:1]

    if name == "ts" and plain_name(found) in ("date", "time"):
        parts = [found, *first(["time"])] if plain_name(found) == "date" else [*first(["date"]), found]
    elif name == "url" and plain_name(found) in _OF_A_SITE:
        parts = [*first(HOSTS), found, *(first(QUERIES) if plain_name(found) in _WITHOUT_QUERY else ())]
    elif name == "session_id" and _users([found]):
        parts = [found, *first(_SESSIONS_OF_USER)]
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


def _by_plain_name(names: Sequence[str]) -> dict[str, str]:
    """Columns by their plain names, and by what these are behind what an export writes before all of them.

    In the reports of Adjust, adid is the device, not the ad.
    """
    found = {}
    for name in reversed(names):
        for before in _BEFORE:
            if name.startswith(before):
                found[plain_name(name[len(before) :])] = name
    found |= {plain_name(name): name for name in reversed(names)}
    if re.fullmatch(r"\W*adid\W*", found.get("adid", "")):
        found["deviceid"] = found.get("deviceid", found.pop("adid"))
    return found


def _what_is_missing(
    mapping: Mapping,
    names: Sequence[str],
    source: str,
    missing: Sequence[str],
    wrong: Sequence[str],
    guesses: MappingOf[str, str | tuple[str, ...]],
) -> tuple[str, str, dict[str, str | list[str]]]:
    """One line: what there is and what is wanted; the options to write; the fields, of unknown ones a constant."""
    said = []
    if wrong:
        said.append(f"no column {' or '.join(map(repr, sorted(wrong)))}")
    if missing:
        said.append(f"no column for {_and(missing)}")
    likely: dict[str, str] = {}
    for name in ("session_id", "url", "ts"):
        given = mapping.paths_of(name)
        right = [path for path in given if path not in wrong]
        likely[name] = "+".join(right) or _written(guesses.get(name, "")) or _likely(name, given, names)
    if "url" in missing and likely["url"] in names:
        likely["url"] = _with_query(likely["url"], names)
    pairs = [f"{name}={path}" for name, path in likely.items()]
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
    tried = {name: f"{CONSTANT}?" if path == _UNKNOWN else path.split("+") for name, path in likely.items()}
    return f"{source} has {' and '.join(said)}; it has {shown or 'no columns'}", option, tried


def _quoted(value: str) -> str:
    """A value as a shell takes it."""
    if re.search(r"[$`\\!]", value):
        return "'" + value.replace("'", "'\"'\"'") + "'"
    return f'"{value}"' if re.search(r"[^\w.,=+@-]", value) else value


def _likely(name: str, given: Sequence[str], names: Sequence[str]) -> str:
    """What could be written for a field: what is called alike, else what often serves for it."""
    near = {plain_name(re.split(r"[.\[]", one)[-1]): one for one in reversed(names)}
    near |= _by_plain_name(names)
    for wanted in (*given, *(() if name == "session_id" else (name,))):
        if close := difflib.get_close_matches(plain_name(wanted), near, n=1, cutoff=0.6):
            return near[close[0]]
    if name == "session_id":
        address = next((near[one] for one in near if one in _ADDRESSES), None)
        others = (
            next((near[plain_name(one)] for one in usual if plain_name(one) in near), None) for usual in _OF_A_DEVICE
        )
        return "+".join(filter(None, [address, *others])) if address else _UNKNOWN  # a device alone is many people's
    stands_in = next((near[plain_name(one)] for one in _STAND_INS.get(name, ()) if plain_name(one) in near), None)
    ends = _ENDS.get(name, ())
    called_so = (near[one] for one in near if one.endswith(ends) and not _OF_ELSE.search(one) and ".[" not in near[one])
    return next(called_so, stands_in or _UNKNOWN)


def _with_query(path: str, names: Sequence[str]) -> str:
    """A path of a URL, with what stands beside it and holds the query, if it has none in it by its name.

    >>> _with_query("request.uri", ["request.uri", "request.args", "other.query"])
    'request.uri+request.args'
    """
    last = re.split(r"[.\[]", path)[-1]
    if plain_name(last) not in _OF_A_SITE:
        return path
    before = path[: len(path) - len(last)]
    beside = {plain_name(name[len(before) :]): name for name in reversed(names) if name.startswith(before)}
    return "+".join([path, *[beside[plain_name(one)] for one in QUERIES if plain_name(one) in beside][:1]])


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


_UNKNOWN: Final = "COLUMN"
_BEFORE: Final = ("_source.", "properties.")
"""What exports of Elasticsearch and of analytics write before the names of all their fields."""
_SESSIONS_OF_USER: Final = (
    "ga_session_id", "event_params[ga_session_id]", "visit_id", "ga_session_number", "event_params[ga_session_number]",
    "visit_number", "session_number", "domain_sessionidx",
)  # fmt: skip
_USERS: Final = tuple(
    name
    for name in USUAL["session_id"]
    if name not in ("session_id", "session", "sid", "domain_sessionid", *_SESSIONS_OF_USER)
)
_SHOWN: Final = 20  # columns in a message
_LONGEST_SHOWN: Final = 300
_OF_A_DEVICE: Final = (("device", "device_model"), ("os",), USUAL["user_agent"])
_STAND_INS: Final[MappingOf[str, tuple[str, ...]]] = {
    "url": (
        "channel", "creative", "placement", "ad_group", "adgroup", "banner", "banner_id", "campaign", "campaign_id",
        "campaign_name", "click_campaign_name", "click_campaign", "last_attributed_touch_data_tilde_campaign", "offer",
        "offer_id", "app", "site_id", "site_domain", "site", "screen_name", "request",
    ),
    "ts": ("hour", "day", "received_at", "sent_at", "server_time", "log_time", "visit_timestamp", "utc_time"),
}  # fmt: skip
"""Columns that often say what was clicked, or when, under another name: to be suggested, never taken."""
_ENDS: Final[MappingOf[str, tuple[str, ...]]] = {"url": ("url", "uri", "href"), "ts": ("timestamp", "datetime", "date")}
"""How names end, as written by `plain_name`, of columns that likely hold a field."""
_OF_ELSE: Final = re.compile("ref|image|img|postback|callback|avatar|icon|logo|update|birth")
_WITHOUT_QUERY: Final = ("csuristem", "pathname", "path", "reqpath", "resourcepath")
_OF_A_SITE: Final = ("uri", "requesturi", *_WITHOUT_QUERY)
"""Columns of URLs, as written by `plain_name`, that do not have the host of the site in them."""
_MAY_BE_SHARED: Final = ("ip", "user_agent")
"""Fields that a column may hold which names the visitor as well."""
_ADDRESSES: Final = frozenset(
    plain_name(name.split(".")[-1])
    for name in (
        *USUAL["ip"], "x_forwarded_for", "xff", "forwarded_for", "forwarded", "x_real_ip", "real_ip", "source_ip",
        "src_ip", "remote_host", "host_ip", "visitor_ip", "ip_addr", "ipaddr", "ipv4", "ipv6", "peer", "client",
    )
)  # fmt: skip
