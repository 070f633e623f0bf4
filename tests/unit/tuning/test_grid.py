from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.durations import format_duration
from workbench.errors import RuleError
from workbench.rule import Rule
from workbench.tuning.grid import read_thresholds, read_windows
from workbench.tuning.surface import grid

ms = st.integers(1, 86_400_000)


@given(ms, ms)
def test_a_range_of_windows_has_its_ends_rises_and_holds_only_what_a_rule_takes(one: int, other: int) -> None:
    low, high = (timedelta(milliseconds=at) for at in sorted((one, other)))
    windows = read_windows(f"{format_duration(low)}..{format_duration(high)}")
    assert (windows[0], windows[-1]) == (low, high)
    assert grid(windows, [3])[0] == tuple(windows)
    assert len(windows) <= 2 + 16 * 8


def test_the_usual_range_has_the_default_rule_in_it() -> None:
    windows = read_windows("1s..60s")
    assert Rule().window in windows
    assert len(windows) == 29


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=5))
def test_thresholds_are_read_as_they_are_listed(thresholds: list[int]) -> None:
    assert read_thresholds(",".join(map(str, thresholds))) == sorted(set(thresholds))
    low, high = min(thresholds), max(thresholds)
    assert read_thresholds(f"{low}..{high}") == list(range(low, high + 1))


@pytest.mark.parametrize("text", ["", " , ", "10", "1s..", "60s..1s", "1s...60s", "0s..1s", "1s..48h", "..", "1s..x"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        read_windows(text)


@pytest.mark.parametrize("text", ["", "0", "2..", "10..2", "x", "-1", "2.5", "1..1001", "²", "9" * 5000])
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        read_thresholds(text)
