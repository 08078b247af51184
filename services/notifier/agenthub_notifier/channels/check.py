"""How a goal stands, as the check of a commit at GitHub or GitLab, and its end as a comment at its issue."""

from __future__ import annotations

import asyncio

import httpx2

from agenthub_notifier.channels.contract import SEND_WITHIN_S, Accepted, Parcel, Refused, SendResult
from agenthub_notifier.channels.forge_api import ForgeApi
from agenthub_notifier.content.check import comment_of, status_of
from agenthub_notifier.domain.standing import Standing
from agenthub_runtime.remotes.address import is_remote, parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.remotes.forges import Forge, forge_of


class CheckSender:
    """Posts with the tokens of `access`. What stands there already is not posted again."""

    def __init__(self, access: GitAccess) -> None:
        self._access = access

    async def send(self, parcel: Parcel) -> SendResult:
        """Try once; a host without a token or without checks is not tried again."""
        standing = parcel.occurrence.standing
        if standing is None or not is_remote(standing.repository):
            return Refused(reason="a check belongs to a goal on a repository at an address", hopeless=True)
        try:
            forge = forge_of(parse_remote(standing.repository), self._access)
        except RemoteRefused as refused:
            return Refused(reason=str(refused), hopeless=True)
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                return await _post(forge, parcel, standing)
        except TimeoutError:
            return Refused(reason=f"no answer within {SEND_WITHIN_S:g} s")
        except (RemoteRefused, RemoteUnavailable, httpx2.HTTPError) as error:
            return Refused(reason=str(error) or type(error).__name__)


async def _post(forge: Forge, parcel: Parcel, standing: Standing) -> SendResult:
    issue = parcel.recipient.address.partition("#")[2]
    status = status_of(parcel.occurrence, standing, issue)
    marker = f"<!-- agenthub {parcel.message_id} -->"
    comment = comment_of(parcel.occurrence, standing, marker)
    commits = [standing.base_commit]
    if standing.delivered is not None and status.state != "pending":
        commits.append(standing.delivered.commit)
    async with httpx2.AsyncClient(timeout=SEND_WITHIN_S, headers=forge.headers()) as client:
        api = ForgeApi(client, forge)
        for commit in dict.fromkeys(commits):
            await api.set_status(commit, status)
        if issue and comment:
            await api.comment_once(int(issue), comment, marker, parcel.at)
    return Accepted(f"{status.state}: {status.description}")
