"""Goals from issues: what GitHub and GitLab send, signed, when one is labelled or commented on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from litestar import post

from agenthub_events.errors import CommandRefused, InvalidInput
from agenthub_events.subjects import GOAL_AS_A_WHOLE, goal_id_for_key, uuid5
from agenthub_gateway.api.access import AnyRequest, PortsParam
from agenthub_gateway.api.payloads.body_hashes import hashes_of
from agenthub_gateway.api.payloads.hooks import HookAnswer
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_gateway.api.payloads.submission import accepted_from
from agenthub_gateway.commands.append import Intent
from agenthub_gateway.commands.hooks.telling import tell_goal
from agenthub_gateway.commands.submit import submit_goal
from agenthub_gateway.errors import KeyReused, MalformedBody, NotFound
from agenthub_gateway.hooks.github import read_github
from agenthub_gateway.hooks.gitlab import read_gitlab
from agenthub_gateway.hooks.judging import Judged, Wanted, feedback_text, goal_text, judge, refusal
from agenthub_gateway.hooks.said import Issue, Said, Unimportant
from agenthub_gateway.hooks.signatures import HookKind, who_signed
from agenthub_gateway.ports import GatewayPorts
from agenthub_runtime.remotes.address import parse_remote
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.remotes.forges import forge_of
from agenthub_runtime.remotes.permissions import may_write

_log = structlog.get_logger(__name__)

HOOK_BODY_MAX = 1 << 20
_TAG = "Webhooks"


@post(
    "/api/v1/hooks/github",
    status_code=200,
    request_max_body_size=HOOK_BODY_MAX,
    tags=[_TAG],
    summary="A webhook of GitHub",
    response_description="What was done",
)
async def github(request: AnyRequest, ports: PortsParam) -> HookAnswer:
    """Takes the events Issues and Issue comments, signed in `X-Hub-Signature-256`. Needs no key."""
    event = request.headers.get("x-github-event", "")
    return await _answer("github", request, ports, lambda body: read_github(event, body))


@post(
    "/api/v1/hooks/gitlab",
    status_code=200,
    request_max_body_size=HOOK_BODY_MAX,
    tags=[_TAG],
    summary="A webhook of GitLab",
    response_description="What was done",
)
async def gitlab(request: AnyRequest, ports: PortsParam) -> HookAnswer:
    """Takes Issues events and Comments, with `X-Gitlab-Token` or signed in `webhook-signature`. Needs no key."""
    return await _answer("gitlab", request, ports, read_gitlab)


async def _answer(
    kind: HookKind, request: AnyRequest, ports: GatewayPorts, read: Callable[[bytes], Said]
) -> HookAnswer:
    secrets = ports.hooks.of_repositories()
    if not secrets:
        raise NotFound("No webhook is taken: AGENTHUB_HOOKS names no repository")
    body = await request.body()
    signed = who_signed(secrets, kind, request.headers, body)
    judged = judge(_read(read, body), ports.hooks, signed)
    if isinstance(judged, Wanted):
        judged = await _of_who_may(ports, judged)
    if isinstance(judged, Unimportant):
        answer = HookAnswer(result="ignored", reason=judged.reason)
    else:
        answer = await _carry_out(ports, judged)
    _log.info("hook_taken", kind=kind, result=answer.result, goal_id=answer.goal_id, reason=answer.reason)
    return answer


def _read(read: Callable[[bytes], Said], body: bytes) -> Said:
    try:
        return read(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The delivery has another form than is known: {error}") from None
    except RemoteRefused as refused:
        raise InvalidInput(str(refused)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"The body cannot be read as JSON: {type(error).__name__}") from None


async def _of_who_may(ports: GatewayPorts, wanted: Wanted) -> Judged:
    """The wish, when its host says that `actor` may write there; without a token what it has said counts."""
    if wanted.is_named:
        return wanted
    host, _, login = wanted.actor.rpartition("/")
    access = ports.sources.access
    try:
        if access.token(host):
            may = await may_write(forge_of(parse_remote(wanted.issue.clone_url), access), login)
        else:
            may = wanted.standing == "belongs"
    except RemoteUnavailable as away:
        return Unimportant(f"Whether {wanted.actor} may write was not to be learned, so send it again: {away}")
    except RemoteRefused as refused:
        return Unimportant(f"Whether {wanted.actor} may write is not told: {refused}")
    return wanted if may else refusal(wanted.actor, wanted.standing)


async def _carry_out(ports: GatewayPorts, wanted: Wanted) -> HookAnswer:
    goal_id = goal_of_issue(wanted.issue)
    if await ports.log.last(f"{goal_id}.{GOAL_AS_A_WHOLE}.goal") is None:
        return await _begin(ports, goal_id, wanted)
    if not wanted.words:
        return HookAnswer(result="known", goal_id=goal_id)
    text = feedback_text(wanted)
    try:
        said = hashlib.sha256(text.encode()).hexdigest()
        told = await tell_goal(ports.writer, goal_id, text, _intent(wanted, said))
    except CommandRefused as refused:
        return HookAnswer(result="ignored", goal_id=goal_id, reason=str(refused))
    return HookAnswer(result=told, goal_id=goal_id)


async def _begin(ports: GatewayPorts, goal_id: str, wanted: Wanted) -> HookAnswer:
    has_token = bool(ports.sources.access.token(wanted.issue.project.partition("/")[0]))
    body = SubmitBody(
        goal=goal_text(wanted),
        repository=wanted.issue.clone_url,
        deliver="pull_request" if has_token else None,
        notify=(f"check#{wanted.issue.number}",) if has_token else msgspec.UNSET,
    )
    accepted = await accepted_from(body, ports.sources)
    try:
        outcome = await submit_goal(ports.writer, goal_id, accepted, _intent(wanted, hashes_of(body).now))
    except KeyReused:
        # Another delivery about the same issue came first, with other words.
        return HookAnswer(result="known", goal_id=goal_id)
    return HookAnswer(result="known" if outcome.replayed else "began", goal_id=goal_id)


def goal_of_issue(issue: Issue) -> str:
    """The one goal of an issue."""
    return goal_id_for_key(f"issues of {issue.project.lower()}", str(issue.number))


def _intent(wanted: Wanted, body_hash: str) -> Intent:
    request = f"{wanted.issue.project.lower()}|{wanted.issue.number}|{wanted.request}"
    return Intent(actor=wanted.actor, request_id=f"r-{uuid5(request)}", body_hash=body_hash, keyed=True)


HANDLERS: list[Any] = [github, gitlab]
