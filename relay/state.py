"""What another process needs to take a call over: a snapshot for each turn, and claims that one holds.

One contract, two engines: a SQLite file for the processes of one machine (`relay.state_sqlite`), Redis for
many machines (`relay.state_redis`). The live call is in the memory of the process that owns its socket;
nothing that speaks to a caller waits for a store, and `WriteBehind` does the writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
import structlog

from policies.vocabulary import Speaker

# Seconds a snapshot outlives its last write. A call lasts at most four hours at Twilio; two more leave room
# for late webhooks, and then what the caller said is gone.
LIFETIME: Final = 6 * 3600.0

RETRY_AFTER: Final = (
    0.05,
    0.5,
)  # seconds: the first wait and the longest; a turn is saved within 1 s of an outage
AT_ONCE: Final = 16  # snapshots on their way at the same time

log = structlog.get_logger()


class StoreUnavailable(Exception):
    """The store gave no answer in time: go on with what this process knows."""


class SavedUtterance(msgspec.Struct, frozen=True):
    """An utterance without its digits: keys a caller pressed never leave memory."""

    speaker: Speaker
    text: str
    interrupted: bool = False


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A call as of its last turn (`unanswered`: it got no reply). `updated_at` is seconds since 1970."""

    call_sid: str
    session: int
    turn: int
    agent: str
    agent_hash: str
    caller: str
    called: str
    outbound: bool = False
    history: tuple[SavedUtterance, ...] = ()
    disclosed: bool = False
    unanswered: bool = False
    resumes: int = 0
    nobody_free: bool = False  # the caller comes back from waiting for a person
    rehearsal: bool = False
    updated_at: float


def decode(body: bytes) -> Snapshot | None:
    """None for what another version of this program wrote and this one cannot read: the call starts anew."""
    try:
        return msgspec.json.decode(body, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError):
        log.warning("a snapshot of another version is ignored")
        return None


class Saves(Protocol):
    async def save(self, snapshot: Snapshot) -> bool:
        """False: refused, because a newer session of the call has saved; this one must fall silent."""
        ...


class SessionStore(Saves, Protocol):
    """Every method raises `StoreUnavailable`: within a second, or two where several Redis nodes are asked."""

    async def load(self, call_sid: str) -> Snapshot | None: ...

    async def claim(self, call_sid: str, name: str, value: str, seconds: float) -> str:
        """The first value claimed under this name wins, for `seconds`; answers with the value that holds."""
        ...

    async def read(self, subject: str, name: str) -> str | None:
        """What `exchange` last put under this name."""
        ...

    async def exchange(self, subject: str, name: str, before: str | None, after: str, seconds: float) -> bool:
        """Put `after` in the place of `before` (None: of nothing), for `seconds`. False: something else is
        there, and nothing was changed."""
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


def open_store(redis_url: str | None, data: Path) -> SessionStore:
    """Redis where `redis_url` is set, else SQLite in the data folder. Connects at the first use.

    Raises `ValueError` for an address that cannot be one, naming REDIS_URL and the mend, never its password.
    """
    if redis_url:
        from relay.state_redis import RedisStore  # its client takes 0.15 s to import

        return RedisStore(redis_url)
    from relay.state_sqlite import SqliteStore

    return SqliteStore(data / "state.sqlite")


class WriteBehind:
    """Saves the newest snapshot of each call, beside the call.

        async with WriteBehind(store, refused=close_the_older_session) as snapshots:
            snapshots.put(snapshot)

    `refused` is told, once, the call and the session that must fall silent: a newer one owns it.
    While the store is away the newest snapshot of each of `most` calls waits in memory, and is delivered
    when the store is back.
    """

    def __init__(self, store: Saves, refused: Callable[[str, int], None], most: int = 10_000) -> None:
        self._store = store
        self._refused = refused
        self._most = most
        self._waiting: dict[str, Snapshot] = {}  # by call, the one that waits longest first
        self._superseded: dict[str, int] = {}  # by call: the session that was refused
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._write_until_closed())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def put(self, snapshot: Snapshot) -> None:
        """Never waits, never fails."""
        call = snapshot.call_sid
        if snapshot.session <= self._superseded.get(call, 0):
            return
        waiting = self._waiting.get(call)
        if waiting and waiting.session > snapshot.session:
            self._refuse(snapshot)
            return
        self._waiting[call] = snapshot
        if len(self._waiting) > self._most:
            del self._waiting[next(iter(self._waiting))]
        self._wake.set()

    async def close(self, limit: float = 2.0) -> None:
        """Write what is waiting, for at most `limit` seconds."""
        self._closing = True
        self._wake.set()
        if self._task is None:
            return
        try:
            async with asyncio.timeout(limit):
                await self._task
        except TimeoutError:
            log.error("closed with snapshots unwritten", calls=len(self._waiting))  # noqa: TRY400

    async def _write_until_closed(self) -> None:
        wait, longest = RETRY_AFTER
        while self._waiting or not self._closing:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = list(self._waiting.values())[:AT_ONCE]
            if all(await asyncio.gather(*map(self._save, batch))):
                wait = RETRY_AFTER[0]
            else:
                await asyncio.sleep(wait)
                wait = min(2 * wait, longest)

    async def _save(self, snapshot: Snapshot) -> bool:
        """False: the store is away, and the snapshot, or a newer one, still waits."""
        try:
            accepted = await self._store.save(snapshot)
        except StoreUnavailable:
            return False
        if self._waiting.get(snapshot.call_sid) is snapshot:
            del self._waiting[snapshot.call_sid]
        if not accepted:
            self._refuse(snapshot)
        return True

    def _refuse(self, snapshot: Snapshot) -> None:
        call = snapshot.call_sid
        if snapshot.session <= self._superseded.get(call, 0):
            return
        self._superseded.pop(call, None)
        self._superseded[call] = snapshot.session
        if len(self._superseded) > self._most:
            del self._superseded[next(iter(self._superseded))]
        self._refused(call, snapshot.session)
