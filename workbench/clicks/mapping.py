"""How other people's records are to be read as clicks, said once: for files, topics, the command and notebooks alike.

Nothing is read here. Which columns are meant where none is named is in `columns`; what is made of them, in `intake`.
"""

from __future__ import annotations

import json
import tomllib
import zoneinfo
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from workbench.clicks.where import conditions
from workbench.durations import duration, format_duration
from workbench.errors import ClickError, RuleError
from workbench.sources.hosts import Client
from workbench.text import quote

__all__ = ["CONSTANT", "FIELD_NAMES", "RESERVED", "Client", "Crawlers", "Format", "Mapping", "TimeUnit"]

Format = Literal["log", "csv", "jsonl", "parquet"]
TimeUnit = Literal["s", "ms", "us", "ns", "days"]
Crawlers = Literal["aside", "keep"]

FIELD_NAMES: Final = ("session_id", "url", "ts", "click_id", "ip", "user_agent", "label", "method")
"""What a click is made of, and method: the request's, of which only GET and POST are clicks."""

CONSTANT: Final = "="
"""What a text in the place of a path begins with, that is the value itself."""

RESERVED: Final = (
    *("fraud", "clicks_in_window", "crawler", "line", "file", "partition", "offset", "reason"),
    *("rule_id", "window_ms", "threshold", "revised", "fraudClick"),
)
"""Columns that the workbench puts beside those of clicks: nothing is carried along under these names."""

_TEXTS: Final = ("log_format", "tz", "time_format", "url_from")
_LISTS: Final = ("session_id", "url_drop", "url_keep", "where", "exclude")
_ONE_OR_MORE: Final = ("url", "ts")


@dataclass(frozen=True)
class Mapping:
    """How to read a source of clicks.

    A path names a column, or a place in a nested record: ``request.uri``, ``headers.User-Agent[0]``,
    ``event_params[page_location]``. A text that begins with ``=`` is the value itself.

    Parameters
    ----------
    session_id
        The path of what tells visitors apart; several are one visitor together, as ``["ip", "device", "os"]``. Without
        it, the lines of a web server's log are put together to visits by address, user agent and `idle_gap`.
    url, ts
        The path of each, or several: a URL of host, path and query, a time of date and clock.
    click_id, ip, user_agent, label, method
        The path of each. A click without a `click_id` is named by its file and line. `method` is the request's: only
        GET and POST are clicks.
    carry
        Further fields to carry along, name → path, as ``{"campaign": "utm.campaign"}``: they stand in frames, in
        evidence and in reports.
    format
        "log", "csv", "jsonl" or "parquet"; None tells it from the first lines, else from the name.
    log_format
        The name of a log format, as "vhost-combined", or a format string of Apache's or nginx's; None tells it from the
        first lines.
    assets
        Of a log, keep stylesheets, scripts, images, fonts, favicons and robots.txt as well.
    idle_gap
        Of a log, the pause that ends a visit.
    tz
        The zone of times that are written without one, as "Europe/Berlin".
    time_unit
        What times that are numbers count: "s", "ms", "us" or "ns" since 1970, or "days" as spreadsheets count them.
        None tells it from all values of the column.
    time_format
        How times are written, as ``"%d/%m/%Y %H:%M:%S"``.
    client
        Which of a list of addresses is the visitor's: the "public" one furthest to the right, the "first", the "last",
        or, as a number, the one before so many trusted proxies.
    url_drop
        Parameters of URLs that are new with each click, besides those in `urls.DROPPED`; ``*`` stands for any letters.
    url_keep
        Parameters that are not dropped; ``["*"]`` drops none.
    url_from
        The parameter that names the ad: clicks count by it instead of by the URL.
    where
        Which records are clicks, where others are among them: ``event_name=click,tap`` keeps those that have one of
        the values, ``type!=scroll`` those that have none. All of several hold.
    exclude
        Addresses, networks, and texts in user agents or URLs whose clicks are left out, counted.
    crawlers
        "aside" counts known crawlers and health checks by themselves, "keep" judges them with the rest.
    merge_repeats
        Clicks of one session on one URL closer together than this are one click, as of a redirect or a reload; None
        merges none.

    Raises
    ------
    ClickError
        What cannot be.

    Examples
    --------
    >>> Mapping(session_id=["ip", "device", "os"], url="channel", ts="click_time", tz="UTC").session_id
    ('ip', 'device', 'os')
    >>> Mapping(tz="Mars")
    Traceback (most recent call last):
    workbench.errors.ClickError: tz is 'Mars', no zone; give one as Europe/Berlin or UTC
    """

    session_id: Sequence[str] = ()
    url: str | Sequence[str] | None = None
    ts: str | Sequence[str] | None = None
    click_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    label: str | None = None
    method: str | None = None
    carry: MappingOf[str, str] = field(default_factory=dict)
    format: Format | None = None
    log_format: str | None = None
    assets: bool = False
    idle_gap: timedelta | str = "30m"
    tz: str | None = None
    time_unit: TimeUnit | None = None
    time_format: str | None = None
    client: Client = "public"
    url_drop: Sequence[str] = ()
    url_keep: Sequence[str] = ()
    url_from: str | None = None
    where: Sequence[str] = ()
    exclude: Sequence[str] = ()
    crawlers: Crawlers = "aside"
    merge_repeats: timedelta | str | None = None

    def __post_init__(self) -> None:
        for name in _LISTS:
            given = getattr(self, name)
            values = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
            if not all(isinstance(value, str) and value for value in values):
                raise ClickError(f"{name} is {quote(given)}: it takes texts that are not empty")
            object.__setattr__(self, name, values)
        for name in _ONE_OR_MORE:
            given = getattr(self, name)
            if isinstance(given, list | tuple) and given:
                object.__setattr__(self, name, given[0] if len(given) == 1 else tuple(given))
        if not isinstance(self.carry, MappingOf):
            raise ClickError(f"carry is of the wrong kind: {quote(self.carry)}; it takes names and their paths")
        for name, path in self._named_paths():
            if not isinstance(path, str) or not path:
                raise ClickError(f"{name} is {quote(path)}: it takes the name of a column, or a path as request.uri")
        for name in self.carry:
            if name in FIELD_NAMES:
                raise ClickError(f"carry names {name!r}, which is a field of a click; give {name}={self.carry[name]!r}")
            if name in RESERVED or not name:
                fix = f"call it otherwise, as my_{name}={self.carry[name]!r}"
                raise ClickError(f"carry names {name!r}, which the workbench uses for something else; {fix}")
        object.__setattr__(self, "carry", dict(self.carry))
        for name in _TEXTS:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise ClickError(f"{name} is {quote(value)}: it takes a text that is not empty")
        if not isinstance(self.assets, bool):
            raise ClickError(f"assets is {quote(self.assets)}: it takes true or false")
        _one_of("format", self.format, (None, *get_args(Format)))
        _one_of("time_unit", self.time_unit, (None, *get_args(TimeUnit)))
        _one_of("crawlers", self.crawlers, get_args(Crawlers))
        conditions(self.where)
        object.__setattr__(self, "client", _client(self.client))
        object.__setattr__(self, "idle_gap", _span("idle_gap", self.idle_gap))
        if self.merge_repeats is not None:
            object.__setattr__(self, "merge_repeats", _span("merge_repeats", self.merge_repeats))
        if self.tz is not None:
            try:
                zoneinfo.ZoneInfo(self.tz)
            except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
                raise ClickError(f"tz is {quote(self.tz)}, no zone; give one as Europe/Berlin or UTC") from None

    @classmethod
    def of(cls, given: Mapping | MappingOf[str, Any] | str | Path | None) -> Self:
        r"""Make one of what users give: a Mapping, a dict of its parameters, a TOML file, TOML, or pairs.

        Parameters
        ----------
        given
            As ``{"session_id": "visitor"}``, ``"clicks.toml"``, ``'url = "page"\n'`` or
            ``"session_id=ip+device,url=page"``. None maps nothing.

        Returns
        -------
        Mapping
            What it says.

        Raises
        ------
        ClickError
            The file cannot be read, a name is none of the parameters, or a value cannot be.

        Examples
        --------
        >>> Mapping.of("session_id=ip+device, label==bot").session_id, Mapping.of("label==bot").label
        (('ip', 'device'), '=bot')
        >>> Mapping.of("where=event=click,tap,where=os!=13,tz=UTC").where
        ('event=click,tap', 'os!=13')
        """
        if given is None:
            return cls()
        if isinstance(given, cls):
            return given
        if isinstance(given, Path) or (isinstance(given, str) and given.endswith(".toml")):
            try:
                given = Path(given).read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problem = getattr(error, "strerror", None) or error
                raise ClickError(f"cannot read the mapping: {given}: {problem}; check the path") from error
            values = _toml(given)
        elif isinstance(given, str):
            values = _toml(given) if "\n" in given or " = " in given else _pairs(given)
        elif isinstance(given, MappingOf):
            values = dict(given)
        else:
            raise ClickError(f"a mapping is a Mapping, a dict, TOML or a .toml file: got {type(given).__name__}")
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                import difflib

                close = difflib.get_close_matches(str(name), known, n=1) or [", ".join(known)]
                more = "; a field to carry along goes under carry"
                raise ClickError(f"the mapping names {quote(name)}, which is none of its parameters: {close[0]}?{more}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ClickError(f"the mapping has a value of the wrong kind: {error}") from None

    def but(self, **values: Any) -> Self:
        r"""Give the same with other values for those that are named and not None.

        Parameters
        ----------
        **values
            Parameters by name.

        Returns
        -------
        Mapping
            Another one.

        Raises
        ------
        ClickError
            A value cannot be.

        Examples
        --------
        >>> Mapping(url="page").but(tz="UTC", ts=None).to_toml()
        'url = "page"\ntz = "UTC"\n'
        """
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def to_toml(self) -> str:
        """Write what is not the default as TOML, which `of` reads back.

        Returns
        -------
        str
            Lines, each with its end; empty where all is the default.
        """
        lines = []
        for name, value in self.changed.items():
            if isinstance(value, timedelta):
                value = format_duration(value)
            if isinstance(value, tuple):
                value = list(value)
            if isinstance(value, dict):
                pairs = ", ".join(f"{_written(key)} = {_written(path)}" for key, path in value.items())
                lines.append(f"{name} = {{{pairs}}}\n")
            else:
                lines.append(f"{name} = {_written(value)}\n")
        return "".join(lines)

    @property
    def changed(self) -> dict[str, Any]:
        """The parameters that are not the default, by name."""
        default = type(self)()
        values = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: value for name, value in values if value != getattr(default, name)}

    @property
    def paths(self) -> list[str]:
        """The paths that are named, each once, constants left out."""
        return [
            path for path in dict.fromkeys(path for _, path in self._named_paths()) if not path.startswith(CONSTANT)
        ]

    def paths_of(self, name: str) -> tuple[str, ...]:
        """Give the paths of a field.

        Parameters
        ----------
        name
            A field of a click, or method.

        Returns
        -------
        tuple of str
            One or several; none where nothing is named.

        Examples
        --------
        >>> Mapping(url=["host", "path"]).paths_of("url"), Mapping(ts="when").paths_of("ts"), Mapping().paths_of("ip")
        (('host', 'path'), ('when',), ())
        """
        value = getattr(self, name)
        return value if isinstance(value, tuple) else () if value is None else (value,)

    def _named_paths(self) -> Iterable[tuple[str, Any]]:
        yield from ((name, path) for name in FIELD_NAMES for path in self.paths_of(name))
        yield from self.carry.items()
        yield from (("where", condition.path) for condition in conditions(self.where))


def _written(value: object) -> str:
    """A text, a number, a truth or a list of texts as TOML, which is as JSON but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_of(name: str, value: object, choices: Iterable[object]) -> None:
    if value not in choices:
        raise ClickError(f"{name} is {quote(value)}; use one of {', '.join(map(str, filter(None, choices)))}")


def _client(value: object) -> Client:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if value == "public" or value == "first" or value == "last":
        return value
    raise ClickError(f"client is {quote(value)}; use public, first, last or how many trusted proxies to pass over")


def _span(name: str, value: timedelta | str) -> timedelta:
    try:
        return duration(value)
    except RuleError as error:
        raise ClickError(f"{name}: {error}") from None


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClickError(f'the mapping is no TOML: {error}; write lines as session_id = "visitor"') from None


def _pairs(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    where: list[str] = []
    last = ""
    for pair in filter(None, map(str.strip, text.split(","))):
        name, _, path = (part.strip() for part in pair.partition("="))
        if last == "where" and not path and name:  # a further value of the condition
            where[-1] += f",{name}"
            continue
        if not (name and path):
            raise ClickError(f"columns are named FIELD=COLUMN, as session_id=visitor: got {quote(pair)}")
        last = name
        if name == "where":
            where.append(path)
            continue
        truth = {"true": True, "false": False}.get(path) if name == "assets" else None
        several = name in ("session_id", *_ONE_OR_MORE) and not path.startswith(CONSTANT)
        values[name] = path.split("+") if several else path if truth is None else truth
    return values | ({"where": where} if where else {})
