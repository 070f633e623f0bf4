"""The `workbench` command: its arguments, and how it ends. A command is in `commands` or in the module of its name.

Exit status: 0 when the job was done, 1 when it was not (one line on stderr says why), 2 for a command line that cannot
be read, 130 when it was interrupted before its end.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

from workbench import __version__
from workbench.cli import commands
from workbench.cli.detect import detect
from workbench.cli.mapping import add_mapping
from workbench.cli.prepare import prepare
from workbench.cli.report import report
from workbench.cli.run import run
from workbench.cli.tune import tune
from workbench.cli.verdicts import verdicts
from workbench.errors import WorkbenchError
from workbench.text import printable

__all__ = ["main", "make_parser"]

_TOPICS = {"clicks": "fcd-producer", "verdicts": "fcd-consumer", "dead-letter": "fcd-dead-letter"}
_FILES = "logs, CSV, JSON or Parquet, packed or not: files, folders, patterns, or - for stdin"
_DURATION = "durations: 500ms, 10s, 2m, 1h"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Usage errors and --help end the process, as argparse does."""
    parser, names = make_parser()
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words and not words[0].startswith("-") and words[0] not in names:
        near = difflib.get_close_matches(words[0], names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        parser.error(f"no command {words[0]!r}; {hint}")
    args = parser.parse_args(words)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what its clients cannot do, our errors say
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        with _signals_interrupt():
            status = run(args)
            sys.stdout.flush()
    except WorkbenchError as error:
        print(f"workbench: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("workbench: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let the end of the terminal or of the machine do what Ctrl-C does: what was started is ended."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    changed = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                changed[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, before in changed.items():
            signal.signal(number, before)


def make_parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """The parser, and the names of its commands."""
    parser = argparse.ArgumentParser(
        prog="workbench", description="Watch click fraud being caught in real time.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"workbench {__version__}")
    found = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    brokers, topics = _common()

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        made = found.add_parser(name, help=text, description=f"{text}.", parents=parents, allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    _add_run(command("run", run, "Watch the detector catch bots on a broker of its own, and write a report"))
    lab = command("lab", commands.lab, "Open the notebooks in JupyterLab on this machine", brokers)
    lab.add_argument("arguments", nargs="*", metavar="-- ARGUMENT", help="handed on to JupyterLab")
    command("prepare", prepare, "Get ready what the two JVMs need, once: jars, and a faster start of Spark")
    command("doctor", commands.doctor, "Check Java, jars, packages, broker, topics, disk and memory", topics)
    _add_broker(command("broker", commands.broker_status, "Start, end or look at the embedded Kafka broker"), brokers)
    made = command("topics", commands.topics, "Create the topics, and say how many partitions they have", topics)
    made.add_argument("--partitions", type=int, metavar="N", help="how many each must have (new ones: 2)")
    made.add_argument("--recreate", action="store_true", help="delete them first, with all their records")
    _add_traffic(command("traffic", commands.traffic, "Send labelled clicks of people and bots, live", topics))
    _add_replay(command("replay", commands.replay, "Send recorded clicks as if they happened just now", topics))
    _add_detect(command("detect", detect, "Judge the clicks of the topic", topics))
    _add_verdicts(command("verdicts", verdicts, "Print the verdicts of the topic, oldest first", topics))
    made = command("audit", commands.audit, "Hold every verdict on the topic against the rule", topics)
    _add_rule(made, "default: the rule that each verdict names")
    add_mapping(made, topic=True)
    _add_tune(command("tune", tune, "Say what other windows and thresholds would flag of recorded clicks"))
    text = "Make one HTML file of recorded clicks, and evidence: what was flagged, and why"
    _add_report(command("report", report, text, topics))
    text = "Serve a page of ads to click on, which shows each visitor the verdicts"
    _add_click_app(command("click-app", commands.click_app, text, topics))
    return parser, list(found.choices)


def _common() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Options that several commands have: where the broker is; and that with the names of the topics."""
    brokers = argparse.ArgumentParser(add_help=False)
    text = "Kafka to use; default: WORKBENCH_BROKERS, else the embedded broker, started when it is needed"
    brokers.add_argument("--brokers", type=_brokers, metavar="HOST:PORT", help=text)
    topics = argparse.ArgumentParser(add_help=False, parents=[brokers])
    for name, default in _TOPICS.items():
        topics.add_argument(f"--{name}-topic", default=default, metavar="TOPIC", help="default: %(default)s")
    return brokers, topics


def _add_rule(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    window, threshold = ("10s", 3) if default is None else (None, None)
    text = default or "default: %(default)s"
    parser.add_argument("--window", default=window, metavar="DURATION", help=f"{text} ({_DURATION})")
    parser.add_argument("--threshold", type=int, default=threshold, metavar="N", help=f"clicks in the window; {text}")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=_positive, default=45, help="of live traffic; default: %(default)s")
    parser.add_argument(
        "--rate", type=_positive, default=300, metavar="N", help="clicks a second; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="of the traffic; default: %(default)s")
    _add_rule(parser)
    out = Path("out/live-detection.html")
    parser.add_argument("--out", type=Path, default=out, metavar="FILE", help="the report; default: %(default)s")


def _add_broker(parser: argparse.ArgumentParser, brokers: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    up = actions.add_parser("up", help="start it, unless it runs")
    up.add_argument("--port", type=int, metavar="N", help="where it listens; 0 takes a free one; default: 29092")
    up.set_defaults(run=commands.broker_up)
    actions.add_parser("down", help="end it; its records stay").set_defaults(run=commands.broker_down)
    status = actions.add_parser("status", help="say whether it, or the one you name, runs", parents=[brokers])
    status.set_defaults(run=commands.broker_status)


def _add_traffic(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=100.0, metavar="N", help="clicks a second; default: %(default)g")
    parser.add_argument("--duration", default="60s", help=f"default: %(default)s ({_DURATION})")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    text = "share of the clicks of each kind, as burst_bots=0.3,drip_bots=0; people make the rest"
    parser.add_argument("--mix", default="", metavar="KIND=SHARE[,…]", help=text)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    _add_clicks_file(parser)
    text = 'how many times as fast as recorded, or "max"; default: %(default)g'
    parser.add_argument("--speed", type=_speed, default=60.0, metavar="N|max", help=text)


def _add_clicks_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", metavar="FILE", help=_FILES)
    add_mapping(parser)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="*", metavar="FILE", help=f"{_FILES}; default: the clicks on the topic")
    _add_rule(parser, "default: 3 in 10s")
    text = "the report, one file that opens offline; default: FILE-report.html in this folder"
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=text)
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="write each flagged click, and why, as CSV too")
    text = "mask no addresses, e-mails, phones, secrets, names and queries, in both"
    parser.add_argument("--show-personal", action="store_true", help=text)
    parser.add_argument("--title", metavar="TEXT", help="of the report; default: made of the file's name")
    text = "another parameter of the notebook, or any of these by its name; may be given more than once"
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help=text)
    _add_labels(parser)
    add_mapping(parser)


def _add_labels(parser: argparse.ArgumentParser) -> None:
    text = "labels that mean fraud, with commas; default: 1, true, yes, fraud, bot and the like; '' looks at none"
    parser.add_argument("--fraud-labels", metavar="LABEL[,…]", help=text)


def _add_tune(parser: argparse.ArgumentParser) -> None:
    _add_clicks_file(parser)
    text = "to try: a range of round durations or a list, as 2s,10s,1m; default: %(default)s"
    parser.add_argument("--windows", default="1s..60s", metavar="RANGE", help=text)
    text = "to try: a range or a list; default: %(default)s"
    parser.add_argument("--thresholds", default="2..10", metavar="RANGE", help=text)
    text = "what makes a rule the best, where clicks have labels; default: %(default)s"
    parser.add_argument("--by", choices=("f1", "cost"), default="f1", help=text)
    text = "cost of a fraudulent click that is paid; default: %(default)g"
    parser.add_argument("--paid-fraud", type=float, default=1.0, metavar="PRICE", help=text)
    text = "cost of a good click that is refused; default: %(default)g"
    parser.add_argument("--refused-good", type=float, default=1.0, metavar="PRICE", help=text)
    _add_labels(parser)
    parser.add_argument("--top", type=_positive, default=10, metavar="N", help="rules to print; default: %(default)s")
    text = "count with Spark, on disk: for clicks larger than memory"
    parser.add_argument("--spark", action="store_true", help=text)
    parser.add_argument("--master", metavar="URL", help="Spark cluster for --spark; default: this process")


def _add_click_app(parser: argparse.ArgumentParser) -> None:
    text = "address to listen on; default: %(default)s, this machine only"
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help=text)
    text = "default: %(default)s; 0 takes a free one"
    parser.add_argument("--port", type=int, default=8080, metavar="N", help=text)
    text = "a host name that the page is reached by, beside localhost; may be given more than once"
    parser.add_argument("--name", action="append", default=[], metavar="HOST", help=text)
    text = "how many proxies before it add to X-Forwarded-For; default: 0, which believes none"
    parser.add_argument("--proxies", type=int, default=0, metavar="N", help=text)
    text = "clicks a second that a session may send; default: %(default)s"
    parser.add_argument("--session-clicks", type=_positive, default=5, metavar="N", help=text)
    text = "clicks a second that an address may send; default: %(default)s"
    parser.add_argument("--address-clicks", type=_positive, default=50, metavar="N", help=text)


def _add_detect(parser: argparse.ArgumentParser) -> None:
    _add_rule(parser)
    _add_from(parser, "latest", "which clicks to begin with, where no checkpoint says it; default: %(default)s")
    parser.add_argument("--until-caught-up", action="store_true", help="end when every click there has its verdict")
    text = "where to go on from after a stop; default: one for each clicks topic"
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help=text)
    parser.add_argument("--fresh", action="store_true", help="begin anew; the old checkpoint is moved aside")
    parser.add_argument("--checkpoint-every", default="60s", metavar="DURATION", help="default: %(default)s")
    text = "begin at clicks that are there, where the topic has deleted those that come next; default: fail"
    parser.add_argument("--go-on-after-lost-clicks", action="store_true", help=text)
    text = "how far behind its record a click may be dated; default: %(default)s"
    parser.add_argument("--late", default="30s", metavar="DURATION", help=text)
    parser.add_argument("--ahead", default="10s", metavar="DURATION", help="how far ahead of it; default: %(default)s")
    parser.add_argument("--master", metavar="URL", help="Spark cluster to run on; default: this process")
    text = "serve figures for Prometheus there, as 127.0.0.1:9464"
    parser.add_argument("--metrics", metavar="HOST:PORT", help=text)
    text = "allow --metrics an address that other machines can read"
    parser.add_argument("--metrics-anywhere", action="store_true", help=text)
    add_mapping(parser, topic=True)


def _add_verdicts(parser: argparse.ArgumentParser) -> None:
    _add_from(parser, None, "default: earliest, with --follow latest")
    parser.add_argument("--follow", action="store_true", help="go on with those that come, until Ctrl-C")
    parser.add_argument("--fraud-only", action="store_true", help="leave out the clicks that are well")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--limit", type=_positive, metavar="N", help="end after so many lines")


def _add_from(parser: argparse.ArgumentParser, default: str | None, text: str) -> None:
    parser.add_argument("--from", dest="starting", choices=("earliest", "latest"), default=default, help=text)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return number


_positive.__name__ = "whole number"  # argparse names it where int() fails


def _brokers(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "it names no broker: give HOST:PORT, or leave the option out for WORKBENCH_BROKERS or the embedded broker"
        )
    return text


def _speed(text: str) -> float | Literal["max"]:
    return "max" if text == "max" else float(text)


_speed.__name__ = "speed"
