"""Writes docs/reference out of the code: `make docs`. A test fails when the files and the code differ."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.completion.table import table_of
from agenthub_cli.help.drawing import Box, page_lines
from agenthub_cli.main import build_app
from agenthub_events.base import Event
from agenthub_events.catalogue import REGISTRY
from agenthub_events.serialization.schema import json_schema
from agenthub_runtime.bus_users.env_file import DEPLOYED
from agenthub_runtime.bus_users.rights import users_of
from agenthub_runtime.bus_users.users_file import users_conf, variable_of
from agenthub_runtime.settings.settings_file import OUT_OF_PLACE, key_of
from agenthub_runtime.settings.table import SETTINGS
from tests.docs.help_pages import help_file, help_pages
from tests.docs.http_pages import api_page, errors_page, openapi_file
from tests.docs.metrics_page import metrics_page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
_ENVELOPE = frozenset(Event.__struct_fields__)
_MADE = "<!-- Written by `make docs` out of the code; edits here are lost. -->"


def events_page() -> str:
    """Every event: what it says, and its fields."""
    schema = json_schema()["$defs"]
    parts = [
        "# Events",
        _MADE,
        "Every event is a JSON object with the fields `type`, `originator_id`, `originator_version`, `timestamp`,"
        " `event_id` and `metadata`, and its own. [`events.schema.json`](events.schema.json) is the JSON Schema of"
        " all of them. A field with a default may be missing.",
    ]
    for name in sorted(REGISTRY):
        parts.append(f"## `{name}`")
        parts.append(_sentence(REGISTRY[name]))
        rows = ["| field | type | default |", "|---|---|---|"]
        for field in msgspec.structs.fields(REGISTRY[name]):
            if field.name not in _ENVELOPE:
                described = schema[REGISTRY[name].__name__]["properties"][field.name]
                rows.append(f"| `{field.name}` | {_type(described)} | {_default(field)} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def schema_file() -> str:
    """The JSON Schema of all events."""
    return msgspec.json.format(msgspec.json.encode(json_schema(), order="sorted"), indent=2).decode() + "\n"


def settings_page() -> str:
    """Every setting of the environment and of the settings file."""
    rows = ["| in the environment | in `agenthub.toml` | holds | default | meaning |", "|---|---|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        key = "" if setting.name in OUT_OF_PLACE else f"`{key_of(setting)}`"
        rows.append(f"| `{setting.name}` | {key} | {setting.kind} | {default} | {_cell(setting.doc)} |")
    return (
        "\n\n".join(
            (
                "# Settings",
                _MADE,
                "Settings come from the environment, and from the file `agenthub.toml` in the data folder. They"
                " are read once, when a service starts. An option of a command wins over a variable, and a"
                " variable over the file. Values that do not fit, and keys that nobody knows, are told together;"
                " `agenthub up` and `agenthub doctor` name variables meant for agenthub that nobody reads.",
                "With `_FILE` behind its name a variable says which file holds the value, as Docker and Kubernetes"
                " mount secrets (`ANTHROPIC_API_KEY_FILE=/run/secrets/key`); an empty file leaves it unset.",
                "```toml\n# ~/.local/share/agenthub/agenthub.toml; chmod 600 as soon as a secret stands in it\n"
                'port = 8010\nworkers = { coding = 2, testing = 1, "architect+planner" = 1 }\n'
                'api_keys = ["ann:a-long-secret", "ci:another-long-secret"]\n```',
                "\n".join(rows),
            )
        )
        + "\n"
    )


def cli_page() -> str:
    """The help of every command, and the exit codes."""
    parts = ["# Command line", _MADE]
    for path, page in help_pages().items():
        drawn = "\n".join(page_lines(page, 100, Box.for_encoding("utf-8")))
        parts.append(f"## `{f'agenthub {path}'.strip()}`\n\n```text\n{drawn}\n```")
    codes = ["| exit code | meaning |", "|---|---|"]
    codes += [f"| {code} | {meaning} |" for code, meaning in sorted(exit_codes.MEANING.items())]
    return "\n\n".join([*parts, "## Exit codes", "\n".join(codes)]) + "\n"


def completion_table() -> str:
    """What shells complete from, so that no command has to be loaded for it."""
    return msgspec.json.format(msgspec.json.encode(table_of(build_app())), indent=1).decode() + "\n"


def bus_users() -> str:
    """The users of a bus that is not embedded: their public keys come from the environment."""
    return users_conf({user: f"${variable_of(user)}" for user in users_of(DEPLOYED)})


def _sentence(kind: type[Event]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _type(described: Mapping[str, Any]) -> str:
    if "$ref" in described:
        return str(described["$ref"]).rpartition("/")[2]
    if "anyOf" in described:
        return " or ".join(_type(part) for part in described["anyOf"])
    if "enum" in described:
        return " · ".join(f"`{word}`" for word in described["enum"])
    if described.get("type") == "array":
        return f"list of {_type(described.get('items', {}))}"
    return str(described.get("format") or described.get("type") or "any")


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "needed"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return f"`{_cell(msgspec.json.encode(value).decode())}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES: Mapping[str, Callable[[], str]] = {
    "events.md": events_page,
    "events.schema.json": schema_file,
    # The web UI's types are made of it.
    "../../services/gateway/web/openapi.json": openapi_file,
    "settings.md": settings_page,
    "cli.md": cli_page,
    "api.md": lambda: api_page(_MADE),
    "errors.md": lambda: errors_page(_MADE),
    "metrics.md": lambda: metrics_page(_MADE),
    "../../nats/users.conf": bus_users,
    "../../services/cli/agenthub_cli/completion/table.json": completion_table,
    "../../services/cli/agenthub_cli/help/pages.json": help_file,
}


def main() -> int:
    """Write every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
