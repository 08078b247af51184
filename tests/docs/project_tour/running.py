"""Runs the commands of the page beside three projects, on a hub with a scripted model."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from agenthub_cli.commands.bench.corpus.project import CorpusProject
from agenthub_cli.commands.bench.corpus.scripted import corpus_model
from tests.docs.cli_examples.normal import normal
from tests.support.git_hosts import a_repository
from tests.support.package_index import running_index
from tests.support.running_hub import clean_environment
from tests.support.shells import BIN
from tests.support.small_corpus import GO_TOOL, INDEXED, NODE_LIBRARY, PYTHON_SERVICE

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tutorial" / "your-projects.md"
FOLDERS: Mapping[str, CorpusProject] = {"service": PYTHON_SERVICE, "tool": GO_TOOL, "library": NODE_LIBRARY}
_BLOCK = re.compile(r"^```text\n\$ ([^\n]+)\n(.*?)^```", re.M | re.S)
_TIMEOUT_S = 900.0


class Ran(NamedTuple):
    """A command of the page and what came of it."""

    command: str
    code: int
    lines: list[str]


def shown() -> list[tuple[str, list[str]]]:
    """The commands of the page in order, each with the lines that stand below it."""
    return [(command, output.splitlines()) for command, output in _BLOCK.findall(PAGE.read_text(encoding="utf-8"))]


def with_outputs(page: str, ran: Sequence[Ran]) -> str:
    """The page with these outputs in the place of its own."""
    outputs = iter(ran)

    def block(found: re.Match[str]) -> str:
        lines = next(outputs).lines
        return "\n".join(("```text", f"$ {found[1]}", *lines, "```"))

    return _BLOCK.sub(block, page)


def run_page(folder: Path) -> Iterator[Ran]:
    """Run every command in order; each begins in the home folder. The hub is stopped whatever happens."""
    for name, project in FOLDERS.items():
        bugs = {edit.path: (edit.good, edit.base) for edit in project.edits}
        files = {path: text.replace(*bugs.get(path, ("", ""))) for path, text in project.files.items()}
        a_repository(folder / name, files, bare=False)
    with running_index() as index, corpus_model(list(FOLDERS.values())) as model:
        index.add(*INDEXED)
        env = _environment(folder, {**model, "PIP_INDEX_URL": index.address(), "PIP_CONFIG_FILE": os.devnull})
        try:
            _run("agenthub up --detach", folder, env)
            for command, _ in shown():
                yield _run(command, folder, env)
        finally:
            _run("agenthub down", folder, env)


def _run(command: str, folder: Path, env: Mapping[str, str]) -> Ran:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return Ran(command, done.returncode, normal(done.stdout, {str(folder): "~"}))


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    (folder / "run").mkdir(mode=0o700)
    env = {name: value for name, value in clean_environment().items() if not name.startswith("PIP_")}
    return {
        **env,
        **more,
        "PATH": f"{BIN}:{env['PATH']}",
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "AGENTHUB_DATA_DIR": str(folder / "hub"),
        "AGENTHUB_PORT": "0",
        "AGENTHUB_WORKERS": "planner+architect+coding+testing+debug+security+review=1",
        "COLUMNS": "100",
    }
