"""The brief: what a person is told of a call that comes to them, so that nobody is asked the same again.

Built from the record, without a model. What is not known is said to be unknown. No card, health or secret
data and no number of anybody's: all of it is cleaned when the brief is made, and `lint` finds what was not.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from handoff.withheld import hide, is_named_so
from policies.latency import speech_seconds
from policies.vocabulary import EscalationReason, NextAction

LONGEST_SPOKEN: Final = 15.0  # seconds
LONGEST_PARAGRAPH: Final = 600  # characters
LONGEST_PART: Final = 90  # characters of one thing that is spoken


class BriefFact(msgspec.Struct, frozen=True):
    name: str
    value: str
    source: str  # caller, crm, or who else said so
    confirmed: bool = False  # by the caller, in this call


class BriefAction(msgspec.Struct, frozen=True):
    """`checked`: was it the right thing, and is it really done? "Never `correct` without a read-back"."""

    name: str
    state: str = ""
    checked: NextAction = NextAction.UNVERIFIED


class Consents(msgspec.Struct, frozen=True):
    """What the caller agreed to; None: nobody asked."""

    recording: bool | None = None
    ai: bool | None = None
    callback: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefFacts:
    """What the record knows of a call. Blank, empty and None are unknown."""

    call_sid: str
    created_at: float  # seconds since 1970
    language: str  # the caller's
    reason: EscalationReason
    rule: str = ""
    intent: str = ""
    name: str = field(default="", repr=False)
    verified: bool | None = None
    tier: str = ""
    facts: tuple[BriefFact, ...] = field(default=(), repr=False)
    actions: tuple[BriefAction, ...] = ()
    open_questions: tuple[str, ...] = field(default=(), repr=False)
    next_step: str = ""
    sentiment: str = ""
    objections: tuple[str, ...] = ()
    consents: Consents = field(default_factory=Consents)
    failed_attempts: int = 0
    transcript: str = ""  # where it can be read: the call's SID in our record


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """Cleaned where `brief` made it. `paragraph` is a model's, and marked as such wherever it is shown."""

    schema_version: int = 1
    call_sid: str
    created_at: float
    language: str
    reason: str
    rule: str = ""
    intent: str = ""
    identity: str = ""
    verified: bool | None = None
    tier: str = ""
    facts: tuple[BriefFact, ...] = ()
    actions: tuple[BriefAction | str, ...] = ()
    open_questions: tuple[str, ...] = ()
    next_step: str = ""
    sentiment: str = ""
    objections: tuple[str, ...] = ()
    consent: str = ""
    consents: Consents = Consents()
    failed_attempts: int = 0
    transcript: str = ""
    paragraph: str = ""


class BriefUnreadable(Exception):
    """Show that there is no brief; the call's record has what is known."""


def brief(given: BriefFacts | Brief) -> Brief:
    """Fit to be shown and spoken. A `Brief` that somebody wrote is cleaned in the same way."""
    if isinstance(given, BriefFacts):
        same = {name: getattr(given, name) for name in given.__slots__ if name not in ("name", "reason")}
        given = Brief(**same, reason=given.reason.value, identity=given.name)
    plain = ("intent", "identity", "tier", "next_step", "sentiment", "consent", "paragraph")
    return msgspec.structs.replace(
        given,
        **{name: clean(getattr(given, name), given.language) for name in plain},
        facts=tuple(_fact(fact, given.language) for fact in given.facts),
        actions=tuple(_action(action, given.language) for action in given.actions),
        open_questions=tuple(clean(each, given.language) for each in given.open_questions),
        objections=tuple(clean(each, given.language) for each in given.objections),
    )


def with_paragraph(of: Brief, written: str) -> Brief:
    """With a model's account, cleaned; never spoken. What is too long ends with its last whole sentence."""
    cleaned = clean(written, of.language)
    if len(cleaned) > LONGEST_PARAGRAPH:
        kept = cleaned[:LONGEST_PARAGRAPH]
        cleaned = kept[: max(kept.rfind(end) for end in (". ", "? ", "! ")) + 1] or _short(kept)
    return msgspec.structs.replace(of, paragraph=cleaned)


def clean(text: str, language: str) -> str:
    """Redacted, on one line, without health, secrets, or anything that is a number of somebody's."""
    return hide(text, SAYS[_primary(language)])


def lint(of: Brief) -> list[str]:
    """Which fields hold what no brief may hold. Names them, and quotes nothing."""
    made = brief(of)
    return [name for name in of.__struct_fields__ if getattr(made, name) != getattr(of, name)]


def spoken(of: Brief, language: str) -> str:
    """At most 15 seconds; the most important first, and what does not fit is left out."""
    said = ""
    for part in _parts(of, SAYS[_primary(language)]):
        longer = f"{said} {part}".strip()
        if speech_seconds(longer, language) <= LONGEST_SPOKEN:
            said = longer
    return said


def _parts(of: Brief, said: Mapping[str, str]) -> Iterator[str]:
    yield said.get(of.reason) or f"{_plain(of.reason)}."
    identity = _short(of.identity)
    yield said["this is"].format(identity) if identity else said["nobody known"]
    yield said["wanted"].format(_short(_plain(of.intent))) if of.intent else said["wanted unknown"]
    if of.open_questions:
        yield said["still open"].format(_short(of.open_questions[-1]).rstrip(".?! "))
    yield (
        said["done so far"].format(_short(_plain("; ".join(_done(of, said)))))
        if of.actions
        else said["nothing done"]
    )
    if of.objections:
        yield said["hesitates"].format(", ".join(said.get(each, _plain(each)) for each in of.objections))
    if of.sentiment == "negative":
        yield said["upset"]


def text(of: Brief, template: str = "", language: str = "") -> str:
    """As lines, in the caller's language or another, by the agent file's template.

    One that fails on this brief is replaced by ours: a person always gets a brief.
    """
    if template:
        try:
            return _rendered(of, template, language or of.language)
        except FAULTS:
            pass
    return _rendered(of, TEMPLATE, language or of.language)


def known(of: Brief, language: str = "") -> tuple[str, ...]:
    """Each fact on a line, with where it comes from and whether the caller confirmed it."""
    said = SAYS[_primary(language or of.language)]
    return tuple(
        f"{_plain(fact.name)}: {fact.value or said['unknown']} "
        f"({said.get(fact.source, fact.source)}, {said['confirmed' if fact.confirmed else 'not confirmed']})"
        for fact in of.facts
    )


def check_template(template: str) -> list[str]:
    """What is wrong with a template, found by using it on a full brief and on an empty one."""
    bare = Brief(call_sid="CA0", created_at=0.0, language="en-US", reason="silence")
    for of in (SAMPLE, bare):
        try:
            shown = _rendered(of, template, of.language)
        except FAULTS as error:
            return [f"cannot be used: {error}"]
        if of is SAMPLE and not shown.strip():
            return ["says nothing"]
    return []


def page(of: Brief, language: str, *, post_to: str, answered: Mapping[str, str], template: str = "") -> str:
    """HTML for the agent's screen; `answered` has "yes" or "no" by the question. It fetches nothing.

    Its style stands in the page: a content policy has to allow `STYLE`.
    """
    values = {**_values(of, language), "post_to": post_to, "answered": answered, "questions": QUESTIONS}
    own = text(of, template, language) if template else ""
    return _PAGES.get_template("brief.html").render(values, own=own, lang=_primary(language))


def to_json(of: Brief) -> str:
    return msgspec.json.encode(of).decode()


def from_json(body: str | bytes) -> Brief:
    """Raises `BriefUnreadable`."""
    try:
        return msgspec.json.decode(body, type=Brief)
    except msgspec.DecodeError:
        raise BriefUnreadable("the stored brief is not one of ours") from None


def _rendered(of: Brief, template: str, language: str) -> str:
    """A template can read what it is given, and call nothing."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    return environment.from_string(template).render(_values(of, language))


def _values(of: Brief, language: str) -> dict[str, object]:
    """What templates can name: every field of a brief, and what is made of them here."""
    said = SAYS[_primary(language)]
    agreed = [
        f"{said[name]}: {said['unknown' if given is None else 'yes' if given else 'no']}"
        for name, given in msgspec.structs.asdict(of.consents).items()
    ]
    fields = {name: getattr(of, name) for name in of.__struct_fields__}
    return fields | {
        "created": f"{datetime.fromtimestamp(of.created_at, UTC):%Y-%m-%d %H:%M} UTC",
        "reason_code": of.reason,
        "reason": (said.get(of.reason) or _plain(of.reason)).rstrip("."),
        "intent": _plain(of.intent),
        "next_step": of.next_step,
        "sentiment": said.get(of.sentiment, of.sentiment),
        "objections": [said.get(each, each) for each in of.objections],
        "actions": _done(of, said),
        "done": _done(of, said),
        "checked": said["unknown" if of.verified is None else "verified" if of.verified else "not verified"],
        "consent": of.consent or "; ".join(agreed),
        "known": known(of, language),
        "unknown": said["unknown"],
        "says": said,
    }


def _done(of: Brief, said: Mapping[str, str]) -> list[str]:
    return [
        each
        if isinstance(each, str)
        else ", ".join(filter(None, (_plain(each.name), each.state, said[f"action {each.checked}"])))
        for each in of.actions
    ]


def _fact(fact: BriefFact, language: str) -> BriefFact:
    withheld = is_named_so(fact.name) and fact.value != ""
    value = SAYS[_primary(language)]["[withheld]"] if withheld else clean(fact.value, language)
    return msgspec.structs.replace(fact, value=value)


def _action(action: BriefAction | str, language: str) -> BriefAction | str:
    return clean(action, language) if isinstance(action, str) else action


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _short(text: str) -> str:
    """Its first words, as many as fit."""
    if len(text) <= LONGEST_PART:
        return text
    return text[:LONGEST_PART].rpartition(" ")[0] or text[:LONGEST_PART]


def _primary(language: str) -> str:
    return "ko" if language.casefold().partition("-")[0] == "ko" else "en"


def _style_digest() -> str:
    html = (TEMPLATES / "brief.html").read_text(encoding="utf-8")
    style = html.partition("<style>")[2].partition("</style>")[0]
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


FAULTS: Final = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
"""What a template can do wrong when it is used."""
TEMPLATES: Final = Path(__file__).parent / "templates"
QUESTIONS: Final = ("right_person", "brief_right", "asked_again")
SAYS: Final[Mapping[str, Mapping[str, str]]] = msgspec.json.decode(
    (TEMPLATES / "brief.json").read_bytes(), type=dict[str, dict[str, str]]
)
"""The words of a brief in each language that we know."""
STYLE: Final = f"'sha256-{_style_digest()}'"
"""The page's style, as `style-src` of a Content-Security-Policy names it."""
TEMPLATE: Final = (TEMPLATES / "brief.txt").read_text(encoding="utf-8")
SAMPLE: Final = Brief(
    call_sid="CA0",
    created_at=0.0,
    language="en-US",
    reason=EscalationReason.COMPLAINT.value,
    rule="topics.complaint",
    intent="booking",
    identity="Dana Fox",
    verified=True,
    tier="vip",
    facts=(BriefFact("interest", "heat pump", "crm", confirmed=True),),
    actions=(BriefAction("book_appointment", "confirmed", NextAction.CORRECT),),
    open_questions=("When do you come?",),
    next_step="call back about Friday",
    sentiment="negative",
    objections=("price",),
    consents=Consents(recording=True, ai=True),
    failed_attempts=1,
    transcript="CA0",
    paragraph="The caller is upset about a visit that did not happen.",
)
_PAGES: Final = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
