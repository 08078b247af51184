"""`agenthub up`: the whole hub on this machine, for keeps."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.environment import environment
from agenthub_cli.client.model_access import look_at_model, named, provider_of, rehearses
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import DataDirOption, Json
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say
from agenthub_runtime.embedded.place import default_data_dir

if TYPE_CHECKING:
    from agenthub_runtime.embedded.data_folder import DataDir
    from agenthub_runtime.embedded.place import RunningHub
    from agenthub_runtime.embedded.stack import EmbeddedStack, StackPlan
    from agenthub_runtime.jetstream.fleet import ModelReport
    from agenthub_runtime.settings.records import HubSettings

_OPTIONS = {
    "AGENTHUB_PORT": "--port",
    "AGENTHUB_HOST": "--host",
    "AGENTHUB_DATA_DIR": "--data-dir",
    "AGENTHUB_WORKERS": "--workers",
}
# How long a hub that is ready waits for the model's answer before it says so.
_MODEL_WITHIN_S = 1.0
_MODULES = {
    "orchestrator": "agenthub_orchestrator",
    "projector": "agenthub_orchestrator.projector",
    "gateway": "agenthub_gateway",
    "worker": "agenthub_worker",
    "notifier": "agenthub_notifier",
}


def up(
    *,
    port: Annotated[
        int | None,
        Parameter(help="Port of the gateway; 0 takes any free one [env var: AGENTHUB_PORT] [default: 8000]"),
    ] = None,
    host: Annotated[
        str | None, Parameter(help="Address of the gateway [env var: AGENTHUB_HOST] [default: 127.0.0.1]")
    ] = None,
    data_dir: DataDirOption = None,
    workers: Annotated[
        str | None,
        Parameter(help="Worker processes by type, e.g. `coding=3,testing=2` [env var: AGENTHUB_WORKERS]"),
    ] = None,
    probe: Annotated[
        bool, Parameter(negative="--no-probe", help="Make one cheap call of the model while the hub starts")
    ] = True,
    detach: Annotated[
        bool,
        Parameter(name=("--detach", "-d"), negative="", help="Come back once the hub is ready"),
    ] = False,
    json: Json = False,
) -> int:
    """Start NATS, PostgreSQL and every service on this machine, and keep them running until Ctrl-C.

    With --json one line tells when the hub is ready. It carries complete addresses, with credentials.
    """
    from agenthub_runtime.embedded.data_folder import DataDir
    from agenthub_runtime.embedded.stack import EmbeddedStack
    from agenthub_runtime.telemetry.logs import configure_logging

    env = with_options(environment(data_dir), port=port, host=host, data_dir=data_dir, workers=workers)
    settings = _settings(env)
    configure_logging(settings.log, service="up")
    if not rehearses(settings):
        provider_of(settings)
    data = DataDir(settings.data_dir or default_data_dir())
    if detach:
        return _detached(data, settings, env, probe=probe, json=json)
    stack = EmbeddedStack(data, plan_of(settings, env))

    if not json:
        say(f"Starting agenthub on {data.root} …")
    asyncio.run(_run(stack, data, settings, probe=probe, json=json))
    if not json:
        say("Stopped; nothing is lost: start again with the same folder to go on")
    return exit_codes.OK


def _detached(data: DataDir, settings: HubSettings, env: Mapping[str, str], *, probe: bool, json: bool) -> int:
    from agenthub_cli.client.child_hub import leave_running

    if (running := data.running_hub()) is not None:
        raise CommandFailed(
            f"A hub runs on {data.root} already, at {running.url} (pid {running.pid})",
            hint=f"`{program()} down` stops it",
        )
    ready = leave_running(data.root, env, probe=probe)
    if json:
        print_json(ready)
        return exit_codes.OK
    hub = data.running_hub()
    said = greeting(hub, data, settings) if hub else f"agenthub is ready at {ready['url']}"
    say(said.replace("Stop: Ctrl-C", f"Stop: {program()} down"))
    return exit_codes.OK


async def _run(stack: EmbeddedStack, data: DataDir, settings: HubSettings, *, probe: bool, json: bool) -> None:
    from agenthub_runtime.embedded.foreground import run_in_foreground
    from agenthub_runtime.embedded.known_hubs import forget_hub, note_hub

    # A real model is asked while the servers start; the scripted one is a part of the hub and answers with it.
    early = None if rehearses(settings) else asyncio.create_task(_looked(look_at_model(settings, probe=probe)))

    async def stay(hub: RunningHub) -> None:
        note_hub(data)
        looking = early or asyncio.create_task(
            _looked(look_at_model(settings, rehearsal_url=stack.rehearsal_url, probe=probe))
        )
        await asyncio.wait({looking}, timeout=_MODEL_WITHIN_S)
        known = looking.result() if looking.done() else None
        if json:
            print_json(_ready_line(hub, data, known))
        else:
            say(greeting(hub, data, settings, known))
            if known is None and (late := await looking) is not None:
                say(f"Model: {late.state}: {late.found}")
        await asyncio.Event().wait()

    try:
        await run_in_foreground(stack, stay)
    finally:
        forget_hub(data)
        if early is not None:
            early.cancel()


async def _looked(look: Coroutine[Any, Any, ModelReport]) -> ModelReport | None:
    """What was found, or None: a model that cannot be looked at keeps no hub from starting."""
    from agenthub_events.errors import AgenthubError

    try:
        return await look
    except (AgenthubError, OSError):
        return None


def with_options(
    env: Mapping[str, str],
    *,
    port: int | None = None,
    host: str | None = None,
    data_dir: Path | None = None,
    workers: str | None = None,
) -> dict[str, str]:
    """The environment with the options that were given; an option wins over a variable."""
    given = dict(zip(_OPTIONS, (port, host, data_dir, workers), strict=True))
    return {**env, **{name: str(value) for name, value in given.items() if value is not None}}


def _settings(env: Mapping[str, str]) -> HubSettings:
    from agenthub_cli.client.settings_check import doubtful, unknown_names
    from agenthub_runtime.errors import SettingsInvalid
    from agenthub_runtime.settings.records import read_hub_settings, read_notifier_settings

    try:
        settings = read_hub_settings(env)
    except SettingsInvalid as error:
        raise SettingsInvalid(tuple(_by_option(problem, env) for problem in error.problems)) from None
    # What does not fit is told here, and not by a notifier that dies again and again.
    told = read_notifier_settings({**env, "NATS_URL": "nats://127.0.0.1:4222"})
    named = (*told.recipients, *told.escalation)
    if any(recipient.channel == "apprise" for recipient in named):
        from agenthub_notifier.channels.apprise import check_addresses

        check_addresses(named)
    for sentence in (*unknown_names(), *doubtful(env, settings, told)):
        say(f"warning: {sentence}", aside=True)
    return settings


def _by_option(problem: str, given: Mapping[str, str], *, env: Mapping[str, str] = os.environ) -> str:
    """What does not fit among the `given` settings, by the option where no variable says the same."""
    name, blank, rest = problem.partition(" ")
    is_option = name in _OPTIONS and given.get(name) != env.get(name)
    return f"{_OPTIONS[name]}{blank}{rest}" if is_option else problem


def plan_of(settings: HubSettings, env: Mapping[str, str]) -> StackPlan:
    """What the embedded stack is to run."""
    from agenthub_runtime.embedded.stack import StackPlan
    from agenthub_runtime.jetstream.declared import apply_assets

    return StackPlan(
        port=settings.port,
        host=settings.host,
        workers=settings.workers,
        service_command=service_command,
        env=env,
        declare=apply_assets,
        pg_bin=settings.pg_bin,
        rehearsal_command=_rehearsal_command if rehearses(settings) else None,
    )


def service_command(service: str, *arguments: str) -> list[str]:
    """The command line of one service of this installation."""
    return [sys.executable, "-m", _MODULES[service], *arguments]


def _rehearsal_command(port: int) -> list[str]:
    return [sys.executable, "-m", "agenthub_worker.rehearsal", "--port", str(port)]


def _ready_line(hub: RunningHub, data: DataDir, model: ModelReport | None) -> dict[str, object]:
    secrets = data.secrets
    return {
        "ready": True,
        "url": hub.url,
        "nats_url": secrets.authorise(hub.nats_url),
        "postgres_url": secrets.authorise(hub.postgres_url),
        "data_dir": str(data.root),
        "model": model,
    }


def greeting(hub: RunningHub, data: DataDir, settings: HubSettings, model: ModelReport | None = None) -> str:
    """What people are told when the hub is ready; `model` None: it has not answered yet."""
    from agenthub_runtime.settings.worker_counts import unserved

    lines = [
        "",
        f"agenthub is ready at {hub.url}",
        f"  data      {data.root}",
        f"  workers   {', '.join(f'{types}={count}' for types, count in settings.workers.items())}",
    ]
    if missing := unserved(settings.workers):
        lines.append(f"  warning   no worker serves {', '.join(missing)}: their tasks will wait")
    if rehearses(settings):
        lines += [
            "  model     REHEARSAL: a scripted model that knows two sample goals and refuses all others;",
            "            set ANTHROPIC_API_KEY for a real one",
        ]
    lines += model_lines(model)
    if settings.asks_for_keys:
        lines.append("  keys      are configured: set AGENTHUB_API_KEY to one of them for the commands below")
    lines += [
        "",
        f'Submit a goal:  {program()} goal submit "Build authentication system with JWT" --watch',
        "Stop: Ctrl-C",
    ]
    return "\n".join(lines)


def model_lines(model: ModelReport | None) -> list[str]:
    """Whom the agents ask, with which model, at which price, and what one call showed."""
    if model is None:
        return ["  probe     the model has not answered yet"]
    lines = (
        []
        if model.provider == "rehearsal"
        else [f"  model     {model.label}", f"            {named(model.models)}"]
    )
    lines.append(f"  prices    {model.prices}")
    if model.state == "not asked":
        return [*lines, "  probe     not made"]
    return [*lines, f"  probe     {model.state}: {model.found}"]
