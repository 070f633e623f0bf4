"""What the click page remembers, how much of it, and whom a verdict wakes. No server and no broker."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.click_page.limits import Limits, StreamSlots
from workbench.click_page.sessions import KEY_VARIABLE, secret_key
from workbench.click_page.visits import VisitClick, Visits
from workbench.errors import SetupError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def clicked(visits: Visits, session: str, click_id: str, ad: str = "lamp") -> tuple[VisitClick, int]:
    click = VisitClick(click_id, ad, NOW)
    visits.begin(session, click)
    return click, visits.sent(session, click)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["lamp", "ferry"])), max_size=60))
def test_memory_is_bounded_and_counts_are_those_of_who_is_remembered(steps: list[tuple[str, str]]) -> None:
    visits, expected, recent = Visits(visitors=3, clicks=4), dict[str, dict[str, int]](), list[str]()
    for number, (session, ad) in enumerate(steps):
        if session in recent:
            recent.remove(session)
        recent.append(session)
        if len(recent) > 3:
            del expected[recent.pop(0)]
        counts = expected.setdefault(session, {})
        counts[ad] = counts.get(ad, 0) + 1
        assert clicked(visits, session, f"c{number}", ad)[1] == counts[ad]
        assert len(visits) <= 3
        news = visits.news(session)
        assert news is not None
        assert len(news[0]) <= 4
    assert {session: visits.counts(session) for session in recent} == expected


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 8))
def test_a_click_is_flagged_once_any_verdict_said_so_whenever_it_was_acknowledged(said: list[bool], when: int) -> None:
    visits, click = Visits(), VisitClick("c", "lamp", NOW)
    visits.begin("s", click)
    for number, fraud in enumerate(said):
        if number == when:
            assert visits.sent("s", click) == 1
        visits.judge("s", "c", fraud, 3, "3-in-10s")
        assert click.verdict == ("flagged" if any(said[: number + 1]) else "clean")
    assert visits.wait("s", click, 0)["verdict"] == click.verdict


def test_a_click_is_shown_only_once_the_broker_has_it_and_not_when_it_was_refused() -> None:
    visits, click = Visits(), VisitClick("c", "lamp", NOW)
    visits.begin("s", click)
    assert visits.news("s") == ([], 0)
    visits.forget("s", click)
    assert visits.news("s") == ([], 0)
    assert visits.counts("s") == {}
    clicked(visits, "s", "d")
    news = visits.news("s")
    assert news is not None
    assert [click["click_id"] for click in news[0]] == ["d"]


def test_a_verdict_wakes_those_who_wait_for_it_and_verdicts_of_strangers_leave_no_trace() -> None:
    visits = Visits()
    click, _ = clicked(visits, "s", "c")
    got: list[object] = []
    waiting = threading.Thread(target=lambda: got.append(visits.wait("s", click, 30)))
    waiting.start()
    visits.judge("stranger", "c", True, 3, "3-in-10s")
    visits.judge("s", "not there", True, 3, "3-in-10s")
    assert len(visits) == 1
    visits.judge("s", "c", True, 3, "3-in-10s")
    waiting.join(30)
    assert got == [{"verdict": "flagged", "clicks_in_window": 3, "rule_id": "3-in-10s"}]


def test_who_is_forgotten_and_who_is_there_at_the_end_is_sent_home() -> None:
    visits, got = Visits(visitors=1), list[object]()
    clicked(visits, "s", "c")
    _, since = visits.news("s") or ([], 0)
    waiting = threading.Thread(target=lambda: got.append(visits.news("s", since, 30)))
    waiting.start()
    while visits.knows("s"):
        clicked(visits, "another", "d")
    waiting.join(30)
    assert got == [None]
    waiting = threading.Thread(target=lambda: got.append(visits.news("another", 1, 30)))
    waiting.start()
    visits.close()
    waiting.join(30)
    assert got == [None, None]
    assert visits.news("another") is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), st.sampled_from("xy")), max_size=40))
def test_slots_are_never_more_than_there_are_and_all_come_back(steps: list[tuple[bool, str, str]]) -> None:
    slots, held = StreamSlots(Limits(streams=4, address_streams=3, session_streams=2)), list[tuple[str, str]]()
    for take, session, address in steps:
        if take:
            room = len(held) < 4 and sum(s == session for s, _ in held) < 2 and sum(a == address for _, a in held) < 3
            assert slots.take(session, address) is room
            held += [(session, address)] * room
        elif held:
            slots.give_back(*held.pop())
        assert slots.taken == len(held)
    for each in held:
        slots.give_back(*each)
    assert slots.taken == 0


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = secret_key({}, tmp_path)
    assert secret_key({}, tmp_path) == key
    assert (tmp_path / "click-app.key").stat().st_mode & 0o777 == 0o600
    assert len(key) >= 32
    (tmp_path / "click-app.key").chmod(0o644)
    with pytest.raises(SetupError, match="can be read by others"):
        secret_key({}, tmp_path)
    (tmp_path / "click-app.key").unlink()
    assert secret_key({}, tmp_path) != key
    (tmp_path / "click-app.key").write_text("")
    with pytest.raises(SetupError, match="holds no key"):
        secret_key({}, tmp_path)


def test_a_key_of_the_environment_wins_and_must_be_long(tmp_path: Path) -> None:
    assert secret_key({KEY_VARIABLE: "k" * 32}, tmp_path) == "k" * 32
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SetupError, match="has 5 characters, 32 are needed"):
        secret_key({KEY_VARIABLE: "short"}, tmp_path)
