"""Whether somebody may write to a repository, as its host says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.remotes.forges import Forge

if TYPE_CHECKING:
    import httpx2

WITHIN_S = 5.0
_WRITING = frozenset({"admin", "maintain", "write"})
_DEVELOPER = 30


async def may_write(forge: Forge, login: str) -> bool:
    """Ask the host, with the token of the hub. Raises `RemoteRefused` and `RemoteUnavailable`."""
    # Loading takes a moment, and only hubs that take webhooks pay.
    import httpx2

    try:
        async with httpx2.AsyncClient(timeout=WITHIN_S, headers=forge.headers()) as client:
            return await (_at_github if forge.kind == "github" else _at_gitlab)(client, forge, login)
    except httpx2.HTTPError as error:
        raise RemoteUnavailable(f"{forge.api} could not be reached: {error}") from None


async def _at_github(client: httpx2.AsyncClient, forge: Forge, login: str) -> bool:
    found = _read(forge, await client.get(f"{forge.project_api}/collaborators/{quote(login, safe='')}/permission"))
    return isinstance(found, dict) and found.get("permission") in _WRITING


async def _at_gitlab(client: httpx2.AsyncClient, forge: Forge, login: str) -> bool:
    asked = {"query": login, "per_page": "100"}
    found = _read(forge, await client.get(f"{forge.project_api}/members/all", params=asked))
    members = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    own = [one for one in members if str(one.get("username", "")).lower() == login.lower()]
    levels = [one.get("access_level") for one in own if one.get("state", "active") == "active"]
    return any(isinstance(level, int) and level >= _DEVELOPER for level in levels)


def _read(forge: Forge, answer: httpx2.Response) -> Any:
    if answer.status_code == 404:
        return None
    if answer.status_code in (401, 403):
        raise RemoteRefused(f"{forge.api} does not tell the token of AGENTHUB_GIT_TOKENS who may write")
    if not answer.is_success:
        raise RemoteUnavailable(f"{forge.api} answered {answer.status_code}")
    try:
        return answer.json()
    except ValueError:
        raise RemoteUnavailable(f"{forge.api} answered with something else than JSON") from None
