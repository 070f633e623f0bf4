"""`workbench report`: from a file or a topic to one HTML file and its evidence, whatever text is in them.

Short sibling: tests/notebooks/test_report.py
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.cli.parser import main
from workbench.clicks.files import SAMPLE_LOG, read
from workbench.rule import Rule, judge

FIELD = Path(__file__).parents[1] / "data" / "field"
Lines = list[str]
FORMULA = re.compile(r"""[\s"'`]*[=+\-@\t\r＝＋－＠]""")
MARK = "window.wasRun=1"
AGENTS = [
    f"<script>{MARK}</script>", f"<img src=x onerror={MARK}>", f"$\\\\href{{javascript:{MARK}}}{{x}}$",
    "\u202egnp.exe\0",
    '=HYPERLINK(\\"http://a.example\\")', "Googlebot/2.1 (+http://www.google.com/bot.html)", "x" * 65_536,
]  # fmt: skip
URLS = [
    f"/<script>{MARK}</script>", f"/<svg/onload={MARK}>", f"/$\\\\href{{javascript:{MARK}}}{{x}}$", "/\u202e\0",
    "=HYPERLINK(1)", "@SUM(1)", f"/'-{MARK}-'", "/?ip=203.0.113.77", "/</script></textarea>", "/;=1+1",
]  # fmt: skip


def line(ip: str, at: datetime, url: str, agent: str) -> str:
    return f'{ip} - - [{at:%d/%b/%Y:%H:%M:%S %z}] "GET {url} HTTP/1.1" 200 5 "-" "{agent}"'


@pytest.fixture
def hostile_log(tmp_path: Path) -> Path:
    """Every URL with every agent, three times in three seconds, from two addresses of one network."""
    start, lines = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), Lines()
    for number, (url, agent) in enumerate((url, agent) for url in URLS for agent in AGENTS):
        ip = ("203.0.113.77", "203.0.113.78", "2001:db8:7:7::77")[number % 3]
        lines += [line(ip, start + timedelta(seconds=60 * number + s), url, agent) for s in range(3)]
    lines += ["203.0.113.79 <script> no log line", "2001:db8:7:7::79 neither"]
    path = tmp_path / "hostile.log"
    path.write_text("\n".join(lines), "utf-8")
    return path


def visible(html: str) -> str:
    """The page without its own style, plotly.js and the script that draws."""
    return re.sub(r"<style>.*?</style>|<script>.*?</script>", "", html, flags=re.DOTALL)


def test_hostile_text_goes_from_a_log_to_page_and_evidence_and_runs_nowhere(
    hostile_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("playwright")
    from browser import assert_charts_fit_a_narrow_window, browser_page, chromium_path
    from polling import until

    if chromium_path() is None:
        pytest.skip("needs Chromium")
    monkeypatch.chdir(tmp_path)
    assert main(["report", "hostile.log", "--evidence", "e.csv", "--title", f"<b>{MARK}</b>"]) == 0
    out = tmp_path / "hostile-report.html"
    assert capsys.readouterr().out.splitlines()[-2:] == ["evidence  e.csv", "report    hostile-report.html"]
    assert {path.name for path in tmp_path.iterdir()} == {"hostile.log", "hostile-report.html", "e.csv"}

    with (tmp_path / "e.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    judged = judge(read(hostile_log).clicks, Rule())
    assert len(rows) == 1 + judged["fraud"].sum() > 40
    assert not [cell for row in rows for cell in row if FORMULA.match(cell) and not cell.startswith("'")]

    page = visible(out.read_text("utf-8"))
    for address in ("203.0.113.77", "203.0.113.78", "203.0.113.79", "7:7::7"):
        assert address not in page
        assert address not in str(rows)
    assert "203.0.113.x#1/a1/v1" in page

    with browser_page(offline=True) as (tab, heard):
        tab.goto(out.as_uri())
        until(lambda: tab.locator(".js-plotly-plot .main-svg").count() >= 12, 60, said="all four charts are drawn")
        assert tab.locator(".js-plotly-plot").count() == 4
        until(lambda: tab.locator(".js-plotly-plot .barlayer .point").count() > 10, 60, said="their bars too")
        for hovered in tab.locator(".js-plotly-plot .nsewdrag").all():
            hovered.hover()
        assert tab.evaluate("window.wasRun") is None
        assert tab.locator("main script:not(.figure), main iframe, main img, main a[href*='javascript']").count() == 0
        assert tab.locator(".tile").count() == 6
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
        assert_charts_fit_a_narrow_window(tab)
        assert heard.errors == []
        assert heard.requests == [out.as_uri()]


@pytest.mark.long
def test_whole_addresses_are_shown_when_they_are_asked_for(hostile_log: Path, tmp_path: Path) -> None:
    out, evidence = tmp_path / "r.html", tmp_path / "e.csv"
    assert main(["report", str(hostile_log), "-o", str(out), "--evidence", str(evidence), "--show-personal"]) == 0
    assert "203.0.113.77" in visible(out.read_text("utf-8"))
    assert "2001:db8:7:7::77" in evidence.read_text("utf-8")


def test_people_are_in_neither_page_nor_evidence(tmp_path: Path) -> None:
    out, evidence = tmp_path / "r.html", tmp_path / "e.csv"
    path = Path(__file__).parents[1] / "data" / "field" / "40-pii" / "a.csv"
    assert main(["report", str(path), "-o", str(out), "--evidence", str(evidence)]) == 0
    handed_on = unquote(visible(out.read_text("utf-8")) + evidence.read_text("utf-8")).casefold()
    people = ("ann.smith", "bob@", "carl@", "secret1", "secret3", "203.0.113.9", "3405803785", "fe80::1")
    assert [one for one in people if one in handed_on] == []
    assert [one for one in ("…@example.com#1", "…@example.com#3", "203.0.113.x#1") if one not in handed_on] == []


@pytest.mark.parametrize(
    "suffix", [".csv", pytest.param(".jsonl", marks=pytest.mark.long), pytest.param(".parquet", marks=pytest.mark.long)]
)
def test_tables_are_reported_on_as_logs_are(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clicks = read(SAMPLE_LOG).clicks.drop(columns=["user_agent", "ip"]).rename(columns={"session_id": "visitor"})
    path = tmp_path / f"clicks{suffix}"
    if suffix == ".parquet":
        clicks.to_parquet(path)
    else:
        texts = clicks.assign(ts=clicks["ts"].map(pd.Timestamp.isoformat))
        path.write_text(texts.to_csv(index=False) if suffix == ".csv" else texts.to_json(orient="records", lines=True))
    words = ["--map", "session_id=visitor", "-p", "window=30s", "-p", "threshold=2", "--out-of-this-world"]
    with pytest.raises(SystemExit) as usage:
        main(["report", str(path), *words])
    assert usage.value.code == 2
    assert main(["report", str(path), *words[:-1], "-o", str(tmp_path / "r.html")]) == 0
    judged = judge(read(SAMPLE_LOG).clicks, Rule("30s", 2))
    said = f"{judged['fraud'].sum():,} of {len(judged):,} clicks flagged by 2-in-30s"
    assert said in capsys.readouterr().out
    assert "The clicks have no user agents." in (tmp_path / "r.html").read_text("utf-8")


def test_without_a_file_it_reports_on_the_topic(
    connection: Connection, topics: Topics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from confluent_kafka import Producer

    ensure_topics(connection, topics)
    producer = Producer({"bootstrap.servers": connection.bootstrap})
    click = {"session_id": "s1", "url": "/ad?gclid=1", "user_agent": "curl/8.0"}
    for number in (0, 1, 2, 2):
        ts = f"2026-01-02T03:04:0{number}Z"
        producer.produce(topics.clicks, json.dumps(click | {"click_id": f"c{number}", "ts": ts}))
    probe = {"session_id": "probe", "click_id": "p1", "ts": "2026-01-02T03:04:09Z", "user_agent": "kube-probe/1.29"}
    producer.produce(topics.clicks, json.dumps(click | probe))
    producer.produce(topics.clicks, "no click")
    producer.produce(topics.dead_letters, json.dumps({"reason": "too_late"}))
    producer.flush(10)
    clicks, verdicts, dead_letters = topics
    named = ["--clicks-topic", clicks, "--verdicts-topic", verdicts, "--dead-letter-topic", dead_letters]
    where = ["--brokers", connection.bootstrap, *named]
    assert main(["report", *where, "-o", str(tmp_path / "r.html")]) == 0
    printed = capsys.readouterr().out
    assert "1 of 3 clicks flagged by 3-in-10s, in 1 bursts." in printed
    assert "1 click of known crawlers and health checks set aside; 0 of them the rule would flag." in printed
    page = visible((tmp_path / "r.html").read_text("utf-8"))
    for what, records in (("malformed", 1), ("repeated, counted once", 1), ("given up by the detector: too late", 1)):
        assert re.search(rf"{what}</td><td>{records}</td>", page), what
    assert "/ad?gclid=1" in page  # as the detector judges it


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["-p", "treshold=4"],
            "no parameter 'treshold' (did you mean 'threshold'?); 04_report.ipynb takes source: str",
        ),
        (["-p", "threshold=four"], "'threshold' is 'four', expected int; 04_report.ipynb takes source: str"),
        (["-p", "threshold"], "a parameter is written NAME=VALUE"),
        (["-p", "api_key=abc"], "put it into the environment"),
        (["--title", "password=abc"], "put it into the environment"),
        (["-o", "report.pdf"], "give the name of an .html file"),
        (["--evidence", "no/such/folder/e.csv"], "there is no folder for the evidence"),
    ],
)
def test_what_is_wrong_is_told_before_anything_heavy_is_loaded(words: Lines, said: str, tmp_path: Path) -> None:
    code = (
        "import sys; from workbench.cli.parser import main\n"
        "status = main(sys.argv[1:])\n"
        "print([name for name in ('papermill', 'pandas', 'nbformat', 'plotly') if name in sys.modules])\n"
        "sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "report", str(SAMPLE_LOG), *words],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "abc" not in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stdout == "[]\n"
    assert not list(tmp_path.iterdir())


def test_a_rule_that_cannot_be_starts_no_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("a kernel was started"))
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(SAMPLE_LOG), "--window", "10"]) == 1
    assert main(["report", str(SAMPLE_LOG), "--threshold", "0"]) == 1
    assert not list(tmp_path.iterdir())


def test_a_failed_cell_leaves_a_report_that_says_so_and_the_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.log").write_text(line("203.0.113.7", datetime(2026, 1, 2, tzinfo=UTC), "/style.css", "x") + "\n")
    out = tmp_path / "r.html"
    assert main(["report", str(tmp_path / "no.log"), "-o", str(out)]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert "no.log holds no clicks to report on" in told
    page = visible(out.read_text("utf-8"))
    assert "This report is incomplete." in page
    assert "1 left out: no clicks on pages" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such.log"], "cannot read no-such.log"),
        (["-p", "source=no-such.log"], "cannot read no-such.log"),
        ([str(SAMPLE_LOG), "--map", "no-such.toml"], "cannot read the mapping"),
        ([str(SAMPLE_LOG), "--map", "visitor=ip"], "'visitor', which is none of its parameters"),
        ([str(SAMPLE_LOG), "--client", "nearest"], "client is 'nearest'; use public, first, last"),
    ],
)
def test_sources_and_mappings_that_cannot_be_start_no_kernel(
    words: Lines, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("a kernel was started"))
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_columns_that_are_missing_are_told_as_one_line_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.html"
    assert main(["report", str(FIELD / "35-tz" / "z.csv"), "-o", str(out)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("workbench: z.csv has no column for session_id and url; it has ip, app, device")
    assert said.endswith("Fix: --map session_id=ip+device+os,url=channel,ts=click_time")
    page = visible(out.read_text("utf-8"))
    assert "This report is incomplete.</b> z.csv has no column" in page
    assert "Traceback" not in page
    assert "04_report" not in said


def test_what_is_wrong_with_the_visitors_stands_on_top_and_crawlers_beside_the_flagged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = [str(FIELD / name / "access.log") for name in ("32-probes", "29-reload")]
    (tmp_path / "clicks.toml").write_text('carry = {host_id = "=web-1"}\nexclude = ["198.51.100.7"]\n')
    words = [*logs, "--map", str(tmp_path / "clicks.toml"), "-o", str(tmp_path / "r.html")]
    assert main(["report", *words, "--evidence", str(tmp_path / "e.csv")]) == 0
    told = capsys.readouterr()
    assert "Reporting on access.log and 1 more …" in told.err
    assert "warning: one session has 9" in told.err
    first, *others = told.out.splitlines()
    assert (
        first == "access.log and 1 more: 103 clicks of 2 sessions from 2026-01-02 03:04:00 to 2026-01-02 03:07:18 UTC"
    )
    assert "150 clicks of known crawlers and health checks set aside; 146 of them the rule would flag." in others
    page = visible((tmp_path / "r.html").read_text("utf-8"))
    assert page.index("one session has 9") < page.index('class="tile') < page.index("What was flagged, and why")
    for text in (
        "kube-probe/1.29",
        "left out: excluded</td><td>5<",
        "left out: known crawlers",
        "web-1",
        "gclid, gbraid",
    ):
        assert text in page, text
    assert re.search(
        r'exclude = \["198\.51\.100\.x#\d+"\] +\(masked: write what was given\)', page.replace("&quot;", '"')
    )
    with (tmp_path / "e.csv").open(encoding="utf-8", newline="") as file:
        assert {row["host_id"] for row in csv.DictReader(file)} == {"web-1"}
