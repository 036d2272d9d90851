"""What the pages show, and that nothing a caller says can act in them."""

from __future__ import annotations

import httpx
import pytest

from compliance.events import Event, Fact, Kind
from compliance.record import CallLine, JournalUnreadable, StoredEvent
from tests.console.house import Nothing, Shelf, pages

SID = "CA" + "1" * 32
ATTACK = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def events(*told: tuple[Kind, int, dict[str, Fact]]) -> list[Event]:
    return [
        Event(SID, 1_800_000_000.0 + at, kind, turn, 1, facts) for at, (kind, turn, facts) in enumerate(told)
    ]


def browser(reader: Shelf | Nothing) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(pages(reader)), base_url="http://127.0.0.1:8080")


async def text(reader: Shelf | Nothing, path: str, status: int = 200) -> str:
    async with browser(reader) as client:
        answer = await client.get(path)
        assert answer.status_code == status
        return answer.text


async def test_the_list_has_the_newest_first_with_what_became_of_them() -> None:
    shelf = Shelf(
        listed=[
            CallLine(
                "CA2", "sales", "+15550100009", "+15550100001", "inbound", 1_800_000_100.0, None, "", 1, False
            ),
            CallLine(SID, "demo", "", "", "inbound", 1_800_000_000.0, 1_800_000_075.2, "handed_off", 3, True),
        ]
    )
    page = await text(shelf, "/console/calls")
    assert page.index("/console/calls/CA2") < page.index(f"/console/calls/{SID}")
    for shown in ("+15550100009", "unknown", "1:15", "handed off", "in progress", "rehearsal", "2027-01-15"):
        assert shown in page


async def test_before_the_first_call_the_list_says_how_to_place_one() -> None:
    assert 'href="/phone"' in await text(Nothing(), "/console/calls")


async def test_the_console_begins_with_the_calls() -> None:
    async with browser(Nothing()) as client:
        assert (await client.get("/console/")).headers["location"] == "/console/calls"


@pytest.mark.parametrize("reader", [Shelf(), Nothing()])
async def test_a_call_that_is_not_there_is_told_in_words(reader: Shelf | Nothing) -> None:
    assert "No call of this name is in the record." in await text(reader, f"/console/calls/{SID}", 404)


class Broken(Shelf):
    def events(self, call_sid: str, after: int = 0) -> list[StoredEvent]:
        raise JournalUnreadable("the disk is gone")

    def calls(self, limit: int = 50) -> list[CallLine]:
        raise JournalUnreadable("the disk is gone")


@pytest.mark.parametrize("path", ["/console/calls", f"/console/calls/{SID}"])
async def test_a_record_that_cannot_be_read_is_told_in_words(path: str) -> None:
    assert "cannot be read at the moment" in await text(Broken(), path, 503)


async def test_a_call_is_headed_by_the_three_lines() -> None:
    told = events(
        (Kind.CALL_ANNOUNCED, 0, {"from": "+15550100002", "agent": "demo", "rehearsal": True}),
        (Kind.CONTEXT_RULED, 1, {"entered": ["name"], "withheld": ["private_notes"]}),
        (
            Kind.CALL_ENDED,
            0,
            {"outcome": "resolved", "stopped": "the caller hung up", "next_action": "not_required"},
        ),
    )
    page = await text(Shelf({SID: told}), f"/console/calls/{SID}")
    places = [
        page.index(line) for line in ("entered name; withheld private_notes", "the caller hung up", "nobody")
    ]
    assert places == sorted(places)
    assert places[-1] < page.index("Every event, on one clock")
    assert "rehearsal" in page


async def test_what_was_sent_and_not_heard_is_struck_through() -> None:
    told = events(
        (Kind.PROMPT, 0, {"text": "What does it cost?"}),
        (Kind.TURN_STARTED, 1, {"text": "What does it cost?"}),
        (Kind.SAID, 1, {"text": "It costs forty dollars a year.", "purpose": "reply"}),
        (Kind.HEARD, 1, {"text": "It costs forty", "purpose": "reply", "whole": False}),
    )
    page = await text(Shelf({SID: told}), f"/console/calls/{SID}")
    assert '<span class="heard">It costs forty</span>' in page
    assert ">dollars a year.</s>" in page


@pytest.mark.parametrize(
    "kind", [Kind.PROMPT, Kind.SAID, Kind.HEARD, Kind.KEYS, Kind.INTERRUPT, Kind.DISCLOSURE_SENT]
)
async def test_what_anybody_said_stays_text(kind: Kind) -> None:
    hostile: dict[str, Fact] = {"text": ATTACK, "heard": ATTACK, "purpose": ATTACK, "whole": True}
    announced: dict[str, Fact] = {"from": ATTACK, "agent": ATTACK}
    told = events(
        (Kind.CALL_ANNOUNCED, 0, announced), (kind, 0, hostile), (Kind.TURN_STARTED, 1, {"text": ATTACK})
    )
    line = CallLine(SID, ATTACK, ATTACK, ATTACK, "inbound", 0.0, 1.0, ATTACK, 1, False)
    shelf = Shelf({SID: told}, [line])
    for page in (await text(shelf, f"/console/calls/{SID}"), await text(shelf, "/console/calls")):
        assert "&lt;script&gt;alert(" in page
        assert "<script>" not in page
        assert "<img" not in page


async def test_the_phone_names_the_agent() -> None:
    page = await text(Nothing(), "/phone")
    assert '<h1 id="agent">demo</h1>' in page
