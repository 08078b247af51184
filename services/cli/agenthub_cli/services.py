"""One service in this process, against a running NATS and Postgres."""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import Parameter


def orchestrator() -> None:
    """Run one orchestrator (NATS_URL; DATABASE_URL is a hint where to start)."""
    from agenthub_orchestrator.app import main, run_orchestrator

    main(run_orchestrator, "orchestrator")


def projector() -> None:
    """Run one projector (NATS_URL, DATABASE_URL)."""
    from agenthub_orchestrator.app import main
    from agenthub_orchestrator.projector.app import run_projector

    main(run_projector, "projector")


def worker(
    types: Annotated[
        str, Parameter(env_var="AGENT_TYPE", help="Agent types to serve, e.g. `coding` or `architect,planner`")
    ],
    *,
    slots: Annotated[int | None, Parameter(help="Tasks at once; default: AGENTHUB_SLOTS or 1")] = None,
) -> None:
    """Run one worker (NATS_URL, and what its model needs)."""
    from agenthub_worker.app import main

    extra = {"AGENT_TYPE": types} | ({"AGENTHUB_SLOTS": str(slots)} if slots is not None else {})
    main({**os.environ, **extra})


def gateway() -> int:
    """Run one gateway (NATS_URL, DATABASE_URL, AGENTHUB_HOST, AGENTHUB_PORT)."""
    from agenthub_gateway.app import main

    return main(os.environ)
