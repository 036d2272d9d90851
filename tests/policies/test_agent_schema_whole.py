"""The whole agent file of the design: the JSON Schema for editors and the program say the same of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from policies.agent_faults import NOT_BUILT, VALUES_NOT_BUILT, AgentFileInvalid
from policies.agent_file import parse
from policies.agent_schema import schema
from policies.yaml_lines import Path, Value, key_text, read

FULL = """
agent:
  name: acme-sales
  version: "2026-11-23.1"
  organisation: Acme Home
  numbers: ["+15550100001"]
  languages: [en-US, ko-KR]
  greeting: {en-US: How can I help?, ko-KR: 무엇을 도와드릴까요?}
  instructions: |
    You are the phone assistant of Acme Home.
intents:
  booking: {description: wants a visit, examples: [I'd like to book a visit]}
  reschedule: {description: wants another day, examples: [Can we make it another day?]}
  cancel_contract: {description: wants to leave, examples: [I want to cancel my contract]}
voice:
  tts_provider: ElevenLabs
  voice: UgBBYS2sOqTuMpoF3BR0
  transcription_provider: Deepgram
  speech_model: flux
  hints: [Acme Home, comfort plan]
llm:
  - {provider: openai, model: gpt-4.1-mini, first_token_timeout: 1.5s, hedge_after: 0.8s}
  - {provider: anthropic, model: claude-haiku-4-5}
context:
  crm: {adapter: csv, path: agents/acme-customers.csv, deadline: 1.2s, fields: {name: full_name, tier: tier}}
  budget: {preloaded: 200, on_intent: 300}
  must: [name, inquiry_source, product_interest, consent]
  on_missing: {name: ask}
  policy: [tier]
  conditional:
    previous_call_summary: {when: {returning: true}}
    appointment_window: {when: {intent: [booking, reschedule]}}
    sales_owner: {when: {tier: [vip]}}
  never: [private_notes, {name: national_id, canary: true}]
  free_text: [product_interest]
  sources:
    dialled_number: {"+15550100001": {inquiry_source: web_ad}}
    parameters: [campaign]
    request: [campaign]
conversation:
  silence:
    - {after: 6s, say: Are you still there?}
    - {after: 6s, say: {en-US: Hello?, ko-KR: 여보세요?}}
    - {after: 8s, then: handoff}
  repeats: {caller_same_question: 2, agent_same_answer: 2, then: clarify}
  understanding: {clarify_below: 0.5, failures_before_handoff: 2, spell_by_keypad: true}
  latency:
    acknowledge_after: 0.7s
    tool_phrase_after: 1.5s
    fallback_after: 2.0s
    phrases: [One moment.]
  keypad: {"0": handoff}
tools:
  - name: book_appointment
    description: books a visit
    parameters:
      type: object
      properties: {slot: {type: string}}
      required: [slot]
    url: https://tools.example.com/book
    headers: {Authorization: "${TOOLS_TOKEN}"}
    side_effect: true
    timeout: 3s
    claims: [is booked]
    read_back: {url: "https://tools.example.com/book/{slot}", expect: {status: booked}}
  - {name: check_stock, description: looks up the stock, python: "shop.stock:check", side_effect: false}
guard:
  packs: [common-en, sales-en]
  prices: {approved: [USD 49, USD 99]}
  phones: {approved: ["+15550100009"]}
  rules:
    - id: no-guarantee
      never: [guaranteed return, 100% safe]
      action: block
      say: I can't promise that.
      reason: a promise binds us
      severity: high
      examples: {violates: [A guaranteed return!], allowed: [There are returns.]}
    - {id: no-percent, pattern: '[0-9]{1,2} percent', action: log}
handoff:
  rules:
    explicit_request: now
    intents: {cancel_contract: now}
    topics: {payment: now, contract: now, complaint: offer, objection: offer, emergency: now}
    sentiment: {negative_turns: 2, then: offer}
    failures: {default: 3, vip: 1}
    tiers: {vip: prefer_human}
    guard_hits: 2
  destinations:
    sales: {type: taskrouter, workflow_sid: WW00000000000000000000000000000000, sla: 30s, on_timeout: box}
    duty: {type: dial, number: "+15550100003", whisper: true, sla: 20s, on_timeout: voicemail}
    flex: {type: flex, workflow_sid: WW00000000000000000000000000000001, sla: 30s}
    line: {type: queue, name: sales, sla: 60s, on_timeout: agent}
    desk: {type: sip, uri: "sip:desk@example.com", sla: 20s}
    warm: {type: conference, numbers: ["+15550100004"], sla: 20s}
    flow: {type: studio, flow_sid: FW00000000000000000000000000000000, sla: 20s}
    later: {type: callback, sla: 1d}
    box: {type: voicemail, sla: 1m}
  routes:
    - {when: {reason: [explicit_request], intent: booking, tier: [vip], language: [en-US]}, to: sales}
    - {to: duty}
  brief: {template: "{{ reason }}"}
  follow_up: {owner: sales@example.com, notify: [webhook, email], due: 1d}
  hours:
    timezone: America/New_York
    open: {mon-fri: "09:00-18:00", sat: ["09:00-12:00", "13:00-15:00"]}
    holidays: ["2026-12-25"]
    closed: callback
evaluation:
  success: [resolved, callback_made, handed_off_in_sla]
  rollout: {share: 100%, else: sales}
  check: {expires: 14d, live_after: 50}
  sampling:
    always: [prohibited_hit, disclosure_unproven, handoff_failed, false_success, complaint, opt_out]
    random_per_week: 60
  targets: {completion: 0.85, fallback_rate: 0.15, handoff_within_sla: 0.95, turn_latency_p95: 2.5s}
  owners: {handoff: ops@example.com, default: cx@example.com}
compliance:
  disclosure: {say: "Hi, this is Acme's AI assistant. This call may be recorded.", prove: B, repeat: 1}
  consent:
    recording: ask
    ask: May we record this call?
    yes: [yes please]
    no: [no thanks]
    on_no: continue_unrecorded
  jurisdictions: [us-federal, us-ca, kr, eu]
  retention: {transcript: 90d, facts: 365d, audit: 5y}
  opt_out: {phrases: [stop calling me], then: end_and_record}
  mode: standard
"""
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)
SECTIONS = (
    "agent", "intents", "voice", "llm", "context", "conversation", "tools", "guard", "handoff", "evaluation",
    "compliance",
)  # fmt: skip
TAGS = ("type", "adapter", "provider")
LATER = "is not built yet in this release"


def plain(value: Value) -> Any:
    """As JSON has it."""
    match value:
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case tuple():
            return [plain(each) for each in value]
        case _:
            return value


def value_of(text: str) -> Any:
    return plain(read(text).value)


def faults(text: str) -> list[str]:
    """All that is wrong, without what is refused only because it is still to be built."""
    try:
        parse(text, source="a.yaml")
    except AgentFileInvalid as error:
        return [str(fault) for fault in error.faults if LATER not in fault.says]
    return []


def accepted(value: Any) -> bool:
    return not list(VALIDATOR.iter_errors(value))


# -- one dump for all: block style, a key a line, so that lines are known ---------------------------------


def dumped(value: Any, indent: int = 0) -> Iterator[str]:
    edge = "  " * indent
    match value:
        case dict() if value:
            for key, each in value.items():
                yield f"{edge}{json.dumps(key)}:"
                yield from dumped(each, indent + 1)
        case list() if value:
            for each in value:
                yield f"{edge}-"
                yield from dumped(each, indent + 1)
        case _:
            yield edge + json.dumps(value, ensure_ascii=False)


def text_of(value: Any) -> str:
    return "\n".join(dumped(value)) + "\n"


def keys(value: Any, path: Path = ()) -> Iterator[Path]:
    """The place of every key."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        if isinstance(key, str):
            yield (*path, key)
        yield from keys(each, (*path, key))


def replaced(value: Any, path: Path, key: str, new: Any = ...) -> Any:
    """The same with the last key of a path written otherwise, or with another value under it."""
    if len(path) == 1:
        return {
            (key if each == path[0] else each): (new if each == path[0] and new is not ... else inner)
            for each, inner in value.items()
        }
    if isinstance(value, list):
        return [
            replaced(each, path[1:], key, new) if at == path[0] else each for at, each in enumerate(value)
        ]
    return {
        each: replaced(inner, path[1:], key, new) if each == path[0] else inner
        for each, inner in value.items()
    }


def nodes(path: Path) -> list[dict[str, Any]]:
    """What the schema says of the mapping that holds the last key."""
    found = [SCHEMA]
    for key in path[:-1]:
        found = [inner for node in found for inner in _under(node, key)]
    return [each for node in found for each in _open(node)]


def _open(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in node:
        yield from _open(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
        return
    if "anyOf" in node or "oneOf" in node:
        for each in node.get("anyOf", node.get("oneOf", [])):
            yield from _open(each)
        return
    yield node


def _under(node: dict[str, Any], key: str | int) -> Iterator[dict[str, Any]]:
    for each in _open(node):
        if isinstance(key, int):
            if "items" in each:
                yield each["items"]
        elif key in each.get("properties", {}):
            yield each["properties"][key]
        elif isinstance(each.get("additionalProperties"), dict):
            yield each["additionalProperties"]


WHOLE = value_of(FULL)
NAMED = [path for path in keys(WHOLE) if any(path[-1] in node.get("properties", {}) for node in nodes(path))]
"""Keys of ours, not names that the author chooses."""


def test_the_schema_is_one_and_has_the_sections_in_the_order_of_the_design() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert tuple(SCHEMA["properties"]) == SECTIONS
    assert SCHEMA["required"] == ["agent", "llm"]
    assert tuple(WHOLE) == SECTIONS


def test_the_file_of_the_design_is_in_order_but_for_what_is_still_to_be_built() -> None:
    assert list(VALIDATOR.iter_errors(WHOLE)) == []
    assert faults(FULL) == []
    assert faults(text_of(WHOLE)) == []


def test_what_is_refused_of_it_is_what_is_listed_as_not_built_and_nothing_else() -> None:
    value = WHOLE
    try:
        parse(FULL, source="a.yaml")
        refused: list[str] = []
    except AgentFileInvalid as error:
        refused = [fault.key for fault in error.faults]
    listed = [path for path in keys(WHOLE) if tuple(key for key in path if isinstance(key, str)) in NOT_BUILT]
    assert sorted(refused) == sorted(map(key_text, listed))
    for path in reversed(listed):
        value = without(value, path)
    assert parse(text_of(value)).agent.name == "acme-sales"


def without(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        return [without(each, path[1:]) if at == path[0] else each for at, each in enumerate(value)]
    if len(path) == 1:
        return {key: each for key, each in value.items() if key != path[0]}
    return {key: without(each, path[1:]) if key == path[0] else each for key, each in value.items()}


def test_every_key_of_ours_is_in_the_schema() -> None:
    chosen = set(keys(WHOLE)) - {*NAMED}
    parents = {tuple(key for key in path[:-1] if isinstance(key, str)) for path in chosen}
    assert parents == {
        ("intents",), ("context", "crm", "fields"), ("context", "conditional"), ("context", "on_missing"),
        ("context", "sources", "dialled_number"), ("context", "sources", "dialled_number", "+15550100001"),
        ("agent", "greeting"), ("conversation", "silence", "say"), ("conversation", "keypad"),
        ("tools", "parameters"), ("tools", "parameters", "properties"),
        ("tools", "parameters", "properties", "slot"),
        ("tools", "headers"), ("tools", "read_back", "expect"), ("handoff", "rules", "intents"),
        ("handoff", "rules", "topics"), ("handoff", "rules", "failures"), ("handoff", "rules", "tiers"),
        ("handoff", "destinations"), ("handoff", "hours", "open"), ("evaluation", "owners"),
    }  # fmt: skip


@pytest.mark.parametrize("path", NAMED, ids=key_text)
def test_a_misspelt_key_is_told_by_name_with_its_line_wherever_it_stands(path: Path) -> None:
    """In sections that are still to be built as well: whoever builds a file for later is told today."""
    key = str(path[-1])
    misspelt = key[:-1] + "z" if len(key) < 4 else key[0] + key[2:]
    value = replaced(WHOLE, path, misspelt)
    text = text_of(value)
    where = (*path[:-1], misspelt)
    line = read(text).lines[where]
    told = [fault for fault in faults(text) if fault.startswith(f"{line}: {key_text(where)}: ")]
    if key in TAGS and not told:  # what chooses the others is missing
        assert any(fault.endswith(f"{key_text(path)}: is required") for fault in faults(text))
    else:
        meant = f"; did you mean {key!r}?" if len(key) > 2 else ""  # two letters are too few to guess from
        assert told == [f"{line}: {key_text(where)}: unknown key {misspelt!r}{meant}"]
    assert not accepted(value)


@pytest.mark.parametrize("path", NAMED, ids=key_text)
def test_a_value_of_another_kind_is_refused_by_both(path: Path) -> None:
    if tuple(key for key in path if isinstance(key, str)) in NOT_BUILT:
        return  # refused as a whole
    others: tuple[object, ...] = ([[]], {"?": 0})
    for wrong in others:
        if isinstance(wrong, dict) and path[-1] in ("parameters", "expect"):
            continue  # any JSON object may stand there
        value = replaced(WHOLE, path, str(path[-1]), wrong)
        assert faults(text_of(value)), wrong
        assert not accepted(value), wrong


@pytest.mark.parametrize(
    "path", [("agent",), ("llm",), ("agent", "name"), ("llm", 0, "provider")], ids=key_text
)
def test_what_is_required_is_required_by_both(path: Path) -> None:
    value = without(WHOLE, path)
    assert any(fault.endswith("is required") for fault in faults(text_of(value)))
    assert not accepted(value)


@pytest.mark.parametrize(
    "name", sorted(each.name for each in files("agents").iterdir() if each.name.endswith(".yaml"))
)
def test_the_schema_and_the_program_agree_on_every_file_that_ships(name: str) -> None:
    text = (files("agents") / name).read_text("utf-8")
    value = value_of(text)
    if "agent" not in value:  # cues of the scripted model
        assert not accepted(value)
        assert faults(text)
        return
    assert list(VALIDATOR.iter_errors(value)) == []
    assert parse(text).agent.name == value["agent"]["name"]
    assert YAML(typ="safe", pure=True).load(text) == value  # editors read it as we do


def test_every_default_of_the_schema_can_be_written_as_it_stands() -> None:
    found = 0
    for section in (SCHEMA, *SCHEMA["$defs"].values()):
        for name, key in section.get("properties", {}).items():
            if "default" in key:
                found += 1
                assert Draft202012Validator({**key, "$defs": SCHEMA["$defs"]}).is_valid(key["default"]), name
                assert key["default"] is not None
    assert found > 50
    properties = {
        name: SCHEMA["$defs"][name]["properties"] for name in ("ModelEntry", "Retention", "FollowUp")
    }
    assert properties["ModelEntry"]["first_token_timeout"]["default"] == "4s"
    assert properties["Retention"]["audit"]["default"] == "5y"
    assert properties["Retention"]["transcript"]["default"] == "90d"
    assert properties["FollowUp"]["due"]["default"] == "1d"


def test_every_key_says_in_words_or_by_its_section_what_it_is() -> None:
    undescribed = [name for name, each in SCHEMA["$defs"].items() if "description" not in each]
    assert len(undescribed) < len(SCHEMA["$defs"]) / 2
    for each in SCHEMA["$defs"].values():
        assert each.get("additionalProperties") is False  # editors underline what we refuse


def test_values_that_are_still_to_be_built_are_refused_by_name() -> None:
    for path, values in VALUES_NOT_BUILT.items():
        for later in values:
            at: Path = (path[0], 0, path[1]) if path[0] == "llm" else path
            text = text_of(replaced(WHOLE, at, str(at[-1]), later))
            with pytest.raises(AgentFileInvalid) as refused:
                parse(text)
            assert f"`{later}` is not built yet in this release: choose another" in str(refused.value)
