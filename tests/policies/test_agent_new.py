"""A new agent file is in order, whatever it is given to hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.agent_advice import advice
from policies.agent_file import parse
from policies.agent_new import LANGUAGES, Provider, agent_file, cues, quoted
from policies.gates import compile_gates
from policies.yaml_lines import read


def made(organisation: str = "Acme", language: str = "en-US", provider: Provider = Provider.ECHO) -> str:
    return agent_file(
        file="my agent.yaml",
        cues="a-cues.yaml",
        name="acme",
        organisation=organisation,
        language=language,
        provider=provider,
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("provider", Provider)
def test_a_new_file_is_in_order_and_needs_no_advice(language: str, provider: Provider) -> None:
    text = made(language=language, provider=provider)
    file = parse(text)
    assert compile_gates(file).rulebook.judges
    assert advice(file, read(text)) == []
    assert (file.llm[0].provider, file.language) == (provider, language)


@pytest.mark.parametrize("organisation", ["Kim: Sons #1", "true", "7", '"Q" & \\', "$name ${X}", "두리 난방"])
def test_an_organisation_is_taken_as_it_is_written(organisation: str) -> None:
    text = made(organisation).replace("${X}", "X")  # a reference is refused wherever it stands
    file = parse(text)
    assert file.agent.organisation == organisation.replace("${X}", "X")
    assert organisation.replace("${X}", "X") in file.agent.instructions


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_a_quoted_text_reads_as_itself(text: str) -> None:
    assert read(f"key: {quoted(text)}").value == {"key": text}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cues_are_yaml(language: str) -> None:
    assert not read(cues(language)).faults
