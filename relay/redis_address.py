"""What REDIS_URL may say: one server, a Sentinel's service, or a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit


class Topology(StrEnum):
    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """`nodes` are host and port: of the server, of the Sentinels, or of some nodes of the cluster."""

    topology: Topology
    nodes: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    service: str = ""  # what the Sentinels call the master
    database: int = 0


SHAPES: Final = (
    "redis[s]://HOST:PORT/DB, redis[s]+sentinel://HOST:PORT,HOST:PORT/NAME/DB "
    "or redis[s]+cluster://HOST:PORT,HOST:PORT"
)
PORTS: Final = {Topology.SINGLE: 6379, Topology.SENTINEL: 26379, Topology.CLUSTER: 6379}


def parse(url: str) -> RedisAddress:
    """Raises `ValueError`, which names REDIS_URL and the mend and quotes nothing: it may hold a password."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise _wrong("it is not an address") from None  # the cause quotes the address
    scheme, _, suffix = parts.scheme.partition("+")
    if scheme not in ("redis", "rediss") or suffix not in ("", "sentinel", "cluster"):
        raise _wrong("its scheme is unknown")
    if parts.fragment or parts.query:
        raise _wrong("? and # have no meaning in it; write %3F and %23 where a password holds them")
    topology = Topology(suffix or "single")
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    service, database = _path(parts, topology)
    return RedisAddress(
        topology=topology,
        nodes=_nodes(hosts, topology),
        tls=scheme == "rediss",
        username=unquote(username) or None,
        password=unquote(password) or None,
        service=service,
        database=database,
    )


def _nodes(hosts: str, topology: Topology) -> tuple[tuple[str, int], ...]:
    nodes = []
    for host in hosts.split(","):
        try:
            node = urlsplit(f"//{host}")
            name, port = node.hostname, node.port or PORTS[topology]
        except ValueError:
            raise _wrong("a port is not a number from 1 to 65535") from None
        if not name:
            raise _wrong("a host is missing")
        nodes.append((name, port))
    if topology is Topology.SINGLE and len(nodes) > 1:
        raise _wrong("several hosts need redis+sentinel or redis+cluster")
    return tuple(nodes)


def _path(parts: SplitResult, topology: Topology) -> tuple[str, int]:
    """The service's name and the database."""
    words = [unquote(word) for word in parts.path.split("/") if word]
    service = ""
    if topology is Topology.SENTINEL:
        if not words:
            raise _wrong("the name of the Sentinels' service is missing")
        service = words.pop(0)
    if len(words) > 1 or not all(word.isdecimal() for word in words):
        raise _wrong("the database is not a number")
    database = int(words[0]) if words else 0
    if topology is Topology.CLUSTER and database:
        raise _wrong("a cluster has no numbered databases")
    return service, database


def _wrong(why: str) -> ValueError:
    return ValueError(f"REDIS_URL: {why}. Write {SHAPES}; unset, the state is kept in FIVEGATES_DATA.")
