"""Tiles and tables: every kind of cell, and text that stays text."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from workbench.reports.parts import table, tiles

HOSTILE = '<script>alert(1)</script>" onmouseover=alert(2) $\\href{javascript:alert(3)}{x}$ \u202e\0'
START = pd.Timestamp("2026-01-02T03:04:05Z")


def cells(html: str) -> list[str]:
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


def test_cells_are_written_by_their_kind() -> None:
    frame = pd.DataFrame(
        {
            "session_id": ["s1"],
            "clicks": [12_345],
            "share": [0.256],
            "rate": [1234.5],
            "crawler": [True],
            "first": pd.Series([START]).astype("datetime64[us, UTC]"),
            "last": pd.Series([START + pd.Timedelta("1500us")]).astype("datetime64[us, UTC]"),
            "before": pd.Series([np.array([START.to_datetime64()] * 2, "datetime64[us]")], dtype=object),
            "agent": [None],
        }
    )
    moment = "2026-01-02 03:04:05"
    html = str(table(frame).data)
    assert cells(html) == [
        "s1", "12,345", "25.6%", "1,234.50", "yes", moment, f"{moment}.001", f"{moment}<br>{moment}", "–",
    ]  # fmt: skip
    assert re.findall(r"<th\b[^>]*>(.*?)</th>", html)[:2] == ["session", "clicks"]
    assert html.count('class="left"') == 2 * 6


def test_only_the_first_rows_are_shown_and_the_rest_is_counted() -> None:
    html = str(table(pd.DataFrame({"n": range(2_000)}), rows=5).data)
    assert cells(html) == ["0", "1", "2", "3", "4"]
    assert "and 1,995 more" in html
    assert "Nothing here." in str(table(pd.DataFrame({"n": []}), empty="Nothing here.").data)


def test_text_from_data_is_only_text_in_tables_and_tiles() -> None:
    frame = pd.DataFrame({"url": [HOSTILE * 20], "session_id": [HOSTILE], HOSTILE: [HOSTILE]})
    for html in (str(table(frame).data), str(tiles({HOSTILE: (HOSTILE, HOSTILE), "b": HOSTILE}).data)):
        assert "<script" not in html
        assert "$" not in html
        assert not re.search(r'<[^>]*"[^">]*" onmouseover', html)
        assert not set(html) & {"\u202e", "\0"}
        assert "mathjax_ignore" in html
        assert len(html) < 10_000


def test_tiles_show_numbers_with_commas_their_notes_and_a_dash_for_none() -> None:
    html = str(tiles({"clicks": (1_234_567, "of 3"), "precision": None}).data)
    assert re.findall(r'class="number"[^>]*>(.*?)<', html) == ["1,234,567", "–"]
    assert re.findall(r'class="note"[^>]*>(.*?)<', html) == ["of 3", ""]
