"""Which tests run at a merge: all of them while they are quick, then those that the change bears on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agenthub_events.catalogue.values import TestEvidence
from agenthub_events.context import WorkContext
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_worker.evidence.layout import NoTestCommand, TestCommand, is_test_file, sets_tests
from agenthub_worker.experiments.protected import reads
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.workspace import (
    GoalBranch,
    Workspace,
    has_tests,
    run_tests_at,
    test_command_of,
    with_plugins,
)

WHOLE_S = 30.0
"""Seconds up to which all tests run at every merge."""
_SMOKE = 5
_CHOSEN_MAX = 100


async def tests_at_merge(
    lease: Lease, workspace: Workspace, commit: str, context: WorkContext, branch: GoalBranch
) -> TestEvidence | None:
    """What the tests of a merged commit show, as far as it is worth the time: the gate runs all of them.

    None when there are none, when nobody knows how they are run, or when they take long and cannot be named.
    """
    repository = workspace.repository
    if not await has_tests(repository, commit, context):
        return None
    command = await test_command_of(repository, commit, context)
    if isinstance(command, NoTestCommand):
        return None
    command = await with_plugins(command, lease, repository, branch.imported, context)
    paths: tuple[str, ...] = ()
    if branch.tests_s > WHOLE_S:
        command = next((part for part in command.parts if part.takes_paths), command)
        paths = await _chosen(repository, command, branch.head, commit)
        if not paths:
            return None
    _, evidence = await run_tests_at(
        lease, workspace.sandbox, repository, commit, command, timeout_s=branch.test_limit_s, paths=paths
    )
    return evidence


async def _chosen(repository: GoalRepository, command: TestCommand, base: str, commit: str) -> tuple[str, ...]:
    if not command.takes_paths:
        return ()
    entries = [e for e in await repository.files(commit) if is_test_file(e.path) and e.mode.startswith("100")]
    contents = await repository.contents(entries)
    texts = {path: data.decode("utf-8", "replace") for path, data in contents.items()}
    return affected(texts, await repository.changed_files(base, commit))


def affected(tests: Mapping[str, str], changed: Sequence[str]) -> tuple[str, ...]:
    """Those of the test files (path to text) that changed or that read what changed; without any, a few."""
    present = [path for path in changed if not sets_tests(path)]
    found = [
        path for path in sorted(tests) if path in present or any(reads([tests[path]], one) for one in present)
    ]
    if found:
        return tuple(found[:_CHOSEN_MAX])
    step = max(1, len(tests) // _SMOKE)
    return tuple(sorted(tests)[::step][:_SMOKE])
