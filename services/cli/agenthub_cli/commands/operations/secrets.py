"""`agenthub secrets`: the secrets of a deployment on Docker or Kubernetes, as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from agenthub_cli.errors import CommandFailed, reason_of
from agenthub_cli.options.common import Json
from agenthub_cli.terminal.output import print_json, say


def secrets(
    folder: Annotated[Path, Parameter(help="The folder, such as `secrets` beside compose.yaml")],
    *,
    host: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="A further name or address of the bus; may be given several times"),
    ] = (),
    rotate: Annotated[
        bool, Parameter(negative="", help="Replace keys and certificates of the bus that are there already")
    ] = False,
    json: Json = False,
) -> None:
    """Make what is missing: keys and certificates of the bus, passwords, a key for people, files to fill in.

    The folder is for its owner alone; the files in it can be read by all, since services in containers have
    accounts of their own.
    """
    from agenthub_runtime.bus_users.secret_files import AUTHORITY_KEY, GIVEN, completed_files
    from agenthub_runtime.embedded.data_folder import write_atomically

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(folder, 0o700)
        held = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}
        files, changed = completed_files(held, host, rotate=rotate)
        for name in changed:
            path = (folder / name).absolute()
            write_atomically(path, files[name].encode(), mode=0o600)
            if name != AUTHORITY_KEY:  # no service gets it
                os.chmod(path, 0o644)
    except (OSError, ValueError) as error:
        raise CommandFailed(
            f"{folder} cannot be used: {reason_of(error)}",
            hint="name a folder that holds nothing else, and that you may write",
        ) from error
    if json:
        for name in changed:
            print_json({"file": str(folder / name), "made": True})
        return
    say(f"{len(changed)} files made or changed in {folder}; {len(files) - len(changed)} stay as they are.")
    say(f"Fill in what you use: {', '.join(name for name in GIVEN if not files[name])}")
