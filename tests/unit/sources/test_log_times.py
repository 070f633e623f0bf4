"""Times of logs against those of datetime, and numbers since 1970 in each unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from workbench.sources.log_times import NOT_A_TIME, PER_SECOND, log_time

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_moments = st.datetimes(
    min_value=datetime(1970, 1, 1),
    max_value=datetime(2999, 1, 1),
    timezones=st.integers(-17 * 60, 17 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


def read(text: str, unit: str | None = None) -> datetime:
    found, problem = log_time(text, unit)
    assert found is not None
    assert problem == ""
    return datetime.fromisoformat(found)


@given(_moments.filter(lambda moment: moment >= datetime(1970, 1, 2, tzinfo=UTC)))
def test_every_way_to_write_a_moment_is_read_as_that_moment(moment: datetime) -> None:
    offset = moment.strftime("%z")
    clf = f"{moment:%d}/{_MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S}.{moment.microsecond:06} {offset}"
    assert read(clf) == moment
    assert read(moment.isoformat()) == moment
    assert read(moment.isoformat(sep=" ").replace(".", ",")) == moment
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert read(f"{micros // 10**6}.{micros % 10**6:06}", "s") == moment
    for unit, each in PER_SECOND.items():
        whole = micros * each // 10**6
        assert timedelta(0) <= moment - read(str(whole), unit) < timedelta(seconds=1 / each, microseconds=1)


@given(st.text(max_size=40) | st.text("0123456789-/:T. +ZJan", max_size=40), st.sampled_from([None, *PER_SECOND]))
def test_any_text_is_a_time_or_has_a_reason(text: str, unit: str | None) -> None:
    found, problem = log_time(text, unit)
    assert (found is None) == bool(problem)


def test_numbers_without_a_unit_are_no_times_here() -> None:
    assert log_time("1767323045") == (None, NOT_A_TIME)
