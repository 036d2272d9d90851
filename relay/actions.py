"""Next actions that an agent file declares: checked, done once, and known to be done before they are claimed.

A side effect is written down before it happens. The key of its intent is one per call, tool and canonical
arguments: a second request of the same, by the model or after a barge-in, finds the first one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, MutableSet
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
from jsonschema import Draft202012Validator

from compliance.delivery import Delivery, Refused, Retry
from compliance.outbox import Entry, Intent, State
from compliance.spool import SpoolUnavailable
from policies.agent_tools import Tool
from policies.vocabulary import NextAction
from relay.llm.port import ToolCall
from relay.remembered import Remembered

NO_ANSWER: Final = ""
NOT_SURE: Final = "It is not known whether it was done. Do not say that it was: a colleague will confirm it."
NOT_DONE: Final = "It was not done. Do not say that it was."
UNDER_WAY: Final = frozenset({State.INTENDED, State.SENT, State.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool gave: text for the model, which is data, and the identifier of the record it made."""

    text: str = field(repr=False)
    record_id: str = ""


class Receiver(Protocol):
    """Carries out one tool. Raises `Retry` and `Refused` as a `Sender` does."""

    async def call(self, arguments: Mapping[str, object], key: str) -> Answer:
        """A second call with the same `key` must change nothing; blank where nothing has to be done once."""
        ...

    async def read_back(self, arguments: Mapping[str, object]) -> bool | None:
        """Is it really done? None when that cannot be told."""
        ...


@dataclass(slots=True)
class Action:
    """One side effect of one call, as far as it has come."""

    tool: Tool
    arguments: str = field(repr=False)  # canonical JSON
    may_claim: MutableSet[str]  # the call's own: tools whose claims may be spoken
    state: State = State.INTENDED
    verification: NextAction = NextAction.UNVERIFIED
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def proven(self) -> bool:
        """May the agent say that it is done?"""
        if self.tool.read_back:
            return self.verification is NextAction.CORRECT
        return self.state is State.CONFIRMED

    @property
    def label(self) -> NextAction:
        """As the record of the call has it."""
        return NextAction.MISSING if self.state is State.DEAD else self.verification

    @property
    def settled(self) -> bool:
        """Is there nothing left to wait for?"""
        wrong = self.verification is NextAction.WRONG
        return self.proven or wrong or self.state is State.DEAD


@dataclass(frozen=True, slots=True)
class Result:
    """Of one call of the model: what it reads, and what the record says, without values."""

    text: str = field(repr=False)
    says: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """A tool of the agent file, made ready."""

    tool: Tool
    receiver: Receiver
    channel: str  # its name in the outbox

    def checked(self, arguments: str) -> Mapping[str, object]:
        """The arguments, canonical. Raises `BadArguments`."""
        try:
            values = msgspec.json.decode(arguments or "{}", type=dict[str, object])
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise BadArguments("the arguments are not a JSON object") from None
        faults = [
            f"{'.'.join(map(str, fault.absolute_path)) or 'arguments'} breaks {fault.validator}"
            for fault in Draft202012Validator(dict(self.tool.parameters)).iter_errors(values)
        ]
        if faults:
            raise BadArguments("; ".join(sorted(faults)[:5]))
        return {name: _canonical(value) for name, value in sorted(values.items())}


class BadArguments(Exception):
    """Tell the model: it can ask again. The text names places and keywords of the schema, never values."""


@dataclass(frozen=True, slots=True)
class InCall:
    """Which call asks."""

    call_sid: str
    session: int
    agent: str
    may_claim: MutableSet[str]
    actions: dict[str, Action]


@dataclass(slots=True)
class Actions:
    """All declared tools of this process's agents. `clock` tells seconds since 1970."""

    clock: Callable[[], float]
    _watched: Remembered[Action] = field(default_factory=Remembered)
    _answers: Remembered[Answer] = field(default_factory=Remembered)

    def told(self, entry: Entry, state: State, reason: str) -> None:
        """The delivery's word on an entry: whoever waits for it looks again."""
        if action := self._watched.get(entry.key):
            action.state, action.verification = state, entry.verification
            if action.proven:
                action.may_claim.add(action.tool.name)
            action.changed.set()

    def answered(self, key: str, answer: Answer) -> None:
        """Kept for the model; in memory only."""
        self._answers.put(key, answer)

    async def run(self, call: ToolCall, declared: Declared, delivery: Delivery, by: InCall) -> Result:
        """Never raises, save for cancellation; then a side effect goes on, and is found when asked again."""
        try:
            arguments = declared.checked(call.arguments)
        except BadArguments as fault:
            return Result(_json(error=str(fault)), "arguments that do not fit")
        if declared.tool.side_effect:
            return await self._do(declared, arguments, delivery, by)
        return await _ask(declared, arguments)

    async def _do(
        self, declared: Declared, arguments: Mapping[str, object], delivery: Delivery, by: InCall
    ) -> Result:
        intent = _intent(declared, arguments, by, self.clock())
        repeated = intent.key in by.actions
        written = str(intent.payload["arguments"])
        action = by.actions.setdefault(intent.key, Action(declared.tool, written, by.may_claim))
        self._watched.put(intent.key, action)
        if not repeated:
            try:
                await delivery.intend(intent)
            except SpoolUnavailable:
                del by.actions[intent.key]
                return Result(_json(error=NOT_DONE), "not done: its intent could not be kept", failed=True)
        patience = declared.tool.timeout * (2 if declared.tool.read_back else 1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not action.settled:
                    action.changed.clear()
                    await action.changed.wait()
        return self._result(intent.key, action, repeated=repeated)

    def _result(self, key: str, action: Action, *, repeated: bool) -> Result:
        answer = self._answers.get(key) or Answer(NO_ANSWER)
        again = ", asked for again: not repeated" if repeated else ""
        says = f"{action.state.value}, {action.verification.value}{again}"
        if action.proven:
            return Result(_json(done=True, answer=answer.text), says)
        if action.state is State.DEAD or action.verification is NextAction.WRONG:
            return Result(_json(done=False, error=NOT_DONE, answer=answer.text), says, failed=True)
        return Result(_json(done="unknown", error=NOT_SURE), says, failed=True)


@dataclass(frozen=True, slots=True)
class ActionSender:
    """Carries the entries of one tool's channel; the delivery decides when."""

    receiver: Receiver
    reads_back: bool
    answered: Callable[[str, Answer], None]

    async def send(self, entry: Entry) -> str:
        answer = await self.receiver.call(_arguments(entry), entry.key)
        self.answered(entry.key, answer)
        return answer.record_id

    async def read_back(self, entry: Entry) -> bool | None:
        return await self.receiver.read_back(_arguments(entry)) if self.reads_back else None


def so_far(actions: Iterable[Action]) -> tuple[str, ...]:
    """For the model: what was done in this call, so that it neither does it again nor claims too much."""
    return tuple(
        f"{action.tool.name}: {action.state.value}, {action.verification.value} {action.arguments}"
        for action in actions
    )


async def _ask(declared: Declared, arguments: Mapping[str, object]) -> Result:
    """A tool without a side effect: one attempt within its time, nothing to be kept."""
    try:
        async with asyncio.timeout(declared.tool.timeout):
            answer = await declared.receiver.call(arguments, "")
    except (Retry, Refused) as error:
        return Result(_json(error="it failed"), f"failed: {error.reason}", failed=True)
    except TimeoutError:
        return Result(_json(error="no answer in time"), "failed: no answer in time", failed=True)
    return Result(_json(answer=answer.text), "answered")


def _intent(declared: Declared, arguments: Mapping[str, object], by: InCall, now: float) -> Intent:
    canonical = msgspec.json.encode(arguments, order="sorted").decode()
    name = declared.tool.name
    digest = hashlib.sha256(f"{name} {canonical}".encode()).hexdigest()[:16]
    kind = f"tool.{name[:40]}.{digest}"
    payload = {"arguments": canonical}
    return Intent(by.call_sid, kind, 1, declared.channel, by.agent, payload, now, by.session)


def _arguments(entry: Entry) -> Mapping[str, object]:
    return msgspec.json.decode(str(entry.payload["arguments"]), type=dict[str, object])


def _canonical(value: object) -> object:
    """The same for the same meaning: blanks, Unicode forms, and 1.0 for 1 make no second booking."""
    match value:
        case str():
            return " ".join(unicodedata.normalize("NFC", value).split())
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {str(name): _canonical(inner) for name, inner in sorted(value.items())}
        case list():
            return [_canonical(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return str(value)


def _json(**facts: object) -> str:
    return msgspec.json.encode({name: fact for name, fact in facts.items() if fact != ""}).decode()
