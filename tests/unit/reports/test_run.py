from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbench.errors import ReportError
from workbench.reports.page import to_html
from workbench.reports.run import run_notebook, summary, write_report
from workbench.text import label

TESTS = Path(__file__).parents[2]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>$x$ \u202e & </script>"
PARAMETERS = """window: str = "10s"  # the rule's window
threshold: int = 3  # clicks
rate: float = 50.0
seeds: list = [1]
anything = None
quiet = False"""
SETUP = f"""
import sys
sys.path[:0] = [{str(TESTS / "support")!r}, {str(TESTS.parent)!r}]
from verdict_frames import verdict_frame
from workbench.charts import figures as charts
from workbench.charts.live import LiveChart

class Feed:
    def frame(self):
        return verdict_frame(2_000, rate=200)
"""


def cell(source: str, *tags: str, outputs: list[Any] | None = None) -> Any:
    return new_code_cell(source, metadata={"tags": list(tags)}, outputs=outputs or [])


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., Path]:
    """Write a notebook with these cells behind the parameters cell."""

    def write(*cells: Any) -> Path:
        nb = new_notebook(cells=[cell(PARAMETERS, "parameters"), *cells])
        nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nb.metadata["language_info"] = {"name": "python"}
        nbformat.write(nb, tmp_path / "nb.ipynb")
        return tmp_path / "nb.ipynb"

    return write


@pytest.fixture(autouse=True)
def no_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that are not marked as running a notebook must not start a kernel."""
    if "kernel" not in request.node.name:
        monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("a kernel was started"))


def page(out: Path, *cells: Any, title: str = "Title") -> str:
    return to_html(new_notebook(cells=list(cells)), out, title).read_text(encoding="utf-8")


def body(html: str) -> str:
    """The page without its own style and scripts."""
    return re.sub(r"<style>.*?</style>|<script>.*?</script>", "", html, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            {"treshold": 3},
            r"no parameter 'treshold' \(did you mean 'threshold'\?\); nb.ipynb takes window: str",
        ),
        ({"xyz": 3}, r"no parameter 'xyz'; nb.ipynb takes .*threshold: int = 3"),
        ({"threshold": "3"}, r"'threshold' is '3' \(str\), expected int"),
        ({"threshold": True}, r"'threshold' is True \(bool\), expected int"),
        ({"rate": "fast"}, r"'rate' is 'fast' \(str\), expected float"),
        ({"seeds": 1}, r"'seeds' is 1 \(int\), expected list"),
        ({"quiet": 0}, r"'quiet' is 0 \(int\), expected bool"),
    ],
)
def test_a_wrong_parameter_is_refused_with_the_right_ones_before_a_run(
    notebook: Callable[..., Path], tmp_path: Path, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ReportError, match=said):
        run_notebook(notebook(), parameters, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_a_notebook_without_a_parameters_cell_takes_none(tmp_path: Path) -> None:
    nbformat.write(new_notebook(cells=[cell("1")]), tmp_path / "plain.ipynb")
    with pytest.raises(ReportError, match="has no parameters"):
        run_notebook(tmp_path / "plain.ipynb", {"a": 1}, tmp_path / "out.ipynb")


@pytest.mark.parametrize("content", [None, "not json", "{}"])
def test_what_is_not_a_notebook_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ReportError, match=r"x\.ipynb"):
        run_notebook(path, {}, tmp_path / "out.ipynb")


def test_the_page_names_no_address_on_the_network_outside_plotly_itself(tmp_path: Path) -> None:
    html = body(page(tmp_path / "r.html", new_markdown_cell("# Heading"), cell("1 + 1")))
    assert "http" not in html.replace("http-equiv", "")
    assert "default-src 'none'" in html
    assert "<details>" in html


def test_hostile_text_is_nowhere_live(tmp_path: Path) -> None:
    data = {"text/html": HOSTILE + "<iframe src='http://x'></iframe><meta http-equiv=refresh content='0;url=//x'>"}
    cells = [
        cell("x", outputs=[new_output("stream", name="stdout", text=HOSTILE)]),
        cell("x", outputs=[new_output("display_data", data=data)]),
        cell("x", outputs=[new_output("display_data", data={"text/plain": HOSTILE})]),
        cell("x", outputs=[new_output("error", ename=HOSTILE, evalue=HOSTILE, traceback=[HOSTILE])]),
        new_markdown_cell(HOSTILE),
    ]
    html = body(page(tmp_path / "r.html", *cells, title=HOSTILE))
    assert not re.search(r"<(script|iframe|img)\b", html)
    assert html.count("<meta ") == 4
    assert "\u202e" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_figure_is_kept_as_json_that_cannot_end_its_element(tmp_path: Path) -> None:
    figure = {"data": [{"type": "scatter", "x": [1], "y": [1], "text": [HOSTILE]}], "layout": {}}
    outputs = [new_output("display_data", data={"application/vnd.plotly.v1+json": figure, "text/html": "twice"})]
    html = body(page(tmp_path / "r.html", cell("x", outputs=outputs)))
    assert html.count("</script>") == 1
    assert '"showSendToCloud": false' in html
    assert "twice" not in html


def test_widgets_are_dropped_and_a_progress_bar_keeps_its_last_state(tmp_path: Path) -> None:
    view = {
        "application/vnd.jupyter.widget-view+json": {"model_id": "m"},
        "text/plain": "FloatProgress(value=0)",
    }
    outputs = [
        new_output("display_data", data=view),
        new_output("stream", name="stderr", text="\r 10%|#"),
        new_output("stream", name="stderr", text="\r100%|##\ndone\n"),
    ]
    html = body(page(tmp_path / "r.html", cell("x", outputs=outputs)))
    assert "FloatProgress" not in html
    assert " 10%" not in html
    assert "100%|##\ndone" in html


def test_a_table_keeps_its_cells_and_loses_its_style_sheet(tmp_path: Path) -> None:
    table = "<div><style scoped>.a { color: red }</style><table border=1><thead><tr><th>n</th></tr></thead>"
    data = {"text/html": table + "<tbody><tr><td>7</td></tr></tbody></table></div>"}
    html = body(page(tmp_path / "r.html", cell("x", outputs=[new_output("display_data", data=data)])))
    assert re.search(r"<th>n</th>.*<td>7</td>", html, flags=re.DOTALL)
    assert "color: red" not in html


def test_cells_for_the_notebook_alone_are_left_out_and_those_for_the_top_come_first(tmp_path: Path) -> None:
    cells = [
        new_markdown_cell("# Only in the notebook", metadata={"tags": ["remove-cell"]}),
        new_markdown_cell("# Heading"),
        cell("tiles(…)", "on-top", outputs=[new_output("stream", name="stdout", text="the figures")]),
    ]
    html = body(page(tmp_path / "r.html", *cells))
    assert "Only in the notebook" not in html
    assert html.index("the figures") < html.index("Heading")
    assert "tiles(…)" not in html


def test_a_report_without_code_says_nothing_of_the_machine_it_was_made_on(tmp_path: Path) -> None:
    nb = new_notebook(cells=[cell('source = "/home/ann/access.log"'), cell("1", outputs=[])])
    nb.metadata["papermill"] = {"parameters": {"source": "/home/ann/access.log", "title": "T", "brokers": "", "n": 0}}
    html = body(to_html(nb, tmp_path / "r.html", "Title", code=False).read_text("utf-8"))
    assert "source <b>access.log</b>" in html
    assert "n <b>0</b>" in html
    for gone in ("/home/ann", "<details>", "title <b>", "brokers"):
        assert gone not in html


def test_control_characters_are_shown_as_their_pictures(tmp_path: Path) -> None:
    text = "a\0b\x1b[2Jc\x07"
    outputs = [new_output("display_data", data={kind: text}) for kind in ("text/html", "text/plain")]
    html = body(page(tmp_path / "r.html", cell("x", outputs=outputs)))
    assert "a␀b" in html
    assert not re.search(r"[\0-\x08\x0b\x0c\x0e-\x1f]", html)


def test_the_summary_is_the_json_of_its_tagged_cell() -> None:
    output = new_output("execute_result", data={"application/json": {"precision": 1.0}, "text/plain": "<JSON>"})
    nb = new_notebook(cells=[cell("1"), cell("JSON(…)", "summary", outputs=[output])])
    assert summary(nb) == {"precision": 1.0}
    with pytest.raises(ReportError, match="no JSON object"):
        summary(new_notebook(cells=[cell("1", "summary")]))
    with pytest.raises(ReportError, match='no cell tagged "summary"'):
        summary(new_notebook(cells=[cell("1")]))


def test_a_failed_kernel_run_leaves_a_report_that_says_so_at_the_top(
    notebook: Callable[..., Path], tmp_path: Path
) -> None:
    path, out = notebook(cell("raise ValueError('no <broker>')"), cell("print('never')")), tmp_path / "r.html"
    with pytest.raises(ReportError, match=r"nb.ipynb failed in its cell \[\d\]: ValueError: no <broker>"):
        write_report(path, {"threshold": 4}, out, "Report", progress=False)
    html = body(out.read_text(encoding="utf-8"))
    main = html[html.index("<main>") :]
    assert main.index("This report is incomplete.") < main.index("<details>")
    assert "ValueError: no &lt;broker&gt;" in main
    assert "<b>4</b>" in main
    assert "papermill-error" not in html


def test_a_kernel_run_that_one_of_our_errors_ended_is_told_in_its_words_and_without_a_trace(
    notebook: Callable[..., Path], tmp_path: Path
) -> None:
    fix = "a.csv has no column for url. Fix: --map session_id=ip,url=channel,ts=time"
    path, out = (
        notebook(cell(f"from workbench.errors import ClickError\nraise ClickError({fix!r})")),
        tmp_path / "r.html",
    )
    with pytest.raises(ReportError, match=re.escape(f"]: {fix}; see ")):
        write_report(path, {}, out, "Report")
    html = body(out.read_text(encoding="utf-8"))
    assert f"{fix} (What comes after that was not run.)" in html
    assert "Traceback" not in html
    assert "ClickError:" not in html


@pytest.mark.parametrize("code", [True, False])
def test_a_trace_is_for_those_who_see_the_code(code: bool, tmp_path: Path) -> None:
    failed = new_output("error", ename="KeyError", evalue="'x'", traceback=["Traceback of it"])
    html = body(
        to_html(new_notebook(cells=[cell("x", outputs=[failed])]), tmp_path / "r.html", "T", code=code).read_text()
    )
    assert ("Traceback of it" in html) is code
    assert "KeyError: &#x27;x&#x27;" in html


def test_a_kernel_run_gives_a_report_that_draws_every_chart_without_any_network(
    notebook: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("playwright")
    from browser import assert_charts_fit_a_narrow_window, browser_page, chromium_path
    from polling import until

    if chromium_path() is None:
        pytest.skip("needs Chromium")
    path = notebook(
        cell(SETUP),
        cell("LiveChart(Feed(), hz=4).run(1)"),
        cell(f"frame = Feed().frame().assign(session_id={HOSTILE!r})\ncharts.session_timeline(frame)"),
        cell("charts.overview(Feed().frame())"),
        cell("from IPython.display import JSON\nJSON({'threshold': threshold})", "summary"),
    )
    out = write_report(path, {"threshold": 5}, tmp_path / "r.html", "Report <1>", progress=False)
    assert summary(tmp_path / "r.ipynb") == {"threshold": 5}
    assert (tmp_path / "r.ipynb").stat().st_size < 1_000_000
    with browser_page(offline=True) as (tab, heard):
        tab.goto(out.as_uri())
        until(lambda: tab.locator(".js-plotly-plot .barlayer .point").count(), 30, said="charts are drawn")
        assert tab.locator(".js-plotly-plot").count() == 3
        assert tab.locator(".js-plotly-plot .main-svg").count() == 9
        assert tab.title() == "Report <1>"
        ticks = tab.locator(".js-plotly-plot").nth(1).locator(".ytick text").all_text_contents()
        assert ticks == [label(HOSTILE, 22).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")]
        titles = tab.evaluate("Array.from(document.querySelectorAll('.modebar-btn'), b => b.dataset.title)")
        assert titles
        assert not [title for title in titles if "loud" in title or "Produced" in title]
        assert_charts_fit_a_narrow_window(tab)
        assert heard.errors == []
        assert heard.requests == [out.as_uri()]


@pytest.mark.parametrize("shown", [False, True])
def test_an_error_and_the_parameters_name_people_only_where_that_was_asked_for(tmp_path: Path, shown: bool) -> None:
    said = "got 'ann@shop.example' of 203%2E0%2E113%2E9"
    outputs = [
        new_output("stream", name="stderr", text=f"warning: {said}\n"),
        new_output("error", ename="ValueError", evalue=said, traceback=[f"\x1b[31mValueError\x1b[0m: {said}"]),
    ]
    nb = new_notebook(cells=[cell("x", outputs=outputs)])
    nb.metadata["papermill"] = {"parameters": {"exclude": "198.51.100.7", "show_personal": shown}}
    html = to_html(nb, tmp_path / "r.html", "Title").read_text(encoding="utf-8")
    for one, masked in (("ann@shop", "…@shop.example"), ("203%2E0", "203.0.113.x"), ("198.51.100.7", "198.51.100.x")):
        assert (one in html, masked in html) == (shown, not shown)
    assert "ValueError" in html
