"""Claims: what may be said of a tool's work only once it is known to be done.

They are rules of the guard like any other, and cease to apply in a call when their tool is confirmed there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Final

from policies.agent_tools import Tool
from policies.guard.rules import Rule

PREFIX: Final = "claim-"
SAY: Final = (
    ("en", "I can't confirm that yet; I will make sure somebody does."),
    ("ko", "그 부분은 아직 확인 중입니다. 확인되면 안내해 드리겠습니다."),
)
REASON: Final = "Nothing is said to be done before it is: the caller relies on it."
VERBS: Final = (
    "booked",
    "scheduled",
    "rescheduled",
    "cancelled",
    "canceled",
    "ordered",
    "refunded",
    "registered",
    "reserved",
)
FORMS: Final = (
    "I've {}",
    "I have {}",
    "we've {}",
    "we have {}",
    "is {}",
    "has been {}",
    "you're {}",
    "you are {}",
)
NOUNS: Final = ("예약", "취소", "변경", "접수", "신청", "등록", "주문", "환불", "처리")
ENDINGS: Final = (
    "되었습니다",
    "됐습니다",
    "되셨습니다",
    "해 드렸습니다",
    "했습니다",
    "이 완료",
    "가 완료",
    " 완료",
)


def defaults(language: str) -> tuple[str, ...]:
    """The claims of a tool that names none, in a language; English where we have none."""
    if language.casefold().partition("-")[0] == "ko":
        return tuple(f"{noun}{ending}" for noun in NOUNS for ending in ENDINGS)
    return tuple(form.format(verb) for verb in VERBS for form in FORMS)


def claimed(tools: Sequence[Tool], languages: Sequence[str]) -> Mapping[str, Set[str]]:
    """Every phrase, and the tools any of which makes it true."""
    owners: dict[str, set[str]] = {}
    for tool in tools:
        for phrase in tool.claims or _defaults(tool, languages):
            owners.setdefault(phrase, set()).add(tool.name)
    return owners


def rules(tools: Sequence[Tool], languages: Sequence[str]) -> tuple[tuple[Rule, ...], Mapping[str, Set[str]]]:
    """The rules, and by their ids the tools that lift them: phrases of the same tools are one rule."""
    together: dict[frozenset[str], list[str]] = {}
    for phrase, owners in claimed(tools, languages).items():
        together.setdefault(frozenset(owners), []).append(phrase)
    made: list[Rule] = []
    lifted_by: dict[str, Set[str]] = {}
    for owners, phrases in together.items():
        rule_id = PREFIX + "-or-".join(sorted(owners)).replace("_", "-")[:100]
        made.append(Rule(id=rule_id, never=tuple(phrases), say=SAY, reason=REASON, source="tools"))
        lifted_by[rule_id] = owners
    return tuple(made), lifted_by


def permitted(lifted_by: Mapping[str, Set[str]], confirmed: Set[str]) -> Set[str]:
    """The rules that do not apply in a call where these tools are confirmed."""
    return {rule_id for rule_id, owners in lifted_by.items() if owners & confirmed}


def _defaults(tool: Tool, languages: Sequence[str]) -> Iterator[str]:
    if tool.side_effect:
        for language in languages:
            yield from defaults(language)
