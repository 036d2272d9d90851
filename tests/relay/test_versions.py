"""Versions of agent files are kept as they were served, and found again by name, hash or file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policies.agent_file import AgentFile, parse
from relay import versions
from relay.versions import NoSuchVersion


def written(path: Path, version: str) -> AgentFile:
    path.write_text(f'agent: {{name: acme, version: "{version}"}}\nllm: [{{provider: echo}}]\n')
    return parse(path.read_text(), source=str(path))


def test_the_newest_comes_first_and_the_same_text_is_kept_once(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    for at, version in enumerate(("1", "2", "2", "3"), 1_000):
        versions.keep(tmp_path, written(file, version), at)
    assert [each.version for each in versions.versions(tmp_path, "acme")] == ["3", "2", "1"]
    folder = tmp_path / "agents" / "acme"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}


def test_a_file_written_over_since_it_was_read_is_not_kept(tmp_path: Path) -> None:
    first = written(tmp_path / "a.yaml", "1")
    written(tmp_path / "a.yaml", "2")
    versions.keep(tmp_path, first, 1_000)
    assert versions.versions(tmp_path, "acme") == []


def test_a_version_is_found_by_its_name_or_hash_else_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    kept = [written(file, version) for version in ("1", "2", "3")]
    for at, (each, version) in enumerate(zip(kept, ("1", "2", "3"), strict=True), 1_000):
        versions.keep(tmp_path, replace(each, hash=written(file, version).hash), at)
    found = versions.versions(tmp_path, "acme")
    now = kept[2].hash
    assert versions.find(found, now, None).version == "2"
    assert versions.find(found, now, "1").version == "1"
    assert versions.find(found, now, kept[0].hash[:8]).version == "1"
    for wanted in ("3", "7", kept[0].hash[:5]):
        with pytest.raises(NoSuchVersion, match=r"there are:\n.*  2  .*\n.*  1  "):
            versions.find(found, now, wanted)


def test_a_text_that_cannot_be_used_is_kept_and_never_chosen_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    good = written(file, "1")
    versions.keep(tmp_path, good, 1_000)
    versions.keep_text(tmp_path, "acme", "agent: [", file, 1_001)
    agent, kept = versions.of_file(tmp_path, file, "agent: [")
    assert (agent, [each.usable for each in kept]) == ("acme", [False, True])
    assert versions.find(kept, "", None).hash == good.hash


def test_a_file_is_known_by_its_path_when_its_text_tells_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    versions.keep(tmp_path, written(file, "1"), 1_000)
    for text in (None, "agent: [", "agent: {name: renamed}", "agent: {name: ../acme}"):
        assert versions.of_file(tmp_path, file, text)[0] == "acme"
    with pytest.raises(NoSuchVersion, match="no version of it was kept yet"):
        versions.of_file(tmp_path, tmp_path / "b.yaml", "agent: [")
    moved = versions.of_file(tmp_path, tmp_path / "b.yaml", "agent: {name: acme}\nlm: []")
    assert moved[0] == "acme"


def test_a_link_stays_a_link_and_a_mode_stays_a_mode(tmp_path: Path) -> None:
    file, link = tmp_path / "a.yaml", tmp_path / "link.yaml"
    link.symlink_to(file)
    versions.keep(tmp_path, written(file, "1"), 1_000)
    text = file.read_text()
    written(file, "2")
    file.chmod(0o640)
    versions.put_back(versions.versions(tmp_path, "acme")[0], link)
    assert link.is_symlink()
    assert (file.read_text(), file.stat().st_mode & 0o777) == (text, 0o640)
    file.unlink()
    versions.put_back(versions.versions(tmp_path, "acme")[0], file)
    assert file.read_text() == text
