"""The whole hub on one machine: NATS, PostgreSQL and every service as supervised children of this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import structlog
from nats.aio.client import Client

from agenthub_runtime.bus_users.rights import worker_user
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.handover import Handover
from agenthub_runtime.embedded.place import RunningHub
from agenthub_runtime.embedded.scaling import Scaling
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.embedded.servers.readiness import is_ready
from agenthub_runtime.embedded.servers.store_watch import StoreWatch
from agenthub_runtime.embedded.servers.tcp_ports import claimable_port
from agenthub_runtime.embedded.services import Service, ServiceSpec
from agenthub_runtime.embedded.supervisor import Supervisor, UnitState
from agenthub_runtime.errors import ServiceFailed
from agenthub_runtime.following import Backoff
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.operations.registry import SCALE, registered
from agenthub_runtime.settings.credentials import credentials_in
from agenthub_runtime.settings.stores import NATS_URL
from agenthub_runtime.settings.table import LINK_KEY, METRICS, PUBLIC_URL, SEAL_KEY, SECRETS
from agenthub_runtime.shutdown import end_tasks

_log = structlog.get_logger(__name__)

READY_WITHIN_S = 300.0

# What a service is told by the stack alone, or what only some of them may know.
_OWN = frozenset(
    {
        *("NATS_URL", "DATABASE_URL", "AGENTHUB_WORKER_NAME", "AGENT_TYPE", "AGENTHUB_HOST", "AGENTHUB_PORT"),
        *("AGENTHUB_API_KEYS", "AGENTHUB_PROVIDER", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
        *("AGENTHUB_LINK_KEY", "AGENTHUB_PUBLIC_URL", "AGENTHUB_NOTIFY", "AGENTHUB_NOTIFY_ESCALATION"),
        *("AGENTHUB_SMTP_URL", "AGENTHUB_WEBHOOK_SECRETS", "AGENTHUB_GIT_TOKENS", "AGENTHUB_SEAL_KEY"),
        *("AGENTHUB_HOOKS", "AGENTHUB_ADVISORIES"),
    }
)
_GIT = ("AGENTHUB_GIT_TOKENS",)
_FOR_GATEWAY = ("AGENTHUB_API_KEYS", "AGENTHUB_HOOKS", *_GIT)
_FOR_NOTIFIER = (
    "AGENTHUB_NOTIFY",
    "AGENTHUB_NOTIFY_ESCALATION",
    "AGENTHUB_SMTP_URL",
    "AGENTHUB_WEBHOOK_SECRETS",
    *_GIT,
)
_FOR_REAL_WORK = (*_GIT, "AGENTHUB_ADVISORIES")
_FOR_WORKERS = ("AGENTHUB_PROVIDER", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")


class StackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to run. Everything is given: the stack reads no environment and knows no service.

    `workers` counts worker processes by agent types joined with `+`. `service_command("worker", "coding")` is the
    command line of a service. `env` is the environment from which services get theirs. `declare(nats)` applies
    streams and consumers. `rehearsal_command(port)`, where given, starts the scripted model server, and workers
    use it instead of a provider.
    """

    port: int
    workers: Mapping[str, int]
    service_command: Callable[..., Sequence[str]]
    env: Mapping[str, str]
    declare: Callable[[Client], Awaitable[object]]
    host: str = "127.0.0.1"
    pg_bin: Path | None = None
    rehearsal_command: Callable[[int], Sequence[str]] | None = None

    def __repr__(self) -> str:
        return f"StackPlan(port={self.port!r}, workers={self.workers!r})"


class EmbeddedStack:
    """One hub on one data folder. `start`, `ready`, then `stop`, in the main thread.

    `rehearsal_url`: where the scripted model answers once the hub is ready; empty without one.
    """

    def __init__(self, data: DataDir, plan: StackPlan) -> None:
        self._data = data
        self._plan = plan
        self._held = ExitStack()
        self._on_bus = AsyncExitStack()
        self._bus: Client | None = None
        self._handover: Handover | None = None
        self._scaling: Scaling | None = None
        self._watching: asyncio.Task[None] | None = None
        self._supervisor = Supervisor(data.run / "services.json", on_death=self._on_death)
        self._port = plan.port
        self._failed_fresh = False
        self.rehearsal_url = ""
        self.nats = NatsServer(data, users=[worker_user(types.split("+")) for types in plan.workers])
        self.postgres = PostgresServer(data, pg_bin=plan.pg_bin)

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://{_in_url(self._plan.host)}:{self._port}"

    @property
    def states(self) -> dict[str, UnitState]:
        """Every process of the hub by name."""
        return self._supervisor.states

    async def start(self) -> None:
        """Start everything. Raises `DataDirBusy`, `DataDirUnusable`, `BinaryMissing`, `ServerFailed`.

        When this fails on a fresh folder, `stop` leaves nothing of it.
        """
        self._held.enter_context(self._data.claim())
        self._failed_fresh = self._data.is_fresh
        self._port = claimable_port(self._plan.host, self._plan.port)
        await self._supervisor.start(self.nats, self.postgres)
        self._bus = await connect(self.nats.authorised_url, "supervisor", give_up_after_s=10)
        await self._plan.declare(self._bus)
        self._watching = asyncio.create_task(StoreWatch(self.nats, self._data.root).run(), name="store-watch")
        names = worker_names(self._plan.workers)
        self._handover = Handover(self._bus, names, Backoff(SystemClock(), SystemIds()))
        await self._handover.start()
        model_env = await self._start_rehearsal()
        workers = [self._worker_spec(name, types, model_env) for name, types in names.items()]
        # A group of its own stops after all that came later: it keeps the spans that they send at their end.
        await self._supervisor.start(Service(self._projector_spec()))
        await self._supervisor.start(*(Service(spec) for spec in (*self._service_specs(), *workers)))
        await self._take_orders(self._bus, self._handover, names, model_env)
        self._failed_fresh = False

    async def ready(self, *, within_s: float = READY_WITHIN_S) -> RunningHub:
        """Wait until the gateway says that the hub is ready, announce it to other shells, and return it.

        Raises `ServiceFailed` when a service keeps dying, or when the time is over.
        """
        deadline = asyncio.get_running_loop().time() + within_s
        while not await is_ready(self._plan.host, self._port):
            self._supervisor.check()
            if asyncio.get_running_loop().time() > deadline:
                raise ServiceFailed(
                    f"The hub is not ready after {within_s:g} s: see {self.url}/health/ready and the logs in "
                    f"{self._data.logs}"
                )
            await asyncio.sleep(0.05)
        hub = RunningHub(
            pid=os.getpid(),
            url=self.url,
            nats_url=self.nats.url,
            postgres_url=self.postgres.url,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=version("agenthub"),
        )
        self._data.announce(hub)
        return hub

    async def stop(self) -> None:
        """Stop everything in under ten seconds and give the folder free; also in the middle of a start."""
        with self._held:
            try:
                await self._let_go()
            finally:
                await self._supervisor.stop()
                if self._failed_fresh:
                    self._data.discard()

    async def _take_orders(
        self, bus: Client, handover: Handover, names: Mapping[str, str], model_env: Mapping[str, str]
    ) -> None:
        """Be found on the bus, and start or end workers when people say so."""
        self._scaling = Scaling(
            bus,
            self._supervisor,
            names,
            users=self._data.secrets.nats_seeds,
            spec_of=lambda name, types: self._worker_spec(name, types, model_env),
            on_new=handover.watch,
        )
        await self._on_bus.enter_async_context(
            registered(
                bus,
                "supervisor",
                instance="embedded",
                description="Keeps the servers and services of this hub alive",
                status=lambda: {"processes": {name: unit.state for name, unit in self.states.items()}},
                orders={SCALE: self._scaling.order},
            )
        )

    async def _let_go(self) -> None:
        await self._on_bus.aclose()
        if self._scaling is not None:
            await self._scaling.stop()
        if self._watching is not None:
            await end_tasks(self._watching)
        if self._handover is not None:
            await self._handover.stop()
        if self._bus is not None:
            await self._bus.close()

    def _on_death(self, name: str, pid: int) -> None:
        if self._handover is not None:
            self._handover.on_death(name, pid)

    async def _start_rehearsal(self) -> dict[str, str]:
        given = {name: self._plan.env[name] for name in _FOR_WORKERS if name in self._plan.env}
        if self._plan.rehearsal_command is None:
            return given
        port = claimable_port("127.0.0.1", 0)
        command = tuple(self._plan.rehearsal_command(port))
        await self._supervisor.start(Service(self._spec("rehearsal", command, {}, stop_within_s=1.0)))
        self.rehearsal_url = f"http://127.0.0.1:{port}"
        return {"AGENTHUB_PROVIDER": "rehearsal", "ANTHROPIC_BASE_URL": self.rehearsal_url}

    def _projector_spec(self) -> ServiceSpec:
        env = {"DATABASE_URL": self.postgres.authorised_url, **self._bus_of("projector")}
        return self._spec("projector", self._plan.service_command("projector"), env)

    def _service_specs(self) -> list[ServiceSpec]:
        command, reads = self._plan.service_command, {"DATABASE_URL": self.postgres.reader_url}
        gateway = {
            **reads,
            **self._bus_of("gateway"),
            **{name: self._plan.env[name] for name in _FOR_GATEWAY if name in self._plan.env},
            "AGENTHUB_HOST": self._plan.host,
            "AGENTHUB_PORT": str(self._port),
            "AGENTHUB_EMBEDDED": "yes",
            **self._links(),
        }
        notifier = {
            **self._bus_of("notifier"),
            **{name: self._plan.env[name] for name in _FOR_NOTIFIER if name in self._plan.env},
            **self._links(),
        }
        orchestrator = {
            **reads,
            **self._bus_of("orchestrator"),
            SEAL_KEY.name: self._data.secrets.seal_key,
        }
        return [
            self._spec("orchestrator", command("orchestrator"), orchestrator),
            self._spec("gateway", command("gateway"), gateway),
            self._spec("notifier", command("notifier"), notifier, critical=False),
        ]

    def _bus_of(self, user: str) -> dict[str, str]:
        return {NATS_URL.name: self.nats.url_of(user)}

    def _links(self) -> dict[str, str]:
        """What notifier and gateway must agree on, for links in messages."""
        key = self._plan.env.get(LINK_KEY.name, "").strip() or self._data.secrets.link_key
        return {PUBLIC_URL.name: self._plan.env.get(PUBLIC_URL.name, "").strip() or self.url, LINK_KEY.name: key}

    def _worker_spec(self, name: str, types: str, model_env: Mapping[str, str]) -> ServiceSpec:
        given = {name: self._plan.env[name] for name in _FOR_REAL_WORK if name in self._plan.env}
        bus = self._bus_of(worker_user(types.split(",")))
        env = {**given, **model_env, **bus, "AGENTHUB_WORKER_NAME": name, "AGENT_TYPE": types}
        return self._spec(name, self._plan.service_command("worker", types), env)

    def _spec(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        stop_within_s: float = 5.0,
        critical: bool = True,
    ) -> ServiceSpec:
        inherited = {key: value for key, value in self._plan.env.items() if key not in _OWN}
        shared = {
            "AGENTHUB_DATA_DIR": str(self._data.root),
            SECRETS.name: self._secrets(),
            **self._metrics(),
        }
        return ServiceSpec(
            name=name,
            argv=tuple(argv),
            env={**inherited, **shared, **env},
            log=self._data.log_file(name),
            stop_within_s=stop_within_s,
            critical=critical,
        )

    def _metrics(self) -> dict[str, str]:
        """All services of this machine cannot listen at one port: each takes a free one and says which."""
        host, _, _ = self._plan.env.get(METRICS.name, "").strip().rpartition(":")
        return {METRICS.name: f"{host}:0"} if host else {}

    def _secrets(self) -> str:
        """What every service masks, also what it is not given itself; the model's key is for workers alone."""
        env = {name: value for name, value in self._plan.env.items() if name not in _FOR_WORKERS}
        declared = SECRETS.parse(env.get(SECRETS.name, "").strip())
        return msgspec.json.encode((*declared, *self._data.secrets.all(), *credentials_in(env))).decode()


def worker_names(workers: Mapping[str, int]) -> dict[str, str]:
    """Worker-1, Worker-2, … in the order of `workers`, each with its agent types joined by commas."""
    kinds = [types.replace("+", ",") for types, count in workers.items() for _ in range(count)]
    return {f"Worker-{number}": types for number, types in enumerate(kinds, start=1)}


def _in_url(host: str) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # shown, not listened on
    return f"[{name}]" if ":" in name else name
