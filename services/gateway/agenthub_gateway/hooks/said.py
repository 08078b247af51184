"""What a host has said about an issue, in one form for all hosts."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Standing: TypeAlias = Literal["belongs", "stranger", "bot", "unsaid"]
"""What the host says of who acted: belongs to the repository, does not, is a program, or nothing."""


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """An issue as it was when the host spoke. `project` is `host/owner/name`, `clone_url` its address for git."""

    project: str
    clone_url: str
    number: int
    title: str
    body: str
    url: str
    is_open: bool = True
    is_confidential: bool = False


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody (`actor`, as `host/login`) has put `labels` on an issue."""

    issue: Issue
    labels: tuple[str, ...]
    actor: str
    standing: Standing


class Commented(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody has written a comment; `comment_id` is the same however often the host says so."""

    issue: Issue
    text: str
    comment_id: int
    actor: str
    standing: Standing


class Unimportant(msgspec.Struct, frozen=True):
    """Nothing follows from it, and why."""

    reason: str


Said: TypeAlias = Labelled | Commented | Unimportant
