"""Which clicks are judged at a hand-over: bookkeeping without a broker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.detector.catch_up import OPEN, Frontier
from workbench.detector.checkpoint import Checkpoint
from workbench.detector.hand_over import HandOver, Judged
from workbench.errors import CheckpointMismatch
from workbench.rule import Rule

IDENTITY = {"rule": "3-in-10s", "clicks": "clicks", "partitions": 2}
HAND_OVER = HandOver(
    1, Rule(), Rule("20s", 4), Judged({0: 7, 1: 5}, {0: (9, 12)}, since_ms=99), {0: 3, 1: 5}, counts_from_us=7
)

offsets = st.sets(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=60)


def judged_set(judged: Judged, upto: int = 41) -> set[tuple[int, int]]:
    below = {(n, at) for n, end in judged.upto.items() for at in range(min(end, upto))}
    return below | {(n, at) for n, some in judged.ahead.items() for at in some}


@given(done=offsets, later=offsets, order=st.randoms(use_true_random=False))
def test_a_frontier_says_exactly_which_offsets_are_judged_in_any_order(
    done: set[tuple[int, int]], later: set[tuple[int, int]], order: object
) -> None:
    frontier = Frontier(Judged(dict.fromkeys(range(3), 0)), dict.fromkeys(range(3), OPEN))
    for place in done:
        frontier.add(*place)
    again = Frontier(frontier.judged(since_ms=1), dict.fromkeys(range(3), OPEN))  # as a second hand-over begins
    for place in later:
        again.add(*place)
    judged = again.judged(since_ms=2)
    assert judged_set(judged) == done | later
    for number, end in judged.upto.items():
        assert end not in judged.ahead.get(number, ())
        assert list(judged.ahead.get(number, ())) == sorted(judged.ahead.get(number, ()))


@given(done=offsets, upto=st.dictionaries(st.integers(0, 2), st.integers(0, 40), max_size=3))
def test_a_checkpoint_adds_to_what_is_judged_and_takes_nothing_away(
    done: set[tuple[int, int]], upto: dict[int, int]
) -> None:
    frontier = Frontier(Judged(dict.fromkeys(range(3), 0)), dict.fromkeys(range(3), OPEN))
    for place in done:
        frontier.add(*place)
    advanced = frontier.judged(since_ms=1).advanced(upto, since_ms=2)
    assert judged_set(advanced) == done | {(n, at) for n, end in upto.items() for at in range(end)}
    assert all(at >= advanced.upto[n] for n, some in advanced.ahead.items() for at in some)


def test_a_hand_over_is_read_back_from_json_as_it_was() -> None:
    stored = json.loads(json.dumps(HAND_OVER.to_json()))
    assert HandOver.from_json(stored) == HAND_OVER
    assert HAND_OVER.reread == 4


def test_a_checkpoint_that_changed_hands_is_the_new_rules_and_keeps_the_hand_over(tmp_path: Path) -> None:
    path = tmp_path / "state"
    first = Checkpoint(path, IDENTITY, scratch=tmp_path)
    first.spark_path.mkdir()
    first.take_over(HAND_OVER)
    assert first.spark_path == path / "1"
    first.close()
    with pytest.raises(CheckpointMismatch, match="rule 4-in-20s there, 3-in-10s asked"):
        Checkpoint(path, IDENTITY, scratch=tmp_path)
    second = Checkpoint(path, {**IDENTITY, "rule": "4-in-20s"}, scratch=tmp_path)
    assert second.resumed
    assert second.hand_over == HAND_OVER
    assert not (path / "0").exists()  # state that nobody will ask for
    second.close()


def test_a_checkpoint_written_halfway_is_as_it_was_before(tmp_path: Path) -> None:
    path = tmp_path / "state"
    Checkpoint(path, IDENTITY, scratch=tmp_path).close()
    (path / "workbench.json.new").write_text('{"rule": "4-in')  # a crash while it was being written
    again = Checkpoint(path, IDENTITY, scratch=tmp_path)
    assert again.hand_over is None
    again.close()


def test_a_checkpoint_knows_where_it_began_though_spark_never_wrote(tmp_path: Path) -> None:
    path = tmp_path / "state"
    first = Checkpoint(path, IDENTITY, scratch=tmp_path, begin={0: 7, 1: 0})
    assert first.begins_at("clicks") == {}
    first.close()
    again = Checkpoint(path, IDENTITY, scratch=tmp_path, begin={0: 99, 1: 98})
    assert again.begin == again.begins_at("clicks") == {0: 7, 1: 0}
    again.pass_over("clicks", {0: range(7, 20)})
    again.close()
    last = Checkpoint(path, IDENTITY, scratch=tmp_path, begin={0: 99, 1: 98})
    assert last.begins_at("clicks") == {0: 20, 1: 0}
    last.close()
    (path / "workbench.json").write_text(json.dumps({**IDENTITY, "begin": {"0": "x"}}))
    with pytest.raises(CheckpointMismatch, match="does not say where it began"):
        Checkpoint(path, IDENTITY, scratch=tmp_path)


def test_a_hand_over_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    Checkpoint(path, IDENTITY, scratch=tmp_path).close()
    (path / "workbench.json").write_text(json.dumps({**IDENTITY, "hand_over": {"number": 1}}))
    with pytest.raises(CheckpointMismatch, match="hand-over that cannot be read"):
        Checkpoint(path, IDENTITY, scratch=tmp_path)


def test_a_hand_over_says_in_a_line_what_became_of_what() -> None:
    assert repr(HAND_OVER) == "<HandOver 1: 3-in-10s to 4-in-20s, 4 records read again>"
    timed = replace(HAND_OVER, seconds=1.25)
    assert repr(timed) == "<HandOver 1: 3-in-10s to 4-in-20s, 4 records read again, without a query for 1.2 s>"
