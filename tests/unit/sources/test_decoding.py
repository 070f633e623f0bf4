"""Text is read in the encoding it is in, and a line of any length takes bounded memory."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.sources import decoding
from workbench.sources.decoding import LONGEST_LINE, Text, encoding_of

LINES = ["session_id,url,ts", "s1,/ad/é,2026-01-02T03:04:01Z", "s2,/日本,2026-01-02T03:04:01Z", ""]


def text(data: bytes) -> Text:
    return Text(io.BytesIO(data), data[:100])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_every_encoding_and_line_end_gives_the_same_lines(encoding: str, end: str) -> None:
    data = end.join([*LINES, ""]).encode(encoding)
    assert list(text(data).lines()) == LINES
    assert "".join(text(data).blocks()) == end.join([*LINES, ""])


def test_nuls_at_the_head_of_a_log_are_no_utf_16() -> None:
    assert encoding_of(b"\0" * 100 + b"203.0.113.9 - - ") == "utf-8-sig"
    assert encoding_of(b"") == encoding_of(b"a") == encoding_of(b"\0a") == "utf-8-sig"


def test_bytes_that_are_no_text_are_kept_apart() -> None:
    assert list(text(b"/\xe9\n/\xe8\n/\xc3\xa9").lines()) == [r"/\xe9", r"/\xe8", "/é"]
    assert list(text(b"\xff\xfea\0\n\0b").lines()) == ["a", r"\x62"]


def test_only_line_feeds_end_lines_where_there_are_any() -> None:
    assert list(text(b"a\rb\x0bc\x85\n\xe2\x80\xa8d").lines()) == ["a\rb\x0bc\\x85", "\u2028d"]


def test_a_line_without_end_is_cut() -> None:
    for tail in (b"", b"\nshort", b"\r\nshort\n"):
        long, *others = text(b"x" * (5 * LONGEST_LINE) + tail).lines()
        assert len(long) == LONGEST_LINE + 1
        assert others == ["short"] * bool(tail)


@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda text: text.encode("utf-16")), st.integers(1, 9))
def test_lines_are_the_same_whatever_is_read_at_once(data: bytes, block: int) -> None:
    whole = list(text(data).lines())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_BLOCK", block)
        assert list(text(data).lines()) == whole
    if "\n" in (all_of_it := "".join(text(data).blocks())):
        assert whole == [line.rstrip("\r") for line in all_of_it.removesuffix("\n").split("\n")]
