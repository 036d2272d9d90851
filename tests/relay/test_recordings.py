"""Recorded calls of the real service, played to our server frame by frame at their own times."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from compliance.events import Kind
from evaluation.clock import run_virtual
from evaluation.wire import Judge, Malformed
from tests.relay.running import PUBLIC, Running, public, running
from tests.relay.test_server import announced, handshake, post

RECORDINGS = sorted((Path(__file__).parents[1] / "data" / "conversationrelay").glob("*.jsonl"))


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_call_replays(recording: Path, tmp_path: Path) -> None:
    entries = [json.loads(line) for line in recording.read_text().splitlines()]

    async def replay() -> None:
        async with running(public(tmp_path)) as server:
            sent = await Replay(server).play(entries)
            judge = Judge()
            assert sent
            assert [judge.judge(frame) for frame in sent if isinstance(judge.judge(frame), Malformed)] == []
            said = "".join(json.loads(frame).get("token", "") for frame in sent)
            assert "AI assistant" in said
            if any(entry.get("frame", {}).get("voicePrompt") for entry in entries):
                assert "You said: Holding." in said
                assert said.count("You said") == 1, "partial prompts were answered"
            malformed = [facts for facts in server.told.facts(Kind.WIRE_ERROR) if "malformed" in str(facts)]
            assert malformed == []

    run_virtual(replay())


class Replay:
    """Sends what Twilio sent, when it did; keeps what we answer."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.sent: list[str] = []
        self.token = ""
        self.socket: ClientConnection | None = None
        self.reading: asyncio.Task[None] | None = None

    async def play(self, entries: list[dict[str, Any]]) -> list[str]:
        began = asyncio.get_running_loop().time() - entries[0]["ms"] / 1000
        for entry in entries:
            await asyncio.sleep(began + entry["ms"] / 1000 - asyncio.get_running_loop().time())
            await self.step(entry)
        await self.close()
        return self.sent

    async def step(self, entry: dict[str, Any]) -> None:
        match entry:
            case {"dir": "http", "path": path, "form": form}:
                answer = await post(self.server, f"/twilio{path}", form)
                assert answer.status_code == 200
                if "<ConversationRelay" in answer.text:
                    assert f"wss{PUBLIC.removeprefix('https')}/twilio/relay" in answer.text
                    self.token = announced(answer.text)
            case {"event": "handshake"} if self.token:
                await self.close()
                self.socket = await handshake(self.server)
                self.reading = asyncio.create_task(self.read(self.socket))
            case {"dir": "in", "frame": frame} if self.socket:
                if frame["type"] == "setup":
                    frame = {**frame, "customParameters": {"fivegates": self.token}}
                    self.token = ""
                with suppress(ConnectionClosed):  # our second session has no place in that recording
                    await self.socket.send(json.dumps(frame))
            case {"event": "close"}:
                await self.close()

    async def read(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for frame in socket:
                self.sent.append(str(frame))

    async def close(self) -> None:
        if self.socket and self.reading:
            await self.socket.close()
            await self.reading
        self.socket = None
