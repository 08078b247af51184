"""TOML of others: what is in it, or why it cannot be used; its reader is never broken by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.settings.settings_file import read_settings_file
from agenthub_runtime.toml_reading import TomlInvalid, read_toml
from agenthub_worker.automation.tox import tox_of
from agenthub_worker.environment.private.cargo import of_cargo
from agenthub_worker.environment.private.found import Private
from agenthub_worker.environment.python.tables import json_of, toml_of
from agenthub_worker.environment.recipe import GivenSetup, recipe_of
from agenthub_worker.errors import SetupInvalid
from agenthub_worker.evidence.syntax import toml_in
from agenthub_worker.experiments.foreign_settings import foreign_settings
from agenthub_worker.projects.checks import configured_checks
from agenthub_worker.suites.node.scripts import scripts_in

BOM = b"\xef\xbb\xbf"
ODD: dict[str, tuple[bytes, str]] = {
    "nested without end": (b"a = " + b"[" * 20_000, "nested too deeply"),
    "tables in tables": (b"a = " + b"{a=" * 5_000, "nested too deeply"),
    "a number of 5,000 digits": (b"a = " + b"1" * 5_000, "number"),
    "a key of 9,000 parts": (b"a" + b".a" * 9_000 + b" = 1", "more than 60 parts"),
    "a day that is none": (b"a = 2026-02-31", "date"),
    "UTF-16": ("a = 1".encode("utf-16"), "UTF-8 (byte 0)"),
    "Latin-1": ("a = 'ä'".encode("latin-1"), "UTF-8 (byte 5)"),
    "no value": (b"a =", "Invalid value"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_used_is_refused_with_the_reason(name: str) -> None:
    data, reason = ODD[name]
    with pytest.raises(TomlInvalid) as refused:
        read_toml(data)
    assert reason in str(refused.value)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_toml(BOM + b"a = 1\n") == {"a": 1}
    assert read_toml(b"") == {}
    assert json_of(BOM + b'{"a": 1}') == {"a": 1}
    assert scripts_in('\ufeff{"scripts": {"test": "jest"}}') == {"test": "jest"}
    assert foreign_settings("package.json", BOM + b'{"scripts": {"test": "jest"}}') == foreign_settings(
        "package.json", b'{"scripts": {"test": "jest"}}'
    )
    checks = configured_checks(BOM + b'[checks]\nlint = "ruff check ."\n')
    assert [(check.name, check.command) for check in checks] == [("lint", "ruff check .")]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("read", [configured_checks, lambda data: recipe_of({}, GivenSetup(config=data))])
def test_settings_of_a_repository_say_what_is_wrong_with_them(read: Callable[[bytes], Any], name: str) -> None:
    data, reason = ODD[name]
    with pytest.raises(SetupInvalid) as refused:
        read(data)
    assert ".agenthub/config.toml" in str(refused.value)
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", ODD)
def test_settings_of_the_hub_say_what_is_wrong_with_them(tmp_path: Path, name: str) -> None:
    data, reason = ODD[name]
    file = tmp_path / "agenthub.toml"
    file.write_bytes(data)
    with pytest.raises(SettingsInvalid) as refused:
        read_settings_file(file)
    assert str(file) in str(refused.value)
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", ODD)
def test_files_of_projects_and_clients_are_as_if_they_said_nothing(name: str) -> None:
    data, _ = ODD[name]
    assert toml_of(data) == {}
    assert foreign_settings("Cargo.toml", data) == data
    if name == "Latin-1":
        return
    words = data.decode("utf-8", "replace")
    assert toml_in(words) is None
    assert tox_of({"pyproject.toml": words}) is None
    assert of_cargo({"own": "https://crates.example/index"}, words, {}) == Private()
