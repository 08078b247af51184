"""Pull requests at GitHub and merge requests at GitLab: one for a branch, however often it is asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx2

from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.remotes.forges import Forge

WITHIN_S = 30.0
_THERE_ALREADY = (409, 422)
_SAID = 300


class ChangeRequest(NamedTuple):
    """What is asked for: `branch` into `target`."""

    branch: str
    target: str
    title: str
    text: str


async def open_request(forge: Forge, wanted: ChangeRequest) -> str:
    """The address of the open request for the branch, made unless there is one.

    Raises `RemoteRefused` or `RemoteUnavailable`.
    """
    async with httpx2.AsyncClient(timeout=WITHIN_S, headers=forge.headers()) as client:
        api = _Api(client, forge)
        known = await api.find(wanted)
        if known:
            return known
        response = await api.create(wanted)
        if response.status_code in _THERE_ALREADY:
            # Made by an attempt that could not tell any more, or refused.
            known = await api.find(wanted)
            if known:
                return known
        return api.address(api.checked(response).json())


class _Api:
    def __init__(self, client: httpx2.AsyncClient, forge: Forge) -> None:
        self._client = client
        self._forge = forge
        self._list = f"{forge.project_api}/{'pulls' if forge.kind == 'github' else 'merge_requests'}"

    async def find(self, wanted: ChangeRequest) -> str:
        """The address of the open request; empty when there is none."""
        if self._forge.kind == "github":
            owner = self._forge.project.partition("/")[0]
            asked = {"state": "open", "head": f"{owner}:{wanted.branch}", "base": wanted.target}
        else:
            asked = {"state": "opened", "source_branch": wanted.branch, "target_branch": wanted.target}
        found = self.checked(await self._send("GET", params=asked)).json()
        return self.address(found[0]) if found else ""

    async def create(self, wanted: ChangeRequest) -> httpx2.Response:
        if self._forge.kind == "github":
            told = {"title": wanted.title, "head": wanted.branch, "base": wanted.target, "body": wanted.text}
        else:
            told = {
                "title": wanted.title,
                "source_branch": wanted.branch,
                "target_branch": wanted.target,
                "description": wanted.text,
            }
        return await self._send("POST", json=told)

    def address(self, request: Any) -> str:
        """Where people see the request."""
        try:
            return str(request["html_url" if self._forge.kind == "github" else "web_url"])
        except (KeyError, TypeError):
            raise RemoteUnavailable(f"{self._forge.api} answered without the address of the request.") from None

    def checked(self, response: httpx2.Response) -> httpx2.Response:
        code, api, project = response.status_code, self._forge.api, self._forge.project
        if code < 300:
            return response
        said = f"{code}: {response.text[:_SAID]}"
        if code in (401, 403, 404):
            raise RemoteRefused(
                f"{api} does not let the token of AGENTHUB_GIT_TOKENS make a request in {project}: give one that"
                f" may write pull or merge requests there. It said {said}"
            )
        if code == 429 or code >= 500:
            raise RemoteUnavailable(f"{api} could not answer: {said}")
        raise RemoteRefused(f"{api} did not take the request in {project}: {said}")

    async def _send(self, method: str, **told: Any) -> httpx2.Response:
        try:
            return await self._client.request(method, self._list, **told)
        except httpx2.HTTPError as error:
            raise RemoteUnavailable(f"{self._forge.api} could not be reached: {error}") from None
