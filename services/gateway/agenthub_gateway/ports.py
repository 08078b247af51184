"""What the gateway's handlers work with; put together in `app.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agenthub_events.ports import Artifacts, Clock, EventLog, Ids
from agenthub_events.redaction import KnownSecrets
from agenthub_gateway.commands.append import Writer
from agenthub_gateway.commands.sessions import Sessions
from agenthub_gateway.erasing import Erased
from agenthub_gateway.hub_figures import HubFigures
from agenthub_gateway.live.broadcaster import Broadcaster
from agenthub_gateway.live.outputs import RunOutputs
from agenthub_gateway.progress import Lag
from agenthub_gateway.queues import QueueView
from agenthub_replay.history import HistorySource
from agenthub_runtime.jetstream.fleet import FollowerStatus, ModelReport, WorkerStatus
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.operations.escalation import EscalationKnown
from agenthub_runtime.operations.holding import Lanes
from agenthub_runtime.operations.registry import ServiceSeen
from agenthub_runtime.operations.storage import Storage
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import PositionWatch
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.hooks import NO_HOOKS, Hooks
from agenthub_runtime.signed_links import LinkSigner
from agenthub_runtime.telemetry.metrics import Metrics
from agenthub_runtime.telemetry.tracing import Telemetry


class Sources(msgspec.Struct, frozen=True):
    """Where goals may get their repositories: with what `access` elsewhere, and whether on this machine.

    A folder of this machine makes sense only to a hub whose workers run on it.
    `private` are the hosts of private networks that their commands may be let to.
    """

    access: GitAccess
    local: bool
    private: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayPorts:
    """The collaborators of the handlers.

    `histories` gives out what replay reads, `queues` tells what waits in the work queues, `workers` who lives,
    `model` (told whether to probe) which model workers ask, `followers` what orchestrators have lately said of
    themselves, `services` (of one kind, or all) which processes answer, `escalation` what they do about questions
    that nobody answers, `storage` how much room the streams take; `lanes` can be held, and `tell` gives
    a process an order (service, instance, verb, body) or raises `LookupError`; `lag` says whether the read
    models keep up; `runs` has the recorded steps of attempts, `secrets` is masked in what is shown of them;
    `erase` takes away what a goal keeps beside the log, `metrics` gives out what is counted, `figures` looks
    at the hub for them. `sources` says where goals may get repositories, `links` reads what links in messages
    claim; None: none are signed. `sessions` are those of browsers, `public_url` is the address that people use,
    empty when none is set. `hooks` says which webhooks are taken.
    """

    log: EventLog
    writer: Writer
    database: Database
    position: PositionWatch
    feed: Broadcaster
    outputs: RunOutputs
    artifacts: Artifacts
    runs: JetStreamRunLog
    secrets: KnownSecrets
    clock: Clock
    ids: Ids
    repositories: Path
    connected: Callable[[], bool]
    histories: HistorySource
    queues: Callable[[], Awaitable[list[QueueView]]]
    workers: Callable[[], Awaitable[list[WorkerStatus]]]
    model: Callable[[bool], Awaitable[ModelReport | None]]
    followers: Callable[[], Awaitable[list[FollowerStatus]]]
    services: Callable[[str], Awaitable[list[ServiceSeen]]]
    tell: Callable[[str, str, str, object], Awaitable[dict[str, Any]]]
    escalation: Callable[[], Awaitable[EscalationKnown]]
    storage: Callable[[], Awaitable[Storage]]
    lanes: Lanes
    lag: Lag
    erase: Callable[[str], Awaitable[Erased]]
    sources: Sources
    telemetry: Telemetry
    metrics: Metrics
    figures: HubFigures
    sessions: Sessions
    public_url: str = ""
    links: LinkSigner | None = None
    hooks: Hooks = NO_HOOKS
