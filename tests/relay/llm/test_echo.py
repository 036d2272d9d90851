"""The echo says back the caller's last words."""

from __future__ import annotations

from relay.llm import echo
from relay.llm.port import Finish, FinishReason, Text
from tests.relay.llm.providers import ASKED, whole


async def test_it_says_back_what_it_heard_last() -> None:
    model = echo.connect()
    assert model.name == "echo/echo"
    assert await whole(model, ASKED) == [Text("You said: What does it cost?"), Finish(FinishReason.STOP)]
