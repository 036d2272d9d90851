"""YAML 1.2 core, to the letter, with lines; whatever else is in the text is a fault, never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.yaml_lines import MOST_LEVELS, Fault, Value, key_text, read

ANCHORS = "anchors (&) and aliases (*) are not used here: write the value out"
MERGES = "anchors, tags and merges (<<) are not used here: write it out"
CONTROL = "not YAML: unacceptable character #x0001: special characters are not allowed"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("2026-11-23", "2026-11-23"), ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("12:30", "12:30"), ("190:20:30", "190:20:30"), ("1_000", "1_000"), ("0b11", "0b11"), ("=", "="),
        ("true", True), ("False", False), ("~", None), ("null", None), ("", None),
        ("017", 17), ("0o17", 15), ("0x1F", 31), ("+1", 1), ("-2", -2), ("1e3", 1000.0), (".5", 0.5),
        ("-.inf", float("-inf")), ("1.2s", "1.2s"), ("2026-11-23.1", "2026-11-23.1"),
        ("'1'", "1"), ('"true"', "true"), ("9999999999999999999999", 1e22),
        ("[a, [1]]", ("a", (1,))), ("{a: {b: }}", {"a": {"b": None}}), ("{on: 1, 2: 3}", {"on": 1, "2": 3}),
    ],
)  # fmt: skip
def test_a_word_means_what_the_core_schema_says(written: str, value: Value) -> None:
    document = read(f"key: {written}")
    assert document.value == {"key": value}
    assert document.faults == ()


def test_every_key_and_item_has_its_line() -> None:
    document = read("# note\na: 1\nb:\n  - c: 2\n\n  - [x,\n     y]\n")
    assert document.lines == {
        ("a",): 2, ("b",): 3, ("b", 0): 4, ("b", 0, "c"): 4, ("b", 1): 6, ("b", 1, 0): 6, ("b", 1, 1): 7,
    }  # fmt: skip
    assert document.line(("b", 0, "missing", "deeper")) == 4
    assert document.line(("missing",)) == 1


def test_a_path_is_written_as_a_reader_would() -> None:
    assert key_text(("llm", 0, "model")) == "llm[0].model"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\nb: 2\na: 3", Fault(3, "a", "written twice; the first is on line 1")),
        ("a: &x 1", Fault(1, "a", ANCHORS)),
        ("a: *x", Fault(1, "a", ANCHORS)),
        ("a:\n  <<: {b: 1}", Fault(2, "a.<<", MERGES)),
        ("a: !!python/name:os.system x", Fault(1, "a", "tags (!) are not used here: write the plain value")),
        ("a: 1\n? [b]\n: 2", Fault(2, "", "a key must be plain text")),
        ("a: 1\n---\nb: 2", Fault(2, "", "a second document begins here: one file holds one")),
        ("a: 1\nb: c: d", Fault(2, "", "not YAML: mapping values are not allowed here")),
        ('a: "\\U00110000"', Fault(1, "", "not YAML: chr() arg not in range(0x110000)")),
        ("a: \x01", Fault(1, "", CONTROL)),
        ("a: " + "[" * 40 + "]" * 40, Fault(1, "", f"nested deeper than {MOST_LEVELS} levels")),
        ("#" * 1_000_001, Fault(1, "", "longer than 1,000,000 characters")),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused_in_words(text: str, fault: Fault) -> None:
    assert read(text).faults == (fault,)


@given(
    st.lists(
        st.sampled_from(
            [*"abc12:-?[]{},&*!|>'\"%@`#\n \t\\~<=.\u00e9\U0001f600", "\n  ", ": ", "- ", "---\n"]
        )
    )
)
def test_no_text_breaks_the_reader(pieces: list[str]) -> None:
    text = "".join(pieces)
    document = read(text)
    assert all(1 <= fault.line <= text.count("\n") + 1 for fault in document.faults)
