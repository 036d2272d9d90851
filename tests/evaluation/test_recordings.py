"""Real calls, replayed: what we report of them is what Twilio reported, in the same order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.carrier import Leg
from evaluation.playback import GREETING_LATENCY, ChunkPlayed, Cut, Playback, Signal, SpeakingChanged
from evaluation.wire import Input, Inputs, Judge, Malformed, Play, SendDigits, Text

RECORDINGS = sorted((Path(__file__).parents[1] / "data" / "conversationrelay").glob("*.jsonl"))
GREETING = "This is the spike. Say something, or press a key."


def lines(recording: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines()]


def reported(signal: Signal) -> tuple[str, str]:
    match signal:
        case SpeakingChanged(on=on):
            return "agentSpeaking", "on" if on else "off"
        case ChunkPlayed(text=text):
            return "tokensPlayed", text
        case Cut(heard=heard):
            return "interrupt", heard


def recorded(frame: dict[str, Any]) -> tuple[str, str] | None:
    match frame:
        case {"type": "info", "name": "agentSpeaking" | "tokensPlayed" as name, "value": str(value)}:
            return name, value
        case {"type": "interrupt", "utteranceUntilInterrupt": str(heard)}:
            return "interrupt", heard
        case _:
            return None


def replay(call: list[dict[str, Any]]) -> list[Signal]:
    """Greeting, server frames, voice and keys at their recorded times, through our playback."""
    playback, judge, signals = Playback(), Judge(), []
    starts = [
        line["ms"] / 1000 for line in call if recorded(line.get("frame", {})) == ("agentSpeaking", "on")
    ]
    for line in call:
        now = line["ms"] / 1000
        signals += playback.advance(now)
        match line:
            case {"frame": {"type": "setup"}}:
                playback = Playback()
                begins = next(start for start in starts if start > now)
                playback.greet(GREETING, Inputs.ANY, begins - GREETING_LATENCY)
            case {"frame": {"type": "dtmf"}}:
                signals += playback.barge_in(Input.DTMF, now)
            case {"frame": {"name": "clientSpeaking", "value": "on"}}:
                signals += playback.barge_in(Input.SPEECH, now)
            case {"dir": "out", "frame": frame}:
                sent = judge.judge(json.dumps(frame))
                if isinstance(sent, Text | Play | SendDigits):
                    signals += playback.feed(sent, now)
    return signals


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_the_speech_queue_reports_what_the_recording_reports(recording: Path) -> None:
    call = lines(recording)
    wanted = [found for line in call if (found := recorded(line.get("frame", {})))]
    assert wanted
    assert [reported(signal) for signal in replay(call)] == wanted


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_the_judge_accepts_every_frame_that_twilio_accepted(recording: Path) -> None:
    judge = Judge()
    sent = [line["frame"] for line in lines(recording) if line["dir"] == "out" and "frame" in line]
    assert sent
    assert not any(isinstance(judge.judge(json.dumps(frame)), Malformed) for frame in sent)


def test_the_judge_refuses_as_twilio_refused() -> None:
    call = lines(next(path for path in RECORDINGS if path.stem == "malformed_frames"))
    judge = Judge()
    judged = [judge.judge(line["raw"]) for line in call if "raw" in line]
    errors = [line["frame"]["description"] for line in call if line.get("frame", {}).get("type") == "error"]
    assert errors
    assert [one.description for one in judged if isinstance(one, Malformed)] == errors
    assert [one.fatal for one in judged if isinstance(one, Malformed)] == [False] * 9 + [True]


def test_webhook_forms_have_the_recorded_fields() -> None:
    path = RECORDINGS[0].parent / "webhook_forms.json"
    forms = json.loads(path.read_text(encoding="utf-8"))
    number = forms["voice_webhook"]["From"]
    leg = Leg("AC" + "0" * 32, forms["voice_webhook"]["CallSid"], caller=number, called=number)
    assert {**leg.voice_form(), "CallToken": "<redacted>"} == forms["voice_webhook"]
    status = leg.status_form(15.2, "Sun, 30 Aug 2026 08:33:28 +0000")
    assert status == forms["number_status_callback"]
