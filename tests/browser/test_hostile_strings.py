"""Hostile text on its way from a click over the topics to chart, report, evidence and terminal: it stays text.

Short sibling: tests/browser/test_hostile_strings.py
"""

from __future__ import annotations

import contextlib
import csv
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from confluent_kafka import Producer
from hostile import FORMULAS, LONG_AGENT, TEXTS, shown
from nbformat.v4 import new_code_cell, new_notebook, new_output

from workbench.broker import recorded, sender
from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.charts import figures as charts
from workbench.charts.live import LiveChart
from workbench.charts.style import CONFIG
from workbench.charts.widget import StaticFigure
from workbench.cli.parser import main
from workbench.errors import ClickError
from workbench.reports import mask
from workbench.reports.page import to_html
from workbench.reports.parts import table, tiles
from workbench.rule import Rule, judge
from workbench.text import label, spreadsheet_safe
from workbench.verdicts.feed import VerdictFeed, follow

START = pd.Timestamp("2026-01-02T03:04:05Z")
FORMULA = re.compile(r"""[\s"'`]*[=+\-@\t\r＝＋－＠]""")
OWN_TAGS = re.compile(r"</?b>|<br>|<span style='color:#[0-9A-Fa-f]{6}'>|</span>|<extra></extra>")
"""The markup that charts themselves put into their text."""


def hostile_clicks() -> pd.DataFrame:
    """Three clicks in two seconds for each text, which stands in every column of text: each third one is flagged."""
    rows = [
        {"click_id": f"{text[:8190]}#{i}", "session_id": text, "url": text, "ts": START + pd.Timedelta(i + n, "s")}
        for n, text in enumerate(TEXTS.values())
        for i in range(3)
    ]
    clicks = pd.DataFrame(rows).sort_values("ts", kind="stable", ignore_index=True)
    return clicks.assign(ts=clicks["ts"].astype("datetime64[us, UTC]"), user_agent=clicks["session_id"])


def verdict_records(judged: pd.DataFrame) -> Iterator[tuple[str, bytes]]:
    """Key and value of each verdict, as the detector writes them."""
    for click in judged.to_dict("records"):
        row: dict[str, Any] = {"fraudClick": "Yes" if click["fraud"] else "No"}
        row |= {str(name): click[name] for name in ("click_id", "session_id", "url")}
        row |= {"ts": click["ts"].isoformat(timespec="microseconds").replace("+00:00", "Z")}
        row |= {"clicks_in_window": click["clicks_in_window"], "window_ms": 10_000, "threshold": 3}
        row |= {"rule_id": "3-in-10s", "revised": False}
        yield click["session_id"], json.dumps(row, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    """The hostile clicks with what the rule says of each."""
    found = judge(hostile_clicks(), Rule())
    assert found["fraud"].sum() == len(TEXTS)
    return found


@pytest.fixture(scope="module")
def carried(connection: Connection, judged: pd.DataFrame) -> Topics:
    """Topics with the hostile clicks, their verdicts, and one more click whose user agent has 64 kB."""
    mark = uuid.uuid4().hex[:8]
    topics = Topics(f"hostile-clicks-{mark}", f"hostile-verdicts-{mark}", f"hostile-letters-{mark}")
    ensure_topics(connection, topics)
    sending = sender.send(hostile_clicks(), connection, topic=topics.clicks, speed="max")
    assert sending.wait(60)
    assert sending.sent == len(judged)
    producer = Producer({"bootstrap.servers": connection.bootstrap})
    long = {"click_id": "long", "session_id": "long", "url": "/long", "ts": "2026-01-02T03:04:05Z"}
    producer.produce(topics.clicks, json.dumps(long | {"user_agent": LONG_AGENT}), key="long")
    at_ms = int(judged["ts"].max().timestamp() * 1000)
    for key, value in verdict_records(judged):
        producer.produce(topics.verdicts, value, key=key.encode(), timestamp=at_ms)
    assert producer.flush(30) == 0
    return topics


@pytest.fixture(scope="module")
def feed(connection: Connection, carried: Topics, judged: pd.DataFrame) -> Iterator[VerdictFeed]:
    """A live feed that has seen them all."""
    with follow(connection, carried, starting="earliest") as feed:
        assert feed.wait_for(len(judged), timeout="60s")
        yield feed


def where(connection: Connection, topics: Topics) -> list[str]:
    """The options that lead to these topics."""
    clicks, verdicts, dead_letters = topics
    names = ["--clicks-topic", clicks, "--verdicts-topic", verdicts, "--dead-letter-topic", dead_letters]
    return ["--brokers", connection.bootstrap, *names]


def texts_of(figure: Any) -> Iterator[str]:
    """All text in a figure, whatever it is for."""
    if isinstance(figure, dict):
        figure = list(figure.values())
    if isinstance(figure, list):
        for part in figure:
            yield from texts_of(part)
    elif isinstance(figure, str):
        yield figure


def assert_harmless(figure: go.Figure) -> None:
    """Text of the data is in a figure; no markup, TeX or hidden character is, but what the charts themselves put in."""
    texts = set(texts_of(json.loads(figure.to_json())))
    assert any("__pwned" in text for text in texts)
    for text in texts - set(texts_of(json.loads(charts.skeleton(go.Figure()).to_json()))):
        left = OWN_TAGS.sub("", text)
        assert not set(left) & set("<>$"), text
        assert left.isprintable(), text


def test_a_click_comes_back_from_the_topic_with_the_very_text_it_had(connection: Connection, carried: Topics) -> None:
    held = recorded.read_topic(connection, carried.clicks, progress=False)
    assert held.invalid == 0
    back, sent = held.clicks.set_index("click_id"), hostile_clicks().set_index("click_id")
    assert set(back.index) == {*sent.index, "long"}
    for name in ("session_id", "url", "user_agent"):
        assert back.loc[sent.index, name].tolist() == sent[name].tolist()
    assert back["user_agent"].isna()["long"]  # too long for a click: left out, and the click counts


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", LONG_AGENT], ids=["half a pair", "other half", "64 kB"])
def test_text_that_no_record_can_carry_is_refused_before_it_is_sent(text: str, connection: Connection) -> None:
    for name in ("click_id", "session_id", "url", "user_agent"):
        clicks = hostile_clicks().head(1).assign(**{name: text})
        with pytest.raises(ClickError, match=name) as refused:
            sender.send(clicks, connection, topic="never-made", speed="max")
        assert len(str(refused.value)) < 300


def test_the_feed_holds_each_verdict_with_the_text_of_its_click(feed: VerdictFeed, judged: pd.DataFrame) -> None:
    held, said = feed.frame().set_index("click_id"), judged.set_index("click_id")
    assert feed.counts.malformed == 0
    for name in ("session_id", "url", "fraud"):
        assert held.loc[said.index, name].tolist() == said[name].tolist()


def test_the_live_chart_and_every_static_one_hold_hostile_text_only_escaped(feed: VerdictFeed) -> None:
    live, frame, every = LiveChart(feed, window_s=600, challenger=Rule("20s", 2)), feed.frame(), len(TEXTS)
    live.refresh()
    for text in TEXTS.values():  # the last twenty are drawn
        live.mark(text)
    figures = [live.figure(), charts.session_timeline(frame, every), charts.top_sessions(frame, every)]
    for figure in [*figures, charts.overview(frame, every, every)]:
        assert_harmless(figure)


@contextlib.contextmanager
def opened(file: Path) -> Iterator[Any]:
    """The file in a real browser without a network. In the end it has run nothing, asked for nothing, gone nowhere."""
    pytest.importorskip("playwright")
    from browser import browser_page, chromium_path

    if chromium_path() is None:
        pytest.skip("needs Chromium")
    with browser_page(offline=True) as (page, heard):
        dialogs: list[str] = []
        gone: list[str] = []

        def close(dialog: Any) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", close)
        page.on("framenavigated", lambda frame: gone.append(frame.url))
        page.on("popup", lambda popup: gone.append(popup.url))
        page.goto(file.as_uri())
        yield page
        assert page.evaluate("window.__pwned") is None
        assert dialogs == []
        assert gone == [file.as_uri()]
        assert [asked for asked in heard.requests if not asked.startswith(("blob:", "data:"))] == [file.as_uri()]
        assert heard.errors == []


def squeezed(*rows: list[str]) -> list[list[str]]:
    """Texts of rows, with one blank for many, as HTML has it."""
    return [[re.sub(" +", " ", text) for text in row] for row in rows]


def hover_all(page: Any) -> None:
    """Hold the mouse over every panel of every chart, in several places."""
    for panel in page.locator(".js-plotly-plot .nsewdrag").all():
        panel.scroll_into_view_if_needed()
        box = panel.bounding_box()
        for step in range(1, 12):
            page.mouse.move(box["x"] + 8, box["y"] + box["height"] * step / 12)
            page.mouse.move(box["x"] + box["width"] * step / 12, box["y"] + box["height"] * step / 12)


def test_a_static_chart_in_a_browser_shows_hostile_text_as_it_is_and_runs_none_of_it(
    feed: VerdictFeed, tmp_path: Path
) -> None:
    from polling import until

    figure = charts.top_sessions(feed.frame(), len(TEXTS)).update_layout(height=2_500)
    figure.update_yaxes(range=[-0.5, len(TEXTS) - 0.5])
    file = tmp_path / "chart.html"
    config = CONFIG | {"typesetMath": True}  # as where somebody else shows the figure: escaping must be enough
    file.write_text(pio.to_html(figure, config=config, include_plotlyjs=True, include_mathjax=False), "utf-8")
    with opened(file) as page:
        page.set_viewport_size({"width": 1280, "height": 2_600})  # the mouse reaches only what is in sight
        until(lambda: page.locator(".ytick text").count() >= len(TEXTS), 60, said="all sessions have their row")
        ticks = page.locator(".ytick text").evaluate_all("all => all.map(text => text.textContent)")
        # Blanks are drawn as hard ones, which is how Plotly keeps them.
        drawn = sorted(text.replace("\xa0", " ") for text in ticks)
        assert drawn == sorted(shown(label(text, 22)).replace("\xa0", " ") for text in TEXTS.values())
        hover_all(page)
        bar = page.locator(".barlayer .point").first.bounding_box()
        page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
        until(lambda: "most often" in "".join(page.locator(".hovertext").all_text_contents()), 20, said="it is told of")
        assert page.locator("svg a, svg image[href^=http], svg foreignObject").count() == 0
        # With MathJax on the page, as in JupyterLab, no label is handed to it; the last line shows that one would be.
        page.evaluate("() => { window.MathJax = new Proxy({}, {get: () => { window.typeset = true; }}); }")
        page.evaluate("() => { Plotly.redraw(document.querySelector('.js-plotly-plot')); }")
        hover_all(page)
        assert page.evaluate("window.typeset") is None
        page.evaluate(
            "() => { Plotly.relayout(document.querySelector('.js-plotly-plot'),{'title.text': '$x$'}).catch(String); }"
        )
        until(lambda: page.evaluate("window.typeset"), 20, said="Plotly asks MathJax for a title in TeX")


@pytest.mark.long
def test_a_report_page_shows_hostile_text_of_every_kind_of_output_as_it_is_and_runs_none_of_it(
    feed: VerdictFeed, judged: pd.DataFrame, tmp_path: Path
) -> None:
    from polling import until

    cells = pd.DataFrame({"name": list(TEXTS), "session_id": list(TEXTS.values()), "url": list(TEXTS.values())})
    figure = charts.overview(feed.frame(), len(TEXTS), len(TEXTS))
    said = [
        (table(cells, rows=len(cells)).data, "text/html"),
        (tiles(dict.fromkeys(TEXTS.values(), 1)).data, "text/html"),
    ]
    said += [(text, "text/plain") for text in TEXTS.values()]
    outputs = [new_output("display_data", data={kind: text}) for text, kind in said]
    outputs.append(new_output("display_data", data=StaticFigure(figure, "chart")._repr_mimebundle_()))
    outputs += [new_output("stream", name=name, text="\n".join(TEXTS.values())) for name in ("stdout", "stderr")]
    notebook = new_notebook(
        cells=[new_code_cell(text, outputs=outputs if not n else []) for n, text in enumerate(TEXTS.values())]
    )
    title = " ".join(TEXTS.values())[:500]
    with opened(to_html(notebook, tmp_path / "r.html", title)) as page:
        until(lambda: page.locator(".js-plotly-plot .main-svg").count() >= 3, 60, said="the chart is drawn")
        rows = page.locator("table tbody tr").evaluate_all(
            "all => all.map(tr => [...tr.cells].map(td => td.textContent))"
        )
        wanted = [[name, shown(label(text, 40)), shown(label(text, 60))] for name, text in TEXTS.items()]
        assert squeezed(*rows) == squeezed(*wanted)
        names = page.locator(".tile .name").all_text_contents()
        assert squeezed(names) == squeezed([shown(label(text, 200)) for text in TEXTS.values()])
        assert (
            page.locator("main script:not(.figure), main iframe, main img, main a, main base, main meta").count() == 0
        )
        hover_all(page)


@pytest.mark.long
def test_report_and_evidence_of_the_topic_run_nothing(
    connection: Connection, carried: Topics, judged: pd.DataFrame, tmp_path: Path
) -> None:
    from polling import until

    page_file, csv_file = tmp_path / "r.html", tmp_path / "e.csv"
    words = ["-o", str(page_file), "--evidence", str(csv_file), "--title", FORMULAS["link"]]
    assert main(["report", *where(connection, carried), *words]) == 0
    with opened(page_file) as page:
        until(lambda: page.locator(".js-plotly-plot .main-svg").count() >= 12, 60, said="all four charts are drawn")
        told = set(page.locator("td").all_text_contents())
        assert len({shown(label(text, 40)) for text in TEXTS.values()} & told) >= 10
        hover_all(page)
        assert page.locator("main script:not(.figure), main iframe, main img, main a[href]").count() == 0

    for divider in ",;\t|":
        with csv_file.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file, delimiter=divider) for cell in row]
        assert not [cell for cell in cells if FORMULA.match(cell) and not cell.lstrip(' "').startswith("'")]
    with csv_file.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(TEXTS) == judged["fraud"].sum()
    masked = mask.masked(judged[judged["fraud"]])
    assert [row["url"] for row in rows] == [spreadsheet_safe(text) for text in masked["url"]]
    assert all(cell.isprintable() for row in rows for cell in row.values())


def test_no_text_of_a_verdict_steers_the_terminal_or_begins_a_line(
    connection: Connection, carried: Topics, judged: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verdicts", *where(connection, carried)]) == 0
    told = capsys.readouterr()
    lines = told.out.removesuffix("\n").split("\n")
    assert len(lines) == len(judged)
    assert all(line.isprintable() and line.startswith("2026-01-02 03:") for line in lines)
    assert "\\x1b[2J" in told.out
    assert told.err == ""

    assert main(["verdicts", *where(connection, carried), "--json"]) == 0
    lines = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert {json.loads(line)["session_id"] for line in lines} == set(TEXTS.values())


def test_a_record_with_half_a_surrogate_pair_is_printed_and_drawn(
    connection: Connection, topics: Topics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure_topics(connection, topics)
    row: dict[str, Any] = {
        "fraudClick": "Yes",
        "click_id": "c\udfff",
        "session_id": "s\ud800",
        "url": "/\ud83d",
        "revised": False,
    }
    row |= {"ts": "2026-01-02T03:04:05Z", "clicks_in_window": 3, "rule_id": "3-in-10s"}
    producer = Producer({"bootstrap.servers": connection.bootstrap})
    producer.produce(topics.verdicts, json.dumps(row))
    assert producer.flush(30) == 0
    assert main(["verdicts", *where(connection, topics)]) == 0
    assert "s\\ud800  /\\ud83d" in capsys.readouterr().out
    assert main(["verdicts", *where(connection, topics), "--json"]) == 0
    assert "s\\ud800" in capsys.readouterr().out
    with follow(connection, topics, starting="earliest") as feed:
        assert feed.wait_for(1, timeout="60s")
        figure = charts.overview(feed.frame())
    assert "s\\\\ud800" in figure.to_json()
    pio.write_html(figure, tmp_path / "chart.html")


LONG_TEXTS = {
    "one letter": "a" * 65_536,
    "blanks": " " * 65_536,
    "digits": "1" * 65_536,
    "digits and dots": "1." * 32_768,
    "colons": ":" * 65_536,
    "groups of an address": "f:" * 32_768,
    "octets": "1.2.3." * 10_922,
    "quotes and backslashes": '\\"' * 32_768,
    "backslashes": "\\" * 65_536,
    "brackets": "[" * 65_536,
    "versions": " HTTP/1" * 9_362,
    "suffixes": "/a.js.css" * 7_281,
    "scripts": "<script" * 9_362,
    "ends of scripts": "<script </script" * 4_096,
    "pictures": "<img src" * 8_192,
    "ends of lines": "\r" * 65_536,
    "escapes": "\x1b[1" * 16_384,
    "dividers": "; " * 32_768,
    "words of crawlers": "Mozilla/5.0 bot crawler spider http " * 1_820,
    "halves of patterns": "Google Android Chrome AppleWebKit " * 1_927,
    "dollars": "$" * 65_536,
    "signs that encode nothing": "%zz" * 21_845,
    "names in names": "a=" * 32_768,
    "questions in questions": "?next=/x" * 8_192,
    "parts of addresses": "a1.@::" * 10_922,
    "an agent": LONG_AGENT,
}
"""64 kB and more each, made of what the package's expressions look for."""

READ_ALL = """
import pandas as pd
from workbench.clicks import record as clicks
from workbench.sources import presets
from workbench.clicks.crawlers import crawlers
from workbench.sources.logs import log_rows
from workbench.reports import evidence, mask
from workbench.text import label, printable, spreadsheet_safe
from workbench.errors import ClickError

def work(text):
    stamp, quoted = "192.0.2.7 - - [02/Jan/2026:03:04:05 +0100]", text.replace(chr(34), "'")
    lines = [f'{stamp} "GET /ad HTTP/1.1" 200 5 "-" "{agent}"' for agent in (text, quoted)]
    lines += [f'{stamp} "GET /{quoted} HTTP/1.1" 200 5 "-" "x"', f'{stamp} "GET /ad" {text}', text, f'"{text}']
    list(log_rows([*lines, f"h [{text}", f"{text} - - [{text}]"], presets.find("combined")))
    agents = pd.Series([text, text[1:]], dtype=object)
    crawlers(agents)
    mask.mask_text(text)
    mask.masked(pd.DataFrame({name: agents for name in ("ip", "session_id", "user_agent")}))
    spreadsheet_safe(text), printable(text), label(text, 100_000)
    row = {"click_id": "c", "session_id": "s", "url": "/", "ts": "2026-01-02T03:04:05Z"}
    clicks.parse(json.dumps(row | {"user_agent": text}).encode())
    for name in row:
        try:
            clicks.parse(json.dumps(row | {name: text}).encode())
        except ClickError:
            pass
"""
PRINT_ALL = """
from pathlib import Path
from nbformat.v4 import new_code_cell, new_notebook, new_output
from workbench.reports.page import to_html

def work(text):
    outputs = [new_output("display_data", data={kind: text}) for kind in ("text/html", "text/plain")]
    outputs += [new_output("stream", name=name, text=text) for name in ("stdout", "stderr")]
    to_html(new_notebook(cells=[new_code_cell("x", outputs=outputs)]), Path(sys.argv[1]), "title")
"""
# The watch ends the process wherever it is, in the middle of an expression too, and says where that was.
WATCHED = """
import faulthandler, json, sys
{work}
for text in json.load(sys.stdin):
    faulthandler.dump_traceback_later(30, exit=True)
    work(text)
    faulthandler.cancel_dump_traceback_later()
print("all done")
"""
PRINTED = ("one letter", "escapes", "scripts", "ends of scripts", "ends of lines", "an agent")


@pytest.mark.parametrize(
    ("work", "texts"),
    [
        (READ_ALL, list(LONG_TEXTS.values())),
        pytest.param(PRINT_ALL, [LONG_TEXTS[name] * 4 for name in PRINTED], marks=pytest.mark.long),
    ],
    ids=["read", "print"],
)
def test_no_expression_goes_back_over_a_long_text(work: str, texts: list[str], tmp_path: Path) -> None:
    # What goes back takes the square of the length, minutes; what does not, a second or two for each text.
    words = [sys.executable, "-c", WATCHED.replace("{work}", work), str(tmp_path / "r.html")]
    given = json.dumps(texts)
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all done\n"), done.stderr
