"""Runs a repository's setup: in the sandbox, with a way to package sources alone, into a folder of its own."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.environment import forward
from agenthub_worker.environment.environment import Environment
from agenthub_worker.environment.package_clients import PackageClients
from agenthub_worker.environment.package_sources import package_sources
from agenthub_worker.environment.proxy import PackageProxy
from agenthub_worker.environment.recipe import PLACE, Recipe
from agenthub_worker.errors import SetupFailed
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, Sandbox

SETUP_TIMEOUT_S = 840.0
LOG = "setup.log"

_PORT = 3128
_FORWARD = "forward.py"
# The way out stands before the command begins, and ends with the sandbox.
_BESIDE = 'exec 9< <("$0" -I "$1" "$2" "$3"); read -r _ <&9 || exit 1; exec 9<&- /bin/bash -c "$4"'
_TAIL_LINES = 40
_ONLINE = {
    **{name: f"http://127.0.0.1:{_PORT}" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")},
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_CACHE_DIR": "/tmp/uv",  # noqa: S108 - inside
    "UV_LINK_MODE": "copy",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_CACHE_DIR": "/tmp/pip",  # noqa: S108 - inside
    "npm_config_cache": "/tmp/npm",  # noqa: S108 - inside
    "npm_config_update_notifier": "false",
    "GOMODCACHE": f"{PLACE}/go/mod",
    "GOFLAGS": "-modcacherw",
    "GOTOOLCHAIN": "local",
    "CARGO_HOME": f"{PLACE}/cargo",
    # Java reads no variables for a proxy.
    "MAVEN_OPTS": " ".join(
        f"-D{kind}.proxyHost=127.0.0.1 -D{kind}.proxyPort={_PORT}" for kind in ("http", "https")
    ),
}

Checkout = Callable[[Path], Awaitable[None]]
"""Puts the files of the repository into a folder."""


class Setup:
    """Installs what a recipe says as the package clients of this machine would; `hosts` may be reached too."""

    def __init__(self, sandbox: Sandbox, clients: PackageClients, hosts: Sequence[str] = ()) -> None:
        self._sandbox = sandbox
        self._clients = clients
        self._sources = package_sources((*clients.addresses, *hosts))

    async def run(
        self, recipe: Recipe, environment: Environment, checkout: Checkout, *, on_output: Output | None = None
    ) -> None:
        """Fill `environment.folder`. Raises `SetupFailed` with the end of the log and the refused hosts."""
        scratch = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-setup-"))
        proxy = PackageProxy(self._sources)
        try:
            await asyncio.to_thread(_begin, environment, scratch, self._clients.files)
            workspace = scratch / "workspace"
            await checkout(workspace)
            async with proxy.serving(scratch / "proxy.sock"):
                for command in _commands(recipe, environment):
                    ran = await self._step(command, environment, workspace, scratch, on_output)
                    await asyncio.to_thread(_note, environment.folder / LOG, command, ran)
                    if ran.exit_code:
                        raise _failed(command, ran, proxy.refused)
            await asyncio.to_thread(_keep_modules, workspace, environment.folder)
        finally:
            await asyncio.to_thread(delete_tree, scratch)

    async def _step(
        self, command: str, environment: Environment, workspace: Path, scratch: Path, on_output: Output | None
    ) -> ExecResult:
        program, socket = scratch / _FORWARD, scratch / "proxy.sock"
        trusted = [Bind(folder, shared=True) for folder in self._clients.folders]
        return await self._sandbox.run(
            ["/bin/bash", "-c", _BESIDE, sys.executable, str(program), str(socket), str(_PORT), command],
            workspace=workspace,
            timeout_s=SETUP_TIMEOUT_S,
            env={**_ONLINE, **environment.paths(), **self._clients.variables},
            binds=[*environment.binds(writable=True), Bind(program), Bind(socket), *trusted],
            on_output=on_output,
        )


def _commands(recipe: Recipe, environment: Environment) -> tuple[str, ...]:
    python = [tool.program for tool in environment.toolchains if tool.language == "python"]
    return (*(f"{program} -m venv {PLACE}/python" for program in python), *recipe.commands)


def missed_versions(environment: Environment) -> tuple[str, ...]:
    """What the repository asked for and did not get, in sentences."""
    return tuple(
        f"{tool.language} {tool.missed} is not on this machine: used is {tool.version.split()[0]}"
        for tool in environment.toolchains
        if tool.missed
    )


def _begin(environment: Environment, scratch: Path, files: Mapping[str, str]) -> None:
    log = "".join(f"{sentence}\n" for sentence in missed_versions(environment))
    (environment.folder / LOG).write_text(log)
    shutil.copyfile(forward.__file__, scratch / _FORWARD)
    for name, text in files.items():
        place = environment.folder / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)


def _note(path: Path, command: str, ran: ExecResult) -> None:
    with path.open("ab") as log:
        log.write(f"$ {command}\n".encode() + ran.output + b"\n")


def _failed(command: str, ran: ExecResult, refused: list[str]) -> SetupFailed:
    ending = "ran out of time" if ran.timed_out else f"ended with exit code {ran.exit_code}"
    asked = f" It asked for {', '.join(refused)}, which a setup may not reach (AGENTHUB_SETUP_HOSTS allows more)."
    return SetupFailed(
        f"The setup command `{command}` {ending}.{asked if refused else ''}",
        log="\n".join(ran.text.rstrip().split("\n")[-_TAIL_LINES:]),
        refused=refused,
    )


def _keep_modules(workspace: Path, folder: Path) -> None:
    modules = workspace / "node_modules"
    if modules.is_dir() and not modules.is_symlink():
        shutil.move(modules, folder / "node_modules")
