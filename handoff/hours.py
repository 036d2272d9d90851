"""When people are there: opening hours in the business's own time zone, on its own holidays.

Spans are read on the wall clock, so that a clock change moves nothing; one that ends before it begins goes on
overnight and belongs to the day it begins on. "Twilio has no hours resource for voice."
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from policies.agent_handoff import Hours as Config

WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AHEAD: Final = 14  # days that are looked at for the next opening


@dataclass(frozen=True, slots=True)
class Openness:
    """`reason` is empty, `closed` or `holiday`; `until` is when it changes, as far as is known."""

    open: bool
    reason: str = ""
    until: datetime | None = None


def openness(config: Config, now: datetime) -> Openness:
    """`now` knows its zone."""
    local = now.astimezone(ZoneInfo(config.timezone))
    spans = list(_spans(config, local.date() - timedelta(days=1), AHEAD))
    for start, end in spans:
        if start <= local < end:
            return Openness(True, until=end)
    opens = next((start for start, _ in spans if start > local), None)
    reason = "holiday" if local.date().isoformat() in config.holidays else "closed"
    return Openness(False, reason, opens)


def _spans(config: Config, first: date, days: int) -> Iterator[tuple[datetime, datetime]]:
    """In the order in which they begin."""
    zone = ZoneInfo(config.timezone)
    for number in range(days):
        day = first + timedelta(days=number)
        if day.isoformat() in config.holidays:
            continue
        found = [
            _span(day, span, zone)
            for named, spans in config.open.items()
            if WEEK[day.weekday()] in _days(named)
            for span in spans
        ]
        yield from sorted(found)


def _span(day: date, span: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    begins, _, ends = span.partition("-")
    start = datetime.combine(day, _time(begins), zone)
    until = day + timedelta(days=1) if ends == "24:00" or _time(ends) <= _time(begins) else day
    return start, datetime.combine(until, _time(ends), zone)


def _days(named: str) -> tuple[str, ...]:
    """`mon-fri`, and `sat-mon` over the end of the week."""
    first, _, last = named.partition("-")
    start, stop = WEEK.index(first), WEEK.index(last or first)
    return WEEK[start : stop + 1] if start <= stop else WEEK[start:] + WEEK[: stop + 1]


def _time(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)
