"""Schedules that a webhook runs, signed as Standard Webhooks say."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import post
from litestar.params import FromPath

from agenthub_events.errors import CommandRefused
from agenthub_gateway.api.access import AnyRequest, PortsParam
from agenthub_gateway.api.hooks.issues import HOOK_BODY_MAX
from agenthub_gateway.api.payloads.hooks import HookAnswer
from agenthub_gateway.commands.append import check_key
from agenthub_gateway.commands.schedules.triggering import Trigger
from agenthub_gateway.errors import NotFound, SignatureRefused
from agenthub_gateway.hooks.signatures import is_signed

_log = structlog.get_logger(__name__)


@post(
    "/api/v1/hooks/schedules/{name:str}",
    status_code=200,
    request_max_body_size=HOOK_BODY_MAX,
    tags=["Webhooks"],
    summary="Run a schedule now",
    response_description="What was done",
)
async def run_schedule(name: FromPath[str], request: AnyRequest, ports: PortsParam) -> HookAnswer:
    """Begins the schedule's goal once for each `webhook-id`, at most one a minute. Needs no key.

    Signed as Standard Webhooks say, within the last five minutes; the body is not read.
    """
    keys = ports.hooks.of_schedule(name)
    if not keys:
        raise NotFound(f"No webhook runs a schedule `{name[:60]}`: AGENTHUB_HOOKS names none")
    if not is_signed(keys, request.headers, await request.body()):
        raise SignatureRefused(f"No key of AGENTHUB_HOOKS for the schedule `{name[:60]}` has signed this")
    webhook_id = check_key(request.headers["webhook-id"])
    trigger = Trigger(ports.log, ports.clock.now, ports.telemetry)
    try:
        done = await trigger.run(name, webhook_id)
    except CommandRefused as refused:
        return HookAnswer(result="ignored", reason=str(refused))
    _log.info("schedule_hook_taken", schedule=name, result=done.result, goal_id=done.goal_id)
    return HookAnswer(result=done.result, goal_id=done.goal_id)


HANDLERS: list[Any] = [run_schedule]
