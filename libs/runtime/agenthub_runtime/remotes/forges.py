"""Which hosts offer pull or merge requests, and where their API is."""

from __future__ import annotations

from typing import Literal, TypeAlias
from urllib.parse import quote

import msgspec

from agenthub_runtime.remotes.address import Remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused

ForgeKind: TypeAlias = Literal["github", "gitlab"]

_KNOWN: dict[str, ForgeKind] = {"github.com": "github", "gitlab.com": "gitlab"}
_PUBLIC = {"github.com": "https://api.github.com"}
_API_PATH: dict[ForgeKind, str] = {"github": "/api/v3", "gitlab": "/api/v4"}


class Forge(msgspec.Struct, frozen=True):
    """A host's API of pull or merge requests. `project` is `owner/name`, for GitLab with its groups."""

    kind: ForgeKind
    api: str
    project: str
    token: str

    def __repr__(self) -> str:
        return f"Forge(kind={self.kind!r}, api={self.api!r}, project={self.project!r})"

    @property
    def project_api(self) -> str:
        """Where the API speaks of this project."""
        if self.kind == "github":
            return f"{self.api}/repos/{quote(self.project)}"
        return f"{self.api}/projects/{quote(self.project, safe='')}"

    def headers(self) -> dict[str, str]:
        """What every request to the API carries, the token among it."""
        if self.kind == "github":
            return {
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }
        return {"PRIVATE-TOKEN": self.token}


def forge_of(remote: Remote, access: GitAccess) -> Forge:
    """The forge that a repository is at. Raises `RemoteRefused` when none is known, or no token is set for it."""
    host = remote.host
    told = access.forges.get(host, "")
    word, _, api = told.partition(":")
    kind = _kind(host, word)
    token = access.token(host)
    if not token:
        raise RemoteRefused(
            f"A pull or merge request at {host} needs a token that may make it: set AGENTHUB_GIT_TOKENS to"
            f" `{host}=<token>` for the hub, or deliver the branch alone."
        )
    project = remote.path.strip("/").removesuffix(".git")
    return Forge(
        kind, (api or _PUBLIC.get(host) or f"https://{host}{_API_PATH[kind]}").rstrip("/"), project, token
    )


def _kind(host: str, word: str) -> ForgeKind:
    if word in ("github", "gitlab"):
        return "github" if word == "github" else "gitlab"
    if word:
        raise RemoteRefused(f"AGENTHUB_GIT_FORGES calls {host} `{word[:30]}`: use `github` or `gitlab`.")
    if host not in _KNOWN:
        raise RemoteRefused(
            f"How {host} takes pull or merge requests is not known: set AGENTHUB_GIT_FORGES to `{host}=github`"
            f" or `{host}=gitlab` for the hub, or deliver the branch alone."
        )
    return _KNOWN[host]
