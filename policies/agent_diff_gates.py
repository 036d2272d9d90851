"""What changed in what an agent may know and may never say, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policies.agent_context import Condition, Context
from policies.agent_diff_words import entries, moved, section, shown
from policies.agent_file import AgentFile
from policies.agent_guard import OwnRule
from policies.context import OnMissing
from policies.guard.verify import parse_price

MISSING: Final = {
    OnMissing.GO_ON: "the call goes on without it",
    OnMissing.ASK: "the agent asks the caller for it",
    OnMissing.HANDOFF: "a person takes the call",
}
DOES: Final = {
    "block": "blocks: its line is said instead of the rest of the reply",
    "redact": "takes only the words themselves out",
    "handoff": "blocks, and a person takes the call",
    "log": "only records: the words are spoken",
}
HOLDS: Final = {
    "cut": "stops at the words themselves: the start of the sentence may be heard",
    "sentence": "replaces the sentence as a whole",
}


def context(old: Context, new: Context) -> Iterator[str]:
    """What may enter, what happens when it is missing, and where it comes from."""
    yield from _fields(old, new)
    before, after = old.rules().on_missing, new.rules().on_missing
    for name in new.must:
        was, now = before.get(name, OnMissing.GO_ON), after[name]
        if was != now:
            yield f"When {name} is not known, {MISSING[now]} (before: {MISSING[was]})."
    for key, when in (
        ("preloaded", "from the beginning of a call"),
        ("on_intent", "once the intent is known"),
    ):
        one, other = getattr(old.budget, key), getattr(new.budget, key)
        if one != other:
            yield f"Facts may take {other} tokens {when}; it was {one}."
    yield from moved(
        "The agent", old.free_text, new.free_text, "now treats as free text", "no longer treats as free text"
    )
    yield from _sources(old, new)


def _fields(old: Context, new: Context) -> Iterator[str]:
    before, after = _classes(old), _classes(new)
    for name in dict.fromkeys((*before, *after)):
        match before.get(name), after.get(name):
            case one, other if one == other:
                continue
            case None, other:
                yield f"The field {name} is new: it {other}."
            case one, None:
                yield f"The field {name} is no longer named, so it never enters (before, it {one})."
            case one, other:
                yield f"The field {name} now {other} (before, it {one})."
    for key in ("must", "conditional"):
        was, now = (tuple(getattr(each, key)) for each in (old, new))
        if was != now and sorted(was) == sorted(now):
            yield f"When the budget is short, context.{key} now enters in this order: {', '.join(now)}."


def _classes(context: Context) -> dict[str, str]:
    """Each field with what may be done with it."""
    found = dict.fromkeys(context.must, "always enters what the model may know")
    found |= {name: f"enters {_when(each.when)}" for name, each in context.conditional.items()}
    found |= dict.fromkeys(context.policy, "is for rules only, and the model never sees it")
    found |= {
        each.name: "is held only so that it is never spoken" if each.canary else "is never fetched"
        for each in context.never
    }
    return found


def _when(when: Condition) -> str:
    asked = [] if when.returning is None else [f"the caller is {'' if when.returning else 'not '}returning"]
    for name, values in (("intent", when.intent), ("tier", when.tier), ("step", when.step)):
        if values:
            asked.append(f"the {name} is {' or '.join(values)}")
    return f"when {' and '.join(asked)}" if asked else "without a condition"


def _sources(old: Context, new: Context) -> Iterator[str]:
    match old.crm, new.crm:
        case None, None:
            pass
        case None, crm:
            yield f"Callers are now looked up: {shown(crm)}."
        case crm, None:
            yield f"Callers are no longer looked up (before: {shown(crm)})."
        case one, other if type(one) is not type(other):
            yield f"Callers are now looked up elsewhere: {shown(other)} (before: {shown(one)})."
        case one, other:
            fields, fields_now = one.fields, other.fields
            yield from section("context.crm", one, other, without=("fields",))
            for name in dict.fromkeys((*fields, *fields_now)):
                if fields.get(name) != fields_now.get(name):
                    was, now = shown(fields.get(name)), shown(fields_now.get(name))
                    yield f"The field {name} now comes from the CRM's {now}; it was {was}."
    for key, giver in (("parameters", "a flow"), ("request", "the request for a call")):
        before, after = getattr(old.sources, key), getattr(new.sources, key)
        yield from moved(giver.capitalize(), before, after, "may now give", "may no longer give")
    numbers, numbers_now = old.sources.dialled_number, new.sources.dialled_number
    for number in dict.fromkeys((*numbers, *numbers_now)):
        where = f"context.sources.dialled_number.{number}"
        yield from entries(where, numbers.get(number, {}), numbers_now.get(number, {}))


def guard(old: AgentFile, new: AgentFile) -> Iterator[str]:
    """Packs, prices and rules."""
    packs, packs_now = (file.guard.packs_for(file.agent.languages) for file in (old, new))
    yield from moved("The guard", packs, packs_now, "now uses the pack", "no longer uses the pack")
    known, known_now = (
        {parse_price(price): price for price in file.guard.prices.approved} for file in (old, new)
    )
    if added := [text for price, text in known_now.items() if price not in known]:
        yield f"The agent may now say {', '.join(added)}."
    if gone := [text for price, text in known.items() if price not in known_now]:
        yield f"The agent may no longer say {', '.join(gone)}."
    before, after = ({rule.id: rule for rule in file.guard.rules} for file in (old, new))
    for name, rule in after.items():
        if name not in before:
            yield f"Rule {name} is new: it looks for {_covers(rule)}, and {DOES[rule.action]}."
        else:
            yield from _rule(before[name], rule)
    for name, rule in before.items():
        if name not in after:
            yield f"Rule {name} is gone: {_covers(rule)} may be said again, unless another rule forbids it."


def _covers(rule: OwnRule) -> str:
    return shown(rule.never or rule.pattern) if rule.never or rule.pattern else f"any {rule.verify}"


def _rule(old: OwnRule, new: OwnRule) -> Iterator[str]:
    name = f"Rule {new.id}"
    yield from moved(name, old.never, new.never, "now also covers", "no longer covers", quoted=True)
    if old.action != new.action:
        yield f"{name} now {DOES[new.action]} (before, it {DOES[old.action]})."
    if old.scope != new.scope:
        yield f"{name} now {HOLDS[new.scope]} (before, it {HOLDS[old.scope]})."
    if old.say != new.say:
        was, now = (shown(rule.say) if rule.say else "our own line" for rule in (old, new))
        yield f"{name} now says {now} instead; it was {was}."
    yield from section(name, old, new, without=("never", "action", "scope", "say"))
