"""The language tools of this machine that a sandbox is given beside the system's own."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_runtime.processes.spawn import Output, run
from agenthub_worker.environment.node.ranges import in_range
from agenthub_worker.environment.python.versions import admits
from agenthub_worker.environment.recipe import Language, Recipe
from agenthub_worker.errors import SetupFailed

_VERSION_OF: dict[Language, tuple[str, ...]] = {
    "node": ("node", "--version"),
    "go": ("go", "version"),
    "rust": ("cargo", "--version"),
    "java": ("java", "--version"),
}
_RELEASES = 100
ASK_WITHIN_S = 120.0
_ITSELF = "import os, sys; print(os.path.realpath(sys.executable))"
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
    """The tools of a recipe's languages as this machine has them.

    Raises `SetupFailed` for one that it lacks, or that does not answer.
    """
    return tuple([await _toolchain(name, recipe, environment) for name in sorted(recipe.languages)])


async def _toolchain(language: Language, recipe: Recipe, environment: Mapping[str, str]) -> Toolchain:
    wanted = recipe.versions.get(language, "")
    if language == "python":
        return await _python(wanted, recipe.bounds, environment)
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


async def _python(wanted: str, bounds: Sequence[str], environment: Mapping[str, str]) -> Toolchain:
    """The named one; else the hub's own where the bounds admit it, else the nearest later or earlier one."""
    own = sys.version_info[:2]
    named = _release(wanted) or own
    admitted = [release for release in _releases_around(own) if all(admits(text, release) for text in bounds)]
    for release in dict.fromkeys([named, *admitted]):
        if release == own:
            found: Toolchain | None = _own_python()
        else:
            found = await _python_of(release, environment)
        if found is not None and (release in admitted or release == _release(wanted)):
            return found if release == named else msgspec.structs.replace(found, missed=wanted)
    return msgspec.structs.replace(_own_python(), missed=wanted or ", ".join(bounds))


def _release(wanted: str) -> tuple[int, int] | None:
    found = re.search(r"(\d+)\.(\d+)", wanted)
    return None if found is None else (int(found[1]), int(found[2]))


def _releases_around(own: tuple[int, int]) -> Iterator[tuple[int, int]]:
    major, minor = own
    yield own
    yield from ((major, later) for later in range(minor + 1, minor + _RELEASES))
    yield from ((major, earlier) for earlier in range(minor - 1, max(-1, minor - _RELEASES), -1))


def _own_python() -> Toolchain:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Toolchain(language="python", version=sys.version, program=f"{sys.base_prefix}/bin/python{own}")


async def _python_of(release: tuple[int, int], environment: Mapping[str, str]) -> Toolchain | None:
    name = f"python{release[0]}.{release[1]}"
    program = await _program(name, environment)
    if program is not None and program.parent.name == "shims":
        program = await asyncio.to_thread(_behind_shim, program) or program
    version = "" if program is None else await _said([str(program), "--version"], environment)
    if not version:
        program = await asyncio.to_thread(_installed_by_uv, name, environment)
        version = "" if program is None else await _said([str(program), "--version"], environment)
    if program is None or not version:
        return None
    # What stands in PATH may be a switch that a sandbox could not follow.
    itself = await _said([str(program), "-c", _ITSELF], environment)
    if itself.startswith("/") and await asyncio.to_thread(Path(itself).is_file):
        program = Path(itself)
    folders = () if program.is_relative_to("/usr") else (program.parent.parent,)
    return Toolchain(language="python", version=version, program=str(program), folders=folders)


def _behind_shim(shim: Path) -> Path | None:
    """Of pyenv: what stands in PATH starts a version only where a setting of its own names it."""
    found = shim.parent.parent.glob(f"versions/{shim.name.removeprefix('python')}*/bin/{shim.name}")
    return max(found, key=_numbers, default=None)


def _installed_by_uv(name: str, environment: Mapping[str, str]) -> Path | None:
    """One that `uv python install` has brought: it stands in no search path, and is found without uv."""
    data = environment.get("XDG_DATA_HOME") or f"{environment.get('HOME') or Path.home()}/.local/share"
    folder = Path(environment.get("UV_PYTHON_INSTALL_DIR") or f"{data}/uv/python")
    found = folder.glob(f"cpython-{name.removeprefix('python')}*/bin/{name}")
    # Those with a plus are builds of another kind, as without the lock of the interpreter.
    return max((path for path in found if "+" not in path.parts[-3]), key=_numbers, default=None)


def _numbers(program: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", program.parts[-3])]


async def _program(name: str, environment: Mapping[str, str]) -> Path | None:
    found = shutil.which(name, path=environment.get("PATH"))
    if found is None:
        return None
    manager = shutil.which("rustup", path=environment.get("PATH"))
    if name == "cargo" and manager is not None:
        # What stands in PATH is a switch that looks for its toolchains in the home of whoever calls it.
        found = await _said([manager, "which", "cargo"], environment) or found
    return await asyncio.to_thread(Path(found).resolve)


async def answer_of(
    command: Sequence[str], environment: Mapping[str, str], *, within_s: float = ASK_WITHIN_S
) -> Output | None:
    """What a program says of itself, or of how somebody has set it up; None where it cannot be started.

    Raises `SetupFailed` where it has not answered within so many seconds: what is not known then is something else
    than what is not said, and nothing is set up by a guess.
    """
    try:
        async with asyncio.timeout(within_s):
            return await run(command, env=dict(environment))
    except TimeoutError as error:
        raise SetupFailed(
            f"`{shlex.join(command)}` has not answered within {within_s:g} s: what it says decides what a setup"
            " uses and where that comes from. Try again; if it stays so, see on the machine of the workers why it"
            " hangs."
        ) from error
    except OSError:
        return None


async def _said(command: list[str], environment: Mapping[str, str]) -> str:
    answer = await answer_of(command, environment)
    return "" if answer is None else answer.stdout.decode("utf-8", "replace").strip().split("\n")[0]
