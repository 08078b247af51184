"""Runs a repository's setup: in the sandbox, with a way to package sources alone, into a folder of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.environment.environment import Environment, kept_modules
from agenthub_worker.environment.java.maven import MAVEN_HOME
from agenthub_worker.environment.network.package_sources import PackageSource, package_sources
from agenthub_worker.environment.network.proxy import AllowlistProxy
from agenthub_worker.environment.network.way_out import WayOut
from agenthub_worker.environment.own_places import put, real_folder
from agenthub_worker.environment.package_clients import PackageClients
from agenthub_worker.environment.place import DOWNLOADS, PLACE
from agenthub_worker.environment.private.found import plain
from agenthub_worker.environment.python.compiled import before_building, keep_compiled
from agenthub_worker.environment.recipe import NODE_LOCKS, Recipe
from agenthub_worker.environment.toolchains import Toolchain
from agenthub_worker.errors import SetupFailed
from agenthub_worker.sandbox.bubblewrap import MODULES_CACHE
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, ResourceLimits, Sandbox

SETUP_TIMEOUT_S = 840.0
SETUP_LIMITS = ResourceLimits(file_size=8 << 30, disk=16 << 30, disk_entries=2_000_000)
"""Room for packages whose libraries hold gigabytes, as those for machine learning do; no other command has it."""
LOG = "setup.log"

_PORT = 3128
_TAIL_LINES = 40
_OF_JAVA = " ".join(f"-D{kind}.proxyHost=127.0.0.1 -D{kind}.proxyPort={_PORT}" for kind in ("http", "https"))
_ONLINE = {
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_CACHE_DIR": f"{DOWNLOADS}/uv",
    "UV_LINK_MODE": "copy",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_CACHE_DIR": f"{DOWNLOADS}/pip",
    "npm_config_cache": f"{DOWNLOADS}/npm",
    "npm_config_store_dir": f"{DOWNLOADS}/pnpm",
    "YARN_CACHE_FOLDER": f"{DOWNLOADS}/yarn",
    "BUN_INSTALL_CACHE_DIR": f"{DOWNLOADS}/bun",
    "TMPDIR": f"{DOWNLOADS}/unpacked",
    "npm_config_update_notifier": "false",
    "GOMODCACHE": f"{PLACE}/go/mod",
    "GOFLAGS": "-modcacherw",
    "GOTOOLCHAIN": "local",
    "CARGO_HOME": f"{PLACE}/cargo",
    # Java reads no variables for a proxy, and Maven since its version 3.9 no properties unless it is told to.
    "MAVEN_OPTS": (
        f"{_OF_JAVA} -Daether.connector.http.useSystemProperties=true -Dmaven.repo.local={PLACE}/m2/repository"
    ),
    "MAVEN_USER_HOME": MAVEN_HOME,
    "GRADLE_OPTS": _OF_JAVA,
    "GRADLE_USER_HOME": f"{PLACE}/gradle",
}

# Where tools keep what they make beside packages: those themselves are not to be changed.
_WRITTEN_LATER = (".cache", ".vite", ".vite-temp")

Checkout = Callable[[Path], Awaitable[None]]
"""Puts the files of the repository into a folder."""


class Setup:
    """Installs what a recipe says as the package clients of this machine would; `hosts` may be reached too."""

    def __init__(self, sandbox: Sandbox, clients: PackageClients, hosts: Sequence[str] = ()) -> None:
        self._sandbox = sandbox
        self._clients = clients
        self._sources = (*package_sources((*clients.addresses, *hosts)), *clients.guarded)

    async def run(
        self, recipe: Recipe, environment: Environment, checkout: Checkout, *, on_output: Output | None = None
    ) -> None:
        """Fill `environment.folder`. Raises `SetupFailed` with the end of the log and the refused hosts."""
        scratch = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-setup-"))
        proxy, way = AllowlistProxy(self._sources), WayOut(scratch, _PORT)
        try:
            log = scratch / LOG
            await asyncio.to_thread(_begin, environment, {**recipe.texts, **self._clients.files}, log)
            await asyncio.to_thread(way.lay)
            await asyncio.to_thread((scratch / "downloads" / "unpacked").mkdir, parents=True)
            workspace = scratch / "workspace"
            await checkout(workspace)
            before = await asyncio.to_thread(before_building, workspace)
            for folder in environment.modules:
                await asyncio.to_thread(_call_plainly, workspace / folder, self._clients.guarded)
            async with proxy.serving(way.socket):
                for command in _commands(recipe, environment):
                    ran = await self._step(command, environment, workspace, way, on_output)
                    await asyncio.to_thread(_note, log, command, ran)
                    if ran.exit_code:
                        raise _failed(command, ran, proxy.refused)
            for folder in environment.modules:
                await asyncio.to_thread(_keep_modules, workspace, folder, environment.folder)
            root = self._sandbox.root or str(workspace)
            keep = partial(keep_compiled, commands=_commands(recipe, environment))
            await asyncio.to_thread(keep, workspace, before, environment.folder, root)
            await asyncio.to_thread(_keep_log, log, environment.folder)
        finally:
            await asyncio.to_thread(delete_tree, scratch)

    async def _step(
        self, command: str, environment: Environment, workspace: Path, way: WayOut, on_output: Output | None
    ) -> ExecResult:
        trusted = [Bind(folder, shared=True) for folder in self._clients.folders]
        # More than a sandbox has room for among its temporary files, which lie in memory.
        downloads = Bind(workspace.with_name("downloads"), writable=True, target=DOWNLOADS)
        return await self._sandbox.run(
            way.before(command),
            workspace=workspace,
            timeout_s=SETUP_TIMEOUT_S,
            env={**way.variables, **_ONLINE, **_own(environment), **self._clients.variables},
            binds=[*environment.binds(writable=True), *way.binds, *trusted, downloads],
            on_output=on_output,
        )


def _own(environment: Environment) -> dict[str, str]:
    """What leads the commands of people into the environment, instead of a folder that is thrown away."""
    python = {"VIRTUAL_ENV": f"{PLACE}/python", "UV_PROJECT_ENVIRONMENT": f"{PLACE}/python"}
    return {**environment.paths(), **(python if "python" in environment.languages else {})}


def _commands(recipe: Recipe, environment: Environment) -> tuple[str, ...]:
    python = [tool.program for tool in environment.toolchains if tool.language == "python"]
    # Bringing pip takes longer than all the rest, and without a way to packages it installs nothing.
    bare = " --without-pip" if recipe.empty else ""
    return (*(f"{program} -m venv{bare} {PLACE}/python" for program in python), *recipe.commands)


def missed_versions(tools: Iterable[Toolchain]) -> tuple[str, ...]:
    """What the repository asked for and did not get, in sentences."""
    return tuple(
        f"{tool.language} {tool.missed} is not on this machine: used is {tool.number}"
        for tool in tools
        if tool.missed
    )


def _begin(environment: Environment, files: Mapping[str, str], log: Path) -> None:
    log.write_text("".join(f"{sentence}\n" for sentence in missed_versions(environment.toolchains)))
    for name, text in files.items():
        place = environment.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def _note(path: Path, command: str, ran: ExecResult) -> None:
    with path.open("ab") as log:
        log.write(f"$ {command}\n".encode() + ran.output + b"\n")


def _keep_log(log: Path, environment: Path) -> None:
    put(environment, environment / LOG, log.read_bytes())


def _failed(command: str, ran: ExecResult, refused: list[str]) -> SetupFailed:
    ending = "ran out of time" if ran.timed_out else f"ended with exit code {ran.exit_code}"
    asked = f" It asked for {', '.join(refused)}, which a setup may not reach (AGENTHUB_SETUP_HOSTS allows more)."
    return SetupFailed(
        f"The setup command `{command}` {ending}.{asked if refused else ''}",
        log="\n".join(ran.text.rstrip().split("\n")[-_TAIL_LINES:]),
        refused=refused,
    )


def _call_plainly(folder: Path, guarded: tuple[PackageSource, ...]) -> None:
    """Let lock files call private registries as they are called inside; hashes in them stay true."""
    for name in NODE_LOCKS:
        path = folder / name
        if guarded and path.is_file() and not path.is_symlink():
            path.write_bytes(plain(path.read_bytes().decode("latin-1"), guarded).encode("latin-1"))


def _keep_modules(workspace: Path, folder: str, environment: Path) -> None:
    modules, place = workspace / folder / "node_modules", kept_modules(environment, folder)
    if modules.is_dir() and modules.resolve() == workspace.resolve() / folder / "node_modules":
        real_folder(environment, *place.relative_to(environment).parts[:-1])
        if place.is_symlink():
            place.unlink()
        shutil.move(modules, place)
        for cache in (place / name for name in _WRITTEN_LATER):
            if not cache.is_symlink() and not cache.exists():
                cache.symlink_to(MODULES_CACHE)
