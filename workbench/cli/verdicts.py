"""`workbench verdicts`: the verdict topic as lines of text or JSON. What a verdict is: `verdicts.feed`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workbench.cli.console import connect, say, topics_of
from workbench.errors import VerdictError
from workbench.text import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from workbench.broker.topics import Connection
    from workbench.verdicts.feed import Verdict

__all__ = ["verdicts"]

_REMEMBERED = 200_000  # clicks whose verdict is known, so that none is printed twice


def verdicts(args: Namespace) -> int:
    """Print the verdicts; a click again only when its verdict was revised to Yes."""
    from workbench.verdicts.feed import Verdict

    starting = args.starting or ("latest" if args.follow else "earliest")
    connection, names = connect(args), topics_of(args)
    seen: dict[str, bool] = {}
    printed = unreadable = 0
    try:
        for record in _records(connection, names.verdicts, starting, args.follow):
            try:
                verdict = Verdict.parse(record.value, record.timestamp)
            except VerdictError as error:
                unreadable += 1
                say(f"workbench: {printable(str(error))}")
                continue
            before = seen.get(verdict.click_id)
            if before is not None and before >= verdict.fraud:
                continue
            seen[verdict.click_id] = verdict.fraud
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]
            if args.fraud_only and not verdict.fraud:
                continue
            print(_as_json(verdict) if args.json else _as_line(verdict), flush=args.follow)
            printed += 1
            if printed == args.limit:
                break
    except KeyboardInterrupt:
        if not args.follow:
            raise
    if not printed:
        say("No verdicts.")
    return 1 if unreadable else 0


def _records(connection: Connection, topic: str, starting: str, follow: bool) -> Iterator[Any]:
    """The records of a topic up to its present end, or without end."""
    from workbench.broker.records import records
    from workbench.broker.topics import describe

    held = describe(connection, [topic])[topic]
    begin = held.begin if starting == "earliest" else held.end
    return records(connection, topic, begin, None if follow else held.end)


def _as_line(verdict: Verdict) -> str:
    ts = verdict.ts.strftime("%Y-%m-%d %H:%M:%S.%f")
    text = f"{ts}  {'FRAUD' if verdict.fraud else 'ok   '}  {verdict.clicks_in_window:>3} ({verdict.rule_id})"
    revised = "  revised" if verdict.revised else ""
    return f"{text}  {verdict.latency_ms:>5.0f} ms  {printable(verdict.session_id)}  {printable(verdict.url)}{revised}"


def _as_json(verdict: Verdict) -> str:
    from dataclasses import asdict

    times = {name: getattr(verdict, name).isoformat().replace("+00:00", "Z") for name in ("ts", "judged_at")}
    return json.dumps(asdict(verdict) | times | {"latency_ms": round(verdict.latency_ms, 3)})
