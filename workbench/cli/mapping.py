"""The options that say how a source of clicks is to be read, and the `Mapping` they make. Reading it is elsewhere."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from workbench.clicks.mapping import Mapping

__all__ = ["add_mapping", "mapping_of", "topic_mapping_of"]

_LISTS: Final = ("url_drop", "url_keep", "exclude")
_PLAIN: Final = ("tz", "time_unit", "time_format", "client", "url_from", "format", "log_format", "idle_gap", "crawlers")


def add_mapping(parser: argparse.ArgumentParser, *, topic: bool = False) -> None:
    """Add the options to a command; of a `topic`, those that its records can have."""
    group = parser.add_argument_group("how the clicks are read")

    def option(name: str, text: str, **more: Any) -> None:
        group.add_argument(f"--{name}", help=text, **more)

    again = "; may be given more than once"
    text = f"columns or paths that hold fields, as session_id=ip+device,url=request.uri, or a TOML file{again}"
    option("map", text, action="append", default=[], metavar="FIELD=PATH[,…]|FILE.toml")
    option("tz", "zone of times without one, as Europe/Berlin; without it they are an error", metavar="ZONE")
    units = ("s", "ms", "us", "ns", "days")
    option("time-unit", "what times that are numbers count; default: told by all of them", choices=units)
    option("time-format", "how times are written, as %%d/%%m/%%Y %%H:%%M:%%S", metavar="FORMAT")
    text = "which of a list of addresses is the visitor's, or how many trusted proxies to pass over; default: public"
    option("client", text, metavar="public|first|last|N")
    text = "parameters of URLs that are new with each click, besides the usual ones; * stands for any letters"
    option("url-drop", text, action="append", default=[], metavar="NAME[,…]")
    text = "parameters that are not dropped; * drops none"
    option("url-keep", text, action="append", default=[], metavar="NAME[,…]")
    option("url-from", "the parameter that names the ad: clicks count by it instead of by the URL", metavar="NAME")
    text = f"which records are clicks, as event_name=click,tap or type!=scroll{again}: all must hold"
    option("where", text, action="append", default=[], metavar="PATH[!]=VALUE[,…]")
    if topic:
        return
    text = f"a field to carry along into frames, evidence and reports{again}"
    option("carry", text, action="append", default=[], metavar="NAME[=PATH]")
    option("format", "default: told from the file", choices=("log", "csv", "parquet", "jsonl"))
    text = "a log format by name, as vhost-combined, or a format string of Apache's or nginx's; default: told from it"
    option("log-format", text, metavar="NAME|FORMAT")
    option("assets", "of a log, count images, scripts and the like too", action="store_true")
    text = "of a log, the pause that ends a visit; default: 30m (durations: 500ms, 10s, 2m, 1h)"
    option("idle-gap", text, metavar="DURATION")
    text = f"leave out an address, a network, or what has a text in its user agent or URL{again}"
    option("exclude", text, action="append", default=[], metavar="WHAT")
    text = "known crawlers and health checks: counted by themselves, or judged with the rest; default: aside"
    option("crawlers", text, choices=("aside", "keep"))
    text = "clicks of a session on a URL closer together than this are one, as of a redirect or a reload"
    option("merge-repeats", text, metavar="DURATION")


def mapping_of(args: argparse.Namespace) -> Mapping:
    """What the options say. A single option wins over a file; of several files the later one.

    Raises ClickError for what cannot be.
    """
    from workbench.clicks.mapping import Mapping

    made = Mapping()
    for given in args.map:
        made = made.but(**Mapping.of(given).changed)
    values: dict[str, Any] = {name: getattr(args, name, None) for name in (*_PLAIN, "merge_repeats")}
    values["assets"] = getattr(args, "assets", None) or None
    for name in _LISTS:
        words = [word for given in getattr(args, name, []) for word in given.split(",") if word]
        values[name] = words or None
    values["where"] = args.where or None
    if carried := [pair.partition("=") for pair in getattr(args, "carry", [])]:
        values["carry"] = {**made.carry, **{name: path or name for name, _, path in carried}}
    return made.but(**values)


def topic_mapping_of(args: argparse.Namespace) -> Mapping | None:
    """What the options say of a topic's records; None where they say nothing. Raises ClickError for what cannot be."""
    from workbench.clicks.mapping import Mapping

    found = mapping_of(args)
    return None if found == Mapping() else found
