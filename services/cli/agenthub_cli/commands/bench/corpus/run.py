"""The bench: fetch, play the goals on a hub of its own, report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
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

_WORKERS = "planner+architect+coding+testing+debug+security+review"
_COLUMNS = (
    *("project", "language", "ended", "seconds", "setup_cold_s", "setup_warm_s", "setup_mib", "overhead_s"),
    *("events", "stored_kib"),
)


def run_corpus(names: Sequence[str], *, at_once: int = 1, json: bool) -> int:
    """Play the projects of these names (none: all), `at_once` side by side.

    Raises `CommandFailed` for a name that is in no table.
    """
    known = {project.name: project for project in PROJECTS}
    if unknown := [name for name in names if name not in known]:
        raise CommandFailed(
            f"The corpus has no project {', '.join(unknown)}",
            hint=f"it has {', '.join(known)}",
            code=exit_codes.USAGE,
        )
    return report([known[name] for name in names] or PROJECTS, at_once=at_once, json=json)


def report(projects: Sequence[CorpusProject], *, at_once: int = 1, json: bool) -> int:
    """Play and print; exit code 1 when a goal did not end right."""
    played, rows = [], []
    with tempfile.TemporaryDirectory(prefix="agenthub-corpus-") as folder:
        for one in play_all(projects, Path(folder), at_once=at_once):
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


def play_all(projects: Sequence[CorpusProject], folder: Path, *, at_once: int = 1) -> Iterator[PlayedProject]:
    """Play each on one hub, with everything below `folder`, and give them as they end.

    One after the other unless several are `at_once`: then nobody can tell apart what each has stored. Raises
    `CommandFailed` when a project cannot be fetched or the hub does not start.
    """
    prepared = []
    for project in projects:
        say(f"Fetching {project.name} …", aside=True)
        prepared.append(prepare(project, folder / "sources" / project.name))
    workers, is_alone = f"{_WORKERS}={at_once}", at_once == 1
    with (
        corpus_model(projects) as settings,
        child_hub(folder / "hub", workers=workers, env=settings) as own,
        ThreadPoolExecutor(at_once, thread_name_prefix="corpus") as players,
    ):
        pairs = zip(projects, prepared, strict=True)
        playing = [players.submit(play, own, *pair, folder / "results", alone=is_alone) for pair in pairs]
        for done in as_completed(playing):
            one = done.result()
            say(f"{one.project}: {one.wrong or 'right'} after {one.seconds:.0f} s", aside=True)
            yield one
