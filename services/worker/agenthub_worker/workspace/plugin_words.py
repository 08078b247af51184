"""What of a goal may bring plugins into its tests: the repository as it began, people's words, and the plan."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial

from agenthub_events.catalogue.goal import GoalPlanned, GoalReplanned, GoalReworkRequested
from agenthub_events.context import WorkContext
from agenthub_events.ports import Recorded
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from agenthub_worker.lease.lease import Lease
from agenthub_worker.projects.named import PluginTexts
from agenthub_worker.projects.project import is_read, plugin_texts, project_of

_FILES_READ = 5_000
_FILE_BYTES = 1 << 20
_ALL_BYTES = 64 << 20


async def plugins_named(lease: Lease, repository: GoalRepository, base: str, context: WorkContext) -> PluginTexts:
    """The texts for the tests of a goal that began with the commit `base`."""
    recorded = await lease.ports.patiently(partial(lease.ports.events.read, f"{lease.goal_id}._.goal"))
    words = [context.goal, *context.requirements, *context.setup, *_of_the_plan(recorded)]
    return plugin_texts(project_of(await _texts(repository, base), ()), "\n".join(words))


def _of_the_plan(recorded: Sequence[Recorded]) -> Iterator[str]:
    """What the planner and people have written; tasks that other agents ask for are part of the change."""
    for message in recorded:
        event = message.event
        if isinstance(event, GoalReworkRequested):
            yield event.feedback
        tasks = event.tasks if isinstance(event, GoalPlanned) else ()
        if isinstance(event, GoalReplanned) and event.origin in ("rework", "human"):
            tasks = event.added
        for task in tasks:
            yield "\n".join((task.title, task.details, *task.acceptance))


async def _texts(repository: GoalRepository, commit: str) -> dict[str, str]:
    if commit == ROOT_COMMIT:
        return {}
    entries = [
        entry
        for entry in await repository.files(commit)
        if is_read(entry.path) and entry.mode.startswith("100") and entry.size <= _FILE_BYTES
    ]
    sizes = itertools.accumulate(entry.size for entry in entries)
    read = [entry for entry, size in zip(entries, sizes, strict=True) if size <= _ALL_BYTES][:_FILES_READ]
    contents = await repository.contents(read)
    return {path: data.decode("utf-8", "replace") for path, data in contents.items()}
