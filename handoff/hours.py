"""When people are there: opening hours in the business's own time zone, and when to call somebody back.

Spans are read on the wall clock, so that a clock change moves nothing; one that ends before it begins goes on
overnight and belongs to the day it begins on, holidays too. "Twilio has no hours resource for voice."
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from policies.agent_handoff import Hours as Config

WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AHEAD: Final = 92  # days that are looked at for the next opening
SLOT: Final = 3600.0  # seconds from one callback that is offered to the next
NOTICE: Final = 1800.0  # seconds that people have before the first of them
CALL: Final = 1800.0  # seconds that people have for it before they close

Span = tuple[float, float]
"""From, and up to: seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Openness:
    """`until` is when it changes, as far as is known. `manual`: somebody said so, whatever the hours are."""

    open: bool
    reason: Literal["", "closed", "holiday", "manual"] = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody opens or closes by hand; without `until`, till they take it back."""

    open: bool
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """`week`: the spans of each day, Monday first, in minutes after midnight; the end may be past 24:00."""

    zone: ZoneInfo
    week: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[date] = frozenset()
    override: Override | None = None

    @classmethod
    def of(cls, config: Config) -> Hours:
        days: dict[str, list[tuple[int, int]]] = {day: [] for day in WEEK}
        for named, spans in config.open.items():
            for day in _days(named):
                days[day] += map(_minutes, spans)
        return cls(
            ZoneInfo(config.timezone),
            tuple(tuple(days[day]) for day in WEEK),
            frozenset(map(date.fromisoformat, config.holidays)),
        )

    def overridden(self, override: Override | None) -> Hours:
        return replace(self, override=override)

    def is_open(self, now: float) -> Openness:
        override = self._override(now)
        end = next((end for start, end in self._spans(now) if start <= now < end), None)
        if end is not None:
            # What is open to the end of the days that are looked at is open all week: no end is known.
            known = end < self._horizon(now)
            return Openness(True, "manual" if override else "", end if known else None)
        opens = self.next_open(now)
        if override:
            return Openness(False, "manual", opens)
        return Openness(False, "holiday" if self._day(now) in self.holidays else "closed", opens)

    def next_open(self, now: float) -> float | None:
        """When people are there next: `now`, where they are. None: not in the next three months."""
        return next((max(start, now) for start, _ in self._spans(now)), None)

    def slots(self, now: float, count: int) -> list[float]:
        """Whole hours at which somebody is there to call back, the first ones from `now` on.

        Not while it is open by hand only: those who are there tonight need not be there tomorrow night.
        """
        found: list[float] = []
        for start, end in self._spans(now, by_hand=False):
            at = self._whole_hour(max(start, now + NOTICE))
            while at + CALL <= end and len(found) < count:
                found.append(at)
                at = self._whole_hour(at + SLOT)
            if len(found) >= count:
                break
        return found

    def said(self, at: float, now: float, language: str) -> str:
        """A time as people say it, by the business's clock: "tomorrow at ten", "내일 오전 열 시"."""
        then, today = self._local(at), self._day(now)
        return (_korean if language.casefold().partition("-")[0] == "ko" else _english)(then, today)

    def _spans(self, now: float, *, by_hand: bool = True) -> Iterator[Span]:
        """What is open from `now` on, in order, none touching the next; as somebody set it by hand."""
        override = self._override(now)
        planned = (span for span in _joined(self._planned(now)) if span[1] > now)
        if override is None or (override.open and not by_hand):
            yield from planned
            return
        until = math.inf if override.until is None else override.until
        left = ((max(start, until), end) for start, end in planned if end > until)
        if override.open:
            yield from _joined(iter([(now, until)]) if math.isinf(until) else _after((now, until), left))
        elif not math.isinf(until):
            yield from left

    def _planned(self, now: float) -> Iterator[Span]:
        """By the timetable, from yesterday's on: a span may go on overnight. In the order they begin."""
        first = self._day(now) - timedelta(days=1)
        for day in (first + timedelta(days=number) for number in range(AHEAD)):
            if day in self.holidays:
                continue
            midnight = datetime.combine(day, time())
            for begins, ends in sorted(self.week[day.weekday()]):
                start = self._instant(midnight + timedelta(minutes=begins), last=False)
                end = self._instant(midnight + timedelta(minutes=ends), last=True)
                if start < end:  # not one that lies in the hour that a clock change leaves out
                    yield start, end

    def _horizon(self, now: float) -> float:
        """The midnight up to which the timetable is read."""
        last = datetime.combine(self._day(now) + timedelta(days=AHEAD - 1), time())
        return self._instant(last, last=False)

    def _instant(self, wall: datetime, *, last: bool) -> float:
        """When the clock on the wall shows this; of a time that comes twice, the first or the last.

        A time that is left out comes at the change itself: that is when the clock has passed it.
        """
        first = wall.replace(tzinfo=self.zone).timestamp()
        second = wall.replace(tzinfo=self.zone, fold=1).timestamp()
        if second >= first:
            return second if last else first
        before, after = second, first
        while after - before > 1:
            middle = (before + after) // 2
            same = self._local(middle).utcoffset() == self._local(before).utcoffset()
            before, after = (middle, after) if same else (before, middle)
        return after

    def _override(self, now: float) -> Override | None:
        override = self.override
        return override if override and (override.until is None or now < override.until) else None

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self.zone)

    def _day(self, at: float) -> date:
        return self._local(at).date()

    def _whole_hour(self, at: float) -> float:
        local = self._local(math.ceil(at))
        return math.ceil(at) + (-(local.minute * 60 + local.second)) % 3600


def _joined(spans: Iterator[Span]) -> Iterator[Span]:
    """Spans that touch or overlap are one: nobody hears "we close at midnight" where Tuesday goes on."""
    last: Span | None = None
    for start, end in spans:
        if last and start <= last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last:
            yield last
        last = (start, end)
    if last:
        yield last


def _after(first: Span, others: Iterator[Span]) -> Iterator[Span]:
    yield first
    yield from others


def _days(named: str) -> tuple[str, ...]:
    """`mon-fri`, and `sat-mon` over the end of the week."""
    first, _, last = named.partition("-")
    start, stop = WEEK.index(first), WEEK.index(last or first)
    return WEEK[start : stop + 1] if start <= stop else WEEK[start:] + WEEK[: stop + 1]


def _minutes(span: str) -> tuple[int, int]:
    """`22:00-06:00` ends on the day after; the same time twice is a whole day."""
    begins, ends = (int(each[:2]) * 60 + int(each[3:]) for each in span.split("-"))
    return begins, ends if ends > begins else ends + 24 * 60


ONES: Final = (
    "oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty")
ORDINALS: Final = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third "
    "twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"
)
DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
MONTHS: Final = "January February March April May June July August September October November December"
HOURS_KO: Final = "열두 한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 열한"
DIGITS_KO: Final = ("", *"일이삼사오육칠팔구")
DAYS_KO: Final = "월화수목금토일"


def _english(then: datetime, today: date) -> str:
    away = (then.date() - today).days
    name = _word(DAYS, then.weekday())
    if away in (0, 1):
        day = ("today", "tomorrow")[away]
    elif 1 < away < len(WEEK):
        day = f"on {name}"
    else:
        day = f"on {name}, {_word(MONTHS, then.month - 1)} {_word(ORDINALS, then.day - 1)},"
    if then.minute == 0 and then.hour % 12 == 0:
        return f"{day} at {'noon' if then.hour else 'midnight'}"
    hour = _word(ONES, then.hour % 12 or 12)
    minutes = f" {_minutes_said(then.minute)}" if then.minute else ""
    return f"{day} at {hour}{minutes}{_part_of_day(then.hour)}"


def _minutes_said(minute: int) -> str:
    if minute < 10:
        return f"oh {_word(ONES, minute)}"
    if minute < 20:
        return _word(ONES, minute)
    tens, ones = divmod(minute, 10)
    return f"{TENS[tens]}-{_word(ONES, ones)}" if ones else TENS[tens]


def _part_of_day(hour: int) -> str:
    """Only where it could be taken for the other one: at two, nobody thinks of the night."""
    if 8 <= hour < 18:
        return ""
    if hour < 8:
        return " in the morning" if hour else " at night"
    return " in the evening" if hour < 22 else " at night"


def _korean(then: datetime, today: date) -> str:
    away = (then.date() - today).days
    name = f"{DAYS_KO[then.weekday()]}요일"
    if away in (0, 1, 2):
        day = ("오늘", "내일", "모레")[away]
    elif 2 < away < len(WEEK):
        day = name
    else:
        month = {6: "유", 10: "시"}.get(then.month) or _sino(then.month)
        day = f"{month}월 {_sino(then.day)}일 {name}"
    if then.minute == 0 and then.hour == 0:
        return f"{day} 자정"
    half = "낮" if then.hour == 12 else "오후" if then.hour > 12 else "오전"
    minutes = f" {_sino(then.minute)} 분" if then.minute else ""
    return f"{day} {half} {_word(HOURS_KO, then.hour % 12)} 시{minutes}"


def _sino(number: int) -> str:
    """`34` as `삼십사`; up to 99."""
    tens, ones = divmod(number, 10)
    return f"{'' if tens == 1 else DIGITS_KO[tens]}{'십' if tens else ''}{DIGITS_KO[ones]}"


def _word(words: str, number: int) -> str:
    return words.split()[number]
