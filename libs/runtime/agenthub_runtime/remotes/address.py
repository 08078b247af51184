"""Addresses of repositories: which are taken, and which host's credential belongs to one."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote, urlsplit

import msgspec

from agenthub_runtime.remotes.errors import RemoteRefused

SCHEMES = frozenset({"https", "http", "ssh"})
_SCP_LIKE = re.compile(r"(?P<user>\w[\w.-]*)@(?P<host>\w[\w.-]*):(?P<path>(?!//)[^\s]+)")
_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//|:)")
_NO_REF = re.compile(r"[\s\x00-\x1f\x7f~^:?*\[\\]|\.\.|//|@\{|^[-/.]|[/.]$|\.lock$")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")


class Remote(msgspec.Struct, frozen=True):
    """A repository at an address. `host` is as credentials are set for it: with its port when it has one."""

    url: str
    scheme: str
    host: str
    path: str

    def __str__(self) -> str:
        return self.url


def is_remote(text: str) -> bool:
    """Whether `text` is meant as an address elsewhere, and no path on this machine."""
    if text.startswith("file://"):
        return False
    return bool(_WITH_SCHEME.match(text) or _SCP_LIKE.fullmatch(text))


def parse_remote(text: str) -> Remote:
    """The repository that an address names. Raises `RemoteRefused`; a credential in it is never repeated."""
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise RemoteRefused("The address of the repository has a space or a line break in it: take it out.")
    scp = _SCP_LIKE.fullmatch(text)
    if scp:
        _refuse_other_paths(scp["path"])
        return Remote(text, "ssh", scp["host"].lower(), scp["path"])
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise RemoteRefused("The address of the repository cannot be read: check its host and port.") from None
    if parts.scheme not in SCHEMES:
        raise RemoteRefused(
            f"Repositories are fetched by https and ssh, not by `{parts.scheme[:20]}`: give an address such as"
            " https://host/owner/name.git or git@host:owner/name.git."
        )
    if not re.fullmatch(r"\w[\w.-]*|[0-9a-f:.]+", host) or not parts.path.strip("/"):
        raise RemoteRefused(
            "The address of the repository lacks its host or its path: https://host/owner/name.git."
        )
    _refuse_credential(parts.scheme, parts.netloc, parts.query, parts.fragment)
    if parts.scheme == "http" and not _is_this_machine(host):
        raise RemoteRefused(
            f"http:// to {host} is not encrypted, so code and token could be read on the way: use https://."
        )
    _refuse_other_paths(parts.path)
    named = f"[{host}]" if ":" in host else host
    return Remote(text, parts.scheme, f"{named}:{port}" if port else named, unquote(parts.path))


def local_source(path: str) -> Remote:
    """A folder of this machine as git addresses it."""
    return Remote(path, "file", "", path)


def _refuse_credential(scheme: str, netloc: str, query: str, fragment: str) -> None:
    user, separator, _ = netloc.rpartition("@")
    if separator and (scheme != "ssh" or ":" in user or not re.fullmatch(r"\w[\w.-]*", user)):
        raise RemoteRefused(
            "The address of the repository holds a credential, and addresses stand in the log for ever: take out"
            " what is before the `@`, and set the token in AGENTHUB_GIT_TOKENS as `host=token`."
        )
    if query or fragment:
        raise RemoteRefused("The address of the repository goes on after its path: take out `?…` and `#…`.")


def _refuse_other_paths(path: str) -> None:
    """Refuse a path that its host may take for another one: the secret of a webhook, or an API, is told by it."""
    meant = unquote(path)
    is_plain = meant.count("/") == path.count("/") and "%" not in meant and "\\" not in meant
    if not is_plain or not meant.isprintable() or any(part in (".", "..") for part in meant.split("/")):
        raise RemoteRefused(
            "The path of the repository has `..`, `.`, a backslash or an encoded slash in it, so that it may mean"
            " another one: give it as its host shows it."
        )


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_commit(ref: str) -> bool:
    """Whether a ref is the full id of a commit."""
    return bool(_COMMIT.fullmatch(ref))


def check_ref(ref: str) -> str:
    """`ref` when a branch, a tag or a commit can be called so. Raises `RemoteRefused`."""
    if not ref or _NO_REF.search(ref):
        raise RemoteRefused(
            f"`{ref[:100]}` can be no branch, tag or commit: give the name as `git branch` shows it."
        )
    return ref


def looks_like_short_commit(ref: str) -> bool:
    """Whether a name that was not found looks like the beginning of a commit's id."""
    return bool(_SHORT_COMMIT.fullmatch(ref))
