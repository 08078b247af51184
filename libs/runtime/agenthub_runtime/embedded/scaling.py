"""More or fewer workers of a hub that runs: new ones are started, surplus ones finish what they hold and end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import msgspec
import structlog
from nats.aio.client import Client

from agenthub_events.errors import AgenthubError, InvalidInput
from agenthub_runtime.bus_users.rights import worker_user
from agenthub_runtime.embedded.services import Service, ServiceSpec
from agenthub_runtime.embedded.supervisor import Supervisor
from agenthub_runtime.operations.registry import DRAIN, STATUS, Answer, ask_service
from agenthub_runtime.settings.worker_counts import MOST, parse_workers
from agenthub_runtime.shutdown import end_tasks

_log = structlog.get_logger(__name__)

_LOOK_S = 0.25


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    types: str
    workers: int


class Scaling:
    """The workers of a hub by name. `users` are the bus users that its server knows: a worker needs one of them.

    `spec_of(name, types)` is how a worker is started; `on_new(name)` hears of one before that.
    """

    def __init__(
        self,
        nc: Client,
        supervisor: Supervisor,
        workers: Mapping[str, str],
        *,
        users: Collection[str],
        spec_of: Callable[[str, str], ServiceSpec],
        on_new: Callable[[str], None],
    ) -> None:
        self._nc = nc
        self._supervisor = supervisor
        self._workers = dict(workers)
        self._users = frozenset(users)
        self._spec_of = spec_of
        self._on_new = on_new
        self._last = len(workers)
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()

    async def order(self, body: bytes) -> Answer:
        """Let so many workers serve these types; another number of the same types counts from then on.

        Raises `InvalidInput`, also for a combination of types for which the bus has no user.
        """
        try:
            wanted = msgspec.json.decode(body, type=_Wanted)
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"Expected types and workers: {error}", field="workers") from None
        if not 0 <= wanted.workers <= MOST:
            raise InvalidInput(f"From 0 to {MOST} workers", field="workers")
        (types,) = parse_workers(f"{wanted.types}=1")
        if worker_user(types.split("+")) not in self._users:
            raise InvalidInput(
                f"Workers for `{types}` need a key of their own on the bus: start the hub with"
                f" `--workers {types}={wanted.workers or 1},…`",
                field="types",
            )
        async with self._lock:
            return await self._scale(types, wanted.workers)

    async def stop(self) -> None:
        """Wait for nobody any more: the supervisor stops them all."""
        await end_tasks(*self._leaving.values())

    async def _scale(self, types: str, count: int) -> Answer:
        present = [name for name, served in self._workers.items() if _same(served, types)]
        started: list[str] = []
        while len(present) + len(started) < count:
            self._last += 1
            name = f"Worker-{self._last}"
            self._on_new(name)
            self._workers[name] = types.replace("+", ",")
            started.append(name)
            await self._supervisor.start(Service(self._spec_of(name, self._workers[name])))
        for name in present[count:]:
            del self._workers[name]
            self._leaving[name] = asyncio.create_task(self._let_go(name), name=f"leave-{name}")
        _log.info("scaled", types=types, workers=count, started=started, leaving=present[count:])
        return {"types": types, "workers": count, "started": started, "leaving": present[count:]}

    async def _let_go(self, name: str) -> None:
        """Drain a worker, and end it once it holds nothing; one that is gone is only not started again."""
        try:
            told = await ask_service(self._nc, "worker", name, DRAIN)
            while told["holding"]:
                await asyncio.sleep(_LOOK_S)
                told = await ask_service(self._nc, "worker", name, STATUS)
        except (LookupError, AgenthubError) as error:
            _log.info("worker_not_drained", worker=name, reason=str(error))
        await self._supervisor.retire(name)
        self._leaving.pop(name, None)


def _same(served: str, types: str) -> bool:
    return Counter(served.split(",")) == Counter(types.split("+"))
