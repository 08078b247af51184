"""Statuses of commits and comments at issues, as the APIs of GitHub and GitLab have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from agenthub_notifier.content.check import CheckStatus
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.remotes.forges import Forge

_SAID = 200
_PAGE = 100
_CLOCKS_DIFFER = timedelta(hours=1)
_AT_GITHUB = {"cancelled": "error"}
_AT_GITLAB = {"pending": "running", "failure": "failed", "cancelled": "canceled"}


class ForgeApi:
    """What `client` asks the API of `forge`. Raises `RemoteRefused` and `RemoteUnavailable`."""

    def __init__(self, client: httpx2.AsyncClient, forge: Forge) -> None:
        self._client = client
        self._forge = forge
        self._is_github = forge.kind == "github"

    async def set_status(self, commit: str, status: CheckStatus) -> None:
        """Give the commit this status, unless it has it."""
        state = (_AT_GITHUB if self._is_github else _AT_GITLAB).get(status.state, status.state)
        standing = await self._status(commit, status.context)
        if self._is_same(standing, state, status.description):
            return
        told = {"state": state, "context": status.context, "description": status.description}
        if status.url:
            told["target_url"] = status.url
        answer = await self._asked("POST", f"/statuses/{commit}", json=told)
        if answer.status_code == 400 and "Cannot transition status" in answer.text:
            return  # GitLab keeps one status of a name while work goes on; the end is another state
        self._checked(answer)

    async def comment_once(self, issue: int, text: str, marker: str, since: datetime) -> None:
        """Write a comment, unless one with this `marker` has been there since."""
        path = f"/issues/{issue}/{'comments' if self._is_github else 'notes'}"
        newest = {"order_by": "created_at", "sort": "desc"}
        begin = {"since": (since.astimezone(UTC) - _CLOCKS_DIFFER).strftime("%Y-%m-%dT%H:%M:%SZ")}
        found = await self._listed(path, begin if self._is_github else newest)
        if not any(marker in str(item.get("body", "")) for item in found):
            self._checked(await self._asked("POST", path, json={"body": text}))

    async def _status(self, commit: str, context: str) -> dict[str, Any] | None:
        if self._is_github:
            found = await self._listed(f"/commits/{commit}/statuses", {})
            return next((item for item in found if item.get("context") == context), None)
        found = await self._listed(f"/repository/commits/{commit}/statuses", {"name": context})
        return next((item for item in found if item.get("name") == context), None)

    def _is_same(self, standing: dict[str, Any] | None, state: str, description: str) -> bool:
        if standing is None:
            return False
        if self._is_github:
            return (standing.get("state"), standing.get("description")) == (state, description)
        return standing.get("status") == state

    async def _listed(self, path: str, asked: dict[str, str]) -> list[dict[str, Any]]:
        answer = self._checked(await self._asked("GET", path, params={**asked, "per_page": str(_PAGE)}))
        try:
            found = answer.json()
        except ValueError:
            raise RemoteUnavailable(f"{self._forge.api} answered with something else than JSON") from None
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    async def _asked(self, method: str, path: str, **more: Any) -> httpx2.Response:
        return await self._client.request(method, f"{self._forge.project_api}{path}", **more)

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success:
            return answer
        said = f"{self._forge.api} answered {answer.status_code}: {answer.text[:_SAID]}"
        if answer.status_code in (401, 403, 404):
            raise RemoteRefused(f"The token of AGENTHUB_GIT_TOKENS may not write statuses or comments: {said}")
        raise RemoteUnavailable(said)
