"""Twilio's API on loopback, and our client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from handoff.twilio_rest import TwilioRest
from tests.handoff.cases import rest_of
from tests.twilio_api import TwilioApi, twilio_api


@pytest.fixture
def api() -> Iterator[TwilioApi]:
    """Twilio's own OpenAPI files have nothing against any request of a test."""
    with twilio_api() as running:
        yield running
        assert running.refused == []


@pytest.fixture
def judge() -> Iterator[TwilioApi]:
    """The same for tests of the judge, who may refuse."""
    with twilio_api() as running:
        yield running


@pytest.fixture
async def rest(api: TwilioApi) -> AsyncIterator[TwilioRest]:
    async with rest_of(api) as client:
        yield client
