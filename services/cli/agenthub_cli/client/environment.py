"""What commands are told: the environment, and below it the settings file of the data folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed

if TYPE_CHECKING:
    from agenthub_runtime.embedded.place import RunningHub

# How the names of settings begin: shells name files of others as well, such as `SSL_CERT_FILE`.
SETTINGS_BEGIN = ("AGENT", "ANTHROPIC_", "DATABASE_", "NATS_", "OTEL_")
# What is put into addresses, where it stands beside them.
_PARTS = ("NATS_SEED", "NATS_CA", "DATABASE_PASSWORD")


def environment(data_dir: Path | None = None, *, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Settings by their names, with those of the file in `data_dir`, else in the folder that `env` names.

    What `…_FILE` names is read. Raises `SettingsInvalid` when a file cannot be used.
    """
    found = dict(env)
    if any(name in _PARTS or (name.endswith("_FILE") and name.startswith(SETTINGS_BEGIN)) for name in env):
        found = _with_files(env)
    folder = data_folder(data_dir, env=env)
    if not os.path.lexists(folder / "agenthub.toml"):
        # Most folders have none, and what reads it takes longer to load than all the rest.
        return found
    from agenthub_runtime.settings.settings_file import with_settings_file

    return with_settings_file(found, folder)


def _with_files(env: Mapping[str, str]) -> dict[str, str]:
    from agenthub_runtime.errors import SettingsInvalid
    from agenthub_runtime.settings.from_files import with_values_of_files

    found, problems = with_values_of_files(env)
    if problems:
        raise SettingsInvalid(tuple(problems))
    return found


def running_hub(data_dir: Path | None = None, *, env: Mapping[str, str] = os.environ) -> RunningHub | None:
    """The hub on the folder that is named, else on this user's own, else the only one that this user runs.

    Raises `CommandFailed` when several run and none is named.
    """
    from agenthub_runtime.embedded.known_hubs import known_hubs
    from agenthub_runtime.embedded.place import running_hub_on

    hub = running_hub_on(data_folder(data_dir, env=env))
    if hub is not None or data_dir or env.get("AGENTHUB_DATA_DIR"):
        return hub
    found = known_hubs()
    if len(found) > 1:
        raise CommandFailed(
            "Several hubs run: " + ", ".join(f"{known.url} on {known.data_dir}" for known in found),
            hint="name one with --url, AGENTHUB_URL or AGENTHUB_DATA_DIR",
            code=exit_codes.USAGE,
        )
    return found[0] if found else None


def data_folder(data_dir: Path | None = None, *, env: Mapping[str, str] = os.environ) -> Path:
    """`data_dir`, or the folder that the environment names, or that of this user.

    Raises `DataDirUnusable` when it is no path.
    """
    from agenthub_runtime.embedded.place import absolute_folder, default_data_dir

    named = data_dir or env.get("AGENTHUB_DATA_DIR")
    return absolute_folder(Path(named)) if named else default_data_dir()
