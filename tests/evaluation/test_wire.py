"""A frame is judged as Twilio judges it."""

from __future__ import annotations

import json

import pytest
from msgspec import UNSET

from evaluation.wire import (
    Config,
    End,
    Hints,
    Input,
    Inputs,
    Judge,
    Language,
    Malformed,
    Play,
    SendDigits,
    ServerFrame,
    Text,
)

GOOD = '{"type":"text","token":"x"}'
BAD = "this is not json"


@pytest.mark.parametrize(
    ("raw", "frame"),
    [
        (GOOD, Text("x")),
        ('{"type":"text","token":"","last":true}', Text("", last=True)),
        (
            '{"type":"text","token":"a","lang":"ko-KR","interruptible":false,"preemptible":true}',
            Text("a", lang="ko-KR", interruptible=False, preemptible=True),
        ),
        ('{"type":"text","token":"a","interruptible":"dtmf"}', Text("a", interruptible=Inputs.DTMF)),
        (
            '{"type":"play","source":"https://example.com/a.mp3","loop":0}',
            Play("https://example.com/a.mp3", 0),
        ),
        ('{"type":"sendDigits","digits":"1w2*#"}', SendDigits("1w2*#")),
        ('{"type":"language","ttsLanguage":"ko-KR"}', Language(tts_language="ko-KR")),
        ('{"type":"config","anything":{"at":"all"}}', Config()),
        ('{"type":"hints","hints":"Acme"}', Hints()),
        ('{"type":"end"}', End(UNSET)),
        ('{"type":"end","handoffData":"{}"}', End("{}")),
    ],
)
def test_a_documented_frame_is_accepted(raw: str, frame: ServerFrame) -> None:
    assert Judge().judge(raw) == frame


@pytest.mark.parametrize(
    "raw",
    [
        BAD,
        "",
        "[]",
        "null",
        "{}",
        '{"token":"x"}',
        '{"type":"ping"}',
        '{"type":"Text","token":"x"}',
        '{"type":"text"}',
        '{"type":"text","token":null}',
        '{"type":"text","token":1}',
        '{"type":"text","token":"x","last":"true"}',
        '{"type":"text","token":"x","last":null}',
        '{"type":"text","token":"x","interruptible":"speach"}',
        '{"type":"text","token":"x","turn":7}',
        '{"type":"play"}',
        '{"type":"play","source":"hold.mp3"}',
        '{"type":"play","source":"https://example.com/a.mp3","loop":-1}',
        '{"type":"sendDigits","digits":""}',
        '{"type":"sendDigits","digits":"12a"}',
        '{"type":"language"}',
        '{"type":"language","language":"ko-KR"}',
        '{"type":"end","handoffData":{"reason":"agent"}}',
        '{"type":"end","handoffData":null}',
    ],
)
def test_anything_else_is_answered_with_64107_and_quoted(raw: str) -> None:
    judged = Judge().judge(raw)
    assert judged == Malformed(f"Invalid message received, code: 64107, {raw}", fatal=False)


def test_a_binary_frame_is_malformed() -> None:
    assert isinstance(Judge().judge(GOOD.encode()), Malformed)


def test_the_tenth_malformed_frame_in_a_row_is_the_last() -> None:
    judge = Judge()
    judged = [judge.judge(f"{BAD} #{number}") for number in range(1, 11)]
    assert [isinstance(one, Malformed) and one.fatal for one in judged] == [False] * 9 + [True]


def test_a_good_frame_starts_the_count_again() -> None:
    judge = Judge()
    judged = [judge.judge(raw) for raw in [BAD] * 9 + [GOOD] + [BAD] * 9]
    assert not any(isinstance(one, Malformed) and one.fatal for one in judged)


@pytest.mark.parametrize(
    ("inputs", "speech", "dtmf"),
    [
        (Inputs.ANY, True, True),
        (Inputs.SPEECH, True, False),
        (Inputs.DTMF, False, True),
        (Inputs.NONE, False, False),
    ],
)
def test_what_interruptible_admits(inputs: Inputs, speech: bool, dtmf: bool) -> None:
    assert (inputs.admit(Input.SPEECH), inputs.admit(Input.DTMF)) == (speech, dtmf)


def test_the_quoted_frame_survives_json() -> None:
    judged = Judge().judge('{"type":"text","token":"\\u00e9"')
    assert isinstance(judged, Malformed)
    assert json.loads(json.dumps(judged.description)).endswith('"\\u00e9"')
