"""A flow: one caller's side of a call, written in YAML, played on the phone, with what must be heard.

name: asks the price
steps:
  - wait: quiet
  - say: "What does the yearly check cost?"
  - wait: quiet
  - expect_heard: "forty-nine dollars"
  - hang_up
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from evaluation.call import Call, CallOver, NotHeard, plain
from evaluation.phone import CallRefused, Ended, Heard, Phone, Status, Verb
from policies.agent_values import Duration, PhoneNumber, Section, Timeout

ANSWER_TIMEOUT: Final = 30.0


class FlowInvalid(Exception):
    """The flow cannot be played; `faults` names every step and key that is wrong."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Say(Section):
    """`finals`: the utterance is recognised as so many prompts, `gap` apart."""

    say: str = Field(min_length=1)
    finals: int = Field(default=1, ge=1)
    gap: Duration = 0.08


class Press(Section):
    press: str = Field(pattern=r"^[0-9*#]+$")


class Noise(Section):
    noise: Literal[True]


class Wait(Section):
    """For the end of the agent's answer, or for a time."""

    wait: Literal["quiet"] | Duration
    timeout: Timeout = ANSWER_TIMEOUT


class UntilHeard(Section):
    """Of what the agent said since the caller's last words."""

    until_heard: str = Field(min_length=1)
    timeout: Timeout = ANSWER_TIMEOUT


class BargeInDetails(Section):
    """Once the agent has said `after_heard`, or spoken for `after`, the caller speaks or presses keys."""

    after_heard: str | None = None
    after: Duration | None = None
    say: str | None = None
    press: str | None = Field(default=None, pattern=r"^[0-9*#]+$")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.after_heard is None) == (self.after is None):
            raise ValueError("needs either `after_heard` or `after`")
        if (self.say is None) == (self.press is None):
            raise ValueError("needs either `say` or `press`")
        return self


class BargeIn(Section):
    barge_in: BargeInDetails
    timeout: Timeout = ANSWER_TIMEOUT


class Drop(Section):
    drop: Literal[True]


class HangUp(Section):
    hang_up: Literal[True]


class RawFrame(Section):
    """What a carrier may send beside speech and keys: telemetry, or what is newer than we are."""

    frame: dict[str, str | bool] = Field(min_length=1)


class ExpectHeard(Section):
    """Anywhere in the call up to here, blanks and case aside; with `times`, exactly so often."""

    expect_heard: str = Field(min_length=1)
    times: int | None = Field(default=None, ge=1)


class ExpectNotHeard(Section):
    expect_not_heard: str = Field(min_length=1)


class EndDetails(Section):
    """How the call must leave the relay; what is not named may be anything.

    `reason` is the one in `handoffData`.
    """

    status: Status | None = Field(default=None, strict=False)
    verb: Verb | None = Field(default=None, strict=False)
    reason: str | None = None


def _anyhow(value: object) -> object:
    return {} if value is True else value


class ExpectEnd(Section):
    expect_end: Annotated[EndDetails, BeforeValidator(_anyhow)]
    timeout: Timeout = ANSWER_TIMEOUT


_STEPS: Final = (
    "say",
    "press",
    "noise",
    "wait",
    "until_heard",
    "barge_in",
    "drop",
    "hang_up",
    "frame",
    "expect_heard",
    "expect_not_heard",
    "expect_end",
)
_KEYS: Final = {
    *_STEPS,
    "finals",
    "gap",
    "timeout",
    "times",
    "after",
    "after_heard",
    "status",
    "verb",
    "reason",
}


def verb_of(step: object) -> str | None:
    """Which kind of step a mapping is: its one key that names a step."""
    match step:
        case dict():
            return next((verb for verb in _STEPS if verb in step), None)
        case Section():
            return next((verb for verb in _STEPS if hasattr(step, verb)), None)
        case _:
            return None


Step = Annotated[
    Annotated[Say, Tag("say")]
    | Annotated[Press, Tag("press")]
    | Annotated[Noise, Tag("noise")]
    | Annotated[Wait, Tag("wait")]
    | Annotated[UntilHeard, Tag("until_heard")]
    | Annotated[BargeIn, Tag("barge_in")]
    | Annotated[Drop, Tag("drop")]
    | Annotated[HangUp, Tag("hang_up")]
    | Annotated[RawFrame, Tag("frame")]
    | Annotated[ExpectHeard, Tag("expect_heard")]
    | Annotated[ExpectNotHeard, Tag("expect_not_heard")]
    | Annotated[ExpectEnd, Tag("expect_end")],
    Discriminator(verb_of),
]


class Flow(Section):
    name: str = Field(min_length=1)
    caller: PhoneNumber | None = None
    called: PhoneNumber | None = None
    steps: tuple[Step, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class FlowResult:
    """`failures` says in words what went wrong, a step a line; `transcript` is what the caller's ear got."""

    failures: tuple[str, ...]
    transcript: tuple[Heard, ...]
    ended: Ended | None

    @property
    def passed(self) -> bool:
        return not self.failures


def parse(text: str) -> Flow:
    """A flow from YAML. Raises FlowInvalid with every fault at once."""
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise FlowInvalid((f"not YAML: {error}",)) from error
    if not isinstance(content, dict):
        raise FlowInvalid(("a flow is a mapping with `name` and `steps`",))
    steps = content.get("steps")
    if isinstance(steps, list):
        content["steps"] = tuple({step: True} if isinstance(step, str) else step for step in steps)
    try:
        return Flow.model_validate(content)
    except ValidationError as error:
        raise FlowInvalid(_faults(error.errors())) from error


def shipped(name: str) -> Flow:
    """A flow of this package, `demo` for instance. Raises FileNotFoundError."""
    return parse((resources.files("evaluation") / "scripts" / f"{name}.yaml").read_text(encoding="utf-8"))


async def run(flow: Flow, phone: Phone) -> FlowResult:
    """Place the call and play the steps; the first step that cannot be played ends the call."""
    failures: list[str] = []
    try:
        async with phone.call(caller=flow.caller, called=flow.called) as call:
            for number, step in enumerate(flow.steps, 1):
                where = f"step {number} ({verb_of(step)})"
                try:
                    failure = await _play(step, call)
                except (NotHeard, CallOver) as error:
                    failures.append(f"{where}: {error}")
                    break
                if failure is not None:
                    failures.append(f"{where}: {failure}")
    except CallRefused as error:
        return FlowResult((f"the call was refused: {error}",), (), None)
    return FlowResult(tuple(failures), transcript(call.heard), call.ended)


def transcript(heard: list[Heard]) -> tuple[Heard, ...]:
    """Chunk after chunk of one speaker as one entry, at the time of its first."""
    merged: list[Heard] = []
    for chunk in heard:
        if merged and merged[-1].speaker is chunk.speaker:
            said = f"{merged[-1].text} {chunk.text.strip()}"
            merged[-1] = Heard(chunk.speaker, said, merged[-1].at)
        else:
            merged.append(Heard(chunk.speaker, chunk.text.strip(), chunk.at))
    return tuple(merged)


async def _play(step: Step, call: Call) -> str | None:
    """The step's failure in words, if it has one. Raises NotHeard and CallOver."""
    match step:
        case Say(say=text, finals=finals, gap=gap):
            await call.say(text, finals=finals, gap=gap)
        case Press(press=keys):
            await call.press(keys)
        case Noise():
            await call.noise()
        case Wait(wait="quiet", timeout=timeout):
            await call.quiet(timeout)
        case Wait(wait=float(seconds)):
            await asyncio.sleep(seconds)
        case UntilHeard(until_heard=text, timeout=timeout):
            await call.until_heard(text, timeout, since=call.answer_from)
        case BargeIn(barge_in=details, timeout=timeout):
            await _barge_in(details, timeout, call)
        case Drop():
            await call.drop()
        case HangUp():
            await call.hang_up()
        case RawFrame(frame=frame):
            await call.send_raw(json.dumps(frame, ensure_ascii=False))
        case ExpectHeard(expect_heard=text, times=times):
            return _wrongly_often(plain(call.agent_text()).count(plain(text)), text, times)
        case ExpectNotHeard(expect_not_heard=text):
            return f"“{text}” was heard" if plain(text) in plain(call.agent_text()) else None
        case ExpectEnd(expect_end=expected, timeout=timeout):
            ended = await call.wait_ended(timeout)
            return _mismatch(expected, ended)
    return None


def _wrongly_often(heard: int, text: str, times: int | None) -> str | None:
    if heard == 0:
        return f"“{text}” was not heard"
    return f"“{text}” was heard {heard} times, not {times}" if times is not None and heard != times else None


async def _barge_in(details: BargeInDetails, timeout: float, call: Call) -> None:  # noqa: ASYNC109
    if details.after_heard is not None:
        await call.until_heard(details.after_heard, timeout, since=call.answer_from)
    else:
        await call.until_speaking(timeout)
        await asyncio.sleep(details.after or 0.0)
    if details.say is not None:
        await call.say(details.say)
    else:
        await call.press(details.press or "")


def _mismatch(expected: EndDetails, ended: Ended) -> str | None:
    seen = {"status": ended.status, "verb": ended.verb, "reason": _reason(ended)}
    wanted = {"status": expected.status, "verb": expected.verb, "reason": expected.reason}
    wrong = [
        f"{key} was {seen[key] or 'absent'}, not {value}"
        for key, value in wanted.items()
        if value is not None and seen[key] != value
    ]
    return "; ".join(wrong) or None


def _reason(ended: Ended) -> str | None:
    try:
        data = json.loads(ended.handoff_data or "null")
    except json.JSONDecodeError:
        return None
    reason = data.get("reason") if isinstance(data, dict) else None
    return reason if isinstance(reason, str) else None


def _faults(details: Iterable[ErrorDetails]) -> tuple[str, ...]:
    """One line for every place that is wrong, with all that may be said of it."""
    places: dict[str, list[str]] = {}
    for detail in details:
        if detail["type"] == "too_short" and any(place.startswith("step ") for place in places):
            continue  # pydantic counts the valid steps only
        places.setdefault(_place(detail), []).append(_words(detail))
    return tuple(f"{place}: {', or '.join(words)}" for place, words in places.items())


def _place(detail: ErrorDetails) -> str:
    match detail["loc"]:
        case ("steps", int(index)):
            return f"step {index + 1}"
        case ("steps", int(index), str(verb), *keys):
            # pydantic also lists which member of a union it tried; a key is what an author can have written
            unknown = detail["type"] == "extra_forbidden"
            written = [str(key) for key in keys if key in _KEYS or (unknown and key == keys[-1])]
            return f"step {index + 1} ({verb}), {'.'.join(written) or verb}"
        case keys:
            return ".".join(map(str, keys))


def _words(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "union_tag_not_found" | "union_tag_invalid":
            return f"names none of {', '.join(_STEPS)}"
        case "extra_forbidden":
            return "is no key here"
        case "missing":
            return "is needed"
        case "too_short":
            return "must hold at least one step"
        case _:
            return detail["msg"].removeprefix("Value error, ")
