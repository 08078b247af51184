"""Puts the notifier together and runs it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta

import msgspec
import structlog
import uvloop
from nats.aio.client import Client

from agenthub_events.errors import AgenthubError
from agenthub_events.notifications.escalation import Audience, Escalation, as_you
from agenthub_events.ports import EventLog
from agenthub_notifier.channels.apprise import check_addresses
from agenthub_notifier.channels.senders import senders_of
from agenthub_notifier.domain.delivery import PAUSES_S
from agenthub_notifier.domain.planning import WINDOW, NotifierPolicy
from agenthub_notifier.orders import orders
from agenthub_notifier.planner import Planner
from agenthub_notifier.recipients import Recipients
from agenthub_notifier.sender import Sender
from agenthub_notifier.stories import Stories
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.operations.escalation import escalation_now, said
from agenthub_runtime.operations.registry import registered
from agenthub_runtime.processes.environment import forget_foreign
from agenthub_runtime.settings.records import NotifierSettings, read_notifier_settings
from agenthub_runtime.shutdown import together, until_asked_to_stop
from agenthub_runtime.signed_links import LinkSigner
from agenthub_runtime.telemetry.logs import configure_logging
from agenthub_runtime.telemetry.metrics import configure_metrics

log = structlog.get_logger(__name__)

SERVICE = "notifier"


def no_crash(_: str) -> None:
    """Nothing happens at a step."""


class Pace(msgspec.Struct, frozen=True):
    """How long a message waits for what belongs to it, and a failed one for its next tries (seconds)."""

    window: timedelta = WINDOW
    pauses_s: tuple[float, ...] = PAUSES_S


USUAL_PACE = Pace()


async def run_notifier(
    settings: NotifierSettings, *, pace: Pace = USUAL_PACE, crash_point: Callable[[str], None] = no_crash
) -> None:
    """Run until SIGTERM or SIGINT."""
    nats = await connect(settings.nats_url, SERVICE)
    metrics = configure_metrics(settings.log, service=SERVICE, nats=nats)
    try:
        words = "Tells people what waits for them"
        instance = SystemIds().token()[-12:]
        audience = said(audience_of(settings))
        async with registered(nats, SERVICE, instance=instance, description=words, status=lambda: audience):
            await until_asked_to_stop(notify(nats, settings, pace=pace, crash_point=crash_point))
    finally:
        await nats.close()
        metrics.shutdown()


async def notify(
    nats: Client,
    settings: NotifierSettings,
    *,
    pace: Pace = USUAL_PACE,
    crash_point: Callable[[str], None] = no_crash,
) -> None:
    """Plan and send for ever. Cancel it to stop."""
    clock, ids = SystemClock(), SystemIds()
    event_log = JetStreamEventLog(nats, secrets=settings.log.secrets)
    sender = Sender(
        event_log,
        stories_of(settings, event_log, lambda: escalation_now(nats)),
        Recipients(event_log, (*settings.recipients, *settings.escalation)),
        senders_of(settings, clock),
        clock=clock,
        ids=ids,
        pauses_s=pace.pauses_s,
        crash_point=crash_point,
    )
    policy = policy_of(settings, pace.window)
    planner = Planner(event_log, policy, clock=clock, ids=ids, crash_point=crash_point)
    try:
        await together(
            planner.run(),
            follow_forever(
                lambda: orders(nats, sender.room),
                sender.take,
                what="planned notifications",
                backoff=Backoff(clock, ids),
            ),
        )
    finally:
        with suppress(asyncio.CancelledError):
            await sender.close()


def policy_of(settings: NotifierSettings, window: timedelta = WINDOW) -> NotifierPolicy:
    """What the settings say about who is told when."""
    return NotifierPolicy(
        recipients=settings.recipients,
        escalation=settings.escalation,
        quiet=settings.quiet,
        digest=timedelta(seconds=settings.digest_s),
        window=window,
    )


def audience_of(settings: NotifierSettings) -> Audience:
    """Whom the settings name, without a credential."""
    return Audience(
        always=tuple(recipient.name for recipient in settings.recipients if recipient.channel != "check"),
        later=tuple(recipient.name for recipient in settings.escalation),
        quiet=settings.quiet,
    )


def stories_of(
    settings: NotifierSettings, event_log: EventLog, escalation: Callable[[], Awaitable[Escalation | None]]
) -> Stories:
    """What tells messages; with links where the settings allow them."""
    links = None
    if settings.link_key and settings.public_url:
        links = LinkSigner(settings.link_key, settings.public_url)
    audience = as_you(audience_of(settings))
    return Stories(event_log, links, public_url=settings.public_url, escalation=escalation, audience=audience)


def main(env: Mapping[str, str]) -> None:
    """Run one notifier with settings from `env`; exits with 1 and a sentence when it cannot."""
    forget_foreign(os.environ)
    try:
        settings = read_notifier_settings(env)
        configure_logging(settings.log, service=SERVICE)
        check_addresses((*settings.recipients, *settings.escalation))
        uvloop.run(run_notifier(settings))
    except AgenthubError as error:
        sys.exit(f"{SERVICE}: {error}")
