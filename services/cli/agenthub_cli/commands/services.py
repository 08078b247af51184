"""One service in this process, against a running NATS and Postgres."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Count
from agenthub_cli.client.environment import data_folder, environment
from agenthub_cli.errors import CommandFailed
from agenthub_cli.program import program


def orchestrator() -> None:
    """Run one orchestrator (NATS_URL; DATABASE_URL is a hint where to start)."""
    from agenthub_orchestrator.app import run_orchestrator
    from agenthub_orchestrator.process import main
    from agenthub_runtime.settings.records import read_orchestrator_settings

    # Each service reads its settings itself; read here first, what does not fit is told like everywhere.
    env = environment()
    read_orchestrator_settings(env)
    main(run_orchestrator, "orchestrator", read_orchestrator_settings, env)


def projector() -> None:
    """Run one projector (NATS_URL, DATABASE_URL)."""
    from agenthub_orchestrator.process import main
    from agenthub_orchestrator.projector.app import run_projector
    from agenthub_runtime.settings.records import read_projector_settings

    env = environment()
    read_projector_settings(env)
    main(run_projector, "projector", read_projector_settings, env)


def worker(
    types: Annotated[
        str | None,
        Parameter(env_var="AGENT_TYPE", help="Agent types to serve, e.g. `coding` or `architect,planner`"),
    ] = None,
    *,
    slots: Annotated[Count | None, Parameter(help="Tasks at once; default: AGENTHUB_SLOTS or 1")] = None,
) -> None:
    """Run one worker (NATS_URL or the hub that runs on this machine, and what its model needs)."""
    if types is None:
        from agenthub_events.agent_types import AGENT_TYPES

        raise CommandFailed(
            f"Say which agent types the worker is to serve: {', '.join(AGENT_TYPES)}",
            hint=f"one or more, for example `{program()} worker coding` or `{program()} worker testing,review`",
            code=exit_codes.USAGE,
        )
    from agenthub_runtime.settings.records import read_worker_settings
    from agenthub_worker.app import main

    extra = {"AGENT_TYPE": types} | ({"AGENTHUB_SLOTS": str(slots)} if slots is not None else {})
    env = {**_bus_of_this_machine(types), **environment(), **extra}
    read_worker_settings(env)
    main(env)


def gateway() -> int:
    """Run one gateway (NATS_URL, DATABASE_URL, AGENTHUB_HOST, AGENTHUB_PORT)."""
    from agenthub_gateway.app import main
    from agenthub_runtime.settings.records import read_gateway_settings

    env = environment()
    read_gateway_settings(env)
    return main(env)


def notifier() -> None:
    """Run one notifier (NATS_URL, AGENTHUB_NOTIFY, AGENTHUB_SMTP_URL and what else its recipients need)."""
    from agenthub_notifier.app import main
    from agenthub_runtime.settings.records import read_notifier_settings

    env = environment()
    read_notifier_settings(env)
    main(env)


def _bus_of_this_machine(types: str) -> dict[str, str]:
    from agenthub_runtime.bus_users.rights import ANY_WORKER, worker_user
    from agenthub_runtime.embedded.data_folder import DataDir
    from agenthub_runtime.settings.setting import agent_types

    folder = DataDir(data_folder())
    hub = folder.running_hub()
    if hub is None:
        return {}
    user = worker_user(agent_types(types))
    # The server knows the combinations that it was started with.
    known = user if user in folder.secrets.nats_seeds else ANY_WORKER
    return {"NATS_URL": folder.secrets.authorise(hub.nats_url, known)}
