"""Writing an agent file without being an engineer: as a user does it, in an empty folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from compliance.journal import journal_url
from compliance.record import Record
from compliance.summary import timeline
from relay.cli import cli
from tests.relay.test_cli import serving

CLEAN = {"OPENAI_API_KEY": None, "ANTHROPIC_API_KEY": None, "FIVEGATES_DATA": None, "FIVEGATES_AGENT": None}


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


def run(*words: str, cwd: Path, **env: str) -> Ended:
    """One command, in this process: the program itself takes a second to begin."""
    with contextlib.chdir(cwd):
        ended = CliRunner().invoke(cli, words, env={**CLEAN, **env})
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return Ended(ended.exit_code, ended.stdout, ended.stderr)


FILE = """agent: {name: acme, organisation: Acme, version: "1"}
llm: [{provider: echo}]
context: {must: [name], policy: [tier], never: [notes], sources: {parameters: [name, tier]}}
guard:
  packs: [sales-en]
  prices: {approved: ["USD 49"]}
  rules: [{id: no-return, never: ["guaranteed return"], say: "I can't promise that.", reason: no returns}]
"""


@pytest.mark.parametrize(("language", "answer"), [("en-US", "not sure"), ("ko-KR", "모르겠습니다")])
def test_a_new_file_is_in_order_and_takes_a_call_without_a_key(
    tmp_path: Path, language: str, answer: str
) -> None:
    made = run("new", "a.yaml", "--language", language, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "fivegates serve --agent a.yaml" in made.stdout
    checked = run("lint", "a.yaml", cwd=tmp_path)
    assert (checked.returncode, checked.stdout[:1]) == (0, "✓")
    with serving("--agent", "a.yaml", cwd=tmp_path) as (base, _):
        script = tmp_path / "flow.yaml"
        script.write_text(f"name: f\nsteps: [{{say: Hello}}, {{until_heard: {answer}}}, hang_up]\n")
        url = base.replace("http", "ws") + "/twilio/relay"
        called = run("phone", "--url", url, "--script", "flow.yaml", cwd=tmp_path)
        assert called.returncode == 0, called.stdout + called.stderr


def test_a_new_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("mine")
    made = run("new", "a.yaml", cwd=tmp_path)
    assert (made.returncode, (tmp_path / "a.yaml").read_text()) == (1, "mine")
    assert "--force" in made.stderr


def test_a_key_in_the_environment_chooses_the_model(tmp_path: Path) -> None:
    assert run("new", "a.yaml", cwd=tmp_path, OPENAI_API_KEY="k").returncode == 0
    assert "provider: openai" in (tmp_path / "a.yaml").read_text()
    assert not (tmp_path / "a-cues.yaml").exists()


def test_a_key_in_dotenv_chooses_too_and_a_named_provider_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ANTHROPIC_API_KEY=k\n")
    made = run("new", "a.yaml", cwd=tmp_path)
    assert "provider: anthropic" in (tmp_path / "a.yaml").read_text()
    assert "export" not in made.stdout
    named = run("new", "b.yaml", "--provider", "openai", cwd=tmp_path)
    assert "provider: openai" in (tmp_path / "b.yaml").read_text()
    assert "export OPENAI_API_KEY=" in named.stdout


def test_a_new_file_makes_its_folder_and_takes_any_organisation(tmp_path: Path) -> None:
    made = run("new", "sub/a.yaml", "--organisation", "Kim: Sons #1", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert run("lint", "sub", cwd=tmp_path).stdout.startswith("✓ sub/a.yaml: ")
    (tmp_path / "taken").write_text("")
    refused = run("new", "taken/a.yaml", cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (1, "taken/a.yaml: cannot be written (File exists)\n")


def test_a_language_that_has_no_template_is_refused(tmp_path: Path) -> None:
    made = run("new", "a.yaml", "--language", "ko", cwd=tmp_path)
    assert made.returncode == 1
    assert "must be en-US or ko-KR" in made.stderr
    assert not (tmp_path / "a.yaml").exists()


def test_lint_goes_on_after_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    (tmp_path / "b.yaml").write_text(FILE)
    checked = run("lint", "gone.yaml", "a.yaml", "a.yaml", "b.yaml", cwd=tmp_path)
    assert checked.returncode == 1
    assert "✗ gone.yaml: cannot be read" in checked.stdout
    assert checked.stdout.count("✓ a.yaml: acme 1 speaks en-US with echo") == 1
    assert "! a.yaml:7: guard.rules[0]: no-return has no example that violates it" in checked.stdout
    assert "a.yaml, b.yaml: agent.name 'acme' is used by each of them" in checked.stdout


def test_lint_needs_the_script_but_no_key(tmp_path: Path) -> None:
    models = "[{provider: scripted, script: no.yaml}, {provider: openai, model: m}]"
    (tmp_path / "a.yaml").write_text(FILE.replace("[{provider: echo}]", models))
    checked = run("lint", "a.yaml", cwd=tmp_path)
    assert checked.returncode == 1
    assert "a.yaml: llm[0].script: " in checked.stdout
    assert "OPENAI_API_KEY" not in checked.stdout


def test_lint_tells_every_fault_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE.replace("packs:", "pakcs:").replace("USD 49", "forty"))
    checked = run("lint", "a.yaml", cwd=tmp_path)
    assert checked.returncode == 1
    assert "a.yaml:5: guard.pakcs: unknown key 'pakcs'; did you mean 'packs'?" in checked.stdout
    assert "a.yaml:6: guard.prices.approved[0]: must be a currency code and an amount" in checked.stdout


def test_lint_compiles_the_rules_and_says_what_a_line_breaks(tmp_path: Path) -> None:
    greeting = FILE.replace("organisation: Acme", 'organisation: Acme, greeting: "A guaranteed return!"')
    (tmp_path / "a.yaml").write_text(greeting)
    (tmp_path / "b.yaml").write_text(FILE.replace('never: ["guaranteed return"]', 'pattern: "a.*b"'))
    checked = run("lint", "a.yaml", "b.yaml", cwd=tmp_path)
    assert checked.returncode == 1
    assert "a.yaml:1: agent.greeting: rule no-return: the greeting (en-US) breaks it" in checked.stdout
    assert "b.yaml:7: guard.rules[0]: rule no-return: `*` has no bound" in checked.stdout


def test_try_says_which_rule_fires_and_what_would_be_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    tried = run("try", "a.yaml", "It has a guaranteed return.", cwd=tmp_path)
    assert tried.returncode == 0
    assert "block by rule no-return (a.yaml: no returns), on: “guaranteed return.”" in tried.stdout
    assert "said instead: “I can't promise that.”" in tried.stdout
    assert "enters: name (must, from an example)" in tried.stdout
    assert "withheld: notes (never)" in tried.stdout
    assert "withheld: tier (for rules only)" in tried.stdout
    assert "no rule fires" in run("try", "a.yaml", "It costs $49.", cwd=tmp_path).stdout
    assert "unapproved-price" in run("try", "a.yaml", "It costs $50.", cwd=tmp_path).stdout


CRM = """agent: {name: acme, numbers: ["+15550100001"]}
intents: {booking: {examples: [book a visit]}}
llm: [{provider: echo}]
context:
  crm: {adapter: csv, path: c.csv, fields: {name: name, tier: tier, slot: slot, owner: owner, ssn: ssn}}
  must: [name, city, source]
  on_missing: {city: ask}
  policy: [tier]
  conditional: {slot: {when: {intent: booking}}, owner: {when: {tier: vip}}}
  never: [notes, {name: ssn, canary: true}]
  sources: {dialled_number: {"+15550100001": {source: web}}}
"""


def test_try_says_what_would_enter_for_a_caller(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CRM)
    (tmp_path / "c.csv").write_text(
        "phone,name,tier,slot,owner,ssn\n+14155550123,Ann,vip,Friday,Lee,078-05-1120\n"
    )
    said = run("try", "a.yaml", "I want to book a visit", "--phone", "(415) 555-0123", cwd=tmp_path).stdout
    assert "found in the CRM" in said
    for line in (
        "intent: booking",
        "enters: name (must, from the CRM; ",
        "enters: source (must, from the dialled number; ",
        "enters: slot (its condition holds, from the CRM; ",
        "enters: owner (its condition holds, from the CRM; ",
        "withheld: notes (never)",
        "withheld: ssn (never)",
        "withheld: tier (for rules only)",
        "missing: city (the agent asks the caller for it)",
    ):
        assert line in said
    assert "Ann" not in said
    assert "078" not in said
    assert not (tmp_path / "data").exists()
    other = run("try", "a.yaml", "Hi", "--phone", "+14155550123", "--tier", "basic", cwd=tmp_path).stdout
    assert "withheld: owner (its condition does not hold)" in other
    assert "withheld: slot (its condition does not hold)" in other
    nobody = run("try", "a.yaml", "Hi", "--phone", "+14155550199", cwd=tmp_path).stdout
    assert "nobody in the CRM has this number" in nobody
    assert "not looked up" in run("try", "a.yaml", "Hi", "--phone", "anonymous", cwd=tmp_path).stdout


def test_try_says_what_keeps_a_caller_from_being_looked_up(tmp_path: Path) -> None:
    hubspot = "crm: {adapter: hubspot, token: '${HUBSPOT}', fields: {name: firstname}}"
    (tmp_path / "a.yaml").write_text(FILE.replace("context: {", f"context: {{{hubspot}, "))
    said = run("try", "a.yaml", "Hi", "--phone", "+14155550123", cwd=tmp_path).stdout
    assert "not looked up: HUBSPOT is not set in the environment" in said
    assert "missing: name (the call goes on without)" in said
    (tmp_path / "b.yaml").write_text(FILE)
    said = run("try", "b.yaml", "Hi", "--phone", "+14155550123", cwd=tmp_path).stdout
    assert "not looked up: the file names no CRM" in said


def test_try_refuses_an_intent_the_file_does_not_declare(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CRM)
    tried = run("try", "a.yaml", "Hi", "--intent", "bookign", cwd=tmp_path)
    assert tried.returncode == 1
    assert "the file declares booking, other; did you mean 'booking'?" in tried.stderr


def test_diff_speaks_plain_words(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    changed = FILE.replace('"USD 49"', '"USD 59"').replace(
        "policy: [tier]", "conditional: {tier: {when: {returning: true}}}"
    )
    (tmp_path / "b.yaml").write_text(changed.replace('"guaranteed return"', '"guaranteed return", "no risk"'))
    said = run("diff", "a.yaml", "b.yaml", cwd=tmp_path).stdout
    assert "The agent may now say USD 59." in said
    assert "The agent may no longer say USD 49." in said
    assert "The field tier now enters when the caller is returning" in said
    assert "Rule no-return now also covers “no risk”." in said
    assert "Nothing changed" in run("diff", "a.yaml", "a.yaml", cwd=tmp_path).stdout


def test_the_schema_accepts_what_the_program_accepts(tmp_path: Path) -> None:
    schema = json.loads(run("schema", cwd=tmp_path).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    read = YAML(typ="safe", pure=True)
    validator.validate(read.load(FILE))
    for broken in (FILE.replace("packs:", "pakcs:"), FILE.replace("name: acme,", ""), FILE + "nope: 1\n"):
        assert list(validator.iter_errors(read.load(broken)))


def test_a_running_server_takes_an_earlier_version_back(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(FILE)
    with serving("--agent", "a.yaml", cwd=tmp_path):
        pass
    file.write_text(FILE.replace('version: "1"', 'version: "2"'))
    with serving("--agent", "a.yaml", cwd=tmp_path) as (base, _):
        assert answering(base, tmp_path) == "acme 2"
        back = run("rollback", "a.yaml", "--name", "Kim", "--reason", "too eager", cwd=tmp_path)
        assert back.returncode == 0, back.stderr
        assert "The running server takes it" in back.stdout
        assert file.read_text() == FILE
        until(lambda: answering(base, tmp_path) == "acme 1")
        file.write_text("agent: [")
        os.kill(int((tmp_path / "data" / "serve.pid").read_text()), signal.SIGHUP)
        assert answering(base, tmp_path) == "acme 1"  # refused as a whole: the old one stays
    log = json.loads((tmp_path / "data" / "rollbacks.log").read_text())
    assert (log["name"], log["reason"], log["agent"]) == ("Kim", "too eager", "acme")


def test_a_version_that_was_never_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    never = run("rollback", "a.yaml", cwd=tmp_path)
    assert (never.returncode, "no version of it was kept yet" in never.stderr) == (1, True)
    with serving("--agent", "a.yaml", cwd=tmp_path):
        pass
    back = run("rollback", "a.yaml", "--to", "7", cwd=tmp_path)
    assert back.returncode == 1
    assert "no earlier version 7" in back.stderr


def test_a_broken_file_is_rolled_back_and_its_text_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(FILE)
    with serving("--agent", "a.yaml", cwd=tmp_path):
        pass
    for broken in ("agent: [", FILE.replace("name: acme", "name: renamed").replace("llm:", "lm:")):
        file.write_text(broken)
        back = run("rollback", "a.yaml", cwd=tmp_path)
        assert back.returncode == 0, back.stderr
        assert "No server is running here." in back.stdout
        assert file.read_text() == FILE
        assert broken in [each.read_text() for each in (tmp_path / "data" / "agents" / "acme").glob("*.yaml")]
    listed = run("rollback", "a.yaml", "--list", cwd=tmp_path).stdout
    assert listed.count("(cannot be used)") == 2
    assert listed.count("(now)") == 1
    assert (tmp_path / "data" / "rollbacks.log").stat().st_mode & 0o777 == 0o600


def test_a_rollback_says_what_is_different_now(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(FILE)
    with serving("--agent", "a.yaml", cwd=tmp_path):
        pass
    file.write_text(FILE.replace("USD 49", "USD 59"))
    assert "  The agent may no longer say USD 59." in run("rollback", "a.yaml", cwd=tmp_path).stdout


def answering(base: str, folder: Path) -> str:
    """The agent and the version that take a call now."""
    script = folder / "hello.yaml"
    script.write_text("name: f\nsteps: [{until_heard: assistant}, hang_up]\n")
    url = base.replace("http", "ws") + "/twilio/relay"
    assert run("phone", "--url", url, "--script", "hello.yaml", cwd=folder).returncode == 0
    record = Record(journal_url(folder / "data"))
    events = [stored.event for stored in record.events(record.calls(1)[0].call_sid)]
    told = " ".join(line.text for line in timeline(events))
    return told.partition("answered by ")[2].partition(",")[0].strip()


def until(true: Callable[[], bool]) -> None:
    """Ask again until it is so, for 20 seconds at the most; each asking is a whole call."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
