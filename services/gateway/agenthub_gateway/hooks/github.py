"""Reading what GitHub sends: the events `issues` and `issue_comment`."""

from __future__ import annotations

import msgspec

from agenthub_gateway.hooks.said import Commented, Issue, Labelled, Said, Standing, Unimportant
from agenthub_runtime.remotes.address import parse_remote
from agenthub_runtime.remotes.hooks import place_of_repository

_BELONGS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})


class _User(msgspec.Struct, frozen=True):
    login: str
    type: str = ""


class _Label(msgspec.Struct, frozen=True):
    name: str


class _Issue(msgspec.Struct, frozen=True):
    number: int
    title: str
    html_url: str
    user: _User
    body: str | None = None
    state: str = "open"
    author_association: str = ""
    pull_request: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Comment(msgspec.Struct, frozen=True):
    id: int
    body: str
    user: _User
    author_association: str = ""


class _Repository(msgspec.Struct, frozen=True):
    clone_url: str


class _Delivery(msgspec.Struct, frozen=True):
    action: str
    repository: _Repository
    issue: _Issue
    sender: _User
    label: _Label | None = None
    comment: _Comment | None = None


def read_github(event: str, body: bytes) -> Said:
    """What a signed delivery says. Raises `msgspec.DecodeError` and `RemoteRefused` for one of an odd form."""
    if event not in ("issues", "issue_comment"):
        return Unimportant(f"`{event[:60]}` begins nothing: send Issues and Issue comments")
    told = msgspec.json.decode(body, type=_Delivery)
    if told.issue.pull_request is not msgspec.UNSET:
        return Unimportant("It is about a pull request, and goals are made of issues")
    remote = parse_remote(told.repository.clone_url)
    issue = Issue(
        project=place_of_repository(remote),
        clone_url=remote.url,
        number=told.issue.number,
        title=told.issue.title,
        body=told.issue.body or "",
        url=told.issue.html_url,
        is_open=told.issue.state == "open",
    )
    if event == "issues":
        if told.action != "labeled" or told.label is None:
            return Unimportant(f"An issue was {told.action[:30]}, and only its label begins a goal")
        actor = f"{remote.host}/{told.sender.login}"
        return Labelled(issue=issue, labels=(told.label.name,), actor=actor, standing=_who_labelled(told))
    if told.action != "created" or told.comment is None:
        return Unimportant(f"A comment was {told.action[:30]}, and only a new one counts")
    return Commented(
        issue=issue,
        text=told.comment.body,
        comment_id=told.comment.id,
        actor=f"{remote.host}/{told.comment.user.login}",
        standing=_standing(told.comment.user, told.comment.author_association),
    )


def _standing(user: _User, association: str) -> Standing:
    if user.type == "Bot":
        return "bot"
    return "belongs" if association in _BELONGS else "stranger"


def _who_labelled(told: _Delivery) -> Standing:
    """Only who may triage can label an issue of others; its template labels an issue in the name of its author."""
    if told.sender.login == told.issue.user.login:
        return _standing(told.sender, told.issue.author_association)
    return "bot" if told.sender.type == "Bot" else "belongs"
