"""The repository of a submission: checked where it is, before anything rests on it."""

from __future__ import annotations

import msgspec

from agenthub_events.catalogue.values import Delivery
from agenthub_events.errors import InvalidInput
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_runtime.remotes.address import Remote, check_ref, local_source, parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.remotes.forges import forge_of
from agenthub_runtime.repository.errors import RepositoryError
from agenthub_runtime.repository.git_remote import RemoteGit, Resolved

HEADS = "refs/heads/"


class GoalSource(msgspec.Struct, frozen=True, kw_only=True):
    """What a goal works on, and what becomes of its result there, as `GoalAccepted` holds them."""

    repository: str = ""
    ref: str = ""
    base_commit: str = ""
    delivery: Delivery = "none"
    delivery_branch: str = ""


class Sources(msgspec.Struct, frozen=True):
    """Where goals may get their repositories: with what `access` elsewhere, and whether on this machine."""

    access: GitAccess
    local: bool


async def remote_source(body: SubmitBody, access: GitAccess) -> GoalSource:
    """The source at an address. Raises `InvalidInput` with the remedy."""
    try:
        remote = parse_remote(body.repository.strip())
    except RemoteRefused as refused:
        raise InvalidInput(str(refused), field="repository") from None
    found = await _resolved(remote, body.ref.strip(), access)
    delivery = body.deliver or ("branch" if access.has_credential(remote) else "none")
    branch = body.deliver_branch.strip()
    if delivery == "pull_request":
        _check_request(remote, found, access)
    if branch:
        _check_branch(branch, delivery, found)
    return GoalSource(
        repository=remote.url,
        ref=found.ref,
        base_commit=found.commit,
        delivery=delivery,
        delivery_branch=branch,
    )


async def folder_source(path: str, body: SubmitBody, access: GitAccess) -> GoalSource:
    """The source in a folder of this machine, or none. Raises `InvalidInput` with the remedy."""
    ref = body.ref.strip()
    if not path and (ref or body.deliver not in (None, "none") or body.deliver_branch):
        raise InvalidInput("There is no repository that this could be about: name one", field="repository")
    if body.deliver not in (None, "none") or body.deliver_branch:
        raise InvalidInput(
            "Nothing is pushed into a folder: take the result with `agenthub goal apply`, or name an address",
            field="deliver",
        )
    if not ref:
        return GoalSource(repository=path)
    found = await _resolved(local_source(path), ref, access)
    return GoalSource(repository=path, ref=found.ref, base_commit=found.commit)


async def _resolved(remote: Remote, ref: str, access: GitAccess) -> Resolved:
    try:
        return await RemoteGit(remote, access).resolve(ref)
    except (RemoteRefused, RemoteUnavailable) as error:
        raise InvalidInput(str(error), field="ref" if ref and f"`{ref}`" in str(error) else "repository") from None
    except RepositoryError as error:
        raise InvalidInput(f"{remote} cannot be read: {error}", field="repository") from None


def _check_request(remote: Remote, found: Resolved, access: GitAccess) -> None:
    if not found.ref.startswith(HEADS):
        raise InvalidInput(
            "A pull or merge request goes into a branch: name one as `ref`, or deliver the branch alone",
            field="deliver",
        )
    try:
        forge_of(remote, access)
    except RemoteRefused as refused:
        raise InvalidInput(str(refused), field="deliver") from None


def _check_branch(branch: str, delivery: Delivery, found: Resolved) -> None:
    if delivery == "none":
        raise InvalidInput(
            "Nothing is delivered, so no branch can be named: add `deliver`", field="deliver_branch"
        )
    try:
        check_ref(branch)
    except RemoteRefused as refused:
        raise InvalidInput(str(refused), field="deliver_branch") from None
    if branch.startswith("refs/") or f"{HEADS}{branch}" == found.ref:
        raise InvalidInput(
            f"`{branch}` is where the goal begins, or no plain name: name another branch for the result",
            field="deliver_branch",
        )
