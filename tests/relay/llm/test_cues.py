"""Which cue answers, and what is wrong with a file that cannot be used."""

from __future__ import annotations

import pytest

from relay.llm.cues import BadScript, read

SCRIPT = read(
    """
cues:
  - when: [how much, "What's the price?"]
    say: Forty-nine
      dollars.
  - {when: how much time, say: An hour.}
  - {when: thanks, say: You're welcome.}
  - {when: so bye, say: Goodbye.}
  - {when: be late, say: Late.}
  - {when: 얼마, say: 사십구 달러입니다., language: ko-KR}
  - {when: hola, say: Buenos días., language: es}
otherwise: {en: Pardon?, ko: 네?}
""",
    "cues.yaml",
)


@pytest.mark.parametrize(
    ("heard", "answer"),
    [
        ("So how much is it?", "Forty-nine dollars."),
        ("HOW,  MUCH", "Forty-nine dollars."),
        ("what\u2019s the price", "Forty-nine dollars."),
        ("How much time?", "An hour."),
        ("How much? And how much time?", "An hour."),
        ("So bye, thanks!", "You're welcome."),  # as long as each other, so the earlier cue
        ("somehow much", "Pardon?"),
        ("How muchly", "Pardon?"),
        ("hola", "Pardon?"),
        ("", "Pardon?"),
    ],
)
def test_the_longest_phrase_wins_then_the_first(heard: str, answer: str) -> None:
    assert SCRIPT.answer(heard, "en-US") == answer


@pytest.mark.parametrize(
    ("heard", "language", "answer"),
    [
        ("얼마예요?", "ko-KR", "사십구 달러입니다."),
        ("그거얼마", "ko-KR", "네?"),
        ("얼마", "en-US", "Pardon?"),
        ("how much", "ko", "Forty-nine dollars."),
        ("hola", "es-MX", "Buenos días."),
        ("what", "es-MX", "Pardon?"),
    ],
)
def test_cues_of_a_language(heard: str, language: str, answer: str) -> None:
    assert SCRIPT.answer(heard, language) == answer


def test_one_text_may_serve_all_languages() -> None:
    script = read("cues: [{when: hi, say: Hello.}]\notherwise: Pardon?\n", "f")
    assert script.answer("what", "ko-KR") == "Pardon?"


FAULTS = {
    "": "f:1: is empty, needs `cues` and `otherwise`",
    "- a": "f:1: the file must be a mapping with `cues` and `otherwise`",
    "cues: [{when: a, say: b}]": "f:1: the file: otherwise is missing",
    "otherwise: a\ncues: []": "f:2: cues must be a list with at least one entry",
    "otherwise: a\ncues:\n- hello": "f:3: cues[0] must be a mapping with `when` and `say`",
    "otherwise: a\ncues:\n- {when: a, say: b}\n- when: a": "f:4: cues[1]: say is missing",
    "otherwise: a\ncues:\n- when: a\n  says: b": (
        "f:4: cues[0]: says is not known here, only `when` and `say` and `language`"
    ),
    "otherwise: a\ncues:\n- when: a\n  when: b\n  say: c": "f:4: cues[0]: when is given twice",
    "otherwise: a\ncues:\n- when: a\n  say:": "f:4: cues[0].say must be a text",
    "otherwise: a\ncues:\n- when: []\n  say: b": "f:3: cues[0].when must be a list with at least one entry",
    "otherwise: a\ncues:\n- when:\n  - '?'\n  say: b": "f:4: cues[0].when has no word in it",
    "otherwise: a\ncues:\n- {when: {a: b}, say: c}": "f:3: cues[0].when must be a text",
    "cues: [{when: a, say: b}]\notherwise: {}": "f:2: otherwise needs a text",
    "cues: [{when: a, say: b}]\notherwise: {en: [a]}": "f:2: otherwise.en must be a text",
    "cues: [{when: a, say: b}]\notherwise: {en: ": "f:2: expected the node content, but found '<stream end>'",
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_a_fault_is_named_with_its_key_and_line(text: str, fault: str) -> None:
    with pytest.raises(BadScript) as raised:
        read(text, "f")
    assert str(raised.value) == fault
