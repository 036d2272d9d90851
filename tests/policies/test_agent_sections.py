"""Each section of the agent file on what is written wrong: the key, the line, and what to do about it."""

from __future__ import annotations

import pytest

from policies.agent_compliance import Compliance
from policies.agent_conversation import Conversation
from policies.agent_destinations import ALWAYS_THERE, BACK_TO_US
from policies.agent_evaluation import Evaluation
from policies.agent_faults import NOT_BUILT, AgentFileInvalid
from policies.agent_file import AgentFile, parse
from policies.agent_handoff import Handoff
from policies.agent_tools import BUILT_IN
from policies.agent_values import Section
from policies.vocabulary import EscalationReason
from policies.yaml_lines import key_text

HEAD = "agent: {name: a}\nllm: [{provider: echo}]\n"
UNIT = "must be a number with a unit: 800ms, 1.2s, 5m, 2h or 90d"
DAYS = "must be a number of days or years with its unit: 90d or 5y"
SHARE = "must be a whole percentage: 0% to 100%"
LIST = "must be a list, one item a line after `- `, or in brackets: [a, b]"
MAPPING = "must be a mapping of keys to values"
SMALL = "must be at most 64 small letters, digits, _ and -, a letter first"
TIMES = 'must be times of the day: "09:00-18:00", or several of them in a list'
LATER = "is not built yet in this release"


def told(text: str) -> list[str]:
    """What is wrong besides being too early."""
    try:
        parse(HEAD + text, source="a.yaml")
    except AgentFileInvalid as error:
        return [f"{fault.key}: {fault.says}" for fault in error.faults if LATER not in fault.says]
    return []


CONVERSATION = [
    ("silence: {}", f"silence: {LIST}"),
    ("silence: [{say: Hello?}]", "silence[0].after: is required"),
    ("silence: [{after: 6}]", f"silence[0].after: {UNIT}"),
    ("silence: [{after: 0s}]", "silence[0].after: must be longer than nothing"),
    (
        "silence: [{after: 6s, then: hand_off}]",
        "silence[0].then: must be one of keypad, offer, handoff, end; did you mean 'handoff'?",
    ),
    (
        "silence: [{after: 6s, say: ' '}]",
        "silence[0].say: must be a text to speak, or a text per language: {en-US: …, ko-KR: …}",
    ),
    (
        "repeats: {caller_same_question: 0}",
        "repeats.caller_same_question: must be greater than or equal to 1",
    ),
    ("repeats: {then: ask}", "repeats.then: must be one of clarify, offer, handoff"),
    ("understanding: {clarify_below: 2}", "understanding.clarify_below: must be less than or equal to 1"),
    (
        "understanding: {spell_by_keypad: yes}",
        "understanding.spell_by_keypad: must be true or false (yes, no, on and off are text)",
    ),
    (
        "understanding: {failures_before_handoff: 1.5}",
        "understanding.failures_before_handoff: must be a whole number",
    ),
    (
        "latency: {acknowledge_after: 1.6s}",
        "latency.tool_phrase_after: must not come before `acknowledge_after`",
    ),
    ("latency: {fallback_after: 1s}", "latency.fallback_after: must not come before `tool_phrase_after`"),
    (
        "latency: {phrases: [1]}",
        "latency.phrases[0]: must be a text to speak, or a text per language: {en-US: …, ko-KR: …}",
    ),
    (
        'keypad: {"10": handoff}',
        "keypad.10: must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, *, #; did you mean '1'?",
    ),
    ('keypad: {"0": offer}', "keypad.0: must be one of handoff"),
    ("silnce: []", "silnce: unknown key 'silnce'; did you mean 'silence'?"),
]
TOOLS = [
    ("{description: d, url: 'https://a.example'}", "name: is required"),
    (
        "{name: Book, description: d, url: 'https://a.example'}",
        "name: must be at most 64 small letters, digits and _, a letter first",
    ),
    ("{name: book, url: 'https://a.example'}", "description: is required"),
    ("{name: book, description: d}", "name: needs exactly one of `url` and `python`"),
    (
        "{name: book, description: d, url: 'https://a.example', python: 'a:b'}",
        "name: needs exactly one of `url` and `python`",
    ),
    ("{name: book, description: d, url: a.example}", "url: must be an address: https://…"),
    ("{name: book, description: d, python: a.b}", "python: must be a function as package.module:function"),
    (
        "{name: book, description: d, python: 'a:b', read_back: {url: 'https://a.example', expect: {}}}",
        "python: takes neither `headers` nor `read_back`: the function does what is needed",
    ),
    ("{name: book, description: d, python: 'a:b', timeout: 3}", f"timeout: {UNIT}"),
    (
        "{name: book, description: d, python: 'a:b', parameters: {type: array}}",
        "parameters: must be a JSON Schema with `type: object`",
    ),
    (
        "{name: book, description: d, python: 'a:b', parameters: {type: object, required: slot}}",
        "parameters: is no JSON Schema: required breaks type",
    ),
    (
        "{name: book, description: d, python: 'a:b', parameters: {type: object, properties: "
        "{a: {$ref: '#/b'}}}}",
        "parameters: must not use $ref: write each argument out",
    ),
    (
        "{name: book, description: d, url: 'https://a.example', read_back: {url: "
        "'https://a.example/{slot}', expect: {}}}",
        "read_back.url: {slot} is none of the tool's parameters",
    ),
    (
        "{name: book, description: d, url: 'https://a.example', read_back: {url: 'https://a.example'}}",
        "read_back.expect: is required",
    ),
    (
        "{name: book, description: d, url: 'https://a.example', headers: {Authorization: secret}}",
        "headers.Authorization: must not stand in the file: write ${NAME}, and set NAME in the environment",
    ),
    (
        "{name: book, description: d, url: 'https://a.example', headers: {'a b': '${X}'}}",
        "headers.a b: must be the name of a header",
    ),
    ("{name: book, description: d, url: 'https://${HOST}/'}", "url: ${…} is for secrets only"),
    ("{name: book, description: d, url: 'https://a.example', claims: is booked}", f"claims: {LIST}"),
    (
        "{name: book, description: d, python: 'a:b', side_effects: true}",
        "side_effects: unknown key 'side_effects'; did you mean 'side_effect'?",
    ),
    *(
        (
            f"{{name: {name}, description: d, python: 'a:b'}}",
            f"name: {name!r} is built in: choose another name",
        )
        for name in sorted(BUILT_IN)
    ),
]
HANDOFF = [
    ("rules: {explicit_request: yes}", "rules.explicit_request: must be one of now, offer, off"),
    ("rules: {intents: {refund: now}}", "rules.intents.refund: 'refund' is not declared in `intents`"),
    (
        "rules: {topics: {paymnet: now}}",
        "rules.topics.paymnet: must be one of payment, contract, complaint, objection, "
        "emergency, legal, sensitive_data; did you mean 'payment'?",
    ),
    ("rules: {sentiment: {then: offer}}", "rules.sentiment.negative_turns: is required"),
    ("rules: {failures: {default: 0}}", "rules.failures.default: must be greater than or equal to 1"),
    (
        "rules: {tiers: {vip: human}}",
        "rules.tiers.vip: must be one of prefer_human",
    ),
    ("rules: {guard_hits: many}", "rules.guard_hits: must be a whole number"),
    ("destinations: {d: {type: dial, number: '+15550100001'}}", "destinations.d.sla: is required"),
    ("destinations: {d: {type: dial, number: '+15550100001', sla: 20}}", f"destinations.d.sla: {UNIT}"),
    (
        "destinations: {d: {type: dail, sla: 20s}}",
        "destinations.d.type: must be one of taskrouter, flex, queue, dial, sip, conference, "
        "studio, callback, voicemail; did you mean 'dial'?",
    ),
    ("destinations: {d: {sla: 20s}}", "destinations.d.type: is required"),
    (
        "destinations: {d: {type: dial, number: '555', sla: 20s}}",
        'destinations.d.number: must be a number in E.164, in quotes: "+15550100001"',
    ),
    (
        "destinations: {d: {type: taskrouter, workflow_sid: WW1, sla: 20s}}",
        "destinations.d.workflow_sid: must be a SID: WW and 32 hexadecimal digits",
    ),
    (
        "destinations: {d: {type: studio, flow_sid: WW1, sla: 20s}}",
        "destinations.d.flow_sid: must be a SID: FW and 32 hexadecimal digits",
    ),
    (
        "destinations: {d: {type: sip, uri: desk@a.example, sla: 20s}}",
        "destinations.d.uri: must be an address: sip:name@host",
    ),
    (
        "destinations: {d: {type: conference, numbers: [], sla: 20s}}",
        "destinations.d.numbers: must have at least one entry",
    ),
    ("destinations: {d: {type: queue, name: '', sla: 20s}}", "destinations.d.name: must not be empty"),
    ("destinations: {d: {type: callback, sla: 1d, numbr: x}}", "destinations.d.numbr: unknown key 'numbr'"),
    ("destinations: {D: {type: callback, sla: 1d}}", f"destinations.D: {SMALL}"),
    (
        "destinations: {duty: {type: callback, sla: 1d, on_timeout: dutty}}",
        "destinations.duty.on_timeout: 'dutty' is not declared in `handoff.destinations`; did "
        "you mean 'duty'?",
    ),
    ("routes: [{to: sales}]", "routes[0].to: 'sales' is not declared in `handoff.destinations`"),
    ("routes: [{to: agent}]", "routes[0].to: 'agent' is not declared in `handoff.destinations`"),
    (
        "routes: [{when: {reason: asked}, to: callback}]",
        f"routes[0].when.reason[0]: must be one of {', '.join(EscalationReason)}",
    ),
    (
        "routes: [{when: {intent: refund}, to: callback}]",
        "routes[0].when.intent: 'refund' is not declared in `intents`",
    ),
    (
        "routes: [{when: {language: korean}, to: callback}]",
        "routes[0].when.language[0]: must be a language tag such as en-US or ko-KR",
    ),
    ("follow_up: {notify: [webhook]}", "follow_up.owner: is required"),
    ("follow_up: {owner: o, notify: [fax]}", "follow_up.notify[0]: must be one of webhook, email"),
    ("follow_up: {owner: o, due: tomorrow}", f"follow_up.due: {UNIT}"),
    ("hours: {open: {mon: '09:00-18:00'}}", "hours.timezone: is required"),
    (
        "hours: {timezone: EST5EDT, open: {}}",
        "hours.timezone: must be a time zone: America/New_York, Asia/Seoul",
    ),
    (
        "hours: {timezone: Asia/Seoul, open: {monday: '09:00-18:00'}}",
        "hours.open.monday: must be a day or days: mon, mon-fri or mon-sun",
    ),
    ("hours: {timezone: Asia/Seoul, open: {mon: '9-18'}}", f"hours.open.mon: {TIMES}"),
    ("hours: {timezone: Asia/Seoul, open: {mon: '09:00-25:00'}}", f"hours.open.mon: {TIMES}"),
    ("hours: {timezone: Asia/Seoul, open: {mon: []}}", f"hours.open.mon: {TIMES}"),
    (
        "hours: {timezone: Asia/Seoul, open: {}, holidays: ['2026-02-30']}",
        "hours.holidays[0]: must be a date: 2026-12-25",
    ),
    (
        "hours: {timezone: Asia/Seoul, open: {}, holidays: ['20261225']}",
        "hours.holidays[0]: must be a date: 2026-12-25",
    ),
    (
        "hours: {timezone: Asia/Seoul, open: {}, closed: nobody}",
        "hours.closed: 'nobody' is not declared in `handoff.destinations`",
    ),
]
EVALUATION = [
    (
        "success: [solved]",
        "success[0]: must be one of resolved, callback_made, handed_off_in_sla, "
        "out_of_scope_correct; did you mean 'resolved'?",
    ),
    ("rollout: {share: 0.5}", f"rollout.share: {SHARE}"),
    ("rollout: {share: 101%}", f"rollout.share: {SHARE}"),
    ("rollout: {share: 12.5%}", f"rollout.share: {SHARE}"),
    ("rollout: {share: 50%, else: sales}", "rollout.else: 'sales' is not declared in `handoff.destinations`"),
    ("check: {expires: 14}", f"check.expires: {UNIT}"),
    ("check: {live_after: 0}", "check.live_after: must be greater than or equal to 1"),
    (
        "sampling: {always: [opt-out]}",
        "sampling.always[0]: must be one of prohibited_hit, disclosure_unproven, "
        "handoff_failed, false_success, complaint, opt_out; did you mean 'opt_out'?",
    ),
    ("sampling: {random_per_week: -1}", "sampling.random_per_week: must be greater than or equal to 0"),
    ("targets: {completion: 85}", "targets.completion: must be less than or equal to 1"),
    ("targets: {turn_latency_p95: 2.5}", f"targets.turn_latency_p95: {UNIT}"),
    (
        "owners: {speech: o}",
        "owners.speech: must be one of default, conversation, system, business, relay, stt, "
        "llm, tool, crm, handoff, policy, infra",
    ),
    ("owners: {llm: ''}", "owners.llm: must not be empty"),
]
COMPLIANCE = [
    (
        "disclosure: {say: ''}",
        "disclosure.say: must be a text to speak, or a text per language: {en-US: …, ko-KR: …}",
    ),
    ("disclosure: {prove: E}", "disclosure.prove: must be one of A, B, C, D"),
    ("disclosure: {repeat: 9}", "disclosure.repeat: must be less than or equal to 5"),
    ("consent: {recording: always}", "consent.recording: must be one of off, ask, announce"),
    ("consent: {on_no: hang_up}", "consent.on_no: must be one of continue_unrecorded, handoff, end"),
    ("consent: {yes: 1}", f"consent.yes: {LIST}"),
    (
        "jurisdictions: [us-california]",
        "jurisdictions[0]: must be one of us-federal, us-ca, us-me, us-ut, kr, eu",
    ),
    ("retention: {transcript: 90}", f"retention.transcript: {DAYS}"),
    ("retention: {transcript: 12h}", f"retention.transcript: {DAYS}"),
    ("retention: {audit: 0y}", f"retention.audit: {DAYS}"),
    ("retention: {recordings: 1d}", "retention.recordings: unknown key 'recordings'"),
    ("opt_out: {then: hang_up}", "opt_out.then: must be one of end_and_record"),
    ("mode: hipaa", "mode: must be one of standard, pci, health"),
]
REFERENCES = [
    (
        "context: {conditional: {slot: {when: {intent: refund}}}}",
        "context.conditional.slot.when.intent: 'refund' is not declared in `intents`",
    ),
    (
        "intents: {booking: {}}\ncontext: {conditional: {slot: {when: {intent: [bookings, other]}}}}",
        "context.conditional.slot.when.intent[0]: 'bookings' is not declared in `intents`; "
        "did you mean 'booking'?",
    ),
    (
        "intents: {other: {}}",
        "intents.other: stands for every intent that is not declared: choose another name",
    ),
    (
        "context: {must: [name], policy: [name]}",
        "context.policy[0]: 'name' is already in `must`: a field is in one class only",
    ),
    (
        "context: {must: [name], never: [{name: name, canary: true}]}",
        "context.never[0].name: 'name' is already in `must`: a field is in one class only",
    ),
    (
        "context: {must: [name, name]}",
        "context.must[1]: 'name' is already in `must`: a field is in one class only",
    ),
    (
        "context: {policy: [tier], conditional: {tier: {when: {returning: true}}}}",
        "context.policy[0]: 'tier' is already in `conditional`: a field is in one class only",
    ),
    (
        "tools: [{name: a, description: d, python: 'a:b'}, {name: a, description: d, python: 'a:c'}]",
        "tools[1].name: 'a' is the name of an earlier tool",
    ),
]
TABLE = [
    *((f"conversation: {{{text}}}", f"conversation.{says}") for text, says in CONVERSATION),
    *((f"tools: [{text}]", f"tools[0].{says}") for text, says in TOOLS),
    *((f"handoff: {{{text}}}", f"handoff.{says}") for text, says in HANDOFF),
    *((f"evaluation: {{{text}}}", f"evaluation.{says}") for text, says in EVALUATION),
    *((f"compliance: {{{text}}}", f"compliance.{says}") for text, says in COMPLIANCE),
    *REFERENCES,
]


@pytest.mark.parametrize(("text", "says"), TABLE)
def test_a_fault_is_told_by_its_key_and_says_what_to_do(text: str, says: str) -> None:
    built = says.partition(": ")[0] not in map(key_text, NOT_BUILT)
    assert told(text) == ([says] if built else [])  # a key that is refused needs no second fault


@pytest.mark.parametrize("numbers", ["", "number: '+15550100001', numbers: ['+15550100002'], "])
def test_a_number_to_dial_is_one_or_several(numbers: str) -> None:
    (fault,) = told(f"handoff: {{destinations: {{d: {{type: dial, {numbers}sla: 20s}}}}}}")
    assert fault.endswith("number: needs exactly one of `number` and `numbers`")


def test_a_name_that_stands_for_others_needs_no_declaration() -> None:
    destinations = "destinations: {duty: {type: callback, sla: 1d, on_timeout: agent}}"
    for name in sorted(ALWAYS_THERE):
        assert told(f"handoff: {{{destinations}, routes: [{{to: {name}}}]}}") == []
    assert BACK_TO_US not in ALWAYS_THERE
    assert told("context: {conditional: {slot: {when: {intent: other}}}}") == []


def test_the_reasons_of_a_route_are_those_of_the_record() -> None:
    for reason in EscalationReason:
        assert told(f"handoff: {{routes: [{{when: {{reason: {reason}}}, to: callback}}]}}") == []


def test_a_file_that_names_none_of_it_has_what_the_design_promises() -> None:
    file = parse(HEAD)
    conversation, handoff, evaluation, compliance = _sections(file)
    assert [(rung.after, rung.then) for rung in conversation.silence] == [
        (6, None),
        (6, None),
        (8, "handoff"),
    ]
    assert conversation.keypad == {"0": "handoff"}
    latency = conversation.latency
    assert (latency.acknowledge_after, latency.tool_phrase_after, latency.fallback_after) == (0.7, 1.5, 2.0)
    assert (handoff.rules.explicit_request, handoff.rules.intents, handoff.destinations) == ("off", {}, {})
    assert evaluation.success == ("resolved", "callback_made", "handed_off_in_sla")
    assert (evaluation.rollout.share, evaluation.check.expires, evaluation.check.live_after) == (
        1,
        14 * 86_400,
        50,
    )
    assert (compliance.disclosure.prove, compliance.consent.recording, compliance.mode) == (
        "B",
        "off",
        "standard",
    )
    retention = compliance.retention
    assert (retention.transcript, retention.facts, retention.audit) == (90, 365, 5 * 365.25)


def _sections(file: AgentFile) -> tuple[Conversation, Handoff, Evaluation, Compliance]:
    return file.conversation, file.handoff, file.evaluation, file.compliance


@pytest.mark.parametrize("section", [Conversation, Handoff, Evaluation, Compliance])
def test_a_section_may_be_left_empty(section: type[Section]) -> None:
    assert section.model_validate({}) == section()
