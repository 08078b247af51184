"""What commands are told: the environment, and below it the settings file of the data folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def environment(data_dir: Path | None = None, *, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Settings by their names, with those of the file in `data_dir`, else in the folder that `env` names.

    Raises `SettingsInvalid` when the file cannot be used.
    """
    from agenthub_runtime.settings.settings_file import with_settings_file

    return with_settings_file(env, data_folder(data_dir, env=env))


def data_folder(data_dir: Path | None = None, *, env: Mapping[str, str] = os.environ) -> Path:
    """`data_dir`, or the folder that the environment names, or that of this user."""
    from agenthub_runtime.embedded.data_folder import default_data_dir

    named = data_dir or env.get("AGENTHUB_DATA_DIR")
    return Path(named).expanduser().absolute() if named else default_data_dir()
