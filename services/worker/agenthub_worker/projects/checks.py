"""The checks that a repository names beside its tests, in `.agenthub/config.toml`."""

from __future__ import annotations

import re

from agenthub_events.catalogue.values import ProjectCheck
from agenthub_runtime.toml_reading import TomlInvalid, read_toml
from agenthub_worker.errors import SetupInvalid

CHECKS_MAX = 10
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")


def configured_checks(data: bytes | None) -> tuple[ProjectCheck, ...]:
    """The table `checks` of the settings, a command by each name, in their order. Raises `SetupInvalid`."""
    if data is None:
        return ()
    try:
        table = read_toml(data).get("checks", {})
    except TomlInvalid as error:
        raise SetupInvalid(f".agenthub/config.toml of the repository is no TOML: {error}") from error
    if not isinstance(table, dict) or not all(_is_check(name, line) for name, line in table.items()):
        raise SetupInvalid(
            "`checks` in .agenthub/config.toml of the repository has to be a table with a command by each name."
        )
    if len(table) > CHECKS_MAX:
        raise SetupInvalid(
            f"`checks` in .agenthub/config.toml of the repository has more than {CHECKS_MAX} entries."
        )
    return tuple(ProjectCheck(name=name, command=line) for name, line in table.items())


def _is_check(name: str, line: object) -> bool:
    return _NAME.fullmatch(name) is not None and isinstance(line, str) and bool(line.strip())
