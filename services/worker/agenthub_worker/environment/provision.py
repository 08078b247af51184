"""Gives every command the environment of the files that it runs beside; what this machine lacks is built."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import structlog

from agenthub_worker.environment.environment import Environment, EnvironmentSandbox
from agenthub_worker.environment.package_clients import PackageClients, ask_clients
from agenthub_worker.environment.recipe import Language, Recipe, is_input, key_of, recipe_of
from agenthub_worker.environment.setup import Setup
from agenthub_worker.environment.store import EnvironmentStore
from agenthub_worker.environment.toolchains import Toolchain, toolchains
from agenthub_worker.errors import SetupFailed, SetupInvalid
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, Sandbox

log = structlog.get_logger()

_Wanted: TypeAlias = tuple[frozenset[Language], tuple[tuple[Language, str], ...]]

_INPUT_BYTES = 8 << 20
_LOOKED_INTO = (".", "requirements", ".agenthub")
_NOT_COPIED = shutil.ignore_patterns("node_modules", ".venv", "target", "__pycache__")
# What tests are run and measured with, for projects that bring none of their own.
_HARNESS = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest-cov", "coverage")


class Environments:
    """The environments of this machine, made in `folder` inside of `sandbox`.

    `variables` are this process's own: they say where the package clients are and how they are set up. `hosts` may
    be reached by a setup besides the clients' own.
    """

    def __init__(
        self, folder: Path, sandbox: Sandbox, variables: Mapping[str, str], home: Path, hosts: Sequence[str] = ()
    ) -> None:
        self._store = EnvironmentStore(folder)
        self._sandbox = sandbox
        self._variables = variables
        self._home = home
        self._hosts = tuple(hosts)
        self._clients: PackageClients | None = None
        self._tools: dict[_Wanted, tuple[Toolchain, ...]] = {}
        self._asking = asyncio.Lock()

    def sandbox(self, setup: Sequence[str]) -> Sandbox:
        """The sandbox for the commands of a goal whose own setup commands are `setup`."""
        return _ProvidedSandbox(self, self._sandbox, tuple(setup))

    @contextlib.asynccontextmanager
    async def provided(
        self, workspace: Path, setup: Sequence[str] = (), on_output: Output | None = None
    ) -> AsyncIterator[Sandbox]:
        """A sandbox with what the files in `workspace` ask for. Raises `SetupInvalid` and `SetupFailed`."""
        files = await asyncio.to_thread(_inputs, workspace)
        recipe = recipe_of(files, setup)
        if recipe.empty:
            yield self._sandbox
            return
        tools = await self._tools_of(recipe)
        key = key_of(recipe, files, (sys.prefix, *(tool.version for tool in tools)))

        def environment(folder: Path) -> Environment:
            return Environment(key=key, folder=folder, languages=recipe.languages, toolchains=tools)

        async def build(folder: Path) -> None:
            await self._build(recipe, environment(folder), workspace, on_output)

        async with self._store.using(key, build) as folder:
            yield EnvironmentSandbox(self._sandbox, environment(folder))

    async def prepare(self, workspace: Path, setup: Sequence[str]) -> None:
        """Build what the files in `workspace` ask for, if it is not there. Raises as `provided`."""
        async with self.provided(workspace, setup):
            pass

    async def clear(self) -> None:
        """Remove what killed builds left, and environments that nobody has used for long."""
        await self._store.clear()

    async def _build(
        self, recipe: Recipe, environment: Environment, workspace: Path, on_output: Output | None
    ) -> None:
        async def checkout(path: Path) -> None:
            await asyncio.to_thread(shutil.copytree, workspace, path, symlinks=True, ignore=_NOT_COPIED)

        setup = Setup(self._sandbox, await self._asked(), self._hosts)
        log.info("environment_setup", key=environment.key, commands=recipe.commands, source=recipe.source)
        await setup.run(recipe, environment, checkout, on_output=on_output)
        await asyncio.to_thread(_add_harness, environment.folder)

    async def _tools_of(self, recipe: Recipe) -> tuple[Toolchain, ...]:
        """Asked once for each combination: some tools take seconds to say which version they are."""
        wanted = (recipe.languages, tuple(sorted(recipe.versions.items())))
        if wanted not in self._tools:
            self._tools[wanted] = await toolchains(recipe, self._variables)
        return self._tools[wanted]

    async def _asked(self) -> PackageClients:
        async with self._asking:
            if self._clients is None:
                self._clients = await ask_clients(self._variables, self._home)
            return self._clients


class _ProvidedSandbox:
    """Every command runs with the environment of its workspace, as the files there are at that moment."""

    def __init__(self, environments: Environments, sandbox: Sandbox, setup: tuple[str, ...]) -> None:
        self._environments = environments
        self._setup = setup
        self.name = sandbox.name
        self.root = sandbox.root

    async def run(
        self,
        command: Sequence[str] | str,
        *,
        workspace: Path,
        timeout_s: float,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
        on_output: Output | None = None,
    ) -> ExecResult:
        """Run `command`; a setup that fails is told as its own failure, since the files may be mended."""
        try:
            async with self._environments.provided(workspace, self._setup, on_output) as sandbox:
                return await sandbox.run(
                    command,
                    workspace=workspace,
                    timeout_s=timeout_s,
                    env=env,
                    binds=binds,
                    writable=writable,
                    on_output=on_output,
                )
        except (SetupFailed, SetupInvalid) as error:
            printed = error.log if isinstance(error, SetupFailed) else ""
            return ExecResult(exit_code=1, output=f"{error}\n{printed}".encode())


def _inputs(workspace: Path) -> dict[str, bytes]:
    """The files that say what is installed: plain files only, since links may lead anywhere."""
    return {name: data for name in _names(workspace) if (data := _plain(workspace / name)) is not None}


def _names(workspace: Path) -> Iterator[str]:
    for folder in _LOOKED_INTO:
        if (workspace / folder).is_symlink():
            continue
        with contextlib.suppress(OSError):
            for entry in sorted(os.listdir(workspace / folder)):
                name = str(PurePosixPath(folder, entry))
                if is_input(name):
                    yield name


def _plain(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            data = file.read(_INPUT_BYTES + 1)
        except OSError:
            return None
    if len(data) > _INPUT_BYTES:
        raise SetupInvalid(f"{path.name} is larger than {_INPUT_BYTES >> 20} MB: nothing is installed from it.")
    return data


def _add_harness(folder: Path) -> None:
    """Let the environment's Python find pytest and coverage behind everything that the project has installed."""
    site = next(iter(sorted((folder / "python").glob("lib/python*/site-packages"))), None)
    if site is None:
        return
    harness = folder / "harness"
    harness.mkdir()
    for name in _HARNESS:
        distribution = importlib.metadata.distribution(name)
        for top in {PurePosixPath(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (harness / top).symlink_to(str(distribution.locate_file(top)))
    (site / "agenthub-harness.pth").write_text("/environment/harness\n")
