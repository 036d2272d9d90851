"""The demo's model says what its cues say, a word at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.llm import scripted
from relay.llm.port import Finish, FinishReason, LanguageModel, Message, Request, Text
from tests.relay.llm.providers import whole, words

DEMO = Path(__file__).parents[3] / "agents" / "demo-cues.yaml"


@pytest.fixture(scope="module")
def demo() -> LanguageModel:
    return scripted.connect(script=DEMO, delay=0.0)


def asking(text: str) -> Request:
    return Request("", (Message("user", "Hi."), Message("assistant", "Hello."), Message("user", text)))


async def said(model: LanguageModel, text: str) -> str:
    return words(await whole(model, asking(text)))


async def test_it_speaks_word_by_word_and_finishes(tmp_path: Path) -> None:
    file = tmp_path / "cues.yaml"
    file.write_text("cues: [{when: hi, say: Good day to you.}]\notherwise: Pardon?\n", "utf-8")
    model = scripted.connect(script=file, delay=0.0)
    assert model.name == "scripted/cues"
    assert await whole(model, asking("Hi")) == [
        Text("Good "),
        Text("day "),
        Text("to "),
        Text("you."),
        Finish(FinishReason.STOP),
    ]


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("What does the yearly check cost?", "forty-nine dollars"),
        ("What is included?", "four parts"),
        ("Sorry, can I book it for Friday?", "Fridays are possible"),
        ("Thanks, bye.", "goodbye"),
        ("Hello?", "this is Acme Home"),
        ("Who are you?", "AI assistant"),
        ("Are you a robot?", "AI assistant"),
        ("Hi, am I talking to a machine?", "AI assistant"),
        ("When are you open?", "Monday to Friday"),
        ("I want to talk to a person, please.", "colleague"),
        ("Help!", "You can ask"),
        ("My heating is broken.", "technician"),
        ("I think I smell gas.", "leave the house"),
        ("Colourless green ideas sleep furiously.", "not sure"),
    ],
)
async def test_the_demo_has_an_answer(demo: LanguageModel, question: str, about: str) -> None:
    assert about in await said(demo, question)


async def test_one_answer_of_the_demo_is_long_enough_to_be_interrupted(demo: LanguageModel) -> None:
    answer = await said(demo, "What is included?")
    assert answer.count(". ") >= 3
    assert len(answer) > 15 * 20  # 20 seconds at 15 characters a second
