"""Carrying out the side effects of the outbox: sent until the receiver has them, then read back.

A receiver that is down keeps only its own entries waiting. A request that may have arrived is sent again with
the same key, so that the receiver can tell it from a second one. Whatever happens here, no call waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVarTuple

import structlog

from compliance.outbox import ClaimLost, Entry, Intent, Outbox, OutboxUnavailable, State, unstored
from compliance.spool import Spool, SpoolUnavailable
from policies.vocabulary import NextAction

Ts = TypeVarTuple("Ts")

AT_ONCE: Final = 8  # requests to one receiver
DAY: Final = 86_400.0  # seconds: no receiver may put us off for longer

log = structlog.get_logger()


class Retry(Exception):
    """Send it again, after at least `after` seconds. `unsent`: the receiver surely did nothing with it."""

    def __init__(self, reason: str, after: float | None = None, *, unsent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.unsent = unsent


class Refused(Exception):
    """Never send it again: a person has to look."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender(Protocol):
    """One receiver. Both may raise `Retry` or `Refused`, whose reasons hold no personal data."""

    async def send(self, entry: Entry) -> str:
        """The receiver's record. A second request with the same `entry.key` must make no second record."""
        ...

    async def read_back(self, entry: Entry) -> bool | None:
        """Whether `entry.record_id` holds what was sent; None when that cannot be told."""
        ...


class Told(Protocol):
    """Hears of each change, on the loop's thread; `entry` is as it is after it, its `verification` too."""

    def __call__(self, entry: Entry, state: State, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to try; all in seconds. Ten attempts take about 20 hours."""

    attempts: int = 10
    first: float = 5.0
    factor: float = 4.0
    longest: float = 21_600.0
    request: float = 20.0  # well below the lease of a claim
    check_after: float = 2.0  # receivers show a new record to readers with a delay
    checks: int = 5
    intend: float = 0.05  # a call waits for its intent to be safe in the database, then for the spool
    look: float = 15.0  # for entries that other processes put in or left behind
    reopen: float = 1.0  # between attempts to reach a database that is away

    def wait(self, attempt: int, jitter: float, after: float | None = None) -> float:
        """From the end of `attempt` (1 is the first) to the next; `jitter` from 0 to 1 moves it by 20 %."""
        # Capped before it grows: no number of attempts may overflow a float.
        grown = min(self.longest, self.first * self.factor ** min(attempt - 1, 50))
        return max(grown * (0.8 + 0.4 * jitter), min(after or 0.0, DAY))


class Delivery:
    """Delivers by `senders`, which are named by channel; entries of other channels wait until there is one.

    The mapping may change: a new channel is served from the next `wake` on. `clock` tells seconds since
    1970, `jitter` numbers from 0 to 1. All methods belong to one event loop.
    """

    def __init__(
        self,
        outbox: Outbox,
        spool: Spool,
        senders: Mapping[str, Sender],
        clock: Callable[[], float],
        tell: Told,
        *,
        jitter: Callable[[], float],
        schedule: Schedule | None = None,
    ) -> None:
        self._outbox = outbox
        self._spool = spool
        self._senders = senders
        self._clock = clock
        self._tell = tell
        self._jitter = jitter
        self._schedule = schedule or Schedule()
        self._woken: dict[str, asyncio.Event] = {}
        self._grown = asyncio.Event()
        self._fault = ""

    @property
    def fault(self) -> str:
        """Why the database could not be used last, by the name of the error; empty when it is well."""
        return self._fault

    async def intend(self, intent: Intent) -> None:
        """Safe when it returns, in the database or the spool, and delivered from then on.

        Never for the call of a rehearsal. Raises `SpoolUnavailable` when neither takes it.
        """
        entry = None if self._fault else await self._intend(intent)
        if entry is None:
            await asyncio.to_thread(self._spool.append, intent)
            entry = unstored(intent)
        if entry.new:
            self._tell(entry, entry.state, entry.reason)
        self.wake()

    def wake(self) -> None:
        """There is something to deliver, or a sender more."""
        self._grown.set()
        for woken in self._woken.values():
            woken.set()

    async def run(self) -> None:
        """Until cancelled. What is cut off then is sent again by the next process, with the same key."""
        async with asyncio.TaskGroup() as serving:
            serving.create_task(self._empty_spool())
            while True:
                for channel in self._senders.keys() - self._woken.keys():
                    self._woken[channel] = asyncio.Event()
                    serving.create_task(self._serve(channel, self._woken[channel]))
                self._grown.clear()
                await self._grown.wait()

    # -- the spool ---------------------------------------------------------------------------------------

    async def _intend(self, intent: Intent) -> Entry | None:
        try:
            async with asyncio.timeout(self._schedule.intend):
                return await asyncio.to_thread(self._outbox.intend, intent)
        except (TimeoutError, OutboxUnavailable) as error:
            # The next calls do not wait for it: threads that hang in a database are soon used up.
            self._failed(error)
            return None

    async def _empty_spool(self) -> None:
        unreadable = ""
        while True:
            try:
                if self._fault:
                    await asyncio.to_thread(self._outbox.intend_all, ())  # is the database there?
                    self._recovered()
                drained = 0 if self._spool.is_empty() else await asyncio.to_thread(self._drain)
                if drained:
                    self.wake()
                unreadable = ""
            except OutboxUnavailable as error:
                self._failed(error)
            except SpoolUnavailable as error:
                if str(error) != unreadable:
                    log.warning("spool cannot be emptied", fault=str(error))
                unreadable = str(error)
            await asyncio.sleep(self._schedule.reopen)

    def _drain(self) -> int:
        return self._spool.drain(self._outbox.intend_all)

    def _failed(self, error: Exception) -> None:
        fault = str(error) or type(error).__name__
        if fault != self._fault:
            log.error("outbox is away", fault=fault)
        self._fault = fault

    def _recovered(self) -> None:
        if self._fault:
            log.info("outbox is back")
        self._fault = ""

    # -- one channel -------------------------------------------------------------------------------------

    async def _serve(self, channel: str, woken: asyncio.Event) -> None:
        while sender := self._senders.get(channel):
            try:
                entries = await asyncio.to_thread(self._outbox.due, self._clock(), AT_ONCE, (channel,))
                if entries:
                    await self._deliver_all(entries, sender)
                    continue
                next_at = await asyncio.to_thread(self._outbox.next_due, (channel,))
            except OutboxUnavailable as error:
                self._failed(error)
                await asyncio.sleep(self._schedule.reopen)
                continue
            look = self._schedule.look
            rest = look if next_at is None else max(0.0, min(next_at - self._clock(), look))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await woken.wait()
            woken.clear()
        del self._woken[channel]

    async def _deliver_all(self, entries: tuple[Entry, ...], sender: Sender) -> None:
        """Side by side. One that fails in a way nobody foresaw comes again when its claim runs out."""
        tasks = (self._deliver(entry, sender) for entry in entries)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for entry, error in zip(entries, results, strict=True):
            if isinstance(error, OutboxUnavailable):
                raise error
            if error is not None and not isinstance(error, ClaimLost):
                log.error(
                    "delivery failed", kind=entry.kind, channel=entry.channel, fault=type(error).__name__
                )

    async def _deliver(self, entry: Entry, sender: Sender) -> None:
        if entry.state is State.CONFIRMED:
            await self._check(entry, sender)
        elif entry.attempts >= self._schedule.attempts:  # the worker died in the last of them
            await self._give_up(entry, entry.reason or "no answer")
        else:
            await self._send(entry, sender)

    async def _send(self, claimed: Entry, sender: Sender) -> None:
        sent = await self._keep(self._outbox.sent, claimed, self._clock())
        try:
            async with asyncio.timeout(self._schedule.request):
                record_id = await sender.send(sent)
        except Refused as refused:
            await self._keep(self._outbox.dead, sent, refused.reason, self._clock())
        except Retry as retry:
            # One attempt that may have arrived is enough for not knowing.
            unsent = retry.unsent and claimed.state is State.INTENDED
            await self._send_again(sent, retry.reason, retry.after, unsent=unsent)
        except TimeoutError:
            await self._send_again(sent, "no answer in time", None, unsent=False)
        else:
            await self._confirm(sent, record_id)

    async def _confirm(self, sent: Entry, record_id: str) -> None:
        """Tried as long as the claim holds: not every receiver tells repeats as well as it should."""
        now = self._clock()
        check_at = now + self._schedule.check_after
        last = (sent.claimed_until or now) - self._schedule.reopen
        while self._clock() < last:
            with contextlib.suppress(OutboxUnavailable):
                await self._keep(self._outbox.confirmed, sent, record_id, now, check_at)
                return
            await asyncio.sleep(self._schedule.reopen)
        await self._keep(self._outbox.confirmed, sent, record_id, now, check_at)

    async def _send_again(self, sent: Entry, reason: str, after: float | None, *, unsent: bool) -> None:
        if sent.attempts >= self._schedule.attempts:
            await self._give_up(sent, reason)
            return
        now = self._clock()
        retry_at = now + self._schedule.wait(sent.attempts, self._jitter(), after)
        await self._keep(lambda: self._outbox.failed(sent, reason, retry_at, now, unsent=unsent))

    async def _give_up(self, entry: Entry, reason: str) -> None:
        given_up = f"given up after {entry.attempts} attempts: {reason}"
        await self._keep(self._outbox.dead, entry, given_up, self._clock())

    async def _check(self, confirmed: Entry, sender: Sender) -> None:
        try:
            async with asyncio.timeout(self._schedule.request):
                matches = await sender.read_back(confirmed)
        except Refused:
            matches = None
        except (Retry, TimeoutError) as error:
            if confirmed.checks + 1 < self._schedule.checks:
                after = error.after if isinstance(error, Retry) else None
                now = self._clock()
                at = now + self._schedule.wait(confirmed.checks + 1, self._jitter(), after)
                await asyncio.to_thread(self._outbox.check_again, confirmed, at, now)
                return
            matches = None
        shown = {True: NextAction.CORRECT, False: NextAction.WRONG, None: NextAction.UNVERIFIED}[matches]
        verified = await asyncio.to_thread(self._outbox.verified, confirmed, shown, self._clock())
        if shown is not NextAction.UNVERIFIED:
            self._tell(verified, verified.state, verified.reason)

    async def _keep(self, change: Callable[[*Ts], Entry], *arguments: *Ts) -> Entry:
        """Written first, told afterwards."""
        entry = await asyncio.to_thread(change, *arguments)
        self._tell(entry, entry.state, entry.reason)
        return entry
