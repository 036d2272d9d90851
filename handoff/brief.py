"""The brief: what a person is told of a call that comes to them, so that nobody is asked the same again.

Built from the record, without a model. What is not known is said to be unknown. No card, health or secret
data: everything is redacted, and what still looks like a number of somebody's is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from policies.latency import speech_seconds
from policies.redaction import redact

LONGEST_SPOKEN: Final = 15.0  # seconds
DIGITS: Final = re.compile(r"\d(?:[ .,-]?\d){5,}")
UNKNOWN: Final = {"en": "not known", "ko": "확인되지 않음"}
UNCONFIRMED: Final = {"en": ", not confirmed", "ko": ", 미확인"}
NUMBER: Final = {"en": "[number]", "ko": "[번호]"}


class BriefFact(msgspec.Struct, frozen=True):
    name: str
    value: str
    source: str
    confirmed: bool = False  # by the caller, in this call


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """All texts are redacted when it is made by `brief`. `paragraph` is a model's, and marked as such."""

    schema_version: int = 1
    call_sid: str
    created_at: float
    language: str
    reason: str
    rule: str = ""
    intent: str = ""
    identity: str = ""
    tier: str = ""
    facts: tuple[BriefFact, ...] = ()
    actions: tuple[str, ...] = ()
    open_questions: tuple[str, ...] = ()
    next_step: str = ""
    sentiment: str = ""
    objections: tuple[str, ...] = ()
    consent: str = ""
    failed_attempts: int = 0
    transcript: str = ""  # where it can be read: the call's SID in our record
    paragraph: str = ""


TEMPLATES: Final = {
    "en": """Reason: {{ reason }}{% if rule %} (rule {{ rule }}){% endif %}
Wanted: {{ intent or unknown }}
Caller: {{ identity or unknown }}{% if tier %}, {{ tier }}{% endif %}
{% for fact in known %}- {{ fact }}
{% endfor %}Done: {{ actions | join("; ") or "nothing" }}
Open: {{ open_questions | join(" / ") or unknown }}
Next step: {{ next_step or unknown }}
Mood: {{ sentiment or unknown }}{% if objections %}; hesitates over {{ objections | join(", ") }}{% endif %}
Failed attempts: {{ failed_attempts }}; consent: {{ consent or unknown }}; language: {{ language }}
Transcript: {{ transcript }}
{% if paragraph %}In the words of the model, not checked: {{ paragraph }}
{% endif %}""",
    "ko": """사유: {{ reason }}{% if rule %} (규칙 {{ rule }}){% endif %}
용건: {{ intent or unknown }}
고객: {{ identity or unknown }}{% if tier %}, {{ tier }}{% endif %}
{% for fact in known %}- {{ fact }}
{% endfor %}처리한 일: {{ actions | join("; ") or "없음" }}
남은 질문: {{ open_questions | join(" / ") or unknown }}
다음 단계: {{ next_step or unknown }}
분위기: {{ sentiment or unknown }}{% if objections %}; 망설이는 점 {{ objections | join(", ") }}{% endif %}
실패한 시도: {{ failed_attempts }}; 동의: {{ consent or unknown }}; 언어: {{ language }}
대화 기록: {{ transcript }}
{% if paragraph %}모델이 쓴 글, 확인되지 않음: {{ paragraph }}
{% endif %}""",
}
SPOKEN: Final = {
    "en": ("{reason}.", "Wanted: {intent}.", "Open: {question}", "Done: {done}.", "{identity}"),
    "ko": ("{reason}.", "용건은 {intent}.", "남은 질문은 {question}", "처리한 일은 {done}.", "{identity}"),
}
REASONS_KO: Final = {
    "explicit_request": "상담원을 요청했습니다",
    "declared_intent": "담당자가 처리할 용건입니다",
    "sensitive_topic": "민감한 주제입니다",
    "complaint": "불만이 있습니다",
    "objection": "망설이고 있습니다",
    "emergency": "긴급합니다",
    "legal": "법적인 문제입니다",
    "negative_sentiment": "화가 나 있습니다",
    "repeated_failure": "여러 번 실패했습니다",
    "low_understanding": "말을 알아듣지 못했습니다",
    "customer_tier": "우대 고객입니다",
    "prohibited_utterance": "답변할 수 없는 내용입니다",
    "tool_failure": "시스템 처리가 실패했습니다",
    "system_failure": "시스템에 문제가 있었습니다",
    "silence": "응답이 없었습니다",
    "out_of_scope": "안내 범위 밖입니다",
}


def clean(text: str, language: str) -> str:
    """Redacted, on one line, without anything that is a number of somebody's."""
    shown = " ".join(redact(text).split())
    return DIGITS.sub(NUMBER[_primary(language)], shown)


def brief(given: Brief) -> Brief:
    """The same, fit to be shown and spoken."""

    def each(text: str) -> str:
        return clean(text, given.language)

    return msgspec.structs.replace(
        given,
        intent=each(given.intent),
        identity=each(given.identity),
        facts=tuple(msgspec.structs.replace(fact, value=each(fact.value)) for fact in given.facts),
        actions=tuple(map(each, given.actions)),
        open_questions=tuple(map(each, given.open_questions)),
        next_step=each(given.next_step),
        paragraph=each(given.paragraph),
    )


def spoken(of: Brief, language: str) -> str:
    """At most 15 seconds; the most important first, and what does not fit is left out."""
    primary = _primary(language)
    unknown = UNKNOWN[primary]
    reason = REASONS_KO.get(of.reason, of.reason) if primary == "ko" else of.reason.replace("_", " ")
    values = {
        "reason": reason,
        "intent": of.intent.replace("_", " ") or unknown,
        "question": of.open_questions[-1] if of.open_questions else unknown,
        "done": "; ".join(of.actions) or ("nothing" if primary == "en" else "없음"),
        "identity": of.identity,
    }
    said = ""
    for part in SPOKEN[primary]:
        longer = f"{said} {part.format(**values)}".strip()
        if speech_seconds(longer, language) <= LONGEST_SPOKEN:
            said = longer
    return said


def text(of: Brief, template: str = "") -> str:
    """As lines, by the agent file's template or our own. Raises `TemplateError`."""
    source = template or TEMPLATES[_primary(of.language)]
    values = {name: getattr(of, name) for name in of.__struct_fields__}
    unknown = UNKNOWN[_primary(of.language)]
    return _environment().from_string(source).render(**values, known=known(of), unknown=unknown)


def known(of: Brief) -> tuple[str, ...]:
    """Each fact on a line, with where it comes from and whether the caller confirmed it."""
    unconfirmed = UNCONFIRMED[_primary(of.language)]
    return tuple(
        f"{fact.name}: {fact.value} ({fact.source}{'' if fact.confirmed else unconfirmed})"
        for fact in of.facts
    )


def template_faults(template: str) -> Sequence[str]:
    """What is wrong with a template, found by using it."""
    sample = Brief(call_sid="CA0", created_at=0.0, language="en-US", reason="explicit_request")
    try:
        text(sample, template)
    except TemplateError as error:
        return [f"cannot be used: {error}"]
    return []


def encode(of: Brief) -> str:
    return msgspec.json.encode(of).decode()


def decode(body: str) -> Brief:
    return msgspec.json.decode(body, type=Brief)


def _environment() -> SandboxedEnvironment:
    """A template can read what it is given, and call nothing."""
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def _primary(language: str) -> str:
    return "ko" if language.casefold().partition("-")[0] == "ko" else "en"
