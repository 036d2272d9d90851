"""REDIS_URL names a server, a Sentinel's service or a cluster; a wrong one is told without its password."""

from __future__ import annotations

import pytest

from relay.redis_address import RedisAddress, Topology, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress(Topology.SINGLE, (("cache", 6379),))),
        ("redis://127.0.0.1:6380/2", RedisAddress(Topology.SINGLE, (("127.0.0.1", 6380),), database=2)),
        ("redis://[::1]:6380", RedisAddress(Topology.SINGLE, (("::1", 6380),))),
        (
            "rediss://app:p%40ss%2Fword@cache:6380/0",
            RedisAddress(Topology.SINGLE, (("cache", 6380),), tls=True, username="app", password="p@ss/word"),
        ),
        ("redis://:secret@cache", RedisAddress(Topology.SINGLE, (("cache", 6379),), password="secret")),
        (
            "redis+sentinel://a:26380,b/mymaster/1",
            RedisAddress(Topology.SENTINEL, (("a", 26380), ("b", 26379)), service="mymaster", database=1),
        ),
        (
            "rediss+cluster://:secret@a:7000,b:7001",
            RedisAddress(Topology.CLUSTER, (("a", 7000), ("b", 7001)), tls=True, password="secret"),
        ),
    ],
)
def test_what_an_address_says(url: str, address: RedisAddress) -> None:
    assert parse(url) == address


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("cache:6379", "scheme"),
        ("http://:hunter2@cache", "scheme"),
        ("redis+proxy://:hunter2@cache", "scheme"),
        ("redis://:hunter2@", "a host is missing"),
        ("redis://:hunter2@cache:port", "a port is not a number"),
        ("redis://:hunter2@cache:99999", "a port is not a number"),
        ("redis://:hunter2#x@cache", "%23"),
        ("redis://:hunter2@cache?ssl=no", "? and #"),
        ("redis://:hunter2@cache/first", "database"),
        ("redis://:hunter2@a,b", "several hosts"),
        ("redis://[:hunter2@cache", "not an address"),
        ("redis+sentinel://:hunter2@a,b", "name of the Sentinels' service"),
        ("redis+cluster://:hunter2@a/3", "no numbered databases"),
    ],
)
def test_a_wrong_address_is_told_by_name_and_without_its_password(url: str, why: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL") as told:
        parse(url)
    assert why in str(told.value)
    assert "hunter2" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(parse("redis://:hunter2@cache"))
