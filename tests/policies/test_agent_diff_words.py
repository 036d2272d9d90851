"""A section without words of its own is told by its keys, as deep inside as the two are alike."""

from __future__ import annotations

from policies.agent_crm import Secret
from policies.agent_diff_words import moved, section, shown, value
from policies.agent_values import Say, Section


class Step(Section):
    say: str = ""
    after: float = 1.0


class Ladder(Section):
    steps: tuple[Step, ...] = ()
    first: Step = Step()
    by_key: dict[str, int] = {}  # noqa: RUF012  - pydantic copies it
    on: bool = True


def test_a_change_is_told_where_it_is() -> None:
    old = Ladder(steps=(Step(say="a"), Step(say="b")), by_key={"x": 1, "y": 2})
    new = Ladder(
        steps=(Step(say="a"), Step(say="c")), first=Step(after=0.5), by_key={"y": 3, "z": 4}, on=False
    )
    assert list(section("ladder", old, new)) == [
        "ladder.steps[1].say: “b” -> “c”",
        "ladder.first.after: 1 -> 0.5",
        "ladder.by_key.x: 1 -> not set",
        "ladder.by_key.y: 2 -> 3",
        "ladder.by_key.z: not set -> 4",
        "ladder.on: yes -> no",
    ]
    assert list(section("ladder", old, new, without=("steps", "first", "by_key"))) == ["ladder.on: yes -> no"]
    assert list(value("ladder", old, old)) == []


def test_a_list_of_another_length_is_told_as_a_whole() -> None:
    assert list(value("steps", (Step(say="a"),), (Step(say="a"), Step(after=2.0)))) == [
        "steps: say “a” -> say “a”, after 2"
    ]


def test_a_section_of_another_kind_is_told_as_a_whole() -> None:
    assert list(section("it", Step(say="a"), Ladder(on=False))) == ["it: say “a” -> on no"]


def test_members_are_told_in_the_order_of_the_files() -> None:
    assert list(moved("It", ["c", "a"], ["b", "a", "d"], "has", "lost")) == ["It has b, d.", "It lost c."]
    assert list(moved("It", [], ["b"], "has", "lost", quoted=True)) == ["It has “b”."]


def test_values_are_shown_as_a_reader_knows_them() -> None:
    assert shown(Say((("", "Hi"), ("ko", "네")))) == "“Hi”; “네” (ko)"
    assert shown(Secret("TOKEN")) == "${TOKEN}"
    assert shown(0) == "0"
    assert shown("a\n b " + "x" * 200) == f"“a b {'x' * 155}…”"
    assert shown(Step()) == "not set"
