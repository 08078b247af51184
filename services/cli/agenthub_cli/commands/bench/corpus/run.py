"""The bench: fetch, play one goal after the other on a hub of its own, report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.client.child_hub import child_hub
from agenthub_cli.commands.bench.corpus.fetching import prepare
from agenthub_cli.commands.bench.corpus.playing import PlayedProject, play
from agenthub_cli.commands.bench.corpus.project import CorpusProject
from agenthub_cli.commands.bench.corpus.scripted import corpus_model
from agenthub_cli.commands.bench.corpus.table import PROJECTS
from agenthub_cli.errors import CommandFailed
from agenthub_cli.terminal.output import print_json, print_rows, say

_WORKERS = "planner+architect+coding+testing+debug+security+review=1"
_COLUMNS = (
    *("project", "language", "ended", "seconds", "setup_cold_s", "setup_warm_s", "setup_mib", "overhead_s"),
    *("events", "stored_kib"),
)


def run_corpus(names: Sequence[str], *, json: bool) -> int:
    """Play the projects of these names (none: all). Raises `CommandFailed` for a name that is in no table."""
    known = {project.name: project for project in PROJECTS}
    if unknown := [name for name in names if name not in known]:
        raise CommandFailed(
            f"The corpus has no project {', '.join(unknown)}",
            hint=f"it has {', '.join(known)}",
            code=exit_codes.USAGE,
        )
    return report([known[name] for name in names] or PROJECTS, json=json)


def report(projects: Sequence[CorpusProject], *, json: bool) -> int:
    """Play and print; exit code 1 when a goal did not end right."""
    played, rows = [], []
    with tempfile.TemporaryDirectory(prefix="agenthub-corpus-") as folder:
        for one in play_all(projects, Path(folder)):
            played.append(one)
            rows.append({**msgspec.to_builtins(one), "ended": "wrong" if one.wrong else "right"})
            if json:
                print_json(rows[-1])
    failed = [one for one in played if one.wrong]
    if not json:
        print_rows(rows, _COLUMNS, empty="No project")
    for one in failed:
        say(f"{one.project}: {one.wrong}", aside=True)
    return exit_codes.FAILED if failed else exit_codes.OK


def play_all(projects: Sequence[CorpusProject], folder: Path) -> Iterator[PlayedProject]:
    """Play each on one hub, with everything below `folder`; none begins before the one in front has ended.

    Raises `CommandFailed` when a project cannot be fetched or the hub does not start.
    """
    prepared = []
    for project in projects:
        say(f"Fetching {project.name} …", aside=True)
        prepared.append(prepare(project, folder / "sources" / project.name))
    with corpus_model(projects) as settings, child_hub(folder / "hub", workers=_WORKERS, env=settings) as own:
        for project, source in zip(projects, prepared, strict=True):
            one = play(own, project, source, folder / "results")
            say(f"{project.name}: {one.wrong or 'right'} after {one.seconds:.0f} s", aside=True)
            yield one
