"""The commands that call one thing and print what comes of it. Long ones have a module each; arguments are in `parser`.

What takes long to import is imported in the command that needs it, so that none waits for what it does not use.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from workbench.cli.console import connect, read_files, say, topics_of
from workbench.errors import TrafficError
from workbench.text import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from workbench.clicks.traffic import Mix

__all__ = [
    "audit",
    "broker_down",
    "broker_status",
    "broker_up",
    "click_app",
    "doctor",
    "lab",
    "replay",
    "topics",
    "traffic",
]


def doctor(args: Namespace) -> int:
    """Print what is well and what is not. 1 when something is not."""
    from workbench.cli.doctor import doctor

    return 0 if doctor(args.brokers, topics_of(args)) else 1


def broker_up(args: Namespace) -> int:
    """Start the embedded broker, unless it runs."""
    from workbench.broker.topics import DEFAULT_PORT, EmbeddedBroker

    broker = EmbeddedBroker(port=DEFAULT_PORT if args.port is None else args.port)
    connection = broker.up()
    status = broker.status()
    print(f"The embedded broker is up at {connection.bootstrap} (pid {status.pid}, log {status.log}).")
    _note_another()
    return 0


def broker_down(args: Namespace) -> int:
    """End the embedded broker. That it did not run is no error."""
    from workbench.broker.topics import EmbeddedBroker

    broker = EmbeddedBroker()
    was_up = broker.status().running
    broker.down()
    print("The embedded broker is down." if was_up else "The embedded broker was not running.")
    _note_another()
    return 0


def broker_status(args: Namespace) -> int:
    """Look, and start nothing. 1 when there is no broker that answers."""
    from workbench.broker.connection import brokers_named
    from workbench.broker.topics import Connection, EmbeddedBroker

    if brokers_named(brokers=args.brokers):
        connection = Connection.from_env(brokers=args.brokers)
        connection.check()
        print(f"{connection.bootstrap} answers.")
        return 0
    status = EmbeddedBroker().status()
    if status.bootstrap is None:
        print(f"The embedded broker does not run. Its records are in {status.home}.")
        return 1
    Connection(status.bootstrap).check()
    print(
        f"The embedded broker runs at {status.bootstrap} since {status.since:%Y-%m-%d %H:%M:%S} UTC "
        f"(pid {status.pid}, {status.memory_mb:.0f} MB, log {status.log})."
    )
    return 0


def _note_another() -> None:
    from workbench.broker.connection import BROKERS_VARIABLE, brokers_named

    if named := brokers_named():
        say(f"Note: {BROKERS_VARIABLE} is {named}, so that is the broker the other commands use.")


def topics(args: Namespace) -> int:
    """Create the topics, or empty them, and say how many partitions they have."""
    from workbench.broker.topics import ensure_topics, recreate_topics

    names, connection = topics_of(args), connect(args)
    if args.recreate:
        counts = recreate_topics(connection, names, args.partitions or 2)
    else:
        counts = ensure_topics(connection, names, args.partitions or 2, strict=args.partitions is not None)
    width = max(map(len, counts))
    for name in names:
        print(f"{name:<{width}}  {counts[name]} partition{'s' if counts[name] != 1 else ''}")
    return 0


def traffic(args: Namespace) -> int:
    """Send made-up clicks until the duration is over or Ctrl-C, and say how many were sent."""
    from workbench.broker import sender
    from workbench.broker.topics import ensure_topics
    from workbench.clicks.traffic import Traffic

    wanted = Traffic(args.rate, args.duration, _mix(args.mix), args.seed)
    names, connection = topics_of(args), connect(args)
    ensure_topics(connection, names)
    with sender.send(wanted, connection, topic=names.clicks, progress=sys.stderr.isatty()) as sending:
        try:
            sending.wait()
        finally:
            sent = sending.stop()
            print(f"{sent.clicks:,} clicks sent to {names.clicks} in {sent.seconds:.1f} s ({sent.rate:,.0f}/s).")
    return 0


def _mix(text: str) -> Mix:
    """The mix that "burst_bots=0.3,drip_bots=0" asks for."""
    from dataclasses import fields

    from workbench.clicks.traffic import Mix

    shares = {}
    for part in filter(None, text.split(",")):
        kind, _, share = (word.strip() for word in part.partition("="))
        try:
            shares[kind] = float(share)
        except ValueError:
            kind = ""
        if kind not in (names := [field.name for field in fields(Mix)]):
            raise TrafficError(f"--mix takes KIND=SHARE[,…] with KIND one of {', '.join(names)}: got {part!r}")
    return Mix(**shares)


def replay(args: Namespace) -> int:
    """Send the clicks of a file, moved so that the last happened just now."""
    from workbench.broker import sender
    from workbench.broker.topics import ensure_topics

    recording, bars = read_files(args), sys.stderr.isatty()
    names, connection = topics_of(args), connect(args)
    ensure_topics(connection, names)
    with sender.replay(recording, connection, speed=args.speed, topic=names.clicks, progress=bars) as sending:
        sending.wait()
    sent = sending.stop()
    print(
        f"{sent.clicks:,} clicks sent to {names.clicks} in {sent.seconds:.1f} s ({sent.rate:,.0f}/s), "
        f"moved by {sent.shift.total_seconds():+,.0f} s so that the last happened just now."
    )
    return 0


def audit(args: Namespace) -> int:
    """Print the audit. 1 when a verdict is missing or wrong."""
    from workbench.cli.mapping import topic_mapping_of
    from workbench.rule import Rule
    from workbench.verdicts.audit import audit

    rule = None
    if args.window is not None or args.threshold is not None:
        rule = Rule(args.window or "10s", 3 if args.threshold is None else args.threshold)
    names, connection = topics_of(args), connect(args)
    found = audit(connection, names, rule, mapping=topic_mapping_of(args), progress=sys.stderr.isatty())
    for line in str(found).splitlines():
        print(printable(line))
    return 0 if found.ok else 1


def click_app(args: Namespace) -> int:
    """Serve the click page until Ctrl-C."""
    import logging

    from workbench.broker.topics import ensure_topics
    from workbench.click_page.limits import Limits
    from workbench.click_page.server import ClickServer

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that requests queue for a moment is no news
    limits = Limits(session_clicks=args.session_clicks, address_clicks=args.address_clicks)
    names, connection = topics_of(args), connect(args)
    ensure_topics(connection, names)
    where = {"host": args.host, "port": args.port, "names": args.name, "proxies": args.proxies}
    server = ClickServer(connection, names, limits=limits, **where).open()
    try:
        print(f"The click page is at {server.url}", flush=True)
        say("Verdicts come while `workbench detect` runs. Ctrl-C ends the page.")
        server.serve()
    except KeyboardInterrupt:
        say("Stopping …")
    finally:
        server.stop()
    return 0


def lab(args: Namespace) -> NoReturn:
    """Become JupyterLab, of this Python, on loopback: so Ctrl-C and the exit status are its own."""
    from importlib.metadata import version

    from workbench.broker.connection import BROKERS_VARIABLE
    from workbench.machine.extras import extra
    from workbench.reports.run import find_notebook

    with extra("lab"):
        version("jupyterlab")  # importing it takes a second
    tour = find_notebook("00_tour.ipynb")
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={tour.parent}"]
    environment = os.environ | ({BROKERS_VARIABLE: args.brokers} if args.brokers else {})
    sys.stdout.flush()
    os.execve(sys.executable, [*command, *args.arguments, str(tour)], environment)
