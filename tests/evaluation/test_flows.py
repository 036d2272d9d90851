"""A flow is a caller in YAML: what is wrong with it is named, and what the agent did wrong too."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from evaluation.clock import run_virtual
from evaluation.flows import FlowInvalid, FlowResult, parse, run, shipped
from evaluation.phone import Phone, Target
from policies.vocabulary import Speaker
from tests.evaluation.servers import agent, echo, mute, relay_twiml, send, webhooks

Reply = Callable[[ServerConnection, dict[str, Any]], Coroutine[Any, Any, None]]


def played(steps: str, reply: Reply = echo, *, head: str = "") -> FlowResult:
    async def main() -> FlowResult:
        async with (
            agent(reply) as server,
            webhooks(action="<Response><Hangup/></Response>", voice="") as hooks,
        ):
            hooks.answers["/voice"] = [(200, relay_twiml(server.url))]
            flow = parse(f"name: a test\n{head}\nsteps:\n{steps}")
            return await run(flow, Phone(Target(webhook=hooks.url("/voice"))))

    return run_virtual(main())


EVERY_STEP = """
  - wait: quiet
  - expect_heard: "hello, i AM an   echo"
  - {expect_heard: "echo", times: 1}
  - {say: "How much is it?", finals: 2, gap: 80ms}
  - until_heard: "is there anything"
  - barge_in: {after_heard: "You said:", say: "Never mind."}
  - barge_in: {after: 1.5s, press: "1"}
  - noise
  - frame: {type: info, name: roundTripDelayMs, value: "80"}
  - wait: 1.5s
  - press: "12#"
  - {wait: quiet, timeout: 20s}
  - expect_not_heard: "Never say never."
  - say: "Goodbye."
  - expect_end: {status: ended, verb: hangup, reason: goodbye}
"""


async def chatter(socket: ServerConnection, frame: dict[str, Any]) -> None:
    """An echo that never stops for long."""
    await echo(socket, frame)
    if frame["type"] == "prompt" and frame["last"] and "Goodbye" not in frame["voicePrompt"]:
        await send(socket, type="text", token="And so on and on, and on, and on. " * 5, last=True)


def test_every_step_can_be_played() -> None:
    assert played(EVERY_STEP, chatter).failures == ()


def test_the_transcript_joins_the_chunks_of_a_speaker() -> None:
    result = played('  - wait: quiet\n  - say: "Help."\n  - wait: quiet')
    assert result.passed
    assert [(heard.speaker, heard.text) for heard in result.transcript] == [
        (Speaker.AGENT, "Hello, I am an echo."),
        (Speaker.CALLER, "Help."),
        (Speaker.AGENT, "You said: Help. Is there anything else that I can repeat?"),
    ]


def test_every_failed_expectation_is_told_with_its_step() -> None:
    result = played('  - wait: quiet\n  - expect_heard: "price"\n  - expect_not_heard: "echo"\n  - hang_up')
    assert result.failures == (
        "step 2 (expect_heard): “price” was not heard",
        "step 3 (expect_not_heard): “echo” was heard",
    )


def test_a_sentence_that_is_heard_too_often_is_told() -> None:
    result = played('  - wait: quiet\n  - say: "Help."\n  - wait: quiet\n  - {expect_heard: e, times: 1}')
    (failure,) = result.failures
    assert failure.endswith("times, not 1")


def test_a_frame_reaches_the_server_as_it_is_written() -> None:
    async def main() -> dict[str, Any]:
        async with agent(echo) as server:
            flow = parse(
                "name: x\nsteps: [{wait: quiet}, {frame: {type: info, name: news, value: on}}, {wait: 1s}]"
            )
            await run(flow, Phone(Target(socket=server.url)))
            return server.of("info")[-1]

    assert run_virtual(main()) == {"type": "info", "name": "news", "value": "on"}


def test_a_step_that_cannot_be_played_ends_the_flow() -> None:
    result = played('  - {wait: quiet, timeout: 2s}\n  - expect_heard: "price"', mute)
    (failure,) = result.failures
    assert failure.startswith("step 1 (wait): the agent has not answered")


def test_words_after_the_end_are_a_failure() -> None:
    result = played('  - hang_up\n  - say: "Hello?"')
    assert result.failures == ("step 2 (say): the call has ended",)


def test_another_end_than_expected_is_told() -> None:
    result = played('  - say: "Goodbye."\n  - expect_end: {verb: enqueue, reason: complaint}')
    assert result.failures == (
        "step 2 (expect_end): verb was hangup, not enqueue; reason was goodbye, not complaint",
    )


def test_any_end_will_do_where_none_is_named() -> None:
    assert played('  - say: "Goodbye."\n  - expect_end').passed


def test_a_dropped_call_that_is_not_taken_up_ends() -> None:
    result = played("  - wait: quiet\n  - drop\n  - expect_end: {status: failed}")
    assert result.passed


def test_a_refused_call_is_a_failure_in_words() -> None:
    async def main() -> FlowResult:
        async with webhooks(voice=(403, "")) as hooks:
            flow = parse("name: x\nsteps: [hang_up]")
            return await run(flow, Phone(Target(webhook=hooks.url("/voice"))))

    assert run_virtual(main()).failures == ("the call was refused: the webhook answered 403 (HTTP 403)",)


def test_a_flow_names_its_own_caller() -> None:
    async def main() -> str:
        async with agent(echo) as server:
            flow = parse('name: x\ncaller: "+15550100009"\nsteps: [{wait: quiet}]')
            await run(flow, Phone(Target(socket=server.url)))
            return str(server.of("setup")[0]["from"])

    assert run_virtual(main()) == "+15550100009"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("name: x\nsteps: []", ["steps: must hold at least one step"]),
        ("steps: [hang_up]", ["name: is needed"]),
        ("name: x\nsteps: [hang_up]\nstep: 1", ["step: is no key here"]),
        ("name: x\ncaller: 555\nsteps: [hang_up]", ["caller: Input should be a valid string"]),
        ("name: x\nsteps: [{say: hi, finals: 0}]", ["step 1 (say), finals: Input should be greater"]),
        ("name: x\nsteps: [hang_up, {say: hi, final: 2}]", ["step 2 (say), final: is no key here"]),
        ("name: x\nsteps: [{say: hi, press: '1'}]", ["step 1 (say), press: is no key here"]),
        ("name: x\nsteps: [{press: abc}]", ["step 1 (press), press: String should match"]),
        (
            "name: x\nsteps: [{wait: 5}]",
            ["step 1 (wait), wait: Input should be 'quiet', or must be"],
        ),
        ("name: x\nsteps: [{expect_end: {status: over}}]", ["step 1 (expect_end), expect_end.status: "]),
        (
            "name: x\nsteps: [{barge_in: {say: hi}}]",
            ["step 1 (barge_in), barge_in: needs either `after_heard` or `after`"],
        ),
        (
            "name: x\nsteps: [{barge_in: {after: 1s}}]",
            ["step 1 (barge_in), barge_in: needs either `say` or `press`"],
        ),
        (
            "name: x\nsteps: [{sya: hi}, {say: 3}]",
            ["step 1: names none of say", "step 2 (say), say: "],
        ),
        ("name: x\nsteps: [7]", ["step 1: names none of"]),
        ("name: [", ["not YAML"]),
        ("- say: hi", ["a flow is a mapping"]),
    ],
)
def test_a_broken_flow_names_the_step_and_the_key(text: str, faults: list[str]) -> None:
    with pytest.raises(FlowInvalid) as caught:
        parse(text)
    assert len(caught.value.faults) == len(faults)
    for told, expected in zip(caught.value.faults, faults, strict=True):
        assert told.startswith(expected)


def test_the_demo_ships_with_the_package() -> None:
    flow = shipped("demo")
    said = [getattr(step, "say", None) for step in flow.steps]
    assert "What does the yearly check cost?" in said
    assert any(getattr(step, "barge_in", None) for step in flow.steps)


def test_an_unknown_flow_is_told_by_its_file() -> None:
    with pytest.raises(FileNotFoundError):
        shipped("nothing")
