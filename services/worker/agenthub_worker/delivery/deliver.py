"""One delivery: the approved commit onto a branch at the remote, and a pull or merge request where one is wanted.

What the target has become meanwhile is merged with it before, and judged. It is the same however often it is
begun again: a branch that is there is not pushed, a request that is open is not made, and nothing of others is
overwritten.
"""

from __future__ import annotations

from functools import partial

from agenthub_events.catalogue.values import Delivered, TaskResult
from agenthub_events.context import DeliveryOrder, WorkContext
from agenthub_events.redaction import as_shown, redact_text
from agenthub_runtime.remotes.address import Remote, is_remote, local_source, parse_remote
from agenthub_runtime.remotes.errors import RemoteRefused
from agenthub_runtime.remotes.forges import forge_of
from agenthub_runtime.repository.git import Git, checked
from agenthub_runtime.repository.sources.beside import push_lfs
from agenthub_runtime.repository.sources.git_remote import RemoteGit
from agenthub_worker.delivery.change_requests import ChangeRequest, open_request
from agenthub_worker.delivery.description import description_of, title_of
from agenthub_worker.delivery.moved_target import MovedTarget
from agenthub_worker.domain.outcomes import AttemptOutcome, Completed, RunSummary
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.workspace import open_repository, read_branch

HEADS = "refs/heads/"


async def deliver(
    lease: Lease, context: WorkContext, order: DeliveryOrder, run_summary: RunSummary
) -> AttemptOutcome | None:
    """Bring the result there, or what its target has become into the result. None: that is in the log.

    Raises `RemoteRefused`, `RemoteUnavailable`, `RepositoryError` and `LeaseLost`.
    """
    remote = (
        parse_remote(context.repository) if is_remote(context.repository) else local_source(context.repository)
    )
    repository = await open_repository(lease.ports, lease.goal_id, await read_branch(lease.ports, lease.goal_id))
    pushing = _Pushing(lease, RemoteGit(remote, lease.ports.git), order, _target(context))
    await lease.while_held(repository.exclusively(pushing.run))
    if pushing.moved_to:
        return await MovedTarget(lease, repository, context, order, pushing.moved_to).bring_in(run_summary)
    url = await _request(lease, context, order, remote, pushing.conflicts) if order.request else ""
    lease.ports.crash_point("after-request")
    delivered = Delivered(
        repository=remote.url,
        branch=order.branch,
        commit=order.commit,
        target=_target(context).removeprefix(HEADS),
        url=url,
    )
    began = context.base_commit in ("", order.base)
    summary = _summary(delivered, pushing.conflicts, "" if began else order.base)
    return Completed(result=TaskResult(summary=summary, commit=order.commit, delivered=delivered))


class _Pushing:
    """The push, or where the target has moved to; which files it conflicts in when that is not to be merged."""

    def __init__(self, lease: Lease, remote: RemoteGit, order: DeliveryOrder, target: str) -> None:
        self._lease = lease
        self._remote = remote
        self._order = order
        self._target = target
        self.conflicts: tuple[str, ...] = ()
        self.moved_to = ""

    async def run(self, git: Git) -> str:
        order, name = self._order, f"{HEADS}{self._order.branch}"
        there = await self._remote.refs(git, name, *([self._target] if self._target else []))
        standing = there.get(name, "")
        if standing == order.commit and not order.as_it_is:
            return order.commit
        theirs = await self._moved(git, there.get(self._target, ""))
        if theirs and not order.as_it_is:
            self.moved_to = theirs
            return theirs
        if theirs:
            self.conflicts = await _conflicts(git, theirs, order.commit)
        if standing == order.commit:
            return order.commit
        if standing and not await _leads_to(git, standing, order.commit):
            raise RemoteRefused(
                f"{self._remote.remote} has a branch `{order.branch}` with other commits ({standing[:12]}), and"
                " nothing of others is overwritten: rename or delete it there, and try again."
            )
        await push_lfs(git, order.base, order.commit, self._remote)
        self._lease.ports.crash_point("before-push")
        await self._remote.push(git, order.commit, order.branch, over=standing)
        self._lease.ports.crash_point("after-push")
        return order.commit

    async def _moved(self, git: Git, there: str) -> str:
        """The commit of the target, unless the result builds on it, or the other way round; empty then."""
        if not there or there == self._order.base:
            return ""
        theirs = await self._remote.fetch_ref(git, self._target)
        if await _leads_to(git, theirs, self._order.commit) or await _leads_to(git, self._order.commit, theirs):
            return ""
        return theirs


async def _request(
    lease: Lease, context: WorkContext, order: DeliveryOrder, remote: Remote, conflicts: tuple[str, ...]
) -> str:
    shown = partial(redact_text, secrets=lease.secrets)
    wanted = ChangeRequest(
        branch=order.branch,
        target=_target(context).removeprefix(HEADS),
        title=shown(as_shown(title_of(context))),
        text=shown(as_shown(description_of(context, order, conflicts))),
    )
    lease.ports.crash_point("before-request")
    return await lease.while_held(open_request(forge_of(remote, lease.ports.git), wanted))


def _target(context: WorkContext) -> str:
    """The full name of the branch that the goal began with; empty when it began with something else."""
    return context.ref if context.ref.startswith(HEADS) else ""


def _summary(delivered: Delivered, conflicts: tuple[str, ...], merged: str) -> str:
    put = "Pushed to" if is_remote(delivered.repository) else "Put into"
    said = f"{put} {delivered.repository} as {delivered.branch} at {delivered.commit[:12]}"
    if delivered.url:
        said += f", with the request {delivered.url}"
    if merged:
        said += f", with {delivered.target} merged as it was at {merged[:12]}"
    if conflicts:
        said += f"; it conflicts with what {delivered.target} has become, in {', '.join(conflicts[:10])}"
    return said


async def _conflicts(git: Git, theirs: str, ours: str) -> tuple[str, ...]:
    output = await git.run(
        *("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", checked(theirs), checked(ours)),
        codes=(0, 1),
    )
    return tuple(sorted(set(output.fields()[1:]))) if output.code else ()


async def _leads_to(git: Git, older: str, newer: str) -> bool:
    """Whether `newer` builds on `older`; not when `older` is not known here at all."""
    found = await git.run("merge-base", "--is-ancestor", checked(older), checked(newer), codes=(0, 1, 128))
    return found.code == 0
