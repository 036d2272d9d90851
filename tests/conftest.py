"""Real servers, one for all tests of a worker: tests keep apart by call identifiers of their own."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests import servers


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with servers.running_redis() as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_cluster_url() -> Iterator[str]:
    with servers.running_cluster() as url:
        yield url


@pytest.fixture(scope="session")
def redis_sentinel_url() -> Iterator[str]:
    with servers.running_sentinel() as url:
        yield url


@pytest.fixture
def call_sid() -> str:
    return f"CA{uuid4().hex}"
