"""The brief: nothing secret, nothing made up, short enough to be heard, right on the agent's screen."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.brief import (
    LONGEST_PARAGRAPH,
    LONGEST_SPOKEN,
    QUESTIONS,
    SAMPLE,
    SAYS,
    STYLE,
    Brief,
    BriefAction,
    BriefFact,
    BriefFacts,
    BriefUnreadable,
    Consents,
    brief,
    check_template,
    from_json,
    lint,
    page,
    spoken,
    text,
    to_json,
    with_paragraph,
)
from policies.guard import linter, packs
from policies.guard.rulebook import compile_rules
from policies.latency import speech_seconds
from policies.vocabulary import EscalationReason, NextAction

EVERYTHING = compile_rules([rule for name in packs.NAMES for rule in packs.pack(name)])
SECRETS = (
    ("My card is 4111 1111 1111 1111", "1111"),
    ("four one one one one one one one one one one one one one one one", "one one one"),
    ("Call me at 212-555-0100", "0100"),
    ("My number is 900101-1234567", "1234567"),
    ("the code is 84 31 7", "84"),
    ("My password is swordfish, please", "swordfish"),
    ("비밀번호는 호랑이입니다", "호랑이"),
    ("I was diagnosed with diabetes", "diabetes"),
    ("제가 당뇨가 있어서요", "당뇨"),
    ("use a1b2c3d4e5f6a7b8c9d0e1 as the key", "a1b2c3"),
)


def facts(language: str = "en-US", **more: object) -> BriefFacts:
    fields: dict[str, object] = {
        "call_sid": "CA1",
        "created_at": 1.0,
        "language": language,
        "reason": EscalationReason.COMPLAINT,
        "rule": "topics.complaint",
        "intent": "late_technician",
        "name": "Dana Fox",
        "verified": True,
        "tier": "vip",
        "facts": (
            BriefFact("interest", "heat pump", "crm"),
            BriefFact("zip_code", "near the park", "caller", confirmed=True),
        ),
        "actions": (BriefAction("book_appointment", "confirmed", NextAction.CORRECT),),
        "open_questions": ("When do you come?",),
        "next_step": "call back about Friday",
        "sentiment": "negative",
        "objections": ("price",),
        "consents": Consents(recording=True, ai=False),
        "failed_attempts": 2,
        "transcript": "CA1",
    }
    return BriefFacts(**{**fields, **more})  # type: ignore[arg-type]


def bare(language: str = "en-US") -> BriefFacts:
    return BriefFacts(call_sid="CA1", created_at=1.0, language=language, reason=EscalationReason.SILENCE)


def test_it_says_what_is_known_and_where_it_comes_from() -> None:
    assert text(brief(facts())).splitlines() == [
        "Reason: The caller has a complaint (rule topics.complaint)",
        "Wanted: late technician",
        "Caller: Dana Fox (identity: verified), vip",
        "- interest: heat pump (CRM, not confirmed)",
        "- zip code: near the park (caller, confirmed)",
        "Done: book appointment, confirmed, checked and right",
        "Still open: When do you come?",
        "Next step: call back about Friday",
        "Mood: upset; hesitates over: price",
        "Consent: recording: yes; AI: no; call back: not known",
        "Failed attempts: 2",
        "Caller's language: en-US",
        "Transcript: CA1",
    ]


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    shown = text(brief(bare()))
    for name in ("Wanted", "Caller", "Still open", "Next step", "Mood", "Transcript"):
        assert f"{name}: not known" in shown
    assert "None" not in shown
    assert "What the caller wants is not known." in spoken(brief(bare()), "en-US")
    assert "고객: 확인되지 않음" in text(brief(bare("ko-KR")))
    assert "용건은 확인되지 않았습니다." in spoken(brief(bare()), "ko-KR")


def test_it_is_read_in_the_language_of_the_person_who_gets_it() -> None:
    shown = text(brief(facts()), language="ko-KR")
    assert "사유: 고객의 불만이 있습니다 (규칙 topics.complaint)" in shown
    assert "book appointment, confirmed, 확인함, 올바름" in shown
    assert "고객 언어: en-US" in shown


@pytest.mark.parametrize("action", NextAction)
def test_what_was_done_never_looks_checked_when_it_was_not(action: NextAction) -> None:
    shown = text(brief(facts(actions=(BriefAction("book", "sent", action),))))
    assert ("checked and right" in shown) is (action is NextAction.CORRECT)
    assert f"book, sent, {SAYS['en'][f'action {action}']}" in shown


def test_both_languages_have_the_same_words_and_know_every_reason() -> None:
    assert set(SAYS["en"]) == set(SAYS["ko"])
    for reason in EscalationReason:
        assert reason.value in SAYS["en"]
    for action in NextAction:
        assert f"action {action}" in SAYS["en"]


@pytest.mark.parametrize(("said", "secret"), SECRETS)
def test_no_card_no_health_no_secret_and_no_number_of_anybody_is_in_it(said: str, secret: str) -> None:
    made = brief(
        facts(
            intent=said,
            name=said,
            open_questions=(said,),
            next_step=said,
            facts=(BriefFact("note", said, "crm"),),
        )
    )
    made = with_paragraph(made, said)
    for shown in (
        text(made),
        spoken(made, "en-US"),
        to_json(made),
        page(made, "en", post_to="x", answered={}),
    ):
        assert secret not in shown
    assert lint(made) == []


@pytest.mark.parametrize(("said", "secret"), SECRETS)
def test_the_lint_names_the_field_and_quotes_nothing(said: str, secret: str) -> None:
    raw = Brief(
        call_sid="CA1", created_at=1.0, language="en", reason="legal", open_questions=(said,), paragraph=said
    )
    assert lint(raw) == ["open_questions", "paragraph"]
    assert lint(brief(raw)) == []
    assert secret not in repr(lint(raw))


@pytest.mark.parametrize(
    "said",
    [
        "Please come on 2026-12-04 at 10:30",
        "The offer was $12,500",
        "I forgot my password",
        "비밀번호를 잊어버렸어요",
    ],
)
def test_what_is_nobodys_secret_stays(said: str) -> None:
    assert brief(facts(open_questions=(said,))).open_questions == (said,)


@pytest.mark.parametrize("name", ["card_number", "password", "diagnosis", "pin", "건강상태"])
def test_some_facts_are_named_and_never_shown(name: str) -> None:
    made = brief(facts(facts=(BriefFact(name, "plainly readable", "crm"),)))
    assert made.facts == (BriefFact(name, "[withheld]", "crm"),)
    assert lint(made) == []


@given(st.text(max_size=200), st.sampled_from(("en-US", "ko-KR")))
def test_cleaning_twice_is_cleaning_once(said: str, language: str) -> None:
    made = brief(facts(language, open_questions=(said,), intent=said))
    assert lint(made) == []


@given(
    st.text(alphabet="가나다 abc123.?", max_size=500), st.booleans(), st.sampled_from(tuple(EscalationReason))
)
def test_it_is_heard_in_fifteen_seconds(said: str, korean: bool, reason: EscalationReason) -> None:
    language = "ko-KR" if korean else "en-US"
    made = brief(facts(language, open_questions=(said,), intent=said, name=said, reason=reason))
    heard = spoken(made, language)
    assert 0 < speech_seconds(heard, language) <= LONGEST_SPOKEN
    assert heard.startswith(SAYS[language[:2]][reason.value])


@pytest.mark.parametrize("language", ["en-US", "ko-KR"])
def test_what_is_spoken_by_itself_passes_every_pack(language: str) -> None:
    for reason in EscalationReason:
        for given_facts in (facts(reason=reason), bare()):
            assert linter.fired(EVERYTHING, spoken(brief(given_facts), language)) == set()


def test_the_most_important_is_spoken_first() -> None:
    assert spoken(brief(facts()), "en-US").startswith(
        "The caller has a complaint. Caller: Dana Fox. Wanted: late technician. Still open: When do you come."
    )


def test_a_models_paragraph_is_marked_as_such_and_never_spoken() -> None:
    made = with_paragraph(brief(facts()), "She is upset.\nShe waited.")
    assert "Written by the model, not checked: She is upset. She waited." in text(made)
    assert "모델이 쓴 글, 확인되지 않음" in page(made, "ko", post_to="x", answered={})
    assert "waited" not in spoken(made, "en-US")


def test_a_paragraph_that_is_too_long_ends_with_a_whole_sentence() -> None:
    made = with_paragraph(brief(facts()), "She waited all day. " * 100)
    assert len(made.paragraph) <= LONGEST_PARAGRAPH
    assert made.paragraph.endswith("day.")
    assert 0 < len(with_paragraph(brief(facts()), "word " * 400).paragraph) <= LONGEST_PARAGRAPH


def test_an_agent_file_may_have_its_own_template() -> None:
    assert text(brief(facts()), "{{ intent }} for {{ identity }}") == "late technician for Dana Fox"
    assert check_template("{{ intent }}{% for fact in known %}{{ fact }}{% endfor %}") == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ intnet }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ facts.append(1) }}",
        "{% for %}",
        "{{ 1 / 0 }}",
        "{{ 1 + intent }}",
        "{% for number in range(999999999) %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{ identity[0].upper() + facts[0].name }}",  # fails where nothing is known
        " ",
    ],
)
def test_a_template_with_a_fault_is_found_and_a_person_still_gets_a_brief(template: str) -> None:
    assert len(check_template(template)) == 1
    assert text(brief(bare()), template) in (text(brief(bare())), template, "")


def test_it_comes_back_from_the_store_as_it_was() -> None:
    made = with_paragraph(brief(facts()), "She is upset.")
    assert from_json(to_json(made)) == made
    with pytest.raises(BriefUnreadable):
        from_json("{")


def test_a_brief_of_plain_words_is_still_read() -> None:
    made = brief(
        Brief(
            call_sid="CA1", created_at=1.0, language="en", reason="legal", actions=("book: sent, unverified",)
        )
    )
    assert "Done: book: sent, unverified" in text(from_json(to_json(made)))


class Seen(HTMLParser):
    """Every element with its attributes, and the words between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_asks_three_questions_that_take_one_tap() -> None:
    shown = Seen(page(brief(facts()), "en-US", post_to="/brief/x", answered={"brief_right": "no"}))
    forms = [attrs for tag, attrs in shown.tags if tag == "form"]
    assert forms == [{"method": "post", "action": "/brief/x"}] * 3
    assert [attrs["value"] for tag, attrs in shown.tags if tag == "input"] == list(QUESTIONS)
    pressed = [attrs["aria-pressed"] for tag, attrs in shown.tags if tag == "button"]
    assert pressed == ["false", "false", "false", "true", "false", "false"]
    assert "Noted, thank you." in shown.words


@pytest.mark.parametrize("language", ["en-US", "ko-KR"])
def test_the_page_is_in_the_persons_language_and_fetches_nothing(language: str) -> None:
    shown = Seen(page(brief(facts()), language, post_to="/brief/x", answered={}))
    assert ("html", {"lang": language[:2]}) in shown.tags
    for question in QUESTIONS:
        assert SAYS[language[:2]][question] in shown.words
    for tag, attrs in shown.tags:
        assert tag not in ("script", "link", "img", "iframe")
        assert not {"src", "href"} & set(attrs)
    assert "url(" not in shown.words
    assert "@import" not in shown.words


def test_a_content_policy_can_allow_the_style_of_the_page_and_no_other() -> None:
    html = page(brief(facts()), "ko-KR", post_to="/brief/x", answered={})
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" == STYLE
    assert html.count("<style") == 1
    assert "style=" not in html


def test_the_page_escapes_what_a_caller_said_in_either_form() -> None:
    made = brief(facts(open_questions=("<script>alert(1)</script>",), name='"><img src=x>'))
    for template in ("", "{{ open_questions[0] }} {{ identity }}"):
        html = page(made, "en", post_to='"><b>', answered={}, template=template)
        tags = {tag for tag, _ in Seen(html).tags}
        assert not {"script", "img", "b"} & tags
        assert "&lt;script&gt;" in html


def test_the_sample_is_one_of_ours() -> None:
    assert lint(SAMPLE) == []
