from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from relay.llm import http as model_http
from tests.relay.llm.providers import PROVIDERS, Provider


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with model_http.session() as session:
        yield session


@pytest.fixture(params=list(PROVIDERS.values()), ids=list(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    connect: Provider = request.param
    return connect
