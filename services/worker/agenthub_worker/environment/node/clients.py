"""Package managers of JavaScript's: which version a project wants, and how it comes where the machine lacks it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agenthub_worker.environment.place import DOWNLOADS, PLACE
from agenthub_worker.environment.python.tables import json_of, table, text

_NAMED = re.compile(r"(pnpm|yarn|bun)@(\d+)(?:\.(\d+)\.(\d+)[\w.-]*)?")
_LOCK_VERSION = re.compile(rb"^lockfileVersion:\s*['\"]?(\d+)", re.M)
_PNPM_OF_LOCK = {"5": "7", "6": "8"}
_BERRY = re.compile(rb"^__metadata:", re.M)
_PROXY = "YARN_HTTP_PROXY=$http_proxy YARN_HTTPS_PROXY=$https_proxy"
_REGISTRY = "${npm_config_registry:+YARN_NPM_REGISTRY_SERVER=$npm_config_registry}"
# It takes the source of packages, which lock files name as well, from its command line alone.
_FIRST_YARN = "yarn install --frozen-lockfile ${npm_config_registry:+--registry $npm_config_registry}"
# Modules where node looks for them; the other way of linking leaves a file beside the code.
_LATER_YARN = (
    f"env YARN_NODE_LINKER=node-modules YARN_GLOBAL_FOLDER={DOWNLOADS}/yarn YARN_ENABLE_TELEMETRY=0"
    f" {_PROXY} {_REGISTRY} yarn install --immutable"
)


def needs_packages(data: bytes) -> bool:
    """Whether a `package.json` names packages."""
    package = json_of(data)
    return any(package.get(kind) for kind in ("dependencies", "devDependencies"))


def node_commands(lock: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """How what this lock file names is installed by pnpm, yarn or bun, whichever it is of."""
    if lock.startswith("bun."):
        return (_brought("bun", f"bun@{_wanted('bun', files) or '1'}"), "bun install --frozen-lockfile")
    return tuple(_of_pnpm(files) if lock == "pnpm-lock.yaml" else _of_yarn(files))


def engines_of_node(files: Mapping[str, bytes]) -> str:
    """The range of node's versions that a `package.json` names; empty for none."""
    return text(table(json_of(files.get("package.json", b"")), "engines").get("node"))


def _of_pnpm(files: Mapping[str, bytes]) -> Iterator[str]:
    lock = _LOCK_VERSION.search(files.get("pnpm-lock.yaml", b""))
    version = _wanted("pnpm", files) or _PNPM_OF_LOCK.get(lock[1].decode() if lock else "", "9")
    yield _brought("pnpm", f"pnpm@{version}")
    yield "pnpm install --frozen-lockfile"


def _of_yarn(files: Mapping[str, bytes]) -> Iterator[str]:
    is_later = _BERRY.search(files.get("yarn.lock", b"")) is not None
    version = _wanted("yarn", files) or ("4" if is_later else "1")
    yield _brought("yarn", f"@yarnpkg/cli-dist@{version}" if int(version.split(".")[0]) > 1 else f"yarn@{version}")
    yield _LATER_YARN if is_later else _FIRST_YARN


def _wanted(name: str, files: Mapping[str, bytes]) -> str:
    found = _NAMED.match(text(json_of(files.get("package.json", b"")).get("packageManager")))
    if found is None or found[1] != name:
        return ""
    return found[0].partition("@")[2]


def _brought(name: str, package: str) -> str:
    """Nothing where the machine has it; else it comes as any package does."""
    return (
        f"command -v {name} || {{ npm install --no-audit --no-fund --prefix {PLACE}/clients {package}"
        f" && mkdir -p {PLACE}/bin && ln -sf ../clients/node_modules/.bin/{name} {PLACE}/bin/{name}; }}"
        f" || {{ echo '{name} is not on this machine, and no source has {package}' >&2; exit 1; }}"
    )
