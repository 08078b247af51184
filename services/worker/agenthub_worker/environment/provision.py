"""Gives every command the environment of the files that it runs beside; what this machine lacks is built."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import msgspec
import structlog

from agenthub_worker.environment.environment import Environment, EnvironmentSandbox
from agenthub_worker.environment.harness import add_harness, harness_versions, tools_at_hand
from agenthub_worker.environment.package_clients import PackageClients, ask_clients
from agenthub_worker.environment.recipe import CONFIG, GivenSetup, Language, Recipe, is_input, key_of, recipe_of
from agenthub_worker.environment.setup import LOG, Setup, missed_versions
from agenthub_worker.environment.store import EnvironmentStore
from agenthub_worker.environment.toolchains import Toolchain, toolchains
from agenthub_worker.errors import SetupFailed, SetupInvalid
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, Sandbox

log = structlog.get_logger()

_Wanted: TypeAlias = tuple[frozenset[Language], tuple[tuple[Language, str], ...]]

_FAILED_FOR_S = 120.0
_INPUT_BYTES = 8 << 20
_LOOKED_INTO = (".", "requirements", ".agenthub")
_NOT_COPIED = shutil.ignore_patterns("node_modules", ".venv", "target", "__pycache__")


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that is there: where its commands come from, what they printed.

    `missed` are sentences about versions that the repository names and this machine lacks.
    """

    source: str
    log: bytes
    missed: tuple[str, ...] = ()


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
        self._failed: dict[str, tuple[float, SetupFailed]] = {}

    def sandbox(self, given: GivenSetup) -> Sandbox:
        """The sandbox for the commands of a goal, of whose setup people say `given`."""
        return ProvidedSandbox(self, self._sandbox, given)

    def asked_for(self, files: Mapping[str, bytes], given: GivenSetup) -> bool:
        """Whether a repository with these files has to be set up at all. Raises `SetupInvalid`."""
        return not recipe_of(_as_given(files, given), given, tools_at_hand()).empty

    @contextlib.asynccontextmanager
    async def provided(
        self, workspace: Path, given: GivenSetup, on_output: Output | None = None
    ) -> AsyncIterator[Sandbox]:
        """A sandbox with what the files in `workspace` ask for. Raises `SetupInvalid` and `SetupFailed`."""
        files = _as_given(await asyncio.to_thread(_inputs, workspace), given)
        recipe = recipe_of(files, given, tools_at_hand())
        if recipe.empty:
            yield self._sandbox
            return
        tools = await self._tools_of(recipe)
        key = key_of(recipe, files, (sys.prefix, *harness_versions().values(), *(tool.version for tool in tools)))

        def environment(folder: Path) -> Environment:
            return Environment(
                key=key, folder=folder, languages=recipe.languages, toolchains=tools, source=recipe.source
            )

        async def build(folder: Path) -> None:
            self._raise_again(key)
            try:
                await self._build(recipe, environment(folder), workspace, on_output)
            except SetupFailed as error:
                self._failed[key] = (time.monotonic(), error)
                raise

        async with self._store.using(key, build) as folder:
            yield EnvironmentSandbox(self._sandbox, environment(folder))

    async def prepare(self, workspace: Path, given: GivenSetup) -> Made:
        """Build what the files in `workspace` ask for, if it is not there. Raises as `provided`.

        A setup that has just failed is tried again: somebody may have mended what it needs.
        """
        self._failed.clear()
        async with self.provided(workspace, given) as sandbox:
            if not isinstance(sandbox, EnvironmentSandbox):
                return Made(source="", log=b"")
            made = sandbox.environment
            return Made(
                source=made.source,
                log=await asyncio.to_thread((made.folder / LOG).read_bytes),
                missed=missed_versions(made),
            )

    async def clear(self) -> None:
        """Remove what killed builds left, and environments that nobody has used for long."""
        await self._store.clear()

    def _raise_again(self, key: str) -> None:
        """Spare an agent, whose every command would try it, a setup that has just failed with the same files."""
        when, error = self._failed.get(key, (0.0, None))
        if error is not None and time.monotonic() - when < _FAILED_FOR_S:
            raise error

    async def _build(
        self, recipe: Recipe, environment: Environment, workspace: Path, on_output: Output | None
    ) -> None:
        async def checkout(path: Path) -> None:
            await asyncio.to_thread(shutil.copytree, workspace, path, symlinks=True, ignore=_NOT_COPIED)

        setup = Setup(self._sandbox, await self._asked(), self._hosts)
        log.info("environment_setup", key=environment.key, commands=recipe.commands, source=recipe.source)
        await setup.run(recipe, environment, checkout, on_output=on_output)
        await asyncio.to_thread(add_harness, environment.folder)

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


class ProvidedSandbox:
    """Every command runs with the environment of its workspace, as the files there are at that moment."""

    def __init__(self, environments: Environments, sandbox: Sandbox, given: GivenSetup) -> None:
        self._environments = environments
        self._given = given
        self.bare = sandbox
        self.name = sandbox.name
        self.root = sandbox.root

    @contextlib.asynccontextmanager
    async def settled(self, workspace: Path, on_output: Output | None = None) -> AsyncIterator[Sandbox]:
        """The sandbox for several commands beside the same files; with a setup that fails, each of them fails."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                found = await stack.enter_async_context(
                    self._environments.provided(workspace, self._given, on_output)
                )
            except (SetupFailed, SetupInvalid) as error:
                found = _NotSetUp(self.bare, error)
            yield found

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
        async with self.settled(workspace, on_output) as sandbox:
            return await sandbox.run(
                command,
                workspace=workspace,
                timeout_s=timeout_s,
                env=env,
                binds=binds,
                writable=writable,
                on_output=on_output,
            )


class _NotSetUp:
    """Stands where an environment could not be made: every command ends with the reason."""

    def __init__(self, sandbox: Sandbox, error: SetupFailed | SetupInvalid) -> None:
        self.name = sandbox.name
        self.root = sandbox.root
        printed = error.log if isinstance(error, SetupFailed) else ""
        self._said = f"{error}\n{printed}".encode()

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
        """Say why nothing can be run."""
        del command, workspace, timeout_s, env, binds, writable
        if on_output is not None:
            on_output(self._said)
        return ExecResult(exit_code=1, output=self._said)


@contextlib.asynccontextmanager
async def settled(sandbox: Sandbox, workspace: Path, on_output: Output | None = None) -> AsyncIterator[Sandbox]:
    """Any sandbox, with the environment of `workspace` where there is one."""
    if isinstance(sandbox, ProvidedSandbox):
        async with sandbox.settled(workspace, on_output) as found:
            yield found
    else:
        yield sandbox


def bare(sandbox: Sandbox) -> Sandbox:
    """The same for commands of the hub itself, which need nothing of the project's."""
    return sandbox.bare if isinstance(sandbox, ProvidedSandbox) else sandbox


def has_own_python(sandbox: Sandbox) -> bool:
    """Whether commands find a Python that was made for the project, with its own packages."""
    return isinstance(sandbox, EnvironmentSandbox) and "python" in sandbox.environment.languages


def _as_given(files: Mapping[str, bytes], given: GivenSetup) -> dict[str, bytes]:
    """The files with the settings as the goal found them, in place of what an agent has made of them."""
    now = {path: data for path, data in files.items() if path != CONFIG}
    return now if given.config is None else {**now, CONFIG: given.config}


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
