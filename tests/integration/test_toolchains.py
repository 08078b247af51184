"""Versions that a repository names: used where the machine has them, named where it lacks them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.recipe import NOTHING_GIVEN, Language, Recipe
from agenthub_worker.environment.setup import missed_versions
from agenthub_worker.environment.toolchains import Toolchain, toolchains
from agenthub_worker.errors import SetupFailed
from agenthub_worker.sandbox.bubblewrap import Bubblewrap


async def found(
    folder: Path, language: Language, wanted: str, bounds: tuple[str, ...] = (), /, **programs: str
) -> Toolchain:
    """What a machine with these programs, each of which says its version, has for a language."""
    (folder / "bin").mkdir()
    for name, said in programs.items():
        program = folder / "bin" / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
    recipe = Recipe(
        commands=("x",),
        languages=frozenset({language}),
        versions={language: wanted} if wanted else {},
        bounds=bounds,
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


@pytest.mark.parametrize(
    ("wanted", "bounds", "used", "missed"),
    [
        ("", (">=3.98",), "3.98", ""),
        ("", (">=3.9", ">=3.99"), "3.99", ""),
        ("", ("<3.5,>=3.4",), "3.4", ""),
        ("", ("^3.99 || ~3.4",), "3.99", ""),
        ("3.97", (">=3.98",), "3.98", "3.97"),
        ("3.98.1", (">=3.99",), "3.98", ""),
        ("", (">=3.9",), None, ""),
        ("3.97", (">=3.9",), None, "3.97"),
        ("", ("==3.97.*",), None, "==3.97.*"),
    ],
)
async def test_a_python_is_used_within_the_bounds_of_the_project(
    tmp_path: Path, wanted: str, bounds: tuple[str, ...], used: str | None, missed: str
) -> None:
    programs = {f"python{number.replace('.', '_')}": f"Python {number}.2" for number in ("3.99", "3.98", "3.4")}
    tool = await found(tmp_path, "python", wanted, bounds, **programs)
    own = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    assert (tool.program, tool.missed) == (f"{tmp_path}/bin/python{used}" if used else own, missed)


async def test_each_repository_on_a_machine_gets_a_python_within_its_own_bounds(tmp_path: Path) -> None:
    machine = Environments(tmp_path / "environments", Bubblewrap(), {"PATH": f"{tmp_path}/bin"}, tmp_path)
    told = []
    for bound in (">=3.8", ">=3.98", ">=3.9", ">=3.99"):
        project = f'[project]\nname = "a"\ndependencies = ["x"]\nrequires-python = "{bound}"\n'
        foreseen = await machine.foreseen({"pyproject.toml": project.encode()}, NOTHING_GIVEN)
        told.append([warning.split(" is not on")[0] for warning in foreseen.warnings])
    assert told == [[], ["python >=3.98"], [], ["python >=3.99"]]


async def test_a_python_behind_a_switch_of_pyenv_is_found(tmp_path: Path) -> None:
    for number in ("3.99.2", "3.99.10"):
        written(tmp_path / f"versions/{number}/bin/python3.99", number)
    shim = tmp_path / "shims/python3.99"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.99: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    (tool,) = await toolchains(
        Recipe(commands=("x",), languages=frozenset({"python"}), versions={"python": "3.99"}),
        {"PATH": str(shim.parent)},
    )
    assert tool.program == f"{tmp_path}/versions/3.99.10/bin/python3.99"
    assert (tool.version, tool.folders) == ("Python 3.99.10", (tmp_path / "versions/3.99.10",))


INSTALLED = {
    "the usual place": ("home/.local/share/uv/python", {"HOME": "home"}),
    "a folder of data": ("data/uv/python", {"HOME": "home", "XDG_DATA_HOME": "data"}),
    "a folder of its own": ("own", {"XDG_DATA_HOME": "data", "UV_PYTHON_INSTALL_DIR": "own"}),
}


@pytest.mark.parametrize("case", list(INSTALLED))
async def test_a_python_that_uv_has_installed_is_found_within_the_bounds(tmp_path: Path, case: str) -> None:
    folder, variables = INSTALLED[case]
    for number in ("3.98.7", "3.99.2", "3.99.10", "3.99.11+freethreaded"):
        release = ".".join(number.split(".")[:2])
        written(tmp_path / f"{folder}/cpython-{number}-linux-x86_64-gnu/bin/python{release}", number)
    environment = {name: str(tmp_path / value) for name, value in variables.items()} | {"PATH": "/nowhere"}
    recipe = Recipe(commands=("x",), languages=frozenset({"python"}), bounds=(">=3.99",))
    (tool,) = await toolchains(recipe, environment)
    place = tmp_path / f"{folder}/cpython-3.99.10-linux-x86_64-gnu"
    assert (tool.program, tool.folders, tool.missed) == (f"{place}/bin/python3.99", (place,), "")


def written(program: Path, number: str) -> None:
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'Python {number}'\n")
    program.chmod(0o755)


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
