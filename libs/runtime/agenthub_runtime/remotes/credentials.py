"""The credentials of the hub's own git, by host, and the environment through which git learns of one.

A token reaches git by a credential helper that reads it from its environment: it stands in no argument, no file
and no configuration. Git asks the helper for this very host alone, so no redirect carries a token elsewhere.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import msgspec

from agenthub_runtime.remotes.address import Remote
from agenthub_runtime.remotes.errors import RemoteRefused

# What the token is for decides nothing at GitHub and GitLab; both take any name beside one.
_USER = "x-access-token"
PASSED = (
    *("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""Variables of the hub's own environment by which git finds proxies and certificates."""

_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n"'
    ' "$AGENTHUB_GIT_USER" "$AGENTHUB_GIT_TOKEN"; }; f'
)


class GitAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub's git may use: `tokens` (`token` or `user:token`) and `ssh_keys` (paths) by host.

    `forges` says of a host where its API is, `passed` are variables of the hub's environment about proxies and
    certificates.
    """

    tokens: Mapping[str, str] = {}
    ssh_keys: Mapping[str, str] = {}
    forges: Mapping[str, str] = {}
    passed: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"GitAccess(hosts={sorted({*self.tokens, *self.ssh_keys})!r})"

    def has_credential(self, remote: Remote) -> bool:
        """Whether something is set for the remote's host."""
        return remote.host in (self.ssh_keys if remote.scheme == "ssh" else self.tokens)

    def token(self, host: str) -> str:
        """The token alone, for an API of the host; empty when none is set."""
        user, separator, token = self.tokens.get(host, "").partition(":")
        return token if separator else user

    def environment(self, remote: Remote) -> dict[str, str]:
        """What git's environment needs beyond that of a local command. Raises `RemoteRefused`."""
        allowed = {"GIT_ALLOW_PROTOCOL": remote.scheme, **self.passed}
        if remote.scheme == "ssh":
            return {**allowed, "GIT_SSH_COMMAND": self._ssh(remote)}
        given = self.tokens.get(remote.host, "")
        if not given:
            return allowed
        user, separator, token = given.partition(":")
        return {
            **allowed,
            "AGENTHUB_GIT_USER": user if separator else _USER,
            "AGENTHUB_GIT_TOKEN": token if separator else given,
        }

    def options(self, remote: Remote) -> list[str]:
        """Options before git's command; no credential is among them."""
        patience = ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"]
        if remote.scheme == "ssh" or not self.tokens.get(remote.host):
            return patience
        return [*patience, "-c", f"credential.{remote.scheme}://{remote.host}.helper={_HELPER}"]

    def _ssh(self, remote: Remote) -> str:
        host = remote.host
        key = self.ssh_keys.get(host)
        if key is None:
            raise RemoteRefused(
                f"No ssh key is set for {host}: set AGENTHUB_GIT_SSH_KEYS to `{host}=/path/of/the/key`,"
                " or give an https address."
            )
        words = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "IdentityAgent=none"]
        words += ["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-i", key]
        return " ".join(shlex.quote(word) for word in words)


NO_ACCESS = GitAccess()
