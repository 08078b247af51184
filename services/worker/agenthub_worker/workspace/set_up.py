"""The setup of a goal's repository when it is imported, so that people are asked before anybody works on it."""

from __future__ import annotations

import msgspec

from agenthub_events.context import WorkContext
from agenthub_events.rules.answer_options import GIVE_UP, SETUP, TRY_AGAIN
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_worker.domain.outcomes import Blocked
from agenthub_worker.environment.recipe import is_asked
from agenthub_worker.errors import SetupFailed, SetupInvalid
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.history import with_history
from agenthub_worker.workspace.workspace import given_setup, workspace_path

OPTIONS = (TRY_AGAIN, GIVE_UP)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that can be worked on. `said` goes behind "Imported …", `log_ref` is the setup's log."""

    said: str = ""
    log_ref: str = ""


async def set_up(
    lease: Lease, repository: GoalRepository, commit: str, context: WorkContext
) -> Prepared | Blocked:
    """Install what the repository needs at `commit`; nothing is made when it needs nothing."""
    ports = lease.ports
    if ports.environments is None:
        return Prepared()
    given = await given_setup(repository, commit, context)
    inputs = [entry for entry in await repository.files(commit) if is_asked(entry.path, given)]
    try:
        if not ports.environments.asked_for(await repository.contents(inputs), given):
            return Prepared()
    except SetupInvalid as error:
        return _asked(lease, error)
    path = workspace_path(lease).with_name(f"{workspace_path(lease).name}-setup")
    await repository.checkout(commit, path)
    try:
        sandbox = with_history(ports.sandbox, repository.objects)
        made = await ports.environments.prepare(path, given, sandbox)
    except (SetupFailed, SetupInvalid) as error:
        return _asked(lease, error)
    finally:
        await repository.discard_workspace(path)
    log = lease.secrets.masked_bytes(made.log)
    missed = "".join(f"; {sentence}" for sentence in made.missed)
    return Prepared(
        said=f"; set up as {made.source} says{missed}",
        log_ref=await ports.patiently(lambda: ports.artifacts.put(log)),
    )


def _asked(lease: Lease, error: SetupFailed | SetupInvalid) -> Blocked:
    log = error.log if isinstance(error, SetupFailed) else ""
    return Blocked(
        question=lease.secrets.masked(
            f"The repository cannot be set up. {error} Answer with the commands that set it up, one a line, or try"
            " again when what was missing is there."
        ),
        options=OPTIONS,
        evidence=lease.secrets.masked(log),
        reason=SETUP,
    )
