"""Writing an agent file without being an engineer: as a user does it, in an empty folder."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.relay.test_cli import run, serving

FILE = """agent: {name: acme, organisation: Acme, version: "1"}
llm: [{provider: echo}]
context: {must: [name], policy: [tier], never: [notes], sources: {parameters: [name, tier]}}
guard:
  packs: [sales-en]
  prices: {approved: ["USD 49"]}
  rules: [{id: no-return, never: ["guaranteed return"], say: "I can't promise that.", reason: no returns}]
"""


@pytest.mark.parametrize("language", ["en-US", "ko-KR"])
def test_a_new_file_is_in_order_and_takes_a_call_without_a_key(tmp_path: Path, language: str) -> None:
    made = run("new", "a.yaml", "--language", language, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "fivegates serve --agent a.yaml" in made.stdout
    checked = run("lint", "a.yaml", cwd=tmp_path)
    assert (checked.returncode, checked.stdout[:1]) == (0, "✓")
    with serving("--agent", "a.yaml", cwd=tmp_path) as (base, _):
        script = tmp_path / "flow.yaml"
        script.write_text("name: f\nsteps: [{wait: quiet}, {say: Hello}, {wait: quiet}, hang_up]\n")
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
    assert "a.yaml: guard: rule no-return: the greeting (en-US) breaks it" in checked.stdout
    assert "b.yaml: guard: rule no-return: `*` has no bound" in checked.stdout


def test_try_says_which_rule_fires_and_what_would_be_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    tried = run("try", "a.yaml", "It has a guaranteed return.", cwd=tmp_path)
    assert tried.returncode == 0
    assert "block by rule no-return (a.yaml: no returns), on: “guaranteed return.”" in tried.stdout
    assert "said instead: “I can't promise that.”" in tried.stdout
    assert "enters: name (must)" in tried.stdout
    assert "withheld: notes (never)" in tried.stdout
    assert "withheld: tier (for rules only)" in tried.stdout
    assert "no rule fires" in run("try", "a.yaml", "It costs $49.", cwd=tmp_path).stdout
    assert "unapproved-price" in run("try", "a.yaml", "It costs $50.", cwd=tmp_path).stdout


def test_diff_speaks_plain_words(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    changed = FILE.replace('"USD 49"', '"USD 59"').replace(
        "policy: [tier]", "conditional: {tier: {when: {returning: true}}}"
    )
    (tmp_path / "b.yaml").write_text(changed.replace('"guaranteed return"', '"guaranteed return", "no risk"'))
    said = run("diff", "a.yaml", "b.yaml", cwd=tmp_path).stdout
    assert "The agent may now say USD 59." in said
    assert "The agent may no longer say USD 49." in said
    assert "The field tier now enters when returning yes" in said
    assert "Rule no-return now also forbids no risk." in said
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
    back = run("rollback", "a.yaml", "--to", "7", cwd=tmp_path)
    assert back.returncode == 1
    assert "no earlier version 7" in back.stderr


def answering(base: str, folder: Path) -> str:
    """The agent and the version that take a call now."""
    script = folder / "hello.yaml"
    script.write_text("name: f\nsteps: [{wait: quiet}, hang_up]\n")
    url = base.replace("http", "ws") + "/twilio/relay"
    assert run("phone", "--url", url, "--script", "hello.yaml", cwd=folder).returncode == 0
    newest = run("calls", "--limit", "1", cwd=folder).stdout.split()
    record = run("calls", next(word for word in newest if word.startswith("CA")), cwd=folder).stdout
    return record.partition("answered by ")[2].partition(",")[0].strip()


def until(true: Callable[[], bool]) -> None:
    """Ask again until it is so, for 20 seconds at the most; each asking is a whole call."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
