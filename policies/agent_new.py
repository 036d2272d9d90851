"""The text of a new agent file: it takes calls as it is, and says beside each part what it is for."""

from __future__ import annotations

import json
import shlex
from enum import StrEnum
from string import Template
from typing import Final

from policies.lines import lines

LANGUAGES: Final = ("en-US", "ko-KR")


class Provider(StrEnum):
    """Who answers in a new file."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    SCRIPTED = "scripted"  # from a file of cues, without any key
    ECHO = "echo"


MODELS: Final = {
    Provider.OPENAI: "{provider: openai, model: gpt-4.1-mini}       # needs OPENAI_API_KEY",
    Provider.ANTHROPIC: "{provider: anthropic, model: claude-haiku-4-5}       # needs ANTHROPIC_API_KEY",
    Provider.SCRIPTED: "{provider: scripted, script: $cues}   # answers from that file, without any key\n"
    "  # With OPENAI_API_KEY set: {provider: openai, model: gpt-4.1-mini}",
    Provider.ECHO: "{provider: echo}       # says back what it hears, to try the line",
}

ENGLISH_PARTS: Final = {
    "instructions": (
        "You are the phone assistant of $organisation.\n"
        "    Answer in one or two short sentences, as a person would say them aloud.\n"
        "    Say so when you do not know something, and offer a colleague."
    ),
    "packs": "[common-en, sales-en, pii]",
    "intent": "I'd like to book an appointment",
    "never": "we always pick up",
    "instead": "I can't promise that.",
    "violates": "We always pick up.",
    "allowed": "We pick up on weekdays.",
    "price": "USD 49",
    "booking": "Of course. Which day suits you, and do you prefer the morning or the afternoon?",
    "otherwise": "I am not sure about that. I can arrange an appointment for you if you like.",
}
KOREAN_PARTS: Final = {
    "instructions": (
        "당신은 $organisation의 전화 상담원입니다.\n"
        "    사람이 말하듯 한두 문장으로 짧게 존댓말로 답하세요.\n"
        "    모르는 것은 모른다고 말하고 담당자 연결을 제안하세요."
    ),
    "packs": "[common-ko, sales-ko, pii]",
    "intent": "예약을 하고 싶어요",
    "never": "당일 방문을 약속",
    "instead": "그 부분은 약속드리기 어렵습니다.",
    "violates": "당일 방문을 약속드립니다.",
    "allowed": "방문 시간을 안내해 드리겠습니다.",
    "price": "KRW 49000",
    "booking": "네, 어느 날이 좋으세요? 오전과 오후 중에 언제가 편하신가요?",
    "otherwise": "그 부분은 제가 잘 모르겠습니다. 원하시면 예약을 도와드리겠습니다.",
}

FILE: Final = Template("""\
# What this agent knows, what it may say, and what it must never say. `fivegates lint $file` checks it,
# `fivegates try $file "a sentence"` shows what the guard does with a sentence of the agent.
agent:
  name: $name
  version: "1"                            # raise it with each change; each call is recorded with it
  organisation: $organisation
  languages: [$language]
  greeting: $greeting
  instructions: |
    $instructions

# What callers want. A condition below may only name these; anything else is `other`.
intents:
  booking: {description: wants an appointment, examples: ["$intent"]}

# Who answers: the first is used, the next ones when it fails.
llm:
  - $models

# Which facts the model may know. Nothing enters unless it is named here, and a field is in one class only:
# must (always), conditional (`name: {when: {returning: true}}`), policy (for rules only), never.
context:
  must: [inquiry_source]                  # enters every turn
  sources:
    parameters: [inquiry_source]          # passed on by a Studio flow
  # crm: {adapter: csv, path: customers.csv, fields: {name: full_name}}   # our name: its column; see `phone`

# What is never spoken, whatever the model writes.
guard:
  packs: $packs
  prices: {approved: ["$price"]}          # every other price is blocked
  rules:
    - id: no-promise
      never: ["$never"]
      say: $instead
      examples: {violates: ["$violates"], allowed: ["$allowed"]}
""")
CUES: Final = Template("""\
# What the agent answers while it has no language model: the longest phrase that the caller said wins.
cues:
  - when: ["$intent"]
    say: $booking
otherwise: $otherwise
""")


def agent_file(
    *, file: str, cues: str, name: str, organisation: str, language: str, provider: Provider
) -> str:
    """`file` and `cues` are paths as the text names them; `language` is one of `LANGUAGES`."""
    organisation = " ".join(organisation.split())
    parts = {
        key: Template(text).substitute(organisation=organisation) for key, text in _parts(language).items()
    }
    return FILE.substitute(
        file=shlex.quote(file),
        name=quoted(name),
        organisation=quoted(organisation),
        language=language,
        greeting=quoted(lines(language).greeting),
        models=Template(MODELS[provider]).substitute(cues=quoted(cues)),
        **parts,
    )


def cues(language: str) -> str:
    """Answers for the scripted model, so that the file takes a call without any key."""
    return CUES.substitute(_parts(language))


def quoted(text: str) -> str:
    """As YAML takes it for this very text: a JSON string, unless it is plain beyond doubt."""
    words = text.replace(" ", "").replace("-", "").replace(".", "")
    plain = words.isascii() and words.isalnum() and text[:1].isalpha() and text[-1:].isalnum()
    return (
        text
        if plain and text.casefold() not in ("true", "false", "null")
        else json.dumps(text, ensure_ascii=False)
    )


def _parts(language: str) -> dict[str, str]:
    return KOREAN_PARTS if language == "ko-KR" else ENGLISH_PARTS
