"""`agenthub doctor`: what would keep a hub from working here, before the first goal finds out."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.address import hub_address, on_loopback
from agenthub_cli.client.environment import data_folder, environment
from agenthub_cli.client.hub_client import HubClient, running_url
from agenthub_cli.client.model_access import look_at_model, named, rehearses
from agenthub_cli.commands.doctor.hub import DoctorCheck, accounts, clock, drift
from agenthub_cli.errors import HubUnreachable, NotAHub
from agenthub_cli.options.common import DataDirOption, Json, Url
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say
from agenthub_events.errors import AgenthubError

_LEAST_FREE_GB = 2.0
_SLOW_FSYNC_MS = 10.0


class ToldModel(msgspec.Struct, frozen=True, kw_only=True):
    """The model as a hub tells it; `unknown` when none of its workers has one."""

    provider: str
    label: str
    models: dict[str, str]
    prices: str
    worker: str = ""
    state: str = "not asked"
    found: str = ""


Probe: TypeAlias = Callable[[], Awaitable[DoctorCheck]]


def doctor(
    *,
    url: Url = None,
    data_dir: DataDirOption = None,
    probe: Annotated[
        bool, Parameter(negative="--no-probe", help="Make one cheap call of the model, through the running hub")
    ] = True,
    json: Json = False,
) -> int:
    """Check this machine and, where one runs, the hub; exit code 1 when something does not work.

    A hub that runs is asked for its own model; only without one the settings of this shell are looked at.
    """
    checks = asyncio.run(_run(url, data_dir, probe=probe))
    for check in checks:
        if json:
            print_json(check)
        else:
            say(f"{check.state:<8} {check.name:<12} {check.found}")
    return exit_codes.FAILED if any(check.state == "failed" for check in checks) else exit_codes.OK


async def _run(url: str | None, data_dir: Path | None, *, probe: bool) -> list[DoctorCheck]:
    root = data_folder(data_dir)
    probes: tuple[tuple[str, Callable[[], Awaitable[DoctorCheck]]], ...] = (
        ("python", _python),
        ("settings", lambda: _settings(data_dir)),
        ("git", _git),
        ("nats-server", _nats_server),
        ("postgres", lambda: _postgres(data_dir)),
        ("sandbox", _sandbox),
        ("disk", lambda: _disk(root)),
        ("model", lambda: _model(url, data_dir, probe=probe)),
        ("hub", lambda: _hub(url, data_dir)),
        ("processes", lambda: processes(root)),
        ("clock", lambda: clock(data_dir)),
        ("accounts", lambda: accounts(data_dir)),
        ("drift", lambda: drift(data_dir)),
    )
    return [await _guarded(name, probe) for name, probe in probes]


async def _guarded(name: str, probe: Probe) -> DoctorCheck:
    try:
        return await probe()
    except (AgenthubError, OSError) as error:
        return DoctorCheck(name, "failed", str(error))


async def _python() -> DoctorCheck:
    return DoctorCheck("python", "ok", sys.version.split()[0])


async def _settings(data_dir: Path | None) -> DoctorCheck:
    from agenthub_cli.client.settings_check import doubtful, unknown_names
    from agenthub_runtime.settings.records import read_hub_settings, read_notifier_settings

    env = environment(data_dir)
    settings = read_hub_settings(env)
    told = read_notifier_settings({**env, "NATS_URL": "nats://127.0.0.1:4222"})
    if found := [*unknown_names(), *doubtful(env, settings, told)]:
        return DoctorCheck("settings", "warning", "; ".join(found))
    return DoctorCheck("settings", "ok", "every name is known, and every value fits")


async def _git() -> DoctorCheck:
    from agenthub_runtime.processes import spawn

    if shutil.which("git") is None:
        return DoctorCheck("git", "failed", "git is not on PATH: install it")
    output = await spawn.run(["git", "--version"])
    version = output.stdout.decode().split()[2]
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < (2, 38):
        return DoctorCheck("git", "failed", f"{version}: merging needs git 2.38 or newer")
    return DoctorCheck("git", "ok", version)


async def _nats_server() -> DoctorCheck:
    from agenthub_runtime.embedded.servers.nats import find_nats_server

    return DoctorCheck("nats-server", "ok", str(find_nats_server()))


async def _postgres(data_dir: Path | None) -> DoctorCheck:
    from agenthub_runtime.embedded.servers.pg_programs import find_pg_bin, major_version
    from agenthub_runtime.settings.records import read_hub_settings

    programs = find_pg_bin(read_hub_settings(environment(data_dir)).pg_bin)
    return DoctorCheck("postgres", "ok", f"{await major_version(programs)} in {programs}")


async def _sandbox() -> DoctorCheck:
    from agenthub_worker.sandbox.bubblewrap import Bubblewrap
    from agenthub_worker.sandbox.probe import in_words, probe

    return DoctorCheck("sandbox", "ok", in_words(await probe(Bubblewrap())))


async def _disk(root: Path) -> DoctorCheck:
    from agenthub_cli.commands.bench.floor import fdatasync_ms

    place = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    if free < _LEAST_FREE_GB:
        return DoctorCheck("disk", "failed", f"{free:.1f} GB free at {place}: a full disk stops every goal")
    with tempfile.TemporaryDirectory(dir=place if os.access(place, os.W_OK) else None) as folder:
        sync = fdatasync_ms(Path(folder))
    state = "ok" if sync < _SLOW_FSYNC_MS else "warning"
    return DoctorCheck("disk", state, f"{free:.0f} GB free, fdatasync {sync:.2f} ms (each event waits for one)")


async def _model(url: str | None, data_dir: Path | None, *, probe: bool) -> DoctorCheck:
    told = await _model_of_hub(url, data_dir, probe=probe)
    if told is None and url is not None:
        return DoctorCheck("model", "warning", f"not asked: no hub answers at {url}")
    if told is None:
        told = await _model_of_shell(data_dir, probe=probe)
        where = "no hub runs; this shell would use "
    else:
        where = f"told by {told.worker}: " if told.worker else ""
    if told.state in ("failed", "unknown"):
        return DoctorCheck("model", "failed" if told.state == "failed" else "warning", f"{where}{told.found}")
    if told.provider == "rehearsal":
        words = f"{where}rehearsal only: set ANTHROPIC_API_KEY to work on goals of your own"
        return DoctorCheck("model", "warning", words)
    asked = told.found or "not asked"
    return DoctorCheck("model", "ok", f"{where}{told.label}; {named(told.models)}; prices: {told.prices}; {asked}")


async def _model_of_hub(url: str | None, data_dir: Path | None, *, probe: bool) -> ToldModel | None:
    """What the running hub says; None when none answers."""
    hub = HubClient(url or running_url(data_dir))
    try:
        found = await asyncio.to_thread(hub.get, "/model", probe=str(probe).lower())
    except HubUnreachable:
        return None
    try:
        return msgspec.convert(found, ToldModel)
    except msgspec.ValidationError as error:
        raise NotAHub(hub.url, str(error)) from None


async def _model_of_shell(data_dir: Path | None, *, probe: bool) -> ToldModel:
    from agenthub_runtime.settings.records import read_hub_settings

    settings = read_hub_settings(environment(data_dir))
    # The scripted model comes with a hub: without one there is nobody to ask.
    if rehearses(settings):
        return ToldModel(provider="rehearsal", label="", models={}, prices="")
    return msgspec.convert(await look_at_model(settings, probe=probe), ToldModel, from_attributes=True)


async def _hub(url: str | None, data_dir: Path | None) -> DoctorCheck:
    import httpx2

    address = hub_address(url or running_url(data_dir))
    try:
        async with httpx2.AsyncClient(timeout=5, trust_env=not on_loopback(address)) as client:
            answer = await client.get(f"{address}/health/ready")
    except httpx2.RequestError:
        # Whoever names a hub expects one there; without a name it is no fault that none runs yet.
        state, other = ("warning", "") if url is None else ("failed", ", or name another with --url")
        return DoctorCheck("hub", state, f"none answers at {address}: start one with `{program()} up`{other}")
    if not answer.is_success:
        return DoctorCheck("hub", "failed", f"{address} is not ready: {answer.text[:300]}")
    return DoctorCheck("hub", "ok", f"ready at {address}")


async def processes(root: Path) -> DoctorCheck:
    """What the supervisor of the hub on this folder has noted of its processes."""
    from agenthub_runtime.embedded.data_folder import DataDir
    from agenthub_runtime.embedded.supervisor import keeps_dying, read_states

    data = DataDir(root)
    if data.running_hub() is None:
        return DoctorCheck("processes", "ok", f"no hub runs on {data.root}")
    units = read_states(data.run / "services.json")
    now = datetime.now(UTC)
    dying = [f"{name} ({unit.restarts} times)" for name, unit in units.items() if keeps_dying(unit, now)]
    if dying:
        return DoctorCheck("processes", "warning", f"started again and again: {', '.join(dying)}; see {data.logs}")
    return DoctorCheck("processes", "ok", f"{len(units)} run")
