"""The environment in which the tests of a project run: as at home, with the system's own reporting."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.automation.command_line import RUNNERS
from agenthub_worker.sandbox.bubblewrap import search_path
from agenthub_worker.sandbox.port import Bind

SEEN = "seen.txt"
"""What the programs beside the tests have written, in the folder of the reports."""

# Read instead of the repository's own settings, so that it cannot leave out files or lines.
_COVERAGE_RULES = """\
[run]
data_file = {reports}/coverage.data
omit =
    {root}/setup.py
    {root}/.venv/*
    {root}/node_modules/*
[report]
include_namespace_packages = true
ignore_errors = true
exclude_lines =
    (?!)
"""

# Behind everything else, as an installed project is: no file of it can stand in for a library.
_SITE = """\
import sys
sys.path.extend(folder for folder in {folders!r} if folder not in sys.path)
"""

# Before anything of the project runs.
_WATCHED = """
import json, agenthub_calls, agenthub_likeness, agenthub_shapes, agenthub_veil
with open({told!r}) as file:
    told = json.load(file)
agenthub_veil.begin({root!r}, told, {seen!r})
agenthub_likeness.begin(agenthub_veil.is_changed, agenthub_veil.note_place)
agenthub_calls.begin({root!r}, told, {seen!r}, agenthub_shapes.shape)
"""
_WATCHING = """\
import agenthub_likeness


def pytest_collection_finish(session):
    agenthub_likeness.try_known()
"""
WATCHING = "agenthub_watching"
"""The plugin of pytest of a run that is watched."""

# Programs that make an environment need a network for it, and are not here. What they run is.
_RUNNER = """\
#!/bin/sh
[ "$1" = run ] || {{ echo "{name}: only '{name} run' works here" >&2; exit 127; }}
shift
while [ $# -gt 0 ]; do
    case "$1" in
        --) shift; break ;;
        --with|--python|-p|--extra|--group|--only-group|--package|--project|--directory|--env-file|-e) shift 2 ;;
        -*) shift ;;
        *) break ;;
    esac
done
echo "agenthub: there is no {name} here; its command runs in the hub's Python environment" >&2
exec "$@"
"""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Programs that run beside the tests in every Python process, by name, and what they are told as JSON."""

    programs: Mapping[str, str]
    told: bytes


class RunFolders(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of one run, outside of the workspace: `reports` for the run to write, `support` to read."""

    reports: Path
    support: Path

    @property
    def binds(self) -> tuple[Bind, ...]:
        """Both, as a sandbox shows them."""
        return Bind(self.reports, writable=True), Bind(self.support)


@contextlib.asynccontextmanager
async def run_folders(
    root: str, roots: Sequence[str], watched: Watched | None = None
) -> AsyncIterator[RunFolders]:
    """Folders that live as long as one run. `root` is the workspace as commands see it, `roots` are below it.

    They lie in one that only this account may enter: whatever rights a run gives to what it writes there, nobody
    else on this machine reaches it.
    """
    outer = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-tests-"))
    folders = RunFolders(reports=outer / "reports", support=outer / "support")
    try:
        await asyncio.to_thread(_fill, folders, root, roots)
        if watched is not None:
            await asyncio.to_thread(_watch, folders, root, watched)
        yield folders
    finally:
        await asyncio.to_thread(delete_tree, outer)


def run_variables(
    folders: RunFolders, root: str, plugins: Sequence[str] | None, more: Sequence[str] = (), *, measured: bool
) -> dict[str, str]:
    """The variables of a run with these plugins of pytest and `more` of its options.

    `plugins` None: in an environment of the project's own, where pytest finds its plugins as at home. `measured`:
    the system measures its coverage.
    """
    options = [f"--junitxml={folders.reports}/junit.xml", "-o", "junit_family=xunit1"]
    options += ["-o", f"cache_dir={folders.reports}/cache", "--tb=short"]
    # One file that cannot be imported must not keep all others from being run.
    options += ["--continue-on-collection-errors", *more]
    for plugin in sorted({*(plugins or ()), *(["pytest_cov"] if measured else [])}):
        options += ["-p", plugin]
    if measured:
        options += [f"--cov={root}", f"--cov-config={folders.support}/coverage.ini"]
        options += [f"--cov-report=json:{folders.reports}/coverage.json"]
    return {
        "PATH": f"{search_path()}:{folders.support}/bin",
        "PYTHONPATH": str(folders.support / "python"),
        **({} if plugins is None else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
        "PYTEST_ADDOPTS": shlex.join(options),
        "COVERAGE_FILE": f"{folders.reports}/coverage.data",
    }


def _fill(folders: RunFolders, root: str, roots: Sequence[str]) -> None:
    for folder in (folders.reports, folders.support / "bin", folders.support / "python"):
        folder.mkdir(parents=True)
    (folders.support / "coverage.ini").write_text(_COVERAGE_RULES.format(reports=folders.reports, root=root))
    below = [root if place == "." else f"{root}/{place}" for place in roots]
    (folders.support / "python" / "sitecustomize.py").write_text(_SITE.format(folders=below))
    for name in RUNNERS:
        script = folders.support / "bin" / name
        script.write_text(_RUNNER.format(name=name))
        script.chmod(0o755)


def _watch(folders: RunFolders, root: str, watched: Watched) -> None:
    python, told = folders.support / "python", folders.support / "watched.json"
    told.write_bytes(watched.told)
    for name, text in watched.programs.items():
        (python / f"agenthub_{name}.py").write_text(text)
    (python / f"{WATCHING}.py").write_text(_WATCHING)
    with (python / "sitecustomize.py").open("a") as site:
        site.write(_WATCHED.format(told=str(told), root=root, seen=str(folders.reports / SEEN)))
