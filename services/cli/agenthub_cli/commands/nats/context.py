"""`agenthub nats context`: lets the program `nats` in, by a key in a file and no password in an address."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.environment import data_folder, running_hub
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import DataDirOption, Json
from agenthub_cli.terminal.output import print_json, say

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class _Context(msgspec.Struct, frozen=True, kw_only=True):
    """What `nats` reads: `nkey` names the file of the seed, which signs and is never sent."""

    description: str
    url: str
    nkey: str
    inbox_prefix: str


def context(
    user: Annotated[
        Literal["observer", "operator", "system", "agenthub"],
        Parameter(help="Who you are on the bus: `observer` reads, `operator` also acts, `system` asks the server"),
    ] = "observer",
    *,
    name: Annotated[str | None, Parameter(help="Name of the context [default: agenthub-<user>]")] = None,
    env_file: Annotated[
        Path | None, Parameter(help="Take the seed from this file, which `agenthub nats keys env` has written")
    ] = None,
    server: Annotated[
        str | None, Parameter(help="Address of the server, such as nats://bus:4222; default: the running hub's")
    ] = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> int:
    """Write a context for `nats`, the command line of NATS, as `observer`, `operator` or another user of the bus.

    An embedded bus has another port after each start of its hub: write the context again then.
    """
    from agenthub_runtime.bus_users.rights import inbox_of
    from agenthub_runtime.embedded.data_folder import write_atomically

    called = name or f"agenthub-{user}"
    if not _NAME.fullmatch(called):
        raise CommandFailed(
            f"`{called}` is no name of a context", hint="letters, digits and dashes", code=exit_codes.USAGE
        )
    seed, address = _seed_and_address(user, env_file, server, data_dir)
    root = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config").absolute() / "nats"
    key, file = root / "agenthub" / f"{called}.nk", root / "context" / f"{called}.json"
    told = _Context(description=f"agenthub as {user}", url=address, nkey=str(key), inbox_prefix=inbox_of(user))
    try:
        for path, text in ((key, f"{seed}\n".encode()), (file, msgspec.json.format(msgspec.json.encode(told)))):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, text, mode=0o600)
    except OSError as error:
        raise CommandFailed(f"{root} cannot be written: {error}", hint="set XDG_CONFIG_HOME") from error
    if json:
        print_json({"context": called, "user": user, "server": address, "file": str(file), "key": str(key)})
    else:
        say(f"{file} is written, and the key in {key}")
        say(f"Look around: nats --context {called} stream ls")
    return exit_codes.OK


def _seed_and_address(
    user: str, env_file: Path | None, server: str | None, data_dir: Path | None
) -> tuple[str, str]:
    from agenthub_runtime.embedded.data_folder import DataDir

    if env_file is not None:
        if server is None:
            raise CommandFailed("Where is the bus?", hint="name it with --server", code=exit_codes.USAGE)
        address = _without_credentials(server)
        return _seed_in(env_file, user), address
    hub = running_hub(data_dir)
    if hub is None and server is None:
        raise CommandFailed(
            f"No hub runs on {data_folder(data_dir)}",
            hint="start it with `agenthub up`, or name the bus with --server and the keys with --env-file",
        )
    data = DataDir(getattr(hub, "data_dir", None) or data_folder(data_dir))
    if not (data.root / "secret.json").is_file():
        raise CommandFailed(f"{data.root} holds no hub", hint="name its folder with --data-dir")
    return data.secrets.nats_seeds[user], _without_credentials(server or hub.nats_url if hub else str(server))


def _seed_in(env_file: Path, user: str) -> str:
    from agenthub_runtime.bus_users.keys import public_key
    from agenthub_runtime.bus_users.users_file import seed_variable_of

    variable = seed_variable_of(user)
    try:
        lines = env_file.read_text(encoding="utf-8").splitlines()
        seed = next((line.partition("=")[2] for line in lines if line.startswith(f"{variable}=")), "")
        public_key(seed)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CommandFailed(
            f"{env_file} gives no {variable}: {error}", hint=f"`agenthub nats keys env {env_file}` makes it"
        ) from error
    return seed


def _without_credentials(address: str) -> str:
    from agenthub_runtime.bus_users.keys import login_of

    login = login_of(address)
    if login.user or login.seed or any("@" in server for server in login.servers):
        raise CommandFailed(
            "--server is an address without credentials: the key is in a file of its own", code=exit_codes.USAGE
        )
    return ",".join(login.servers)
