"""What an agent file allows and probably does not mean is said with its line."""

from __future__ import annotations

import pytest

from policies.agent_advice import advice, located, rule_faults, summary
from policies.agent_file import parse
from policies.gates import compile_gates
from policies.yaml_lines import read

FILE = """\
agent: {name: acme, version: "1", organisation: Acme, instructions: Be brief.}
intents: {booking: {examples: [book a visit]}}
llm: [{provider: openai, model: gpt-4.1-mini}]
context:
  must: [name]
  conditional: {slot: {when: {intent: booking}}}
  policy: [tier]
  never: [notes]
  crm: {adapter: csv, path: a.csv, fields: {name: name, slot: slot, tier: tier}}
guard:
  packs: [common-en, sales-en]
  prices: {approved: [USD 49]}
  rules:
    - {id: no-gift, never: [free toaster], say: No., examples: {violates: [A free toaster!]}}
"""


def told(text: str) -> list[str]:
    return [str(each) for each in advice(parse(text), read(text))]


def test_a_file_that_means_what_it_says_gets_no_advice() -> None:
    assert told(FILE) == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (", instructions: Be brief.", "", "1: agent.instructions: is empty"),
        (
            "Acme,",
            "Acme, languages: [en-US, ko-KR], greeting: {en-US: Hello.},",
            "1: agent.greeting: has no line for ko-KR: callers hear the one for en-US",
        ),
        (
            "Acme,",
            "Acme, languages: [en-US, ko-KR], greeting: Hello.,",
            "1: agent.greeting: has one line for several languages",
        ),
        ("Acme,", "Acme, languages: [de-DE],", "1: agent.languages: our own lines are spoken in English"),
        ("{examples: [book a visit]}", "{}", "2: intents.booking: has no examples"),
        ("must: [name]", "must: [name, city]", "5: context.must[1]: city has no source"),
        ("never: [notes]", "never: [{name: ssn, canary: true}]", "8: context.never[0]: ssn has no source"),
        ("must: [name]", "must: []", "9: context.crm.fields.name: name is in no class"),
        (
            "  crm:",
            "  sources: {parameters: [campaign]}\n  crm:",
            "9: context.sources: campaign is in no class",
        ),
        (
            "{intent: booking}}}\n  policy: [tier]",
            "{tier: vip}}}",
            "6: context.conditional.slot: asks for a tier",
        ),
        ("[common-en, sales-en]", "[sales-ko, pii]", "11: guard.packs: holds no pack for en"),
        ("approved: [USD 49]", "approved: []", "12: guard.prices: no price is approved"),
        (
            ", examples: {violates: [A free toaster!]}",
            "",
            "14: guard.rules[0]: no-gift has no example that violates it",
        ),
        (
            "never: [free toaster], say: No., examples: {violates: [A free toaster!]}",
            "never: [please], examples: {violates: [Oh please.]}",
            "14: guard.rules[0]: no-gift fires on",
        ),
        (
            "never: [free toaster], say: No., examples: {violates: [A free toaster!]}",
            'pattern: "(the|your|we|is) [a-z]{1,4} toaster", examples: {violates: [the new toaster]}',
            "14: guard.rules[0]: no-gift holds back",
        ),
    ],
)
def test_advice_is_told_with_its_line(before: str, after: str, says: str) -> None:
    assert FILE.count(before) == 1
    lines = told(FILE.replace(before, after))
    assert any(line.startswith(says) for line in lines), lines


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("Acme,", "Acme, greeting: A free toaster!,", "1: agent.greeting: rule no-gift"),
        (
            "guard:",
            "compliance: {disclosure: {say: Free toaster}}\nguard:",
            "10: compliance.disclosure.say: ",
        ),
        ("never: [free toaster]", 'pattern: "a.*"', "14: guard.rules[0]: rule no-gift: `*` has no bound"),
    ],
)
def test_a_fault_of_the_rules_is_placed(before: str, after: str, says: str) -> None:
    text = FILE.replace(before, after)
    file = parse(text)
    lines = [str(located(fault, file, read(text))) for fault in rule_faults(file)]
    assert any(line.startswith(says) for line in lines), lines


def test_a_rule_at_fault_hides_no_other_fault() -> None:
    broken = '    - {id: endless, pattern: "a+"}\n'
    file = parse(FILE.replace("Acme,", "Acme, greeting: A free toaster!,") + broken)
    assert {fault.rule_id for fault in rule_faults(file)} == {"endless", "no-gift"}
    assert rule_faults(parse(FILE)) == ()


def test_a_fault_of_a_pack_is_told_at_the_line_it_is_about() -> None:
    text = FILE.replace("Acme,", "Acme, greeting: It costs 9 dollars!,")
    assert [
        str(located(fault, parse(text), read(text))).split(": ")[:3] for fault in rule_faults(parse(text))
    ] == [["1", "agent.greeting", "rule unapproved-price"]]


def test_the_summary_says_what_a_file_does() -> None:
    file = parse(FILE)
    says = summary(file, compile_gates(file))
    assert says.startswith("acme 1 speaks en-US with openai gpt-4.1-mini; ")
    assert says.endswith(
        "rules (common-en, sales-en); intents: booking; fields: 1 must, 1 conditional, 1 policy, 1 never"
    )
