"""What a submission says on the command line: nothing that names nothing is taken for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.submit_options import SubmitOptions

BLANK: list[tuple[dict[str, Any], str]] = [
    ({"repository": ""}, "--repository"),
    ({"repository": " "}, "--repository"),
    ({"ref": ""}, "--ref"),
    ({"deliver_branch": ""}, "--deliver-branch"),
    ({"test_command": ""}, "--test-command"),
    ({"test_command": "\t"}, "--test-command"),
    ({"setup": ["make deps", ""]}, "--setup"),
    ({"requirements": [""]}, "--requirement"),
    ({"max_time": ""}, "--max-time"),
    ({"notify": [""]}, "--notify"),
    ({"ref": "\u200b\u2060\u3164"}, "--ref"),
]


@pytest.mark.parametrize(("given", "option"), BLANK)
def test_a_blank_option_is_refused_by_its_name(given: dict[str, Any], option: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        SubmitOptions(**given).body()
    assert str(refused.value) == f"{option} is blank"
    assert refused.value.hint == f"say what it is, or leave {option} out"
    assert refused.value.code == exit_codes.USAGE


def test_several_blank_options_are_refused_at_once() -> None:
    with pytest.raises(CommandFailed) as refused:
        SubmitOptions(ref="", network=["a.example.org", " "], requirements=["\u200b"]).body()
    assert str(refused.value) == "--requirement, --ref, --network are blank"
    assert refused.value.hint == "say what it is, or leave --requirement and --ref and --network out"


def test_files_of_an_editor_that_writes_a_byte_order_mark_are_read_without_it(tmp_path: Path) -> None:
    """A secret that began with it would be masked nowhere."""
    secrets, plan = tmp_path / "secrets.txt", tmp_path / "plan.json"
    secrets.write_bytes(b"\xef\xbb\xbfhunter2-hunter2\r\nanother-secret\r\n")
    plan.write_bytes(b'\xef\xbb\xbf[{"key": "a"}]')
    assert SubmitOptions(secrets=secrets, workflow=plan).body() == {
        "secrets": ["hunter2-hunter2", "another-secret"],
        "workflow": [{"key": "a"}],
    }


@pytest.mark.parametrize("option", ["secrets", "workflow"])
def test_a_file_in_utf_16_is_refused_with_its_name(tmp_path: Path, option: str) -> None:
    file = tmp_path / "odd"
    file.write_bytes('["a"]'.encode("utf-16"))
    given: dict[str, Any] = {option: file}
    with pytest.raises(CommandFailed) as refused:
        SubmitOptions(**given).body()
    assert str(file) in str(refused.value)
    assert "UTF-" in str(refused.value)
    assert refused.value.code == exit_codes.USAGE


@pytest.mark.parametrize(
    "name", ["nope", "nope/../other", "README.md", "~nobody-of-that-name/x", "--ref", "main", "x" * 5_000]
)
def test_what_is_no_folder_is_no_repository_also_inside_of_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").write_text("x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandFailed) as refused:
        SubmitOptions(repository=name).body()
    assert str(refused.value).startswith(f"--repository {name}: ")
    assert str(refused.value).endswith("is no folder" if name == "README.md" else "is not there")
    assert "https://host/owner/name.git" in str(refused.value.hint)


@pytest.mark.parametrize("name", [".", "src", "src/../src"])
def test_a_folder_stands_for_the_repository_that_it_lies_in(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path)
    assert SubmitOptions(repository=name).body() == {"repository": str(tmp_path.resolve())}


@pytest.mark.parametrize("address", ["https://h/a/b.git", "git@h:a/b.git", "file:///x", "ssh://git@h/a"])
def test_an_address_is_sent_as_it_is(address: str) -> None:
    assert SubmitOptions(repository=address).body() == {"repository": address}
