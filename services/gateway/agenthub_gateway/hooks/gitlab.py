"""Reading what GitLab sends: issue events and comments. It says of nobody whether they belong to the project."""

from __future__ import annotations

from typing import Any

import msgspec

from agenthub_gateway.hooks.said import Commented, Issue, Labelled, Said, Unimportant
from agenthub_runtime.remotes.address import Remote, parse_remote
from agenthub_runtime.remotes.hooks import place_of_repository


class _User(msgspec.Struct, frozen=True):
    username: str


class _Label(msgspec.Struct, frozen=True):
    title: str


class _Project(msgspec.Struct, frozen=True):
    git_http_url: str


class _Issue(msgspec.Struct, frozen=True):
    iid: int
    title: str
    url: str
    description: str | None = None
    state: str = "opened"
    action: str = ""
    confidential: bool = False


class _Changed(msgspec.Struct, frozen=True):
    previous: tuple[_Label, ...] = ()
    current: tuple[_Label, ...] = ()


class _Changes(msgspec.Struct, frozen=True):
    labels: _Changed | None = None


class _IssueEvent(msgspec.Struct, frozen=True):
    user: _User
    project: _Project
    object_attributes: _Issue
    labels: tuple[_Label, ...] = ()
    changes: _Changes = _Changes()


class _Note(msgspec.Struct, frozen=True):
    id: int
    note: str
    noteable_type: str = ""
    action: str = "create"
    system: bool = False


class _NoteEvent(msgspec.Struct, frozen=True):
    user: _User
    project: _Project
    object_attributes: _Note
    issue: _Issue | None = None


def read_gitlab(body: bytes) -> Said:
    """What a delivery says. Raises `msgspec.DecodeError` and `RemoteRefused` for one of an odd form."""
    kind = msgspec.json.decode(body, type=dict[str, Any]).get("object_kind")
    if kind == "issue":
        return _of_issue(msgspec.json.decode(body, type=_IssueEvent))
    if kind == "note":
        return _of_note(msgspec.json.decode(body, type=_NoteEvent))
    return Unimportant(f"`{str(kind)[:60]}` begins nothing: send Issues events and Comments")


def _of_issue(told: _IssueEvent) -> Said:
    new = {label.title for label in told.labels} if told.object_attributes.action == "open" else set()
    if told.changes.labels and told.object_attributes.action == "update":
        before = {label.title for label in told.changes.labels.previous}
        new = {label.title for label in told.changes.labels.current} - before
    if not new:
        return Unimportant("An issue has changed, and only a new label begins a goal")
    remote = parse_remote(told.project.git_http_url)
    return Labelled(
        issue=_issue(told.object_attributes, remote),
        labels=tuple(sorted(new)),
        actor=f"{remote.host}/{told.user.username}",
        standing="unsaid",
    )


def _of_note(told: _NoteEvent) -> Said:
    note = told.object_attributes
    if note.noteable_type != "Issue" or told.issue is None:
        return Unimportant("It is a comment on something else than an issue")
    if note.action != "create" or note.system:
        return Unimportant("Only a new comment of a person counts")
    remote = parse_remote(told.project.git_http_url)
    return Commented(
        issue=_issue(told.issue, remote),
        text=note.note,
        comment_id=note.id,
        actor=f"{remote.host}/{told.user.username}",
        standing="unsaid",
    )


def _issue(issue: _Issue, remote: Remote) -> Issue:
    return Issue(
        project=place_of_repository(remote),
        clone_url=remote.url,
        number=issue.iid,
        title=issue.title,
        body=issue.description or "",
        url=issue.url,
        is_open=issue.state != "closed",
        is_confidential=issue.confidential,
    )
