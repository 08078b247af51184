"""A hub in a process of its own, with real servers and idle services: `python -m tests.support.idle_hub FOLDER`.

Prints its `RunningHub` as one line of JSON when it is ready; stops on SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec
from nats.aio.client import Client

from agenthub_events.errors import AgenthubError
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.foreground import run_in_foreground
from agenthub_runtime.embedded.place import RunningHub
from agenthub_runtime.embedded.stack import EmbeddedStack, StackPlan

SERVICE = str(Path(__file__).with_name("idle_service.py"))


async def declare(nats: Client) -> None:
    """The one stream that the stack itself reads."""
    await nats.jetstream().add_stream(name="EVENTS", subjects=["evt.>"])


def plan_of(env: dict[str, str]) -> StackPlan:
    return StackPlan(
        port=int(env.get("AGENTHUB_PORT", "0")),
        workers={"coding": 2, "architect+planner": 1},
        service_command=lambda *words: (sys.executable, SERVICE, *words),
        rehearsal_command=lambda port: (sys.executable, SERVICE, "rehearsal", str(port)),
        env=env,
        declare=declare,
    )


async def stay(hub: RunningHub) -> None:
    sys.stdout.write(f"{msgspec.json.encode(hub).decode()}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    stack = EmbeddedStack(DataDir(Path(sys.argv[1])), plan_of(dict(os.environ)))
    try:
        asyncio.run(run_in_foreground(stack, stay))
    except AgenthubError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
