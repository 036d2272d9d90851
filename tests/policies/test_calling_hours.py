"""Nobody is rung before eight or after nine by the clock where they are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policies.calling_hours import check

NEW_YORK, LOS_ANGELES, SEOUL = "America/New_York", "America/Los_Angeles", "Asia/Seoul"


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        ("2026-11-27T12:59", False),  # 07:59 in New York
        ("2026-11-27T13:00", True),
        ("2026-11-28T01:59", True),  # 20:59
        ("2026-11-28T02:00", False),
    ],
)
def test_the_edges_of_the_day_in_new_york(at: str, *, allowed: bool) -> None:
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert (check(now, [NEW_YORK]) is None) is allowed


def test_the_clock_change_moves_the_edge() -> None:
    assert check(datetime(2026, 7, 1, 12, 0, tzinfo=UTC), [NEW_YORK]) is None  # 08:00 in summer time
    assert check(datetime(2026, 12, 1, 12, 0, tzinfo=UTC), [NEW_YORK]) is not None


def test_a_number_that_may_be_in_two_zones_is_rung_only_when_both_are_awake() -> None:
    refused = check(datetime(2026, 11, 27, 13, 0, tzinfo=UTC), [NEW_YORK, LOS_ANGELES])
    assert refused is not None
    assert refused.zone == LOS_ANGELES
    assert refused.again == datetime(2026, 11, 27, 16, 0, tzinfo=UTC)
    assert "it is 05:00 in America/Los_Angeles" in str(refused)


def test_the_far_sides_of_the_world_still_share_an_hour() -> None:
    refused = check(datetime(2026, 11, 27, 3, 0, tzinfo=UTC), [SEOUL, "America/Sao_Paulo"])
    assert refused is not None
    assert refused.again == datetime(2026, 11, 27, 11, 0, tzinfo=UTC)
