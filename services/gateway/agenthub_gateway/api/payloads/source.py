"""The repository of a submission: checked where it is, before anything rests on it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from agenthub_events.catalogue.values import Delivery
from agenthub_events.errors import InvalidInput
from agenthub_events.rules.network import is_public
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_gateway.ports import Sources
from agenthub_runtime.remotes.address import Remote, check_ref, local_source, parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.remotes.forges import forge_of
from agenthub_runtime.repository.errors import RepositoryError, SourceRefused
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.sources.beside import check_address, check_folder
from agenthub_runtime.repository.sources.git_remote import RemoteGit, Resolved
from agenthub_runtime.repository.sources.source import examine, origin_of
from agenthub_runtime.repository.sources.submodules import Whereabouts

HEADS = "refs/heads/"
_PORTS = {"https": 443, "http": 80}
_CHECK_WITHIN_S = 45.0


class GoalSource(msgspec.Struct, frozen=True, kw_only=True):
    """What a goal works on, and what becomes of its result there, as `GoalAccepted` holds them."""

    repository: str = ""
    ref: str = ""
    base_commit: str = ""
    delivery: Delivery = "none"
    delivery_branch: str = ""


async def remote_source(body: SubmitBody, sources: Sources) -> GoalSource:
    """The source at an address. Raises `InvalidInput` with the remedy."""
    access = sources.access
    try:
        remote = parse_remote(body.repository.strip())
    except RemoteRefused as refused:
        raise InvalidInput(str(refused), field="repository") from None
    await _refuse_private(remote, sources)
    found = await _resolved(remote, body.ref.strip(), access)
    await _checked(check_address(found.commit, Whereabouts(url=remote.url), access))
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


async def _refuse_private(remote: Remote, sources: Sources) -> None:
    """Who submits a goal does not ask the network of the hub's machine in its name, unless its people want it.

    A credential says that they do; and where folders of that machine are taken, whoever submits is one of them.
    """
    if sources.local or sources.access.has_credential(remote):
        return
    parts = urlsplit(remote.url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(remote.scheme, 0)
    shown = f"[{host}]" if ":" in host else host
    if not port or f"{shown}:{port}" in sources.private:
        return
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # git says so, in words
    if not all(is_public(str(info[4][0])) for info in infos):
        raise InvalidInput(
            f"{shown}:{port} is a place of a private network or of this machine: AGENTHUB_PRIVATE_HOSTS of the hub"
            f" has to name it first, or AGENTHUB_GIT_TOKENS with a token for {remote.host}",
            field="repository",
        )


async def folder_source(path: str, body: SubmitBody, access: GitAccess) -> GoalSource:
    """The source in a folder of this machine, or none. Raises `InvalidInput` with the remedy."""
    ref = body.ref.strip()
    if not path and (ref or body.deliver not in (None, "none") or body.deliver_branch):
        raise InvalidInput("There is no repository that this could be about: name one", field="repository")
    if not path:
        return GoalSource()
    delivery, branch = body.deliver or "none", body.deliver_branch.strip()
    if delivery == "pull_request":
        raise InvalidInput(
            "A folder takes no pull or merge request: deliver the branch alone, or name the address of its remote",
            field="deliver",
        )
    named = ref or delivery == "branch"
    found = await _resolved(local_source(path), ref, access) if named else Resolved("", "")
    await _checked(_check_folder(Path(path), found.commit, access))
    if delivery == "branch":
        await _check_writable(Path(path))
    if branch:
        _check_branch(branch, delivery, found)
    return GoalSource(
        repository=path, ref=found.ref, base_commit=found.commit, delivery=delivery, delivery_branch=branch
    )


async def _check_writable(path: Path) -> None:
    git_dir = (await origin_of(path)).git_dir or path
    common = git_dir / (await Git(git_dir).run("rev-parse", "--git-common-dir")).word
    for place in (common / "objects", common / "refs"):
        if not await asyncio.to_thread(os.access, place, os.W_OK):
            raise InvalidInput(
                f"The account that runs agenthub may not write to {place}, so no branch can be put into this"
                " repository: give it that right, or take the result with `agenthub goal apply`",
                field="deliver",
            )


async def _check_folder(path: Path, commit: str, access: GitAccess) -> None:
    await examine(path, commit)
    origin = await origin_of(path)
    git = Git(origin.git_dir or path)
    await check_folder(git, commit or (await git.run("rev-parse", "HEAD^{commit}")).word, origin, access)


async def _checked(check: Awaitable[None]) -> None:
    """What cannot be brought along is said now, and nothing that merely takes long."""
    try:
        async with asyncio.timeout(_CHECK_WITHIN_S):
            await check
    except TimeoutError:
        return
    except (SourceRefused, RemoteRefused, RemoteUnavailable) as error:
        raise InvalidInput(str(error), field="repository") from None
    except RepositoryError as error:
        raise InvalidInput(f"The repository cannot be read: {error}", field="repository") from None


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
