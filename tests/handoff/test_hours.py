"""Open when the business says so, by its own clock: overnight, on holidays, through both clock changes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.hours import CALL, NOTICE, Hours, Openness, Override
from policies.agent_handoff import Hours as Config
from policies.guard import linter, packs
from policies.guard.rulebook import compile_rules

EVERYTHING = compile_rules([rule for name in packs.NAMES for rule in packs.pack(name)])
ZONES = ("America/New_York", "Asia/Seoul", "Europe/Berlin")


def config(timezone: str = "America/New_York", **more: object) -> Config:
    return Config.model_validate({"timezone": timezone, "open": {"mon-fri": "09:00-18:00"}, **more})


def hours(timezone: str = "America/New_York", **more: object) -> Hours:
    return Hours.of(config(timezone, **more))


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


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
    assert hours().is_open(at(now)).open is is_open
    assert Hours.of(config()).is_open(datetime.fromisoformat(now).timestamp()).open is is_open


def test_it_says_when_it_changes() -> None:
    assert hours().is_open(at("2026-11-27T10:00-05:00")) == Openness(True, "", at("2026-11-27T18:00-05:00"))
    closed = hours().is_open(at("2026-11-27T20:00-05:00"))
    assert closed == Openness(False, "closed", at("2026-11-30T09:00-05:00"))


def test_the_next_opening_is_now_where_it_is_open() -> None:
    now = at("2026-11-27T10:00-05:00")
    assert hours().next_open(now) == now
    assert hours().next_open(at("2026-11-27T20:00-05:00")) == at("2026-11-30T09:00-05:00")
    assert hours(open={}).next_open(now) is None
    assert hours(open={}).is_open(now) == Openness(False, "closed", None)


def test_a_holiday_is_closed_and_named() -> None:
    closed = hours(holidays=("2026-11-27",)).is_open(at("2026-11-27T10:00-05:00"))
    assert closed == Openness(False, "holiday", at("2026-11-30T09:00-05:00"))


def test_a_span_goes_on_overnight_and_belongs_to_the_day_it_begins_on() -> None:
    night = hours(open={"fri": "22:00-06:00"}, holidays=("2026-11-28",))
    assert night.is_open(at("2026-11-28T05:59-05:00")).open
    assert night.is_open(at("2026-11-28T06:00-05:00")).reason == "holiday"
    assert not night.is_open(at("2026-11-27T05:00-05:00")).open
    assert (
        not hours(open={"fri": "22:00-06:00"}, holidays=("2026-11-27",))
        .is_open(at("2026-11-28T01:00-05:00"))
        .open
    )


def test_several_spans_and_days_over_the_end_of_the_week() -> None:
    spans = hours(open={"mon-fri": ("13:00-18:00", "09:00-12:00"), "sat-sun": "00:00-24:00"})
    assert spans.is_open(at("2026-11-27T12:30-05:00")).until == at("2026-11-27T13:00-05:00")
    assert spans.is_open(at("2026-11-27T13:00-05:00")).open
    assert hours(open={"sun-mon": "09:00-10:00"}).is_open(at("2026-11-29T09:30-05:00")).open


def test_spans_that_touch_at_midnight_are_one() -> None:
    weekend = hours(open={"sat-sun": "00:00-24:00"})
    assert weekend.is_open(at("2026-11-28T23:59-05:00")).until == at("2026-11-30T00:00-05:00")


def test_where_somebody_is_always_there_no_end_is_made_up() -> None:
    now = at("2026-11-27T10:00-05:00")
    always = hours(open={"mon-sun": "00:00-24:00"})
    assert always.is_open(now) == Openness(True, "", None)
    assert hours(open={"mon-sun": "08:00-08:00"}).is_open(now) == Openness(True, "", None)
    until = at("2026-12-25T00:00-05:00")
    but_one_day = hours(open={"mon-sun": "00:00-24:00"}, holidays=("2026-12-25",))
    assert but_one_day.is_open(now) == Openness(True, "", until)
    assert but_one_day.is_open(until) == Openness(False, "holiday", at("2026-12-26T00:00-05:00"))
    assert always.overridden(Override(open=True, until=until)).is_open(now) == Openness(True, "manual", None)
    assert always.slots(now, 1) == [at("2026-11-27T11:00-05:00")]


@pytest.mark.parametrize(
    ("zone", "now", "is_open"),
    [
        ("America/New_York", "2026-03-08T12:59+00:00", False),  # the clock goes forward: 08:59
        ("America/New_York", "2026-03-08T13:00+00:00", True),
        ("America/New_York", "2026-11-01T13:59+00:00", False),  # it goes back
        ("America/New_York", "2026-11-01T14:00+00:00", True),
        ("Europe/Berlin", "2026-03-29T06:59+00:00", False),
        ("Europe/Berlin", "2026-03-29T07:00+00:00", True),
        ("Europe/Berlin", "2026-10-25T07:59+00:00", False),
        ("Europe/Berlin", "2026-10-25T08:00+00:00", True),
        ("Asia/Seoul", "2026-03-28T23:59+00:00", False),  # no change there: the same moment all year
        ("Asia/Seoul", "2026-03-29T00:00+00:00", True),
        ("Asia/Seoul", "2026-10-24T23:59+00:00", False),
        ("Asia/Seoul", "2026-10-25T00:00+00:00", True),
    ],
)
def test_nine_is_nine_on_the_days_of_a_clock_change(zone: str, now: str, *, is_open: bool) -> None:
    assert hours(zone, open={"sun": "09:00-18:00"}).is_open(at(now)).open is is_open


@pytest.mark.parametrize(
    ("zone", "span", "opens", "closes"),
    [
        # forward: what begins in the hour that is left out begins at the change
        ("America/New_York", "02:30-04:00", "2026-03-08T07:00+00:00", "2026-03-08T08:00+00:00"),
        ("America/New_York", "01:00-02:30", "2026-03-08T06:00+00:00", "2026-03-08T07:00+00:00"),
        ("Europe/Berlin", "02:30-04:00", "2026-03-29T01:00+00:00", "2026-03-29T02:00+00:00"),
        # back: what ends in the hour that comes twice ends when it is over for good
        ("America/New_York", "01:00-01:30", "2026-11-01T05:00+00:00", "2026-11-01T06:30+00:00"),
        ("Europe/Berlin", "02:15-02:45", "2026-10-25T00:15+00:00", "2026-10-25T01:45+00:00"),
    ],
)
def test_a_span_through_the_night_of_a_clock_change(zone: str, span: str, opens: str, closes: str) -> None:
    night = hours(zone, open={"sun": span})
    assert night.next_open(at(opens) - 7200) == at(opens)
    assert not night.is_open(at(opens) - 1).open
    assert night.is_open(at(opens)) == Openness(True, "", at(closes))
    assert night.is_open(at(closes) - 1).open
    assert not night.is_open(at(closes)).open


def test_a_span_inside_the_hour_that_is_left_out_does_not_take_place() -> None:
    gap = hours(open={"sun": "02:10-02:40"})
    assert gap.next_open(at("2026-03-08T00:00-05:00")) == at("2026-03-15T02:10-04:00")


def test_a_night_that_loses_an_hour_is_still_one_span() -> None:
    night = hours(open={"sat": "22:00-06:00"})
    assert night.is_open(at("2026-03-08T06:30+00:00")).until == at("2026-03-08T10:00+00:00")
    assert not night.is_open(at("2026-03-08T10:00+00:00")).open


def test_somebody_closes_by_hand_for_a_while() -> None:
    now, until = at("2026-11-27T10:00-05:00"), at("2026-11-27T12:00-05:00")
    closed = hours().overridden(Override(open=False, until=until))
    assert closed.is_open(now) == Openness(False, "manual", until)
    assert closed.is_open(until) == Openness(True, "", at("2026-11-27T18:00-05:00"))
    past_six = hours().overridden(Override(open=False, until=at("2026-11-27T19:00-05:00")))
    assert past_six.is_open(now).until == at("2026-11-30T09:00-05:00")
    assert hours().overridden(Override(open=False)).is_open(now) == Openness(False, "manual", None)
    assert hours().overridden(Override(open=False)).slots(now, 3) == []


def test_somebody_opens_by_hand_for_a_while() -> None:
    now, until = at("2026-11-28T10:00-05:00"), at("2026-11-28T12:00-05:00")
    opened = hours().overridden(Override(open=True, until=until))
    assert opened.is_open(now) == Openness(True, "manual", until)
    assert opened.is_open(until) == Openness(False, "closed", at("2026-11-30T09:00-05:00"))
    assert hours().overridden(Override(open=True)).is_open(now) == Openness(True, "manual", None)
    assert opened.overridden(None).is_open(now).open is False


def test_opening_by_hand_offers_no_callback_outside_the_hours() -> None:
    opened = hours().overridden(Override(open=True))
    assert opened.slots(at("2026-11-28T10:00-05:00"), 1) == [at("2026-11-30T09:00-05:00")]


def test_callbacks_are_offered_at_whole_hours_with_notice_and_before_closing() -> None:
    slots = hours().slots(at("2026-11-27T15:40-05:00"), 3)
    assert slots == [at(f"2026-11-{each}-05:00") for each in ("27T17:00", "30T09:00", "30T10:00")]
    assert hours(open={}).slots(at("2026-11-27T15:40-05:00"), 3) == []
    assert hours().slots(at("2026-11-27T15:40-05:00"), 0) == []


@given(
    zone=st.sampled_from(ZONES),
    now=st.integers(min_value=1_760_000_000, max_value=1_830_000_000),
    span=st.sampled_from(("09:00-18:00", "22:00-06:00", "00:00-24:00", "01:30-02:30", "08:15-08:30")),
)
def test_every_slot_is_open_and_what_is_open_says_so_until_it_ends(zone: str, now: int, span: str) -> None:
    each = hours(zone, open={"mon-fri": span, "sun": span}, holidays=("2026-11-02", "2026-12-25"))
    shown = each.is_open(now)
    assert shown.until is not None
    assert shown.until > now
    assert each.is_open(shown.until).open is not shown.open
    assert each.is_open(shown.until - 1).open is shown.open
    slots = each.slots(now, 3)
    assert slots == sorted(set(slots))
    for slot in slots:
        assert slot >= now + NOTICE
        assert each.is_open(slot).open
        assert each.is_open(slot + CALL - 1).open
        assert datetime.fromtimestamp(slot, ZoneInfo(zone)).minute == 0


@pytest.mark.parametrize(
    ("when", "english", "korean"),
    [
        ("2026-11-27T14:00", "today at two", "오늘 오후 두 시"),
        ("2026-11-28T10:00", "tomorrow at ten", "내일 오전 열 시"),
        ("2026-11-29T12:00", "on Sunday at noon", "모레 낮 열두 시"),
        ("2026-12-01T09:30", "on Tuesday at nine thirty", "화요일 오전 아홉 시 삼십 분"),
        ("2026-12-04T10:00", "on Friday, December fourth, at ten", "십이월 사일 금요일 오전 열 시"),
        (
            "2027-06-21T08:05",
            "on Monday, June twenty-first, at eight oh five",
            "유월 이십일일 월요일 오전 여덟 시 오 분",
        ),
        ("2026-11-28T07:45", "tomorrow at seven forty-five in the morning", "내일 오전 일곱 시 사십오 분"),
        ("2026-11-28T20:15", "tomorrow at eight fifteen in the evening", "내일 오후 여덟 시 십오 분"),
        ("2026-11-28T00:00", "tomorrow at midnight", "내일 자정"),
        ("2026-11-28T00:20", "tomorrow at twelve twenty at night", "내일 오전 열두 시 이십 분"),
    ],
)
def test_a_time_is_said_as_people_say_it(when: str, english: str, korean: str) -> None:
    for zone in ZONES:
        clock = ZoneInfo(zone)
        then, now = (
            datetime.fromisoformat(text).replace(tzinfo=clock) for text in (when, "2026-11-27T09:00")
        )
        for language, said in (("en-US", english), ("ko-KR", korean), ("de-DE", english)):
            assert hours(zone).said(then.timestamp(), now.timestamp(), language) == said
            assert linter.fired(EVERYTHING, said) == set()


def test_tomorrow_is_by_the_clock_of_the_business() -> None:
    now, then = at("2026-11-27T23:30+00:00"), at("2026-11-28T15:00+00:00")
    assert hours("America/New_York").said(then, now, "en") == "tomorrow at ten"
    assert hours("Asia/Seoul").said(at("2026-11-28T05:00+00:00"), now, "ko") == "오늘 오후 두 시"
