"""The language tools of this machine that a sandbox is given beside the system's own."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agenthub_runtime.processes.spawn import run
from agenthub_worker.environment.node.ranges import in_range
from agenthub_worker.environment.recipe import Language, Recipe
from agenthub_worker.errors import SetupFailed

_VERSION_OF: dict[Language, tuple[str, ...]] = {
    "node": ("node", "--version"),
    "go": ("go", "version"),
    "rust": ("cargo", "--version"),
    "java": ("java", "--version"),
}
_ASK_WITHIN_S = 20
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


class Toolchain(msgspec.Struct, frozen=True, kw_only=True):
    """Where a language's tools are: folders for PATH, and folders beyond `/usr` that have to be bound.

    `program` is what starts it. `missed` is the version that the repository names when this machine lacks it.
    """

    language: Language
    version: str
    program: str
    missed: str = ""
    path: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()

    @property
    def number(self) -> str:
        """The version alone, out of what the program says of itself."""
        found = _NUMBER.search(self.version)
        return self.version if found is None else found[0]


async def toolchains(recipe: Recipe, environment: Mapping[str, str]) -> tuple[Toolchain, ...]:
    """The tools of a recipe's languages as this machine has them. Raises `SetupFailed` for one that it lacks."""
    return tuple([await _toolchain(name, recipe.versions, environment) for name in sorted(recipe.languages)])


async def _toolchain(
    language: Language, versions: Mapping[Language, str], environment: Mapping[str, str]
) -> Toolchain:
    wanted = versions.get(language, "")
    if language == "python":
        return await _python(wanted, environment)
    name, *rest = _VERSION_OF[language]
    program = await _program(name, environment)
    if program is None:
        raise SetupFailed(
            f"The repository needs {language}, and this machine has no `{name}`: install it where the workers run,"
            " or let the goal's `setup` bring it."
        )
    version = await _said([str(program), *rest], environment)
    found = Toolchain(
        language=language,
        version=version,
        program=str(program),
        missed="" if _will_do(language, wanted, version) else wanted,
    )
    if not program.is_relative_to("/usr"):
        return msgspec.structs.replace(found, path=(str(program.parent),), folders=(program.parent.parent,))
    at_hand = str(program.parent) in ("/usr/bin", "/usr/local/bin")
    return found if at_hand else msgspec.structs.replace(found, path=(str(program.parent),))


def _will_do(language: Language, wanted: str, version: str) -> bool:
    """Whether the version is the wanted one; any later one of Go will do, any of node in the range."""
    if language == "node":
        return in_range(version, wanted)
    number, found = _NUMBER.search(wanted), _NUMBER.search(version)
    if number is None:
        return True
    if found is None:
        return False
    has, asked = ([int(part) for part in text.split(".")] for text in (found[0], number[0]))
    return has >= asked if language == "go" else has[: len(asked)] == asked


async def _python(wanted: str, environment: Mapping[str, str]) -> Toolchain:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    mine = Toolchain(language="python", version=sys.version, program=f"{sys.base_prefix}/bin/python{own}")
    number = _NUMBER.search(wanted)
    short = ".".join(number[0].split(".")[:2]) if number else own
    if short == own or "." not in short:
        return mine
    program = await _program(f"python{short}", environment)
    version = "" if program is None else await _said([str(program), "--version"], environment)
    if program is None or not version:
        return msgspec.structs.replace(mine, missed=wanted)
    folders = () if program.is_relative_to("/usr") else (program.parent.parent,)
    return Toolchain(language="python", version=version, program=str(program), folders=folders)


async def _program(name: str, environment: Mapping[str, str]) -> Path | None:
    found = shutil.which(name, path=environment.get("PATH"))
    if found is None:
        return None
    manager = shutil.which("rustup", path=environment.get("PATH"))
    if name == "cargo" and manager is not None:
        # What stands in PATH is a switch that looks for its toolchains in the home of whoever calls it.
        found = await _said([manager, "which", "cargo"], environment) or found
    return await asyncio.to_thread(Path(found).resolve)


async def _said(command: list[str], environment: Mapping[str, str]) -> str:
    try:
        async with asyncio.timeout(_ASK_WITHIN_S):
            answer = await run(command, env=dict(environment))
    except (OSError, TimeoutError):
        return ""
    return answer.stdout.decode("utf-8", "replace").strip().split("\n")[0]
