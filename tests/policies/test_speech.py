"""The cleaner leaves words only, however a reply is cut into tokens."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.speech import Echo, SpeechCleaner


def spoken(*tokens: str, language: str = "en-US") -> str:
    cleaner = SpeechCleaner(language)
    return "".join([*map(cleaner.feed, tokens), cleaner.finish()])


MARKED_UP = [
    ("**Bold**, __strong__, *soft*, _weak_, ~~old~~ new.", "Bold, strong, soft, weak, old new."),
    ("***Both.*** Next", "Both. Next"),
    ("*중요*합니다. **요금**은 5만 원입니다.", "중요합니다. 요금은 5만 원입니다."),
    ("# Opening hours\nMonday to Friday", "Opening hours Monday to Friday"),
    ("###### Deep\n## Two ##", "Deep Two ##"),
    ("- one\n* two\n+ three\n• four", "one two three four"),
    ("1. First\n2. Second\n3) Third", "First Second Third"),
    ("**1. First**\n**2. Second**", "First Second"),
    ("- [ ] open\n- [x] done", "open done"),
    ("> quoted\n>> twice", "quoted twice"),
    ("Above\n\n---\n\nBelow\n***\nEnd\n* * *\nof\n=====\nit", "Above Below End of it"),
    ("| Plan | Price |\n|:---|---:|\n| Basic | $49 |", "Plan Price Basic $49"),
    ("See [our page](https://x.example/a_(b)?c=1) now.", "See our page now."),
    ("[**Bold link**](/path \"title\"), ok", "Bold link, ok"),
    ("![A house](https://x.example/a.png) Nice", "A house Nice"),
    ("Great! ![](a.png)", "Great!"),
    ("Run `reset` or ``a ` b``.", "Run reset or a b."),
    ("Do this:\n```python\nprint('secret')\n```\nDone.", "Do this: Done."),
    ("````\n```\nsecret\n```\n````\nDone", "Done"),
    ("Say ```secret``` now", "Say now"),
    ("~~~\nsecret\n~~~\nDone", "Done"),
    ("Open:\n```\nsecret to the end", "Open:"),
    ("Go to https://x.example/a?b=c#d, or www.y.example.", "Go to the link, or the link."),
    ("(see https://x.example/a_(b)).", "(see the link)."),
    ("**https://x.example**", "the link"),
    ("<https://x.example> and <bob@x.example>", "the link and bob@x.example"),
    ("<b>Bold</b> H<sub>2</sub>O<br/>next <a href=\"/x\">here</a><!-- no -->.", "Bold H2O next here."),
    ("Fish &amp; chips &lt; 5&nbsp;&euro; &#39;now&#x27;", "Fish & chips < 5 € 'now'"),
    (r"2 \* 3 and snake\_case and \#1", "2 * 3 and snake_case and #1"),
    ("Great 😀! Really 👩‍⚕️👍🏽 fine 🇰🇷. Yes✅no", "Great! Really fine. Yes no"),
    ("Press 1️⃣ or #️⃣ ❤️", "Press 1 or #"),
    ("✅ **Done:** all set 🎉", "Done: all set"),
    ("a\u200bb\u00adc\ufeffd \u202ee\x07", "abcd e"),
    ("Two  spaces\t tab\r\n\r\nand\u00a0lines \n", "Two spaces tab and lines"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "words"), MARKED_UP)
def test_markup_is_never_spoken(written: str, words: str) -> None:
    assert spoken(written) == words
    assert spoken(*written) == words


def test_an_address_is_spoken_as_a_word_of_the_language() -> None:
    assert spoken("주소는 https://x.example/a입니다.", language="ko-KR") == "주소는 링크입니다."


ORDINARY = [
    "2 * 3 is 6, and 5*3=15.",
    "Press * to go back, or *67, or *.",
    "5-10 items, -5 degrees, a well-known re-use - yes.",
    "#1 is C#, and number # is a hash.",
    "It's $49.99 (about 10% off), isn't it? \"Yes!\"",
    "Write to jane_doe+x@mail.example or a_b__c.",
    "10. That is the count.",
    "1.5 million, 3~4일, 네~ 알겠습니다.",
    "5 < 6 and 7 > 6, AT&T, R&D; x<y",
    "20° for 5 € at Acme™, © 2026, №5 ①",
    "서울·부산은 오전 9:00-오후 6:00입니다. 괜찮으시겠어요?",
    "Hmm... well — yes; how who what when http www",
    "हिन्दी क्\u200dष, می\u200cخواهم",
    "C:\\new",
    "example.com/path is fine",
]


@pytest.mark.parametrize("words", ORDINARY)
def test_ordinary_text_is_never_touched(words: str) -> None:
    assert spoken(words) == words
    assert spoken(*words) == words


MARKS = "`*_~[]()!<>|\\#-+=&;:/.,0159 \n\t\r'\"ahwpé한\u200d\ufe0f\u20e3\0\ud800•"
PIECES = st.sampled_from([
    *MARKS, "**", "```", "~~~", "](", "![", "1. ", "2) ", "- ", "\n- [x] ", "|---|", "*67", "\\*", " word",
    "안녕", "https://", "http", "www.a", "@x.example", "&amp;", "&#42;", "<br>", "<b", "</", "<a href=",
    "<!--", "-->", "😀", "👩\u200d⚕️", "🇰🇷",
])  # fmt: skip
WRITTEN = st.lists(PIECES, max_size=30)


@given(WRITTEN, st.data())
@example(["*", "67"], None)
def test_any_cut_gives_the_same_words(pieces: list[str], data: st.DataObject | None) -> None:
    whole = "".join(pieces)
    assert spoken(*pieces) == spoken(whole)
    assert spoken(*whole) == spoken(whole)
    if data:
        cut = data.draw(st.integers(0, len(whole)))
        assert spoken(whole[:cut], "", whole[cut:]) == spoken(whole)


@given(WRITTEN)
def test_marks_and_pictographs_are_never_spoken(pieces: list[str]) -> None:
    words = spoken(*pieces)
    assert not re.search(r"`|\*\*|~~|[\t\n\r\0]|  |^ | $", words)
    assert not re.search("[\u2600-\u27bf\U0001f000-\U0001fbff\ufe00-\ufe0f\u20e3\ud800-\udfff]", words)
    assert not re.search(r"(?<![A-Za-z0-9])https?://", words)


@given(
    st.lists(st.sampled_from(["x", " secret", "\n", "``x", "\n\n", "  ", "*", "😀"]), max_size=12),
    st.integers(3, 5),
)
def test_code_is_never_spoken(lines: list[str], length: int) -> None:
    code, fence = "".join(lines), "`" * length
    assert spoken("Before\n", fence, "py\n", code, "\n", fence, "\nafter") == "Before after"


@given(WRITTEN)
def test_little_is_ever_held(pieces: list[str]) -> None:
    cleaner = SpeechCleaner()
    for piece in pieces:
        cleaner.feed(piece)
    assert len(cleaner.finish()) <= 100


LETTERS = "abchtwps áñ가나다漢,.?'\"-:;0123456789$%()@/"
PROSE = st.text(LETTERS, min_size=1).map(lambda text: "Well, " + " ".join(text.split()))


@given(PROSE, st.integers(1, 9))
def test_prose_passes_as_it_is_and_at_once(prose: str, size: int) -> None:
    prose = prose.replace("www.", "ww").replace("://", ":").strip()
    cleaner, words, read = SpeechCleaner(), "", ""
    for at in range(0, len(prose), size):
        token = prose[at : at + size]
        words, read = words + cleaner.feed(token), read + token
        assert read.startswith(words)
        assert len(read) - len(words) <= 7  # " https:", which might still become an address
    assert words + cleaner.finish() == prose


UNEQUAL = r"[^\n -~]|[\\&<>`#0-9]"  # what is dropped or literal because of what stood beside it


@given(WRITTEN.map("".join))
def test_words_once_clean_stay_so(written: str) -> None:
    plain = re.sub(UNEQUAL, "", written)
    once = "Well, " + spoken(plain)
    assert spoken(once) == once.strip()


def test_the_first_words_do_not_wait_for_the_end_of_their_line() -> None:
    cleaner = SpeechCleaner()
    assert [cleaner.feed(token) for token in ("Sure", ", **your", " bill** is", " $49", ".")] == [
        "Sure", ", your", " bill is", " $49", ".",
    ]  # fmt: skip
    assert cleaner.finish() == ""


@pytest.mark.parametrize("tag", ["think", "thinking", "Reasoning"])
def test_what_a_model_only_thinks_is_not_spoken(tag: str) -> None:
    written = f"<{tag}>\nThe caller wants 5 < 6, *maybe*.\n</{tag}>\n\nIt costs five dollars."
    assert spoken(written) == "It costs five dollars."
    assert spoken(*written) == "It costs five dollars."


@pytest.mark.parametrize(
    ("later", "heard"),
    [
        ("I am looking that up.", ""),
        ("I am looking that up. It costs $49.", " It costs $49."),
        ("I am looking. It costs $49.", "I am looking. It costs $49."),
        ("It costs $49.", "It costs $49."),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 99])
def test_words_of_an_earlier_round_are_not_said_again(later: str, heard: str, size: int) -> None:
    echo = Echo(["", "I am looking that up. ", "Wait"])
    said = "".join(echo.feed(later[at : at + size]) for at in range(0, len(later), size)) + echo.finish()
    assert said == heard


def test_a_word_that_only_begins_alike_is_let_through() -> None:
    echo = Echo(["I"])
    assert echo.feed("I") == ""
    assert echo.feed("t costs") == "It costs"
    held = Echo(["One moment."])
    assert held.feed("One") == ""
    assert held.finish() == "One"
