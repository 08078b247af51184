"""Gives every command the environment of the files that it runs beside; what this machine lacks is built."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from agenthub_worker.environment.environment import Environment, EnvironmentSandbox
from agenthub_worker.environment.harness import add_harness, harness_versions, tools_at_hand
from agenthub_worker.environment.inputs import as_given, read_inputs
from agenthub_worker.environment.java.wrappers import missed_wrappers
from agenthub_worker.environment.network.cargo_registry import default_registry
from agenthub_worker.environment.network.goal_network import GoalNetwork
from agenthub_worker.environment.own_places import contents
from agenthub_worker.environment.package_clients import PackageClients, ask_clients
from agenthub_worker.environment.recipe import GivenSetup, Language, Recipe, key_of, recipe_of
from agenthub_worker.environment.setup import LOG, Setup, missed_versions
from agenthub_worker.environment.store import EnvironmentStore
from agenthub_worker.environment.toolchains import Toolchain, toolchains
from agenthub_worker.errors import SetupFailed, SetupInvalid
from agenthub_worker.sandbox.bound import seeing_as
from agenthub_worker.sandbox.port import Bind, ExecResult, OneByOne, Output, Sandbox, Shell

log = structlog.get_logger()

_Wanted: TypeAlias = tuple[frozenset[Language], tuple[tuple[Language, str], ...], tuple[str, ...]]

_PYTHON: frozenset[Language] = frozenset({"python"})
_NO_CLIENTS = PackageClients(addresses=(), variables={})
_FAILED_FOR_S = 120.0
_NOT_COPIED = shutil.ignore_patterns("node_modules", ".venv", "target", "__pycache__")


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that is there: where its commands come from, what they printed.

    `missed` are sentences about versions that the repository names and this machine lacks.
    """

    source: str
    log: bytes
    missed: tuple[str, ...] = ()


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """What a setup would run, where its commands come from, and what would not be as the repository wants it."""

    commands: tuple[str, ...]
    source: str
    warnings: tuple[str, ...]


class Environments:
    """The environments of this machine, made in `folder` inside of `setups`, or of `sandbox`, where they are used.

    `variables` are this process's own: they say where the package clients are and how they are set up. `hosts` may
    be reached by a setup besides the clients' own; `private` are those of private networks that a goal may name.
    """

    def __init__(
        self,
        folder: Path,
        sandbox: Sandbox,
        variables: Mapping[str, str],
        home: Path,
        *,
        setups: Sandbox | None = None,
        hosts: Sequence[str] = (),
        private: Sequence[str] = (),
    ) -> None:
        self._store = EnvironmentStore(folder)
        self._sandbox = sandbox
        self._setups = setups
        self._variables = variables
        self._home = home
        self._hosts = tuple(hosts)
        self._private = tuple(private)
        self._clients: PackageClients | None = None
        self._registry: tuple[str, ...] = ()
        self._tools: dict[_Wanted, tuple[Toolchain, ...]] = {}
        self._asking = asyncio.Lock()
        self._failed: dict[str, tuple[float, SetupFailed]] = {}

    def sandbox(self, given: GivenSetup, inner: Sandbox | None = None) -> Sandbox:
        """The sandbox for the commands of a goal, of whose setup people say `given`; they run in `inner`."""
        return ProvidedSandbox(self, inner or self._sandbox, given)

    def asked_for(self, files: Mapping[str, bytes], given: GivenSetup) -> bool:
        """Whether a repository with these files has to be set up at all. Raises `SetupInvalid`."""
        return not recipe_of(as_given(files, given), given, tools_at_hand()).empty

    async def foreseen(self, files: Mapping[str, bytes], given: GivenSetup) -> Foreseen:
        """What a repository with these files would be set up by. Raises `SetupInvalid` and `SetupFailed`."""
        recipe = recipe_of(as_given(files, given), given, tools_at_hand())
        missed = () if recipe.empty else missed_versions(await self._tools_of(recipe))
        return Foreseen(commands=recipe.commands, source=recipe.source, warnings=missed)

    @contextlib.asynccontextmanager
    async def provided(
        self,
        workspace: Path,
        given: GivenSetup,
        on_output: Output | None = None,
        inner: Sandbox | None = None,
    ) -> AsyncIterator[EnvironmentSandbox]:
        """A sandbox with what the files in `workspace` ask for. Raises `SetupInvalid` and `SetupFailed`.

        Where they ask for nothing it has a Python with nothing but what tests are run with.
        """
        sandbox = inner or self._sandbox
        recipe, wanted = await self._wanted(workspace, given)
        key = wanted.key

        def environment(folder: Path) -> Environment:
            return msgspec.structs.replace(wanted, folder=folder)

        setups = sandbox if self._setups is None else seeing_as(sandbox, self._setups)

        async def build(folder: Path) -> None:
            self._raise_again(key)
            try:
                await self._build(setups, recipe, environment(folder), workspace, on_output)
            except SetupFailed as error:
                self._failed[key] = (time.monotonic(), error)
                raise

        async with self._store.using(key, build) as folder:
            network = GoalNetwork(given.network, self._private)
            yield EnvironmentSandbox(network.around(sandbox), environment(folder))

    async def at_hand(self, workspace: Path, given: GivenSetup) -> Environment | None:
        """What commands in `workspace` find, if it is there: nothing is built. Raises as `provided`."""
        _, wanted = await self._wanted(workspace, given)
        return wanted if await asyncio.to_thread(wanted.folder.is_dir) else None

    async def prepare(self, workspace: Path, given: GivenSetup, inner: Sandbox | None = None) -> Made:
        """Build what the files in `workspace` ask for, if it is not there. Raises as `provided`.

        A setup that has just failed is tried again: somebody may have mended what it needs.
        """
        self._failed.clear()
        async with self.provided(workspace, given, inner=inner) as sandbox:
            made = sandbox.environment
            recipe, _ = await self._wanted(workspace, given)
            wrappers = missed_wrappers(workspace, ("", *given.folders), made.folder, recipe.commands)
            missed = (*missed_versions(made.toolchains), *await asyncio.to_thread(tuple, wrappers))
            said = await asyncio.to_thread(contents, made.folder / LOG)
            return Made(source=made.source, log=said, missed=missed)

    async def clear(self) -> None:
        """Remove what killed builds left, and environments that nobody has used for long."""
        await self._store.clear()

    async def _wanted(self, workspace: Path, given: GivenSetup) -> tuple[Recipe, Environment]:
        """What the files ask for: how it is made, and the environment where it lies once it is there."""
        files = as_given(await asyncio.to_thread(read_inputs, workspace, given.folders), given)
        recipe = recipe_of(files, given, tools_at_hand())
        if recipe.empty:
            recipe, files = msgspec.structs.replace(recipe, languages=_PYTHON, source=""), {}
        tools = await self._tools_of(recipe)
        key = key_of(recipe, files, (sys.prefix, *harness_versions().values(), *(tool.version for tool in tools)))
        return recipe, Environment(
            key=key,
            folder=self._store.place(key),
            languages=recipe.languages,
            toolchains=tools,
            source=recipe.source,
            modules=recipe.modules,
        )

    def _raise_again(self, key: str) -> None:
        """Spare an agent, whose every command would try it, a setup that has just failed with the same files."""
        when, error = self._failed.get(key, (0.0, None))
        if error is not None and time.monotonic() - when < _FAILED_FOR_S:
            raise error

    async def _build(
        self,
        sandbox: Sandbox,
        recipe: Recipe,
        environment: Environment,
        workspace: Path,
        on_output: Output | None,
    ) -> None:
        async def checkout(path: Path) -> None:
            await asyncio.to_thread(shutil.copytree, workspace, path, symlinks=True, ignore=_NOT_COPIED)

        clients = _NO_CLIENTS if recipe.empty else await self._asked()
        setup = Setup(sandbox, clients, (*self._hosts, *await self._registry_for(recipe, clients)))
        log.info("environment_setup", key=environment.key, commands=recipe.commands, source=recipe.source)
        await setup.run(recipe, environment, checkout, on_output=on_output)
        await asyncio.to_thread(add_harness, environment.folder)

    async def _tools_of(self, recipe: Recipe) -> tuple[Toolchain, ...]:
        """Asked once for each combination: some tools take seconds to say which version they are."""
        wanted = (recipe.languages, tuple(sorted(recipe.versions.items())), recipe.bounds)
        if wanted not in self._tools:
            self._tools[wanted] = await toolchains(recipe, self._variables)
        return self._tools[wanted]

    async def _registry_for(self, recipe: Recipe, clients: PackageClients) -> tuple[str, ...]:
        """What cargo fetches from where its settings name nothing in its place; asked for Rust alone."""
        if "rust" not in recipe.languages or "replace-with" in clients.files.get("cargo/config.toml", ""):
            return ()
        async with self._asking:
            # One that was not reached may be so the next time.
            if len(self._registry) < 2:
                self._registry = await default_registry(self._variables)
            return self._registry

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

    async def at_hand(self, workspace: Path) -> Environment | None:
        """What commands in `workspace` find, None: it has to be built first, or cannot be."""
        try:
            return await self._environments.at_hand(workspace, self._given)
        except (SetupFailed, SetupInvalid):
            return None

    @contextlib.asynccontextmanager
    async def settled(self, workspace: Path, on_output: Output | None = None) -> AsyncIterator[Sandbox]:
        """The sandbox for several commands beside the same files; with a setup that fails, each of them fails."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                found: Sandbox = await stack.enter_async_context(
                    self._environments.provided(workspace, self._given, on_output, self.bare)
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

    def shell(
        self,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
    ) -> Shell:
        """A sandbox that lasts as long as the files ask for the same environment; see `Sandbox.shell`."""

        def begin(found: Sandbox) -> Shell:
            return found.shell(workspace=workspace, env=env, binds=binds, writable=writable)

        return _ProvidedShell(self, workspace, begin)


class _ProvidedShell:
    """A shell in the environment that the files of `workspace` ask for, begun anew when they ask for another."""

    def __init__(self, sandbox: ProvidedSandbox, workspace: Path, begin: Callable[[Sandbox], Shell]) -> None:
        self._sandbox = sandbox
        self._workspace = workspace
        self._begin = begin
        self._shell: Shell | None = None
        self._key = ""
        self._held = contextlib.AsyncExitStack()

    async def run(self, command: str, *, timeout_s: float, on_output: Output | None = None) -> ExecResult:
        """Run `command`; see `Shell.run`."""
        lost = await self._settle(on_output)
        assert self._shell is not None
        ran = await self._shell.run(command, timeout_s=timeout_s, on_output=on_output)
        return msgspec.structs.replace(ran, lost=ran.lost or lost)

    def still(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold everything in it still; see `Shell.still`."""
        return contextlib.nullcontext() if self._shell is None else self._shell.still()

    async def close(self) -> None:
        """End everything in it."""
        shell, self._shell = self._shell, None
        try:
            if shell is not None:
                await shell.close()
        finally:
            await self._held.aclose()

    async def _settle(self, on_output: Output | None) -> str:
        """Begin in the right environment; why what was begun before is gone."""
        async with contextlib.AsyncExitStack() as stack:
            async with self.still():
                found = await stack.enter_async_context(self._sandbox.settled(self._workspace, on_output))
            key = found.environment.key if isinstance(found, EnvironmentSandbox) else type(found).__name__
            if self._shell is not None and key == self._key:
                return ""
            lost = "" if self._shell is None else "the files ask for another environment now, and it is there"
            await self.close()
            self._shell, self._key = self._begin(found), key
            # What is mounted into it must not be taken away as unused.
            self._held = stack.pop_all()
            return lost


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

    def shell(
        self,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        binds: Sequence[Bind] = (),
        writable: bool = True,
    ) -> Shell:
        """The same for many commands."""
        return OneByOne(self, workspace, env or {}, binds, writable)


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


def own_python(sandbox: Sandbox) -> Path | None:
    """The environment whose Python was made for the project, with its own packages; None: the hub's is used."""
    if isinstance(sandbox, EnvironmentSandbox) and "python" in sandbox.environment.languages:
        return sandbox.environment.folder
    return None
