"""Every change of an agent file has words, and the words say what an agent now does."""

from __future__ import annotations

import pytest

from policies.agent_diff import differences
from policies.agent_file import parse

FILE = """
agent:
  name: acme
  version: "1"
  organisation: Acme
  numbers: ["+15550100001"]
  languages: [en-US]
  greeting: How can I help?
  instructions: |
    Be brief.
    Offer a colleague.
intents:
  booking: {description: wants a date, examples: [book a visit]}
  reschedule: {}
voice: {tts_provider: ElevenLabs, hints: [boiler]}
llm:
  - {provider: openai, model: gpt-4.1-mini, stall_timeout: 2s}
  - {provider: echo}
context:
  crm: {adapter: csv, path: a.csv, deadline: 1s, fields: {name: full_name, slot: slot}}
  budget: {preloaded: 200, on_intent: 300}
  must: [name, city]
  on_missing: {name: ask}
  policy: [tier]
  conditional: {slot: {when: {returning: true, intent: booking}}}
  never: [notes, {name: national_id, canary: true}]
  free_text: [city]
  sources: {dialled_number: {"+15550100001": {city: Paris}}, parameters: [city], request: [campaign]}
guard:
  packs: [common-en]
  prices: {approved: ["USD 49"]}
  rules:
    - {id: no-return, never: [guaranteed return], say: I can't promise that., reason: no returns}
    - {id: no-code, pattern: "code [0-9]{4}", action: log}
compliance: {disclosure: {say: This is an AI.}}
"""

CHANGES = [
    ("name: acme", "name: other", "The agent is now called other; it was acme."),
    ('version: "1"', 'version: "2"', "The version is now 2; it was 1."),
    ("organisation: Acme", "organisation: Bolt", "The agent now speaks for Bolt; it was Acme."),
    ('numbers: ["+15550100001"]', 'numbers: ["+15550100002"]', "The agent now answers +15550100002."),
    (
        'numbers: ["+15550100001"]',
        "numbers: []",
        "The agent now answers every number that no other file names.",
    ),
    ("[en-US]", "[ko-KR, en-US]", "A call now begins in ko-KR; it began in en-US."),
    (
        "greeting: How can I help?",
        "greeting: Hello!",
        "The greeting changed from “How can I help?” to “Hello!”.",
    ),
    ("    Be brief.\n", "", "  removed: Be brief."),
    ("Be brief.", "Be kind.", "  added: Be kind."),
    ("  reschedule: {}", "  cancel: {}", "The agent no longer knows the intent reschedule."),
    (
        "examples: [book a visit]",
        "examples: [book a date]",
        "The intent booking now has the example “book a date”.",
    ),
    ("wants a date", "wants a visit", "intents.booking.description: “wants a date” -> “wants a visit”"),
    ("hints: [boiler]", "hints: [heater]", "voice.hints: “boiler” -> “heater”"),
    (
        "model: gpt-4.1-mini",
        "model: gpt-4.1",
        "The models are now openai gpt-4.1, then echo; they were openai gpt-4.1-mini, then echo.",
    ),
    ("stall_timeout: 2s", "stall_timeout: 3s", "llm[0].stall_timeout: 2 -> 3"),
    ("deadline: 1s", "deadline: 800ms", "context.crm.deadline: 1 -> 0.8"),
    (
        "name: full_name",
        "name: called",
        "The field name now comes from the CRM's “called”; it was “full_name”.",
    ),
    (
        "preloaded: 200",
        "preloaded: 250",
        "Facts may take 250 tokens from the beginning of a call; it was 200.",
    ),
    (
        "on_intent: 300",
        "on_intent: 100",
        "Facts may take 100 tokens once the intent is known; it was 300.",
    ),
    (
        "must: [name, city]",
        "must: [city, name]",
        "When the budget is short, context.must now enters in this order: city, name.",
    ),
    (
        "must: [name, city]",
        "must: [name]",
        "The field city is no longer named, so it never enters "
        "(before, it always enters what the model may know).",
    ),
    (
        "on_missing: {name: ask}",
        "on_missing: handoff",
        "When name is not known, a person takes the call (before: the agent asks the caller for it).",
    ),
    (
        "policy: [tier]",
        "policy: []",
        "The field tier is no longer named, so it never enters "
        "(before, it is for rules only, and the model never sees it).",
    ),
    (
        "returning: true, intent: booking",
        "returning: false",
        "The field slot now enters when the caller is not returning "
        "(before, it enters when the caller is returning and the intent is booking).",
    ),
    (
        "never: [notes,",
        "never: [notes, salary,",
        "The field salary is new: it is never fetched.",
    ),
    (
        "canary: true",
        "canary: false",
        "The field national_id now is never fetched (before, it is held only so that it is never spoken).",
    ),
    ("free_text: [city]", "free_text: []", "The agent no longer treats as free text city."),
    (
        "city: Paris",
        "city: Rome",
        "context.sources.dialled_number.+15550100001.city: “Paris” -> “Rome”",
    ),
    ("parameters: [city]", "parameters: []", "A flow may no longer give city."),
    ("request: [campaign]", "request: [lead]", "The request for a call may now give lead."),
    ("packs: [common-en]", "packs: [common-en, pii]", "The guard now uses the pack pii."),
    ("USD 49", "USD 59", "The agent may now say USD 59."),
    ("USD 49", "USD 59", "The agent may no longer say USD 49."),
    (
        "never: [guaranteed return]",
        "never: [guaranteed return, no risk]",
        "Rule no-return now also covers “no risk”.",
    ),
    (
        "say: I can't promise that.",
        "say: I can't.",
        "Rule no-return now says “I can't.” instead; it was “I can't promise that.”.",
    ),
    ("reason: no returns", "reason: law", "Rule no-return.reason: “no returns” -> “law”"),
    ("{4}", "{6}", "Rule no-code.pattern: “code [0-9]{4}” -> “code [0-9]{6}”"),
    (
        ", action: log}",
        ", action: handoff}",
        "Rule no-code now blocks, and a person takes the call (before, it only records: the words are "
        "spoken).",
    ),
    (
        "action: log}",
        "action: log, scope: sentence}",
        "Rule no-code now replaces the sentence as a whole (before, it stops at the words themselves: "
        "the start of the sentence may be heard).",
    ),
    (
        "id: no-code",
        "id: no-number",
        "Rule no-number is new: it looks for “code [0-9]{4}”, and only records: the words are spoken.",
    ),
    (
        "id: no-code",
        "id: no-number",
        "Rule no-code is gone: “code [0-9]{4}” may be said again, unless another rule forbids it.",
    ),
    (
        "say: This is an AI.",
        "say: An AI speaks.",
        "The disclosure changed from “This is an AI.” to “An AI speaks.”.",
    ),
]


@pytest.mark.parametrize(("before", "after", "says"), CHANGES)
def test_a_change_is_told_in_plain_words(before: str, after: str, says: str) -> None:
    assert FILE.count(before) == 1
    assert says in differences(parse(FILE), parse(FILE.replace(before, after)))


@pytest.mark.parametrize(("before", "after", "says"), CHANGES)
def test_a_change_that_is_taken_back_is_told_too(before: str, after: str, says: str) -> None:
    lines = differences(parse(FILE.replace(before, after)), parse(FILE))
    assert lines
    assert says not in lines


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("agent:\n", "# a remark\nagent:\n"),
        ("greeting: How can I help?", 'greeting: {en-US: "How  can I help?"}'),
        ("USD 49", "USD 49.00"),
        ("deadline: 1s", "deadline: 1000ms"),
    ],
)
def test_what_no_caller_could_notice_is_not_told(before: str, after: str) -> None:
    assert differences(parse(FILE), parse(FILE.replace(before, after))) == []


def test_a_line_of_ours_that_changes_with_the_organisation_is_told() -> None:
    old = parse("agent: {name: a, organisation: Acme}\nllm: [{provider: echo}]")
    new = parse("agent: {name: a, organisation: Bolt}\nllm: [{provider: echo}]")
    was, now = "“Hi, this is Acme's AI assistant.”", "“Hi, this is Bolt's AI assistant.”"
    assert f"The disclosure changed from {was} to {now}." in differences(old, new)


def test_a_language_more_is_told_with_what_callers_will_hear_in_it() -> None:
    old = parse("agent: {name: a}\nllm: [{provider: echo}]")
    new = parse("agent: {name: a, languages: [en-US, ko-KR]}\nllm: [{provider: echo}]")
    lines = differences(old, new)
    assert "The agent now speaks ko-KR." in lines
    assert "The greeting (ko-KR) is “무엇을 도와드릴까요?”." in lines
    assert "The guard now uses the pack common-ko." in lines


def test_another_crm_is_told_as_a_whole_and_a_secret_by_its_variable() -> None:
    other = "crm: {adapter: hubspot, token: '${HUBSPOT_TOKEN}', fields: {name: firstname}}"
    crm = next(line.strip() for line in FILE.splitlines() if "crm:" in line)
    lines = differences(parse(FILE), parse(FILE.replace(crm, other)))
    assert len(lines) == 1
    assert lines[0].startswith("Callers are now looked up elsewhere: ")
    assert "token ${HUBSPOT_TOKEN}" in lines[0]
