"""An executed notebook as one HTML file that opens offline. Running it is the job of `run`.

Nothing in the file is fetched: plotly.js and the style lie inside, and a content security policy forbids
the network and every script but those two. What cells put out is escaped or sanitised: it may hold text
from strangers.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from plotly.offline import get_plotlyjs

from workbench import errors
from workbench.charts.style import CONFIG
from workbench.errors import ReportError
from workbench.machine.extras import extra
from workbench.reports.mask import mask_text
from workbench.text import first_line

with extra("report"):
    import bleach  # type: ignore[import-untyped]
    import nbformat
    from nbconvert.exporters import HTMLExporter
    from nbformat import NotebookNode
    from nbformat.v4 import new_notebook

__all__ = ["read_notebook", "to_html"]

_PLOTLY: Final = "application/vnd.plotly.v1+json"
_WIDGET: Final = "application/vnd.jupyter.widget-view+json"
_PRIORITY: Final = (
    _PLOTLY,
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/plain",
)
_TAGS: Final = bleach.ALLOWED_TAGS | {
    "br", "caption", "col", "colgroup", "dd", "del", "details", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "img", "kbd", "p", "pre", "s", "span", "sub", "summary", "sup", "table", "tbody", "td", "tfoot",
    "th", "thead", "tr",
}  # fmt: skip
# What reorders the text around it, or is no text at all: shown as its code point, or its picture.
_REORDERING: Final = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE: Final = {code: f"\\u{code:04x}" for code in _REORDERING} | {
    code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"
}
_NOT_IN_PAGE: Final = "remove-cell"
_ON_TOP: Final = "on-top"
_NOT_FACTS: Final = ("title", "mapping")  # the one heads the page, the other is many lines, and told by the report
_TEMPLATE: Final = """
{%- extends 'base.html.j2' -%}
{%- block input_group -%}
{%- if cell.source.strip() -%}<details><summary>Code</summary>{{ super() }}</details>{%- endif -%}
{%- endblock -%}
{%- block stream_stderr -%}
<div class="output_subarea output_stderr"><pre>{{ output.text | ansi2html }}</pre></div>
{%- endblock -%}
{%- block data_other -%}
<script type="application/json" class="figure">
{{- output.data['application/vnd.plotly.v1+json'] | figure -}}
</script>
{%- endblock -%}
{%- block footer -%}{%- endblock -%}
"""
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><h1>{title}</h1><div class="facts">{facts}</div></header>
{alarm}
{top}
{body}
<footer>Made by the click-fraud workbench. This file needs no network: send it as it is.</footer>
</main>
<script>{plotly}</script>
<script>{boot}</script>
</body>
</html>
"""


def to_html(executed: Path | str | NotebookNode, out: Path | str, title: str, *, code: bool = True) -> Path:
    """Write an executed notebook as one HTML file that opens offline, its Plotly figures interactive.

    Code is folded away, or left out. Widgets are dropped: what they showed last is there if they left a static figure
    behind. Cells tagged "remove-cell" are left out, and what a cell tagged "on-top" put out comes first. A run that
    failed gives a report that says so at the top: raising is up to whoever ran it.

    Parameters
    ----------
    executed
        The notebook with its outputs: its path, or read already.
    out
        The HTML file. Its folder is made where there is none.
    title
        What heads the page.
    code
        Fold the code away under each cell; False leaves it out.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ReportError
        What is no notebook.
    """
    nb = read_notebook(executed)
    failure = _failure(nb)
    plotly, boot = get_plotlyjs(), _asset("report.js")
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in (plotly, boot)
    )
    page = _PAGE.format(
        policy=f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'",
        title=_text(title),
        style=_asset("report.css"),
        facts="".join(f"<span>{_text(name)} <b>{_text(value)}</b></span> " for name, value in _facts(nb)),
        alarm=f'<p class="alarm"><b>This report is incomplete.</b> {_text(failure)}</p>' if failure else "",
        top=_body(nb, [cell for cell in nb.cells if _ON_TOP in _tags(cell)], code=False),
        body=_body(nb, [cell for cell in nb.cells if _ON_TOP not in _tags(cell)], code=code),
        plotly=plotly,
        boot=boot,
    )
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    # A lone surrogate from a broken byte somewhere must not cost the report.
    out.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    return out


def read_notebook(notebook: Path | str | NotebookNode) -> NotebookNode:
    """Read a notebook, unless it is read already. Raises ReportError for anything else than a notebook."""
    if isinstance(notebook, NotebookNode):
        return notebook
    try:
        nb: NotebookNode = nbformat.read(notebook, as_version=4)
    except (OSError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise ReportError(f"{notebook} is not a notebook that can be read: {first_line(error)}") from error
    return nb


def _failure(nb: NotebookNode) -> str:
    """What went wrong in this run, in one line; "" if nothing did."""
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                if output.ename in errors.__all__:
                    return f"{_masked(first_line(output.evalue, 1000), nb)} (What comes after that was not run.)"
                error = _masked(first_line(f"{output.ename}: {output.evalue}"), nb)
                return f"Cell [{cell.execution_count}] failed with {error}. What came after it was not run."
    for number, cell in enumerate(nb.cells, start=1):
        if cell.metadata.get("papermill", {}).get("status", "completed") != "completed":
            return f"The run ended before cell {number} of {len(nb.cells)} was done."
    return ""


def _facts(nb: NotebookNode) -> Iterator[tuple[str, str]]:
    run = nb.metadata.get("papermill", {})
    if run.get("start_time"):
        yield "Run at", f"{run['start_time'][:19].replace('T', ' ')} UTC"
    for name, value in run.get("parameters", {}).items():
        # Whoever gets the report has no use for where a file lay on this machine.
        if value != "" and value is not False and name not in _NOT_FACTS:
            lines = str(value).splitlines()
            shown = ", ".join(Path(line).name if Path(line).is_absolute() else line for line in lines)
            yield name.replace("_", " "), _masked(first_line(shown), nb)


def _masked(text: str, nb: NotebookNode) -> str:
    """The text without what is personal, unless this run was to show it."""
    shows = nb.metadata.get("papermill", {}).get("parameters", {}).get("show_personal")
    return text if shows else mask_text(text)


def _tags(cell: NotebookNode) -> tuple[str, ...]:
    return tuple(cell.metadata.get("tags", ()))


def _body(nb: NotebookNode, cells: list[NotebookNode], *, code: bool) -> str:
    if not cells:
        return ""
    kept = [shown for cell in cells if (shown := _cleaned(cell, nb, code)) is not None]
    nb = new_notebook(cells=kept, metadata=nb.metadata)
    exporter = HTMLExporter(
        template_name="classic",
        raw_template=_TEMPLATE,
        sanitize_html=True,
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        filters={"clean_html": _sanitised, "figure": _figure_json},
    )
    exporter.config.NbConvertBase.display_data_priority = list(_PRIORITY)
    body: str = exporter.from_notebook_node(nb)[0]
    return body.translate(_VISIBLE)


def _cleaned(cell: NotebookNode, nb: NotebookNode, code: bool) -> NotebookNode | None:
    """A cell without live widgets, progress bars' history, papermill's notes on a failure, and traces that help nobody.

    What failed is told on top; where in the code, only to who sees the code, and of an error that is not in our words.
    """
    if not {"papermill-error-cell-tag", _NOT_IN_PAGE}.isdisjoint(_tags(cell)):
        return None
    if cell.cell_type != "code":
        return cell
    outputs: list[NotebookNode] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            if outputs and outputs[-1].get("name") == output.name:
                output = NotebookNode({**output, "text": outputs.pop().text + output.text})
            outputs.append(output)
        elif output.output_type == "error":
            if code and output.ename not in errors.__all__:
                told = {"evalue": _masked(output.evalue, nb)}
                outputs.append(
                    NotebookNode({**output, **told, "traceback": [_masked(x, nb) for x in output.traceback]})
                )
        elif _is_drawn(output.data):
            outputs.append(output)
    for output in outputs:
        if output.output_type == "stream":
            # What a carriage return made the terminal overwrite: a progress bar keeps its last state.
            # It is looked for from the starts of lines only, so that a long line takes no longer than its length says.
            text = re.sub(r"(?m)^[^\n]*\r(?!\n)", "", output.text.rstrip("\r"))
            output["text"] = _masked(text, nb) if output.name == "stderr" else text
    return NotebookNode({**cell, "outputs": outputs})


def _is_drawn(data: Mapping[str, Any]) -> bool:
    """Whether an output has a form to show. Beside a widget or JSON, plain text is only the object's repr."""
    if _WIDGET in data or "application/json" in data:
        return any(kind in data for kind in _PRIORITY if kind != "text/plain")
    return any(kind in data for kind in _PRIORITY)


def _sanitised(markup: str) -> str:
    # bleach keeps the text of the tags it drops, and a style sheet is not text to read. One that nothing closes goes on
    # to the end, as in a browser; looking for the end of each of many would take the square of their length.
    markup = re.sub(r"<(style|script)\b.*?(?:</\1\s*>|\Z)", "", str(markup), flags=re.DOTALL | re.IGNORECASE)
    cleaned: str = bleach.clean(
        markup, tags=_TAGS, attributes=_allowed, protocols={*bleach.ALLOWED_PROTOCOLS, "data"}, strip=True
    )
    return re.sub(r"<img\b[^>]*>", lambda tag: tag[0] if " src=" in tag[0] else "", cleaned)


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return value.startswith("data:image/")  # any other picture would have to be fetched
    if tag == "a" and name == "href":
        return not value.startswith("data:")
    return name in {"class", "title", "alt", "width", "height", "colspan", "rowspan"}


def _text(text: str) -> str:
    return html.escape(text).translate(_VISIBLE)


def _figure_json(figure: Mapping[str, Any]) -> str:
    """A figure as JSON that cannot end the element it lies in."""
    text = json.dumps({"data": figure.get("data", []), "layout": figure.get("layout", {}), "config": CONFIG})
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _asset(name: str) -> str:
    return files("workbench.reports").joinpath(name).read_text("utf-8")
