"""Session state for many machines: Redis, standalone, behind Sentinel or as a cluster.

Keys (the call's identifier is the hash tag, so that all keys of a call share one slot of a cluster):

    fivegates:{CallSid}:snapshot      hash of session (the fence) and body (JSON of `Snapshot`); 6 hours
    fivegates:{CallSid}:claim:NAME    string, the first value claimed; as long as the claim
    fivegates:{SUBJECT}:slot:NAME     string, exchanged for the next one; as long as was said with it

Each command touches one key and is atomic there. After a failover the newest writes may be gone: snapshots
and claims help a call to go on, and nothing that a gate counts lives here alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from relay.redis_address import RedisAddress, Topology, parse
from relay.state import LIFETIME, Snapshot, StoreUnavailable, decode

CONNECT_SECONDS: Final = 0.5
COMMAND_SECONDS: Final = 0.5

# A snapshot of an older session than the one that holds the call is refused.
SAVE: Final = """
local holds = redis.call('HGET', KEYS[1], 'session')
if holds and tonumber(holds) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'session', ARGV[1], 'body', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

# SET with NX and GET together would do, but only from Redis 7 on.
CLAIM: Final = """
local holds = redis.call('GET', KEYS[1])
if holds then return holds end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
"""


# ARGV: the value that has to be there (with ARGV[4] "0": nothing may be there), the new one, its lifetime.
EXCHANGE: Final = """
local holds = redis.call('GET', KEYS[1])
if ARGV[4] == '0' then
    if holds then return 0 end
elseif holds ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class RedisStore:
    def __init__(self, url: str) -> None:
        """Raises `ValueError` for a wrong address."""
        address = parse(url)
        # Whatever the client does in between: another attempt, asking one node after the other.
        self._deadline = CONNECT_SECONDS * len(address.nodes) + COMMAND_SECONDS
        self._sentinel: Sentinel | None = None
        self._client = self._connect(address)

    async def save(self, snapshot: Snapshot) -> bool:
        body = msgspec.json.encode(snapshot)
        key = _key(snapshot.call_sid, "snapshot")
        accepted = await self._ask(
            self._client.eval(SAVE, 1, key, str(snapshot.session), body, str(_ms(LIFETIME)))
        )
        return bool(accepted)

    async def load(self, call_sid: str) -> Snapshot | None:
        body = await self._ask(self._client.hget(_key(call_sid, "snapshot"), "body"))
        return decode(cast(bytes, body)) if body else None

    async def claim(self, call_sid: str, name: str, value: str, seconds: float) -> str:
        key = _key(call_sid, f"claim:{name}")
        holds = await self._ask(self._client.eval(CLAIM, 1, key, value, str(_ms(seconds))))
        return cast(bytes, holds).decode()

    async def read(self, subject: str, name: str) -> str | None:
        found = await self._ask(self._client.get(_key(subject, f"slot:{name}")))
        return cast(bytes, found).decode() if found is not None else None

    async def exchange(self, subject: str, name: str, before: str | None, after: str, seconds: float) -> bool:
        key, expected = _key(subject, f"slot:{name}"), "0" if before is None else "1"
        lifetime = str(_ms(seconds))
        done = await self._ask(self._client.eval(EXCHANGE, 1, key, before or "", after, lifetime, expected))
        return bool(done)

    async def ping(self) -> None:
        await self._ask(self._client.ping())

    async def close(self) -> None:
        await self._client.aclose()
        if self._sentinel is not None:
            await self._sentinel.aclose()

    async def _ask(self, command: Awaitable[object] | object) -> object:
        try:
            async with asyncio.timeout(self._deadline):
                return await cast(Awaitable[object], command)
        except (RedisError, RedisClusterException, OSError) as error:  # a timeout is an OSError
            raise StoreUnavailable(f"redis: {type(error).__name__}") from error

    def _connect(self, address: RedisAddress) -> Redis | RedisCluster:
        host, port = address.nodes[0]
        common: dict[str, Any] = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": COMMAND_SECONDS,
            "ssl": address.tls,
            "protocol": 2,  # what every Redis and its likes speak; nothing here needs the third
        }
        options = common | {"username": address.username, "password": address.password}
        # One more attempt at once: a pooled connection may be one the server has closed meanwhile.
        again = Retry(NoBackoff(), 1)
        match address.topology:
            case Topology.SINGLE:
                return Redis(host=host, port=port, db=address.database, retry=again, **options)
            case Topology.SENTINEL:
                asking: dict[str, Any] = common | {"retry": Retry(NoBackoff(), 0)}  # the next one may know
                self._sentinel = Sentinel(list(address.nodes), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
                name, number = address.service, address.database
                master: Redis = self._sentinel.master_for(name, db=number, retry=again, **options)
                return master
            case Topology.CLUSTER:
                nodes = [ClusterNode(*node) for node in address.nodes]
                return RedisCluster(startup_nodes=nodes, retry=again, **options)


def _key(call_sid: str, what: str) -> str:
    return f"fivegates:{{{call_sid}}}:{what}"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
