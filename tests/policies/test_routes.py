"""Which destination a call goes to: the first route that fits."""

from __future__ import annotations

import pytest

from policies.agent_handoff import Route
from policies.routes import route


def routes(*written: dict[str, object]) -> list[Route]:
    return [Route.model_validate(each) for each in written]


ROUTES = routes(
    {"when": {"reason": ("emergency",)}, "to": "duty"},
    {"when": {"reason": ("explicit_request", "complaint"), "tier": ("vip",)}, "to": "desk"},
    {"when": {"intent": ("booking",), "language": ("ko-KR",)}, "to": "seoul"},
    {"when": {"language": ("en",)}, "to": "sales"},
)


@pytest.mark.parametrize(
    ("reason", "intent", "tier", "language", "to"),
    [
        ("emergency", "booking", "vip", "ko-KR", "duty"),
        ("complaint", "", "vip", "en-US", "desk"),
        ("complaint", "", "", "en-US", "sales"),
        ("silence", "booking", "", "ko-KR", "seoul"),
        ("silence", "cancel", "", "ko-KR", None),
        ("silence", "", "", "EN-us", "sales"),
        ("silence", "", "", "ja-JP", None),
    ],
)
def test_the_first_route_whose_every_condition_holds(
    reason: str, intent: str, tier: str, language: str, to: str | None
) -> None:
    assert route(ROUTES, reason, intent, tier, language) == to


def test_a_route_without_conditions_fits_always() -> None:
    assert route(routes({"to": "duty"}), "silence", "", "", "ja-JP") == "duty"


def test_the_order_of_the_file_decides() -> None:
    both = routes({"to": "first"}, {"when": {"reason": ("silence",)}, "to": "second"})
    assert route(both, "silence", "", "", "en-US") == "first"


def test_without_routes_there_is_no_destination() -> None:
    assert route((), "silence", "", "", "en-US") is None


def test_a_language_without_region_is_not_met_by_another_that_begins_alike() -> None:
    london = routes({"when": {"language": ("en-GB",)}, "to": "london"})
    helsinki = routes({"when": {"language": ("fi",)}, "to": "helsinki"})
    assert route(london, "silence", "", "", "en-US") is None
    assert route(helsinki, "silence", "", "", "fil-PH") is None
