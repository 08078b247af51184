"""An environment as commands see it: what is mounted where, and which variables say so."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from agenthub_worker.environment.java.maven import MAVEN_HOME
from agenthub_worker.environment.own_places import is_inside
from agenthub_worker.environment.place import PLACE
from agenthub_worker.environment.recipe import Language
from agenthub_worker.environment.toolchains import Toolchain
from agenthub_worker.sandbox.bound import BoundSandbox
from agenthub_worker.sandbox.bubblewrap import SYSTEM_PATH, search_path
from agenthub_worker.sandbox.port import Bind, Sandbox

# `uv run` in the environment as it is, instead of in one that it would make.
_OF_UV = {"UV_OFFLINE": "1", "UV_NO_SYNC": "1", "UV_FROZEN": "1", "UV_PROJECT_ENVIRONMENT": f"{PLACE}/python"}
_MODULES = "modules"
_OFFLINE: dict[Language, Mapping[str, str]] = {
    "python": {"VIRTUAL_ENV": f"{PLACE}/python", "PIP_NO_INDEX": "1", **_OF_UV},
    "node": {"npm_config_offline": "true"},
    "go": {
        "GOMODCACHE": f"{PLACE}/go/mod",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOTOOLCHAIN": "local",
        "GOCACHE": "/tmp/go-build",  # noqa: S108 - inside
    },
    "rust": {"CARGO_HOME": f"{PLACE}/cargo", "CARGO_NET_OFFLINE": "true"},
    "java": {
        "MAVEN_ARGS": f"-o -Dmaven.repo.local={PLACE}/m2/repository",
        # Maven before its version 3.9 reads no other variable.
        "MAVEN_OPTS": f"-Dmaven.repo.local={PLACE}/m2/repository",
        "MAVEN_USER_HOME": MAVEN_HOME,
        "GRADLE_RO_DEP_CACHE": f"{PLACE}/gradle/caches",
        "GRADLE_USER_HOME": "/tmp/gradle",  # noqa: S108 - inside
    },
}


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment in `folder`. `source` says where the commands of its setup come from.

    `modules` are the folders of a workspace in which `node_modules` lies, if there is any.
    """

    key: str
    folder: Path
    languages: frozenset[Language]
    toolchains: tuple[Toolchain, ...] = ()
    source: str = ""
    modules: tuple[str, ...] = ("",)

    def binds(self, *, writable: bool = False) -> tuple[Bind, ...]:
        """What of the machine a sandbox needs for it."""
        tools = [Bind(folder, shared=True) for tool in self.toolchains for folder in tool.folders]
        return (Bind(self.folder, writable=writable, target=PLACE, shared=not writable), *tools)

    def variables(self) -> dict[str, str]:
        """What tells the languages' own tools where everything is, and that nothing can be fetched."""
        return {
            **self.paths(),
            **{k: v for language in sorted(self.languages) for k, v in _OFFLINE[language].items()},
        }

    def paths(self) -> dict[str, str]:
        """The search path: the environment's own programs, the machine's tools, then the system."""
        is_python = "python" in self.languages
        own = [f"{PLACE}/python/bin"] if is_python else []
        tools = [folder for tool in self.toolchains for folder in tool.path]
        # Beside a Python of the project's own that of the hub is not to be found.
        return {"PATH": ":".join((*own, f"{PLACE}/bin", *tools, SYSTEM_PATH if is_python else search_path()))}


class EnvironmentSandbox(BoundSandbox):
    """A sandbox in which every command finds the environment, beside the workspace and in its variables."""

    def __init__(self, sandbox: Sandbox, environment: Environment) -> None:
        super().__init__(
            sandbox, lambda workspace: (*environment.binds(), *self._modules(workspace)), self._variables
        )
        self.environment = environment

    def _variables(self, env: Mapping[str, str] | None) -> Mapping[str, str]:
        own, given = self.environment.variables(), env or {}
        # What is given comes behind, so that `python` stays the project's.
        hubs = {f"{sys.prefix}/bin", *own["PATH"].split(":")}
        behind = [folder for folder in given.get("PATH", "").split(":") if folder and folder not in hubs]
        return {**own, **given, "PATH": ":".join((own["PATH"], *behind))}

    def _modules(self, workspace: Path) -> tuple[Bind, ...]:
        if "node" not in self.environment.languages:
            return ()
        return tuple(bind for folder in self.environment.modules for bind in self._modules_of(workspace, folder))

    def _modules_of(self, workspace: Path, folder: str) -> Iterator[Bind]:
        modules = kept_modules(self.environment.folder, folder)
        place = workspace / folder
        is_there = modules.is_dir() and is_inside(self.environment.folder, modules)
        if is_there and place.is_dir() and place.resolve() == workspace.resolve() / folder:
            # The place to mount on: a read-only workspace cannot be given one later.
            (place / "node_modules").mkdir(exist_ok=True)
            inside = f"{self.root}/{folder}/node_modules" if folder else f"{self.root}/node_modules"
            yield Bind(modules, target=inside, shared=True)


def kept_modules(environment: Path, folder: str) -> Path:
    """Where an environment keeps the `node_modules` of a folder of the repository."""
    return environment / "modules" / folder / "node_modules" if folder else environment / "node_modules"
