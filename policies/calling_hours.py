"""When a business may ring somebody: by the clock where the called number is at home.

US: "before the hour of 8 a.m. or after 9 p.m. (local time at the called party's location)" is forbidden,
47 CFR 64.1200(c)(1). Korea: advertising from 21:00 to 08:00 needs consent of its own, Act on Promotion of
Information and Communications Network Utilization, article 50(3). Where a number can be in several zones,
all of their clocks have to agree; two windows of thirteen hours always share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

FIRST: Final = time(8, 0)
LAST: Final = time(21, 0)
STEP: Final = timedelta(minutes=15)
MOST_STEPS: Final = 4 * 24 * 2


@dataclass(frozen=True, slots=True)
class TooEarlyOrLate:
    """`zone`: where it is not calling time now; `again`: the next moment at which it is, everywhere."""

    zone: str
    local: datetime
    again: datetime

    def __str__(self) -> str:
        again = self.again.isoformat(timespec="minutes")
        return f"it is {self.local:%H:%M} in {self.zone}; calls are allowed from 08:00 to 21:00, next {again}"


def check(now: datetime, zones: Sequence[str]) -> TooEarlyOrLate | None:
    """None: it may be rung. `now` knows its zone; `zones` are IANA names, at least one."""
    refused = next((zone for zone in zones if not _open(now, zone)), None)
    if refused is None:
        return None
    later = (now.replace(minute=0, second=0, microsecond=0) + STEP * step for step in range(MOST_STEPS))
    again = next(at for at in later if at > now and all(_open(at, zone) for zone in zones))
    return TooEarlyOrLate(refused, now.astimezone(ZoneInfo(refused)), again)


def _open(now: datetime, zone: str) -> bool:
    return FIRST <= now.astimezone(ZoneInfo(zone)).time() < LAST
