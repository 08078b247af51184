"""`agenthub nats keys`: who may use the bus, and new keys for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.environment import data_folder
from agenthub_cli.errors import CommandFailed, reason_of
from agenthub_cli.options.common import DataDirOption, Json
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, print_rows, say

if TYPE_CHECKING:
    from agenthub_runtime.embedded.data_folder import DataDir

Users: TypeAlias = Annotated[
    tuple[str, ...], Parameter(name="--user", negative="", help="Only this user; may be given several times")
]
Seeds: TypeAlias = Annotated[bool, Parameter(negative="", help="Show the secret halves too")]

app = App(name="keys", help="Who may use the bus, and their keys.")


@app.default
def show(*, data_dir: DataDirOption = None, seeds: Seeds = False, json: Json = False) -> None:
    """List the users of the embedded bus, with their public keys."""
    data = _data(data_dir)
    rows: list[dict[str, object]] = [
        {
            "user": user,
            "may_publish": _summary(user),
            "key": key,
            **({"seed": data.secrets.nats_seeds[user]} if seeds else {}),
        }
        for user, key in data.secrets.public_keys().items()
    ]
    if json:
        for row in rows:
            print_json(row)
    else:
        print_rows(rows, ("user", "may_publish", "key", *(("seed",) if seeds else ())), empty="No user")


@app.command
def rotate(*, data_dir: DataDirOption = None, user: Users = (), json: Json = False) -> None:
    """Give every user of the embedded bus a new key; the hub must be down, and its next start uses them."""
    data = _data(data_dir)
    unknown = sorted(set(user) - set(data.secrets.nats_seeds))
    if unknown:
        raise CommandFailed(
            f"`{unknown[0]}` is no user of this bus",
            hint=f"one of {', '.join(data.secrets.nats_seeds)}",
            code=exit_codes.USAGE,
        )
    with data.claim():
        rotated = data.rotate_keys(user)
    _told(
        rotated, f"{len(rotated)} new keys. The old ones are worth nothing once the hub starts again.", json=json
    )


@app.command
def env(
    file: Annotated[Path, Parameter(help="The file, such as .env beside compose.yaml")],
    *,
    rotate: Annotated[bool, Parameter(negative="", help="Replace the keys that it holds already")] = False,
    json: Json = False,
) -> None:
    """Put a key for every user into a file of variables, for services that are not embedded; mode 0600."""
    from agenthub_runtime.bus_users.env_file import completed
    from agenthub_runtime.embedded.data_folder import write_atomically

    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        after, users = completed(before, rotate=rotate)
        write_atomically(file.absolute(), after.encode(), mode=0o600)
    except (OSError, ValueError) as error:
        raise CommandFailed(
            f"{file} cannot be used: {reason_of(error)}", hint="name a file that you may write"
        ) from error
    _told(users, f"{len(users)} new keys in {file}. Start the bus and the services again with it.", json=json)


def _told(users: tuple[str, ...], text: str, *, json: bool) -> None:
    if json:
        for user in users:
            print_json({"user": user, "rotated": True})
    else:
        say(text)


def _data(data_dir: Path | None) -> DataDir:
    from agenthub_runtime.embedded.data_folder import DataDir

    data = DataDir(data_folder(data_dir))
    if not (data.root / "secret.json").is_file():
        raise CommandFailed(
            f"{data.root} holds no hub",
            hint=f"name its folder with --data-dir, or start one with `{program()} up`",
        )
    return data


def _summary(user: str) -> str:
    from agenthub_runtime.bus_users.people import OBSERVER, OPERATOR
    from agenthub_runtime.bus_users.rights import SYSTEM, rights_of

    rights = rights_of(user)
    if rights is None:
        return "nothing; asks the server how it is" if user == SYSTEM else "everything"
    if user in (OBSERVER, OPERATOR):
        return "nothing; reads everything" if user == OBSERVER else "nothing; pauses queues, backs streams up"
    kinds: Mapping[str, None] = dict.fromkeys(
        ".".join(subject.split(".")[3:5]) for subject in rights.publish if subject.startswith("evt.")
    )
    return ", ".join(kinds)
