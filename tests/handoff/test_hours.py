"""Open when the business says so, on its own clock: overnight, on holidays, through both clock changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from handoff.hours import openness
from policies.agent_handoff import Hours


def hours(timezone: str = "America/New_York", **more: object) -> Hours:
    fields = {"timezone": timezone, "open": {"mon-fri": "09:00-18:00"}, **more}
    return Hours.model_validate(fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-11-27T08:59-05:00", False),
        ("2026-11-27T09:00-05:00", True),
        ("2026-11-27T17:59-05:00", True),
        ("2026-11-27T18:00-05:00", False),
        ("2026-11-28T12:00-05:00", False),  # a Saturday
    ],
)
def test_the_edges_of_a_day(now: str, *, is_open: bool) -> None:
    assert openness(hours(), at(now)).open is is_open


def test_it_says_when_it_changes() -> None:
    assert openness(hours(), at("2026-11-27T10:00-05:00")).until == at("2026-11-27T18:00-05:00")
    closed = openness(hours(), at("2026-11-27T20:00-05:00"))
    assert (closed.reason, closed.until) == ("closed", at("2026-11-30T09:00-05:00"))


def test_a_holiday_is_closed_and_named() -> None:
    closed = openness(hours(holidays=("2026-11-27",)), at("2026-11-27T10:00-05:00"))
    assert (closed.open, closed.reason) == (False, "holiday")


def test_a_span_goes_on_overnight_and_belongs_to_the_day_it_begins_on() -> None:
    night = hours(open={"fri": "22:00-06:00"}, holidays=("2026-11-28",))
    assert openness(night, at("2026-11-28T05:59-05:00")).open
    assert not openness(night, at("2026-11-28T06:00-05:00")).open
    assert not openness(night, at("2026-11-27T05:00-05:00")).open


def test_several_spans_and_the_whole_day() -> None:
    spans = hours(open={"mon-fri": ("09:00-12:00", "13:00-18:00"), "sat-sun": "00:00-24:00"})
    assert not openness(spans, at("2026-11-27T12:30-05:00")).open
    assert openness(spans, at("2026-11-27T13:00-05:00")).open
    assert openness(spans, at("2026-11-28T23:59-05:00")).open


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-03-08T12:59+00:00", False),  # 08:59 on the day the clock goes forward
        ("2026-03-08T13:00+00:00", True),
        ("2026-11-01T13:59+00:00", False),  # 08:59 on the day it goes back
        ("2026-11-01T14:00+00:00", True),
    ],
)
def test_nine_is_nine_on_the_days_of_a_clock_change(now: str, *, is_open: bool) -> None:
    assert openness(hours(open={"sun": "09:00-18:00"}), at(now)).open is is_open


def test_a_night_that_loses_an_hour_is_still_one_span() -> None:
    night = hours(open={"sat": "22:00-06:00"})
    assert openness(night, at("2026-03-08T06:30+00:00")).open
    assert openness(night, at("2026-03-08T09:59+00:00")).open
    assert not openness(night, at("2026-03-08T10:00+00:00")).open


def test_another_zone_is_another_clock() -> None:
    assert openness(hours("Asia/Seoul"), at("2026-11-27T00:30+00:00")).open
    assert not openness(hours("Asia/Seoul"), at("2026-11-27T10:00+00:00")).open
