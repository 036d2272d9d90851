"""An agent file says everything that is wrong with it at once, by line, and is exact when nothing is."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

import pytest

from policies.agent_faults import NOT_BUILT, AgentFileInvalid
from policies.agent_file import AgentFile, choose, conflicts, parse
from policies.agent_values import Say, seconds

SMALLEST = "agent: {name: acme}\nllm: [{provider: echo}]\n"

LIST = "must be a list, one item a line after `- `, or in brackets: [a, b]"
SPEAKABLE = "must be a text to speak, or a text per language: {en-US: …, ko-KR: …}"
UNIT = "must be a number with a unit: 800ms, 1.2s, 5m, 2h or 90d"
TAG = "must be a language tag such as en-US or ko-KR"
PROVIDERS = "must be one of openai, anthropic, openai_realtime, scripted, echo"
MAPPING = "must be a mapping of keys to values"
NAME = "must be at most 64 letters, digits, . _ and -, no spaces"


def faults(text: str) -> list[str]:
    with pytest.raises(AgentFileInvalid) as refused:
        parse(text, source="acme.yaml")
    return str(refused.value).splitlines()


def test_two_keys_are_enough() -> None:
    file = parse(SMALLEST, source="acme.yaml")
    assert file.language == "en-US"
    assert file.greeting("en-US") == "How can I help you today?"
    assert file.disclosure("en-US") == "Hi, this is an AI assistant."
    assert file.hash == sha256(SMALLEST.encode()).hexdigest()
    assert file.version == file.hash[:12]
    assert file.source == "acme.yaml"
    entry = file.llm[0]
    assert (entry.max_tokens, entry.temperature) == (400, None)
    assert (entry.first_token_timeout, entry.stall_timeout, entry.total_timeout) == (4.0, 2.5, 30.0)


def test_a_whole_file_is_read_to_the_last_key() -> None:
    file = parse("""
agent:
  name: acme-sales
  version: 2026-11-23.1
  organisation: Acme Home
  numbers: ["+15550100001"]
  languages: [en-US, ko-KR]
  greeting: {en-US: Hello., ko-KR: 안녕하세요.}
  instructions: |
    You are
    polite.
llm:
  - {provider: openai, model: gpt-4.1-mini, base_url: "http://127.0.0.1:9/v1", temperature: 0,
     first_token_timeout: 1.5s}
  - {provider: anthropic, model: claude-haiku-4-5, max_tokens: 200, total_timeout: 1m}
  - {provider: scripted, script: cues.yaml, delay: 20ms}
compliance: {disclosure: {say: "An AI of  Acme\\nHome speaks."}}
""")
    assert file.version == "2026-11-23.1"
    assert file.agent.numbers == ("+15550100001",)
    assert file.agent.instructions == "You are\npolite.\n"
    assert file.greeting("ko-KR") == "안녕하세요."
    assert file.disclosure("ko-KR") == "An AI of Acme Home speaks."
    openai, anthropic, scripted = file.llm
    assert (openai.model, openai.base_url, openai.temperature) == ("gpt-4.1-mini", "http://127.0.0.1:9/v1", 0)
    assert (openai.first_token_timeout, anthropic.total_timeout, scripted.delay) == (1.5, 60.0, 0.02)
    assert scripted.script == "cues.yaml"


def test_the_file_of_the_demonstration_is_in_order() -> None:
    file = parse((files("agents") / "demo.yaml").read_text(encoding="utf-8"))
    assert file.disclosure("en-US") == "Hi, this is Acme Home's AI assistant."
    assert [(entry.provider, entry.script) for entry in file.llm] == [("scripted", "demo-cues.yaml")]


def test_our_own_disclosure_is_in_the_language_of_the_call() -> None:
    file = parse("agent: {name: a, organisation: Acme}\nllm: [{provider: echo}]")
    assert file.disclosure("ko-KR") == "안녕하세요, Acme의 인공지능 상담원입니다."
    assert file.disclosure("fr-FR") == "Hi, this is Acme's AI assistant."


def test_every_fault_is_told_at_once_with_its_line_and_key() -> None:
    assert faults("""agent:
  name: acme sales
  numbers: [+15550100001]
  versoin: "1"
evaluation: {check: {}}
voise: {}
llm:
  - {provider: opnai}
  - {provider: openai, first_token_timeout: 4}
llm: []
compliance: yes
""") == [
        "acme.yaml:2: agent.name: must be at most 64 letters, digits, . _ and -, no spaces",
        "acme.yaml:3: agent.numbers[0]: must be text; put it in quotes",
        "acme.yaml:4: agent.versoin: unknown key 'versoin'; did you mean 'version'?",
        "acme.yaml:5: evaluation.check: `check` is not built yet in this release: remove it",
        "acme.yaml:6: voise: unknown key 'voise'; did you mean 'voice'?",
        "acme.yaml:7: llm: must have at least one entry",
        "acme.yaml:10: llm: written twice; the first is on line 7",
        "acme.yaml:11: compliance: must be a mapping of keys to values",
    ]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("agent: {}", "agent.name: is required"),
        ("agent: {name: ''}", f"agent.name: {NAME}"),
        (
            "agent: {name: a, numbers: ['5550100001']}",
            'agent.numbers[0]: must be a number in E.164, in quotes: "+15550100001"',
        ),
        ("agent: {name: a, languages: english}", f"agent.languages: {LIST}"),
        ("agent: {name: a, languages: [english]}", f"agent.languages[0]: {TAG}"),
        ("agent: {name: a, greeting: ' '}", f"agent.greeting: {SPEAKABLE}"),
        (
            "agent: {name: a, greeting: {}}",
            "agent.greeting: must be a text, or a text per language: {en-US: …, ko-KR: …}",
        ),
        ("agent: {name: a, greeting: {korean: 네}}", f"agent.greeting: {TAG}"),
        (
            "agent: {name: a, instructions: 'key ${SECRET}'}",
            "agent.instructions: ${…} is for secrets only",
        ),
        (
            "agent: {name: a, greetings: x}",
            "agent.greetings: unknown key 'greetings'; did you mean 'greeting'?",
        ),
        ("agent: {name: a, zzz: x}", "agent.zzz: unknown key 'zzz'"),
        ("llm: echo", f"llm: {LIST}"),
        ("llm: [echo]", f"llm[0]: {MAPPING}"),
        ("llm: [{provider: ecko}]", f"llm[0].provider: {PROVIDERS}; did you mean 'echo'?"),
        ("llm: [{provider: {a: b}}]", f"llm[0].provider: {PROVIDERS}"),
        ("llm: [{provider: openai_realtime}]", "llm[0].model: is required with `provider: openai_realtime`"),
        (
            "llm: [{provider: openai_realtime, model: m, temperature: 1.0}]",
            "llm[0].temperature: has no meaning with `provider: openai_realtime`: remove it",
        ),
        (
            "llm: [{provider: openai_realtime, model: m, max_tokens: 9999}]",
            "llm[0].max_tokens: is at most 4096 with `provider: openai_realtime`",
        ),
        (
            "llm: [{provider: openai_realtime, model: m, reopen_after: 2h}]",
            "llm[0].reopen_after: must be below 60m, where the API ends the session",
        ),
        ("llm: [{provider: openai}]", "llm[0].model: is required with `provider: openai`"),
        ("llm: [{provider: scripted}]", "llm[0].script: is required with `provider: scripted`"),
        (
            "llm: [{provider: echo, script: x}]",
            "llm[0].script: has no meaning with `provider: echo`: remove it",
        ),
        (
            "llm: [{provider: scripted, script: x, model: y}]",
            "llm[0].model: has no meaning with `provider: scripted`: remove it",
        ),
        ("llm: [{provider: echo, modle: x}]", "llm[0].modle: unknown key 'modle'; did you mean 'model'?"),
        ("llm: [{provider: echo, stall_timeout: 2}]", f"llm[0].stall_timeout: {UNIT}"),
        ("llm: [{provider: echo, stall_timeout: 0s}]", "llm[0].stall_timeout: must be longer than nothing"),
        (
            "llm: [{provider: openai, model: m, base_url: api}]",
            "llm[0].base_url: must be an address: https://…",
        ),
        ("llm: [{provider: openai, model: m, max_tokens: 1.5}]", "llm[0].max_tokens: must be a whole number"),
        ("llm: [{provider: openai, model: m, temperature: .nan}]", "llm[0].temperature: must be a number"),
        (
            "llm: [{provider: openai, model: m, temperature: 3}]",
            "llm[0].temperature: must be less than or equal to 2",
        ),
    ],
)
def test_a_fault_says_what_to_do(written: str, fault: str) -> None:
    rest = "llm: [{provider: echo}]" if written.startswith("agent") else "agent: {name: a}"
    assert faults(f"{rest}\n{written}") == [f"acme.yaml:2: {fault}"]


@pytest.mark.parametrize("path", sorted(NOT_BUILT))
def test_a_key_of_a_later_release_is_refused_by_its_name(path: tuple[str, ...]) -> None:
    value = "x"
    for key in reversed(path):
        value = f"{{{key}: {value}}}"
    sections = {"agent": "{name: a}", "llm": "[{provider: echo}]"}
    inner = value.removeprefix(f"{{{path[0]}: ").removesuffix("}")
    sections[path[0]] = f"[{inner.replace('{', '{provider: echo, ', 1)}]" if path[0] == "llm" else inner
    said = faults("\n".join(f"{key}: {section}" for key, section in sections.items()))
    where = ".".join(path).replace("llm.", "llm[0].")
    refused = f"{where}: `{path[-1]}` is not built yet in this release: remove it"
    assert [line.partition(": ")[2] for line in said] == [refused]


@pytest.mark.parametrize("text", ["", "- a", "just words", "# only a note"])
def test_a_file_is_a_mapping(text: str) -> None:
    assert faults(text) == ["acme.yaml:1: must be a mapping of keys, beginning with `agent:` and `llm:`"]


def test_a_text_that_is_not_yaml_is_told_by_its_line() -> None:
    assert faults("agent: {name: a}\nllm: [}") == [
        "acme.yaml:2: not YAML: expected the node content, but found '}'"
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("800ms", 0.8), ("1.2s", 1.2), ("5m", 300), ("2h", 7200), ("90d", 7_776_000), ("0s", 0)],
)
def test_durations_are_numbers_with_a_unit(written: str, expected: float) -> None:
    assert seconds(written) == pytest.approx(expected)


@pytest.mark.parametrize("written", [5, 1.5, True, None, "5", "s", "-1s", "1w", "1 000s", "1e3s", "1.s"])
def test_anything_else_is_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match="a number with a unit"):
        seconds(written)


@pytest.mark.parametrize(
    ("tag", "line"),
    [("en-GB", "gb"), ("EN-us", "us"), ("en", "us"), ("en-AU", "us"), ("ko", "한"), ("fr-FR", "us")],
)
def test_a_line_is_said_in_the_nearest_language(tag: str, line: str) -> None:
    assert Say((("en-US", "us"), ("en-GB", "gb"), ("ko-KR", "한"))).in_language(tag) == line


def named(name: str, numbers: str = "") -> AgentFile:
    text = f"agent: {{name: {name}, numbers: [{numbers}]}}\nllm: [{{provider: echo}}]"
    return parse(text, source=f"{name}.yaml")


def test_the_dialled_number_chooses_the_file() -> None:
    sales, support, other = (
        named("sales", "'+15550100001'"),
        named("support", "'+15550100002'"),
        named("other"),
    )
    every = [sales, other, support]
    assert choose(every, "+15550100002") is support
    assert choose(every, "+15550100009") is other
    assert choose([sales], "+15550100009") is None


def test_files_that_claim_the_same_are_told() -> None:
    assert [
        *map(str, conflicts([named("a", "'+15550100001'"), named("b", "'+15550100001'"), named("c")]))
    ] == ["a.yaml, b.yaml: agent.numbers +15550100001 is claimed by each of them"]
    assert [*map(str, conflicts([named("a"), named("b")]))] == [
        "a.yaml, b.yaml: only one file may leave out agent.numbers and answer every other number"
    ]
    assert [*map(str, conflicts([named("a"), named("a", "'+15550100001'")]))] == [
        "a.yaml, a.yaml: agent.name 'a' is used by each of them"
    ]
    assert conflicts([named("a"), named("b", "'+15550100001'")]) == ()
