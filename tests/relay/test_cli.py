"""The command line as a user has it: real processes, an empty folder, no environment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.relay.running import ECHO

FIVEGATES = Path(sys.executable).with_name("fivegates")
CLEAN = {"PATH": os.environ["PATH"], "COLUMNS": "200", "NO_COLOR": "1"}


def run(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(FIVEGATES), *words],
        cwd=cwd,
        env={**CLEAN, "HOME": str(cwd), **env},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def serving(*words: str, cwd: Path, **env: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server that is listening; it is stopped by SIGTERM, unless it has ended."""
    with subprocess.Popen(
        [str(FIVEGATES), "serve", "--port", "0", *words],
        cwd=cwd,
        env={**CLEAN, "HOME": str(cwd), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found, line + server.stderr.read() if server.stderr and not line else line
        try:
            yield found[1], server
        finally:
            server.terminate()
            server.communicate(timeout=30)


def test_serve_says_where_it_listens_and_ends_on_sigterm(tmp_path: Path) -> None:
    with serving(cwd=tmp_path) as (base, server):
        assert httpx.get(f"{base}/healthz").text == "alive\n"
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


def test_workers_share_the_port_and_end_together(tmp_path: Path) -> None:
    with serving("--workers", "2", cwd=tmp_path) as (base, server):
        assert httpx.get(f"{base}/readyz").json()["ready"] is True
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0


def test_a_flow_is_played_from_the_terminal_and_its_call_is_listed(tmp_path: Path) -> None:
    (tmp_path / "echo.yaml").write_text(ECHO)
    flow = tmp_path / "flow.yaml"
    flow.write_text(
        'name: hello\nsteps:\n  - until_heard: "AI assistant"\n  - press: "42#"\n'
        '  - until_heard: "You said"\n  - hang_up\n'
    )
    with serving("--agent", "echo.yaml", cwd=tmp_path) as (base, _):
        url = base.replace("http", "ws") + "/twilio/relay"
        played = run("phone", "--url", url, "--script", "flow.yaml", cwd=tmp_path)
        assert played.returncode == 0, played.stdout + played.stderr
        listed = run("calls", cwd=tmp_path).stdout
        assert "resolved" in listed
        assert "rehearsal" in listed
        found = re.search(r"CA[0-9a-f]{32}", listed)
        assert found
        shown = run("calls", found[0], cwd=tmp_path).stdout
    headings = shown.splitlines()[:3]
    assert [line.split(":")[0] for line in headings] == ["Context", "Agent stopped", "Follow-up"]
    assert "[2 digits]" in shown


def test_a_flow_that_is_not_met_fails(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text('name: no\nsteps:\n  - until_heard: "assistant"\n  - expect_heard: "pineapple"\n')
    with serving(cwd=tmp_path) as (base, _):
        url = base.replace("http", "ws") + "/twilio/relay"
        played = run("phone", "--url", url, "--script", "flow.yaml", cwd=tmp_path)
    assert played.returncode == 1
    assert "“pineapple” was not heard" in played.stderr


@pytest.mark.parametrize(
    ("words", "env", "told"),
    [
        (("--host", "0.0.0.0"), {}, ["TWILIO_AUTH_TOKEN", "only this machine"]),
        (
            (),
            {"PUBLIC_URL": "https://a.example", "REDIS_URL": "http://x"},
            ["TWILIO_AUTH_TOKEN", "REDIS_URL"],
        ),
        (("--agent", "missing.yaml"), {}, ["missing.yaml: cannot be read"]),
        (("--agent", "broken.yaml"), {}, ["broken.yaml:2", "did you mean 'name'", "broken.yaml:3", "llm"]),
        (("--agent", "openai.yaml"), {}, ["OPENAI_API_KEY is not set"]),
        (("--agent", "script.yaml"), {}, ["llm[0].script", "cues.yaml"]),
        (("--agent", "."), {}, ["broken.yaml:2"]),
        (("--agent", "empty"), {}, ["no agent file in this folder"]),
    ],
)
def test_serve_tells_every_fault_before_the_port_opens(
    tmp_path: Path, words: tuple[str, ...], env: dict[str, str], told: list[str]
) -> None:
    (tmp_path / "broken.yaml").write_text("agent:\n  nmae: x\nllm: []\n")
    (tmp_path / "openai.yaml").write_text("agent: {name: a}\nllm: [{provider: openai, model: m}]\n")
    (tmp_path / "script.yaml").write_text(
        "agent: {name: a}\nllm: [{provider: scripted, script: cues.yaml}]\n"
    )
    (tmp_path / "empty").mkdir()
    ended = run("serve", "--port", "0", *words, cwd=tmp_path, **env)
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    for words_told in told:
        assert words_told in ended.stderr


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with serving(cwd=tmp_path) as (base, _):
        ended = run("serve", "--port", base.rpartition(":")[2], cwd=tmp_path)
    assert ended.returncode != 0
    assert "cannot listen there" in ended.stderr


def test_calls_before_the_first_call(tmp_path: Path) -> None:
    ended = run("calls", cwd=tmp_path)
    assert ended.returncode == 1
    assert "no call was recorded yet" in ended.stderr


def test_the_doctor_says_what_is_durable_and_warns(tmp_path: Path) -> None:
    at_home = run("doctor", cwd=tmp_path)
    assert at_home.returncode == 0
    assert "the journal is durable in data/journal.sqlite" in at_home.stdout
    assert "for this machine alone" in at_home.stdout
    public = run("doctor", cwd=tmp_path, PUBLIC_URL="https://a.example", TWILIO_AUTH_TOKEN="t")
    assert "serving publicly without Redis" in public.stdout
    wrong = run("doctor", cwd=tmp_path, TWILIO_AUTH_TOKEN="t")
    assert wrong.returncode == 1
    assert "PUBLIC_URL" in wrong.stdout


def test_a_dotenv_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FIVEGATES_DATA=elsewhere\nTWILIO_AUTH_TOKEN=t\n")
    ended = run("doctor", cwd=tmp_path, TWILIO_AUTH_TOKEN="")
    assert "elsewhere/journal.sqlite" in ended.stdout
