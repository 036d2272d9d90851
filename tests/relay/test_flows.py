"""Gate 2 over the whole path: the flows of `tests/flows`, in English and in Korean, on the virtual clock.

A flow holds what the caller does and hears. What is held here: the agent it is played to, how the call has to
end, and what the record has to say of the lanes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from compliance.events import Kind
from evaluation import flows
from evaluation.clock import run_virtual
from evaluation.flows import FlowResult
from evaluation.phone import FrameIn
from policies.agent_file import parse
from policies.latency import phrases
from policies.lines import lines
from policies.recovery import CLARIFY_INSTRUCTION
from policies.vocabulary import Outcome
from tests.flows.wire import FIRST_SOUND, MOST_SILENCE, Turn, Wire, said_twice
from tests.model_server import Answer, Behaviour, CallsTool, ModelServer
from tests.relay.fakes import Told
from tests.relay.running import public, running

FLOWS = Path(__file__).parents[1] / "flows"
LANGUAGES = {"en": "en-US", "ko": "ko-KR"}
AGENT = """
agent: {{name: acme, organisation: Acme, languages: [{languages}], greeting: "{greeting}"}}
llm:
  - {llm}
conversation: {{{conversation}}}
{tools}
"""
TOOL = """
tools:
  - {{name: find_price, description: Find a price, url: "{url}/price", side_effect: false, timeout: 6s}}
"""
GREETINGS = {"en": "How can I help you?", "ko": "무엇을 도와드릴까요?"}
ASK_AND_LEAVE = "silence: [{after: 6s}, {after: 6s}, {after: 6s}]"  # nothing but questions
LADDER = (
    "silence: [{after: 6s}, {after: 6s, then: keypad}, {after: 6s, then: offer}, {after: 8s, then: handoff}]"
)
TO_THE_END = "silence: [{after: 6s}, {after: 6s}, {after: 8s, then: end}]"
OFFER = "silence: [{after: 6s, then: offer}]"
KEYPAD = "silence: [{after: 6s, then: keypad}]"

# What a model server says, by language.
PRICE = {"en": "It is forty-nine dollars.", "ko": "이만 원입니다."}
PRICE_AGAIN = {
    "en": "You pay forty-nine dollars once a year.",
    "ko": "한 번 방문하실 때 이만 원을 내시면 됩니다.",
}
NO_HELP = {
    "en": "Please have a look at your contract for that.",
    "ko": "그 내용은 계약서를 확인해 주시기 바랍니다.",
}
END_CALL = CallsTool("end_call", ("{}",))
FIND_PRICE = CallsTool("find_price", ("{}",))


@dataclass(frozen=True)
class Case:
    """`models` are the model server's behaviours, by language; without them the cues of the flows answer.

    `lanes` is what RECOVERY_RULED has to say, `spoken` LANGUAGE_RULED (by the language the flow begins in),
    `turns` how many turns were begun.
    """

    flow: str
    turns: int
    outcome: Outcome
    lanes: Sequence[tuple[str, str]] = ()
    spoken: Mapping[str, list[str]] = field(default_factory=lambda: {"en": [], "ko": []})
    conversation: str = ASK_AND_LEAVE
    models: Mapping[str, Sequence[Behaviour]] | None = None
    both: bool = False  # languages, the one of the flow first


def both(*behaviours: dict[str, str] | Behaviour) -> Mapping[str, Sequence[Behaviour]]:
    """Behaviours in each language: a text by language is a plain answer."""
    return {
        language: [Answer(each[language]) if isinstance(each, dict) else each for each in behaviours]
        for language in LANGUAGES
    }


SILENCE = ("silence", "say")
CASES = [
    Case(
        "silence-to-a-person",
        0,
        Outcome.CALLBACK_SCHEDULED,
        [SILENCE, ("silence", "keypad"), ("silence", "offer"), ("silence", "handoff")],
        conversation=LADDER,
    ),
    Case(
        "silence-to-the-end",
        1,
        Outcome.RESOLVED,
        [SILENCE, SILENCE, ("silence", "end")],
        conversation=TO_THE_END,
    ),
    Case(
        "silence-offer-accepted",
        1,
        Outcome.CALLBACK_SCHEDULED,
        [("silence", "offer")],
        conversation=OFFER,
    ),
    Case("silence-offer-declined", 1, Outcome.RESOLVED, [("silence", "offer")], conversation=OFFER),
    Case("silence-is-broken", 2, Outcome.RESOLVED, [SILENCE] * 3),
    Case("barge-in", 2, Outcome.RESOLVED),
    Case("back-channel", 1, Outcome.RESOLVED),
    Case("yes-to-a-question", 2, Outcome.RESOLVED),
    Case("noise", 1, Outcome.RESOLVED, [SILENCE]),
    Case(
        "asked-again",
        3,
        Outcome.CALLBACK_SCHEDULED,
        [("repeats", "clarify"), ("repeats", "handoff")],
        models=both(PRICE, PRICE_AGAIN, PRICE),
    ),
    Case(
        "answered-again",
        4,
        Outcome.CALLBACK_SCHEDULED,
        [("repeats", "clarify"), ("repeats", "handoff")],
        models=both(NO_HELP, NO_HELP, NO_HELP, NO_HELP),
    ),
    Case(
        "not-understood",
        4,
        Outcome.CALLBACK_SCHEDULED,
        [("understanding", "clarify"), ("understanding", "keypad"), ("understanding", "handoff")],
    ),
    Case("spelled", 4, Outcome.RESOLVED, [("understanding", "clarify"), ("understanding", "keypad")]),
    Case(
        "language-asked-for",
        2,
        Outcome.RESOLVED,
        [SILENCE],
        {"en": ["ko-KR"], "ko": ["en-US"]},
        both=True,
    ),
    Case("language-spoken", 1, Outcome.RESOLVED, [SILENCE], {"en": ["ko-KR"], "ko": ["en-US"]}, both=True),
    Case(
        "late-answer",
        1,
        Outcome.RESOLVED,
        models={language: [Answer(PRICE[language], first_delay=3.9)] for language in LANGUAGES},
    ),
    Case("slow-tool", 1, Outcome.RESOLVED, models=both(FIND_PRICE, PRICE)),
    Case("goodbye", 1, Outcome.RESOLVED, models=both(END_CALL)),
    Case("goodbye-taken-back", 2, Outcome.RESOLVED, models=both(END_CALL, PRICE)),
    Case("zero", 1, Outcome.CALLBACK_SCHEDULED),
    Case("zero-in-a-number", 2, Outcome.RESOLVED, [("silence", "keypad")], conversation=KEYPAD),
]
BY_NAME = {case.flow: case for case in CASES}


# -- playing one -----------------------------------------------------------------------------------------


@dataclass
class Played:
    """What became of a flow. `model` is there where a model server answered."""

    result: FlowResult
    wire: Wire
    told: Told
    model: ModelServer

    def lanes(self) -> list[tuple[object, object]]:
        return [(fact["lane"], fact["move"]) for fact in self.told.facts(Kind.RECOVERY_RULED)]

    def asked(self, number: int) -> str:
        """The last message of one request to the model server."""
        return json.dumps(self.model.requests[number].body["messages"][-1], ensure_ascii=False)

    def turn(self, number: int = 0) -> Turn:
        return self.wire.turns()[number]


def play(case: Case, language: str, data: Path) -> Played:
    return run_virtual(_play(case, language, data))


async def _play(case: Case, language: str, data: Path) -> Played:
    script = case.models[language] if case.models else ()
    async with ModelServer(*script) as model, prices() as url:
        text = agent(case, language, model.base_url, url)
        async with running(public(data), [parse(text, source=str(FLOWS / "agent.yaml"))]) as server:
            wire = Wire()
            flow = flows.parse((FLOWS / f"{case.flow}.{language}.yaml").read_text("utf-8"))
            result = await flows.run(flow, server.phone(observe=wire.observe, end_waits=False))
            return Played(result, wire, server.told, model)


def agent(case: Case, language: str, model: str, tool: str) -> str:
    spoken = [LANGUAGES[language]]
    cues = f"cues.{language}.yaml"
    if case.both:
        spoken += [tag for tag in LANGUAGES.values() if tag not in spoken]
        cues = "cues.both.yaml"
    llm = f"{{provider: scripted, script: {cues}}}"
    if case.models:
        llm = f'{{provider: openai, model: m, base_url: "{model}/v1", first_token_timeout: 6s}}'
    return AGENT.format(
        languages=", ".join(spoken),
        greeting=GREETINGS[language],
        llm=llm,
        conversation=case.conversation,
        tools=TOOL.format(url=tool) if case.models else "",
    )


@asynccontextmanager
async def prices() -> AsyncIterator[str]:
    """A tool's server that takes its time."""

    async def price(_: web.Request) -> web.Response:
        await asyncio.sleep(3.9)  # long enough for every filler, and within the tool's timeout
        return web.json_response({"price": 49})

    app = web.Application()
    app.router.add_post("/price", price)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


# -- every flow ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.flow)
def test_a_flow_ends_in_the_right_outcome(case: Case, language: str, tmp_path: Path) -> None:
    played = play(case, language, tmp_path)
    assert played.result.failures == ()
    assert played.lanes() == list(case.lanes)
    assert [fact["language"] for fact in played.told.facts(Kind.LANGUAGE_RULED)] == case.spoken[language]
    assert len(played.told.facts(Kind.TURN_STARTED)) == case.turns
    (ended,) = played.told.facts(Kind.CALL_ENDED)
    assert ended["outcome"] == case.outcome
    for turn in played.wire.turns():
        if turn.answered_at is not None:  # else the caller had more to say
            assert turn.longest_silence() <= MOST_SILENCE
            assert turn.longest_quiet() <= MOST_SILENCE + FIRST_SOUND


def test_every_flow_is_played_in_both_languages() -> None:
    written = {path.name for path in FLOWS.glob("*.yaml") if not path.name.startswith("cues.")}
    assert written == {f"{case.flow}.{language}.yaml" for case in CASES for language in LANGUAGES}


# -- what the record and the wire have to say of some ----------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("flow", ["silence-to-a-person", "late-answer", "barge-in"])
def test_the_same_flow_gives_the_same_frames_at_the_same_times(
    flow: str, language: str, tmp_path: Path
) -> None:
    def frames(number: int) -> tuple[list[object], list[float]]:
        played = play(BY_NAME[flow], language, tmp_path / str(number))
        sent = [seen for seen in played.wire.seen if isinstance(seen, FrameIn)]
        return [seen.frame.get("token") for seen in sent], [seen.at - sent[0].at for seen in sent]

    (once, at), (again, later) = frames(1), frames(2)
    assert once == again
    assert at == pytest.approx(later, abs=0.1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sign_of_listening_is_on_record_as_such(language: str, tmp_path: Path) -> None:
    played = play(BY_NAME["back-channel"], language, tmp_path)
    asked, listening = played.told.facts(Kind.PROMPT)
    assert listening["listening"] is True
    assert "listening" not in asked


@pytest.mark.parametrize("language", ["en"])
def test_an_answer_that_streams_is_not_given_up_for_a_sign_of_listening(
    language: str, tmp_path: Path
) -> None:
    """The same as `back-channel`, with a model that is not done when the caller says "mm-hm"."""
    plan = {
        "en": "The plan has the yearly check in it. It has every repair in it as well. "
        "A technician comes in the autumn. He brings the parts along.",
        "ko": "요금제에는 연간 점검이 들어 있습니다. 모든 수리도 함께 들어 있습니다. "
        "기사는 가을에 방문합니다. 부품도 가지고 갑니다.",
    }
    pace = {"en": 0.35, "ko": 0.6}
    models = {each: [Answer(plan[each], delay=pace[each]), Answer(plan[each])] for each in LANGUAGES}
    played = play(Case("back-channel", 1, Outcome.RESOLVED, models=models), language, tmp_path)
    assert played.result.failures == ()
    assert len(played.told.facts(Kind.TURN_STARTED)) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_that_is_asked_again_is_put_to_the_model_with_a_note(
    language: str, tmp_path: Path
) -> None:
    played = play(BY_NAME["asked-again"], language, tmp_path)
    assert CLARIFY_INSTRUCTION not in played.asked(0)
    assert CLARIFY_INSTRUCTION in played.asked(1)
    assert len(played.model.requests) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_that_was_given_twice_is_asked_for_in_other_words(language: str, tmp_path: Path) -> None:
    played = play(BY_NAME["answered-again"], language, tmp_path)
    noted = [CLARIFY_INSTRUCTION in played.asked(number) for number in range(len(played.model.requests))]
    assert noted == [False, False, True]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_late_answer_is_waited_for_aloud(language: str, tmp_path: Path) -> None:
    played = play(BY_NAME["late-answer"], language, tmp_path)
    turn, ours = played.turn(), phrases(lines(language))
    *meanwhile, answer = turn.said
    assert answer == PRICE[language]
    assert meanwhile[0] in ours.acknowledgement
    assert meanwhile[1] in ours.fallback
    assert first_words(turn) == pytest.approx(0.7, abs=0.05)
    assert second_words(turn) <= 2.05
    kept_company(turn)
    lanes = [fact["lane"] for fact in played.told.facts(Kind.SAID) if fact["purpose"] == "filler"]
    assert lanes[:2] == ["acknowledgement", "fallback"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_tool_that_runs_is_told_of(language: str, tmp_path: Path) -> None:
    played = play(BY_NAME["slow-tool"], language, tmp_path)
    turn, ours = played.turn(), phrases(lines(language))
    *meanwhile, answer = turn.said
    assert answer == PRICE[language]
    assert meanwhile[0] in ours.acknowledgement
    assert meanwhile[1] in ours.tool
    assert first_words(turn) == pytest.approx(0.7, abs=0.05)
    kept_company(turn)


@pytest.mark.parametrize("language", LANGUAGES)
def test_end_is_sent_once_the_goodbye_was_heard(language: str, tmp_path: Path) -> None:
    """The phone of these flows cuts what is still queued when `end` comes."""
    played = play(BY_NAME["goodbye"], language, tmp_path)
    (end,) = played.wire.frames("end")
    spoken = played.told.facts(Kind.HEARD)[-1]
    assert spoken == {"text": lines(language).goodbye, "whole": True, "purpose": "farewell"}
    assert json.loads(str(end.frame["handoffData"]))["reason"] == "goodbye"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("flow", ["language-asked-for", "language-spoken"])
def test_the_carrier_is_told_of_the_language_before_a_word_of_it(
    flow: str, language: str, tmp_path: Path
) -> None:
    played = play(BY_NAME[flow], language, tmp_path)
    (told,) = played.wire.frames("language")
    (spoken,) = BY_NAME[flow].spoken[language]
    assert told.frame == {"type": "language", "ttsLanguage": spoken, "transcriptionLanguage": spoken}
    assert told.at <= next(played.turn().words()).at


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_typed_is_not_in_the_record(language: str, tmp_path: Path) -> None:
    played = play(BY_NAME["spelled"], language, tmp_path)
    assert "4711" not in repr(played.told.events)


def first_words(turn: Turn) -> float:
    return next(turn.words()).at - turn.began


def second_words(turn: Turn) -> float:
    return [*turn.words()][1].at - turn.began


def kept_company(turn: Turn) -> None:
    assert turn.longest_silence() <= MOST_SILENCE, turn.said
    assert turn.longest_quiet() <= MOST_SILENCE + FIRST_SOUND, turn.said
    assert said_twice(turn.said) == []
