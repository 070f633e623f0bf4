"""The Kafka headers of verdicts and dead letters: what each says, and reading it. No records beyond that.

`source` is the partition and offset of the click whose outcome a record is. A verdict that is revised has `revised_by`
in its place: the late click that tipped it. `hand_over` counts the hand-overs from rule to rule before the record; the
records of a detector's first rule lack it.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["HAND_OVER", "REVISED_BY", "SOURCE", "Headers", "Place", "cause_of", "hand_overs_before", "source_of"]

SOURCE, REVISED_BY, HAND_OVER = "source", "revised_by", "hand_over"

Headers = Iterable[tuple[str, bytes | None]]
Place = tuple[int, int]


def source_of(headers: Headers) -> Place | None:
    """The partition and offset of the click whose outcome a record is; None where the headers do not say.

    >>> source_of([("source", b"1:42")])
    (1, 42)
    >>> source_of([("revised_by", b"1:42")])  # says nothing of whether 1:42 itself has its verdict
    """
    return _place(headers, SOURCE)


def cause_of(headers: Headers) -> Place | None:
    """The partition and offset of the click that brought a record about, be it the record's own or a late one.

    >>> cause_of([("revised_by", b"1:42"), ("hand_over", b"2")])
    (1, 42)
    """
    headers = list(headers)
    return _place(headers, SOURCE) or _place(headers, REVISED_BY)


def hand_overs_before(headers: Headers) -> int:
    """How many times a rule had taken over from another before this record was written.

    >>> hand_overs_before([("source", b"1:42"), ("hand_over", b"2")]), hand_overs_before([("source", b"1:42")])
    (2, 0)
    """
    value = dict(headers).get(HAND_OVER) or b""
    return int(value) if value.isdigit() else 0


def _place(headers: Headers, name: str) -> Place | None:
    for key, value in headers:
        if key == name and value:
            partition, _, offset = value.decode("ascii", "replace").partition(":")
            if partition.isdecimal() and offset.isdecimal():
                return int(partition), int(offset)
    return None
