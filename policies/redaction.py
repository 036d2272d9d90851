"""Personal numbers and addresses out of what is written down: records, summaries and logs, as whole texts.

The guard decides what may be spoken; here the same reading of characters (`guard.normalise`) and the same
verifiers find what a caller said, digits in words too: "four one one one", "공일공 일이삼사". What is found
becomes `[card]`, `[phone]`, `[id number]`, `[email]` or, for seven digits and more of no known kind,
`[N digits]`. A second pass changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from policies.guard import canaries, phrases
from policies.guard.matcher import Matcher, Search
from policies.guard.normalise import NORMAL, normalise
from policies.spoken_numbers import numbers

EMAIL: Final = re.compile(
    r"[A-Za-z0-9\u00c0-\u024f_%+][A-Za-z0-9\u00c0-\u024f._%+'-]{0,63}[@\uff20](?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}"
)
DOMAIN: Final = r"(?:com|net|org|edu|gov|info|biz|io|co|kr|uk|us|ca|de|fr|jp|au|me)"
LABEL: Final = "[a-z0-9-]{1,63}"
SAID: Final = re.compile(
    r"\b(?P<local>[a-z0-9]{1,64}(?:(?: dot | underscore | dash | hyphen |[._-])[a-z0-9]{1,64}){1,6}"
    r"|(?:[a-z0-9] ){1,30}[a-z0-9]|[a-z0-9]{1,64})"
    rf" at {LABEL}(?: dot {LABEL}){{0,2}}(?: dot |\.){DOMAIN}\b",
    re.IGNORECASE,
)
SAID_IN_KOREAN: Final = re.compile(
    r"[^\s,]{1,40} ?골뱅이 ?[^\s,]{1,30}?"
    r"(?: ?(?:점|닷|쩜) ?(?:컴|콤|com|넷|net|org|co|시오|씨오|kr|케이알)){1,3}",
    re.IGNORECASE,
)
NO_MAILBOX: Final = frozenset(
    [
        "us",
        "me",
        "it",
        "look",
        "looking",
        "visit",
        "online",
        "website",
        "page",
        "site",
        "shop",
        "available",
        "up",
    ]
)
"""What stands before "at example dot com" when that is a web site."""

MASK: Final = re.compile(r"\[(?:card|phone|id number|email|\d{1,6} digits)\]")
SHORTEST_VALUE: Final = 3  # normalised letters; four digits
MOST_STEPS: Final = 20_000


@dataclass(frozen=True, slots=True)
class CallValues:
    """What is known of one caller, by field name, compiled: `Kim Minsu` becomes `[name]`."""

    matchers: tuple[Matcher, ...] = field(default=(), repr=False)
    masks: re.Pattern[str] = field(default=MASK, repr=False)


NOBODY: Final = CallValues()


def call_values(values: Mapping[str, str]) -> CallValues:
    """Takes about a millisecond. Values of fewer than three letters or four digits are not looked for."""
    armed, not_armed = canaries.arm(values, ())
    short = [search for name in not_armed for search in _short(name, values[name])]
    names = "|".join(re.escape(_name(name)) for name in values)
    return CallValues(
        matchers=((armed.matcher,) if armed else ()) + ((Matcher(short, MOST_STEPS),) if short else ()),
        masks=re.compile(rf"{MASK.pattern}|\[(?:{names})\]") if names else MASK,
    )


def redact(text: str, values: CallValues = NOBODY) -> str:
    """The text with masks. `values` are those of the call it was said in."""
    while (after := _masked(text, values)) != text:  # a mask may set free what stuck to a number
        text = after
    return text


def _masked(text: str, values: CallValues) -> str:
    for matcher in values.matchers:
        text = _replaced(text, _merged(_known(matcher, text, values.masks)))
    text = EMAIL.sub("[email]", text)
    text = SAID.sub(_said, text)
    text = SAID_IN_KOREAN.sub("[email]", text)
    return _replaced(text, numbers(text, values.masks))


def _short(name: str, value: str) -> Iterator[Search]:
    plain = normalise(value).strip()
    if len(plain) >= SHORTEST_VALUE + plain.isdigit():
        yield from phrases.searches(f"{canaries.PREFIX}{name}", plain)


def _name(field_name: str) -> str:
    return field_name.replace("_", " ")


def _said(found: re.Match[str]) -> str:
    return found[0] if found["local"].casefold() in NO_MAILBOX else "[email]"


Span = tuple[int, int, str]
"""From, to (raw positions), and the mask."""


def _known(matcher: Matcher, text: str, masks: re.Pattern[str]) -> Iterator[Span]:
    """Where the values of this call stand, outside of what is masked already."""
    masked = [found.span() for found in masks.finditer(text)]
    state, registers = matcher.initial, tuple[int, ...]()
    spans: list[tuple[int, int, str]] = []
    for at, raw in enumerate(text):
        for char in NORMAL[raw]:
            step = state.steps.get(char) or matcher.step(state, char)
            for search, register, own in step[2]:
                start = registers[register] if register < step[3] else at
                spans.append((start, max(at + own, start + 1), search.rule))
            registers = tuple(registers[k] if k < step[3] else at for k in step[1])
            state = step[0]
    spans += [(registers[register], len(text), search.rule) for search, register, _ in matcher.at_end(state)]
    for start, end, rule in spans:
        if not any(start < to and since < end for since, to in masked):
            yield start, end, f"[{_name(rule.removeprefix(canaries.PREFIX))}]"


def _merged(spans: Iterator[Span]) -> Iterator[Span]:
    """Spans that overlap become one; the first names it, the longer one of two that begin together."""
    last: Span | None = None
    for span in sorted(spans, key=lambda each: (each[0], -each[1], each[2])):
        if last and span[0] < last[1]:
            last = (last[0], max(last[1], span[1]), last[2])
            continue
        if last:
            yield last
        last = span
    if last:
        yield last


def _replaced(text: str, spans: Iterator[Span]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, mask in spans:
        parts += (text[at:start], mask)
        at = end
    return "".join((*parts, text[at:]))
