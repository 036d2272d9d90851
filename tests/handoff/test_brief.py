"""The brief: nothing secret, nothing made up, short enough to be heard, opened by a link that expires."""

from __future__ import annotations

import pytest

from handoff.brief import (
    LONGEST_SPOKEN,
    Brief,
    BriefFact,
    brief,
    decode,
    encode,
    spoken,
    template_faults,
    text,
)
from handoff.links import LinkExpired, LinkInvalid, read, sign
from policies.latency import speech_seconds


def full(language: str = "en-US", **more: object) -> Brief:
    fields: dict[str, object] = {
        "call_sid": "CA1",
        "created_at": 1.0,
        "language": language,
        "reason": "complaint",
        "rule": "topics.complaint",
        "intent": "booking",
        "identity": "Dana Fox",
        "tier": "vip",
        "facts": (BriefFact("interest", "heat pump", "csv"),),
        "actions": ("book_appointment: confirmed, correct",),
        "open_questions": ("When do you come?",),
        "next_step": "call back about Friday",
        "sentiment": "negative",
        "failed_attempts": 2,
        "transcript": "CA1",
    }
    return Brief(**{**fields, **more})  # type: ignore[arg-type]


def test_it_says_what_is_known_and_where_it_comes_from() -> None:
    shown = text(brief(full()))
    assert "Reason: complaint (rule topics.complaint)" in shown
    assert "- interest: heat pump (csv, not confirmed)" in shown
    assert "Done: book_appointment: confirmed, correct" in shown
    assert "Failed attempts: 2" in shown


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    bare = brief(Brief(call_sid="CA1", created_at=1.0, language="en-US", reason="silence"))
    shown = text(bare)
    assert "Wanted: not known" in shown
    assert "Caller: not known" in shown
    assert "None" not in shown
    assert "확인되지 않음" in text(Brief(call_sid="CA1", created_at=1.0, language="ko-KR", reason="silence"))


@pytest.mark.parametrize(
    "said",
    [
        "My card is 4111 1111 1111 1111",
        "four one one one one one one one one one one one one one one one",
        "Call me at 212-555-0100",
        "My number is 900101-1234567",
    ],
)
def test_no_card_and_no_number_of_anybody_is_in_it(said: str) -> None:
    made = brief(full(open_questions=(said,), paragraph=said, facts=(BriefFact("note", said, "csv"),)))
    for shown in (text(made), spoken(made, "en-US"), encode(made)):
        assert "1111" not in shown
        assert "555" not in shown
        assert "1234567" not in shown
        assert "one one one" not in shown


@pytest.mark.parametrize("language", ["en-US", "ko-KR"])
def test_it_is_heard_in_fifteen_seconds(language: str) -> None:
    made = brief(full(language, open_questions=("word " * 400,), intent="예약 " * 200, identity="A " * 300))
    assert 0 < speech_seconds(spoken(made, language), language) <= LONGEST_SPOKEN
    assert spoken(brief(full()), "en-US").startswith("complaint. Wanted: booking.")


def test_a_models_paragraph_is_marked_as_such() -> None:
    assert "In the words of the model, not checked: She is upset." in text(full(paragraph="She is upset."))


def test_an_agent_file_may_have_its_own_template_and_it_can_do_nothing_else() -> None:
    assert text(full(), "{{ intent }} for {{ identity }}") == "booking for Dana Fox"
    assert template_faults("{{ intent }}") == []
    assert "intnet" in template_faults("{{ intnet }}")[0]
    assert template_faults("{{ ''.__class__.__mro__ }}")
    assert template_faults("{% for %}")


def test_it_comes_back_from_the_store_as_it_was() -> None:
    made = brief(full())
    assert decode(encode(made)) == made


def test_a_link_opens_one_thing_for_a_while() -> None:
    key = b"k" * 32
    token = sign(key, "abc.2", 100.0)
    assert read(key, token, 99.0) == "abc.2"
    with pytest.raises(LinkExpired):
        read(key, token, 101.0)
    for forged in (
        token[:-1] + "0",
        token.replace("abc", "abd"),
        "abc.2.999",
        "",
        token.replace(".100.", ".900."),
    ):
        with pytest.raises(LinkInvalid):
            read(key, forged, 1.0)
    with pytest.raises(LinkInvalid):
        read(b"other", token, 1.0)
