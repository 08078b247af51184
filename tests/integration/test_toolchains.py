"""Versions that a repository names: used where the machine has them, named where it lacks them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agenthub_worker.environment.recipe import Language, Recipe
from agenthub_worker.environment.setup import missed_versions
from agenthub_worker.environment.toolchains import Toolchain, toolchains
from agenthub_worker.errors import SetupFailed


async def found(folder: Path, language: Language, wanted: str, **programs: str) -> Toolchain:
    """What a machine with these programs, each of which says its version, has for a language."""
    (folder / "bin").mkdir()
    for name, said in programs.items():
        program = folder / "bin" / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
    recipe = Recipe(
        commands=("x",), languages=frozenset({language}), versions={language: wanted} if wanted else {}
    )
    (tool,) = await toolchains(recipe, {"PATH": f"{folder}/bin"})
    return tool


@pytest.mark.parametrize(
    ("wanted", "missed"),
    [
        ("", ""),
        ("20", ""),
        ("v20", ""),
        ("20.11", ""),
        ("v20.11.1", ""),
        ("lts/*", ""),
        ("2", "2"),
        ("v18", "v18"),
    ],
)
async def test_a_version_of_node_is_the_wanted_one_or_named(tmp_path: Path, wanted: str, missed: str) -> None:
    tool = await found(tmp_path, "node", wanted, node="v20.11.1")
    assert (tool.version, tool.missed) == ("v20.11.1", missed)
    assert tool.path == (f"{tmp_path}/bin",)
    assert tool.folders == (tmp_path,)


@pytest.mark.parametrize(
    ("wanted", "missed"), [("1.20", ""), ("1.22.3", ""), ("1.22.9", "1.22.9"), ("1.30", "1.30")]
)
async def test_any_later_go_will_do(tmp_path: Path, wanted: str, missed: str) -> None:
    tool = await found(tmp_path, "go", wanted, go="go version go1.22.3 linux/amd64")
    assert tool.missed == missed


async def test_a_python_that_the_machine_has_is_used(tmp_path: Path) -> None:
    tool = await found(tmp_path, "python", "3.99.1", python3_99="Python 3.99.4")
    assert (tool.program, tool.missed) == (f"{tmp_path}/bin/python3.99", "")


async def test_a_python_that_it_lacks_is_named_and_the_hubs_own_is_used(tmp_path: Path) -> None:
    tool = await found(tmp_path, "python", "3.98")
    own = ".".join(map(str, sys.version_info[:2]))
    assert tool.program == f"{sys.base_prefix}/bin/python{own}"
    (sentence,) = missed_versions([tool])
    assert sentence.startswith(f"python 3.98 is not on this machine: used is {own}")


@pytest.mark.parametrize(
    ("language", "wanted", "said", "used"),
    [
        ("go", "1.99", {"go": "go version go1.22.3 linux/amd64"}, "1.22.3"),
        ("node", "99", {"node": "v20.11.1"}, "20.11.1"),
        ("rust", "1.99", {"cargo": "cargo 1.81.0 (2dbb1af80 2024-08-20)"}, "1.81.0"),
        ("java", "99", {"java": "openjdk 17.0.9 2023-10-17"}, "17.0.9"),
    ],
)
async def test_what_is_used_instead_is_said_by_its_number(
    tmp_path: Path, language: Language, wanted: str, said: dict[str, str], used: str
) -> None:
    (sentence,) = missed_versions([await found(tmp_path, language, wanted, **said)])
    assert sentence == f"{language} {wanted} is not on this machine: used is {used}"


@pytest.mark.parametrize(
    ("language", "name"), [("node", "node"), ("go", "go"), ("rust", "cargo"), ("java", "java")]
)
async def test_a_language_that_it_lacks_is_said_with_what_to_do(
    tmp_path: Path, language: Language, name: str
) -> None:
    with pytest.raises(SetupFailed, match=f"this machine has no `{name}`: install it"):
        await found(tmp_path, language, "")
