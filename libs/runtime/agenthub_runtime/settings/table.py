"""The table of every setting of agenthub: name, kind, default, purpose. The settings reference is made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

import msgspec

from agenthub_events.agent_types import AGENT_TYPES, AgentType, agent_type_of
from agenthub_events.redaction import SHORTEST_SECRET
from agenthub_runtime.settings.worker_counts import DEFAULT_WORKERS, parse_workers

T = TypeVar("T")


class Setting(Generic[T]):
    """One setting: its name in the environment, what it holds, its default as text, and what it is for.

    `parse` raises `ValueError` (or `InvalidInput`) with the remedy.
    """

    def __init__(self, name: str, kind: str, parse: Callable[[str], T], default: str, doc: str) -> None:
        self.name = name
        self.kind = kind
        self.parse = parse
        self.default = default
        self.doc = doc


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"use one of {', '.join(choices)}")
        return text.lower()

    return parse


def _whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise ValueError(f"use a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def _address(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        scheme, separator, rest = text.partition("://")
        if not separator or scheme not in schemes or not rest:
            raise ValueError(f"use an address that starts with {' or '.join(f'{name}://' for name in schemes)}")
        return text

    return parse


def _nats_addresses(text: str) -> str:
    return ",".join(_address("nats", "tls")(part.strip()) for part in text.split(","))


def _count_of_workers(text: str) -> Mapping[str, int]:
    return parse_workers(text)


def _yes_or_no(text: str) -> bool:
    return _one_of("true", "false", "1", "0", "yes", "no")(text) in ("true", "1", "yes")


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _keys(text: str) -> tuple[str, ...]:
    entries = _list(text)
    for entry in entries:
        name, separator, secret = entry.partition(":")
        if separator and not secret.strip():
            # Often a variable that was not set; an empty secret would let everybody in.
            raise ValueError(f"the key of `{name}` has no secret behind its colon")
    return entries


def _headers(text: str) -> tuple[str, ...]:
    return tuple(unquote(entry.partition("=")[2].strip()) for entry in _list(text))


def _secrets(text: str) -> tuple[str, ...]:
    values = _list(text)
    if text.startswith("["):
        try:
            values = msgspec.json.decode(text, type=tuple[str, ...])
        except msgspec.DecodeError:
            raise ValueError("use a JSON list of texts, or values separated by commas") from None
    for number, value in enumerate(values, 1):
        if len(value.strip()) < SHORTEST_SECRET:
            raise ValueError(
                f"value {number} has fewer than {SHORTEST_SECRET} characters: ordinary texts would be masked"
            )
    return values


def _agent_types(text: str) -> tuple[AgentType, ...]:
    return tuple(dict.fromkeys(agent_type_of(part) for part in _list(text)))


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


NATS_URL = Setting(
    "NATS_URL",
    "address",
    _nats_addresses,
    "",
    "The NATS servers, separated by commas, with user and password in the address. "
    "The embedded stack brings its own.",
)
DATABASE_URL = Setting(
    "DATABASE_URL",
    "address",
    _address("postgresql", "postgres"),
    "",
    "The PostgreSQL database of the read models, with user and password. The embedded stack brings its own.",
)
HOST = Setting("AGENTHUB_HOST", "address", str, "127.0.0.1", "The address on which the gateway listens.")
PORT = Setting(
    "AGENTHUB_PORT",
    "number",
    _whole_number(0, 65535),
    "8000",
    "The gateway's port. `agenthub up` takes any free one for 0.",
)
DATA_DIR = Setting(
    "AGENTHUB_DATA_DIR",
    "folder",
    _folder,
    "",
    "Where the embedded stack keeps its data, and a worker its workspaces. Default: the user's data folder; "
    "/var/lib/agenthub for root.",
)
PG_BIN = Setting(
    "AGENTHUB_PG_BIN",
    "folder",
    _folder,
    "",
    "The PostgreSQL programs that the embedded stack uses.",
)
WORKERS = Setting(
    "AGENTHUB_WORKERS",
    "list",
    _count_of_workers,
    DEFAULT_WORKERS,
    "How many worker processes the embedded stack starts for which agent types; `a+b=1` is one worker for two "
    "types. A type that is not named gets no worker.",
)
WORKER_NAME = Setting(
    "AGENTHUB_WORKER_NAME", "text", str, "", "The worker's name in events. Default: host name and process id."
)
SLOTS = Setting(
    "AGENTHUB_SLOTS", "number", _whole_number(1, 256), "1", "How many tasks one worker runs at a time."
)
AGENT_TYPE = Setting(
    "AGENT_TYPE",
    "list",
    _agent_types,
    "",
    "The agent types that a worker serves, separated by commas, in any usual spelling.",
)
PROVIDER = Setting(
    "AGENTHUB_PROVIDER",
    "choice",
    _one_of("anthropic", "local", "rehearsal"),
    "",
    "Where model calls go: anthropic, local, rehearsal. Default: anthropic when there is a key, local when there "
    "is only an address; the embedded stack falls back to the rehearsal model.",
)
MODEL = Setting(
    "AGENTHUB_MODEL", "text", str, "", "The model for every agent type that has no setting of its own."
)
MODELS: Mapping[AgentType, Setting[str]] = {
    agent_type: Setting(
        f"AGENTHUB_MODEL_{agent_type.upper()}", "text", str, "", f"The model for agents of the type {agent_type}."
    )
    for agent_type in AGENT_TYPES
    if agent_type != "noop"
}
MODEL_IDLE_S = Setting(
    "AGENTHUB_MODEL_IDLE_S",
    "number",
    _whole_number(1, 3600),
    "",
    "How many seconds a model server may send nothing before a call counts as hung. Default: 120, and 300 for a "
    "local server.",
)
API_KEYS = Setting(
    "AGENTHUB_API_KEYS",
    "secret list",
    _keys,
    "",
    "Keys that the gateway accepts, separated by commas, each as `name:secret` (the name stands in events as who "
    "did it) or as the secret alone. Needed for any host other than this machine itself.",
)
HUB_URL = Setting(
    "AGENTHUB_URL",
    "address",
    _address("http", "https"),
    "",
    "The hub that commands talk to. Default: the one that runs on this machine's data folder, else port 8000.",
)
HUB_KEY = Setting(
    "AGENTHUB_API_KEY", "secret", str, "", "The key that commands show to a gateway that asks for one."
)
ALLOWED_HOSTS = Setting(
    "AGENTHUB_ALLOWED_HOSTS",
    "list",
    _list,
    "",
    "Further host names under which browsers and clients may address the gateway, separated by commas.",
)
EMBEDDED = Setting(
    "AGENTHUB_EMBEDDED",
    "yes or no",
    _yes_or_no,
    "no",
    "Set by the embedded stack for its gateway: a goal may then name a repository folder of this machine.",
)
ALLOW_UNSANDBOXED = Setting(
    "AGENTHUB_ALLOW_UNSANDBOXED",
    "yes or no",
    _yes_or_no,
    "no",
    "Let agents' tools run without a sandbox where none works. "
    "They can then read and change all that the worker can.",
)
SETUP_HOSTS = Setting(
    "AGENTHUB_SETUP_HOSTS",
    "list",
    _list,
    "",
    "Further hosts, as `host` or `host:port`, that the setup of a repository may reach beside those that this "
    "machine's own package clients are set up for; separated by commas.",
)
LOG_FORMAT = Setting(
    "AGENTHUB_LOG_FORMAT",
    "choice",
    _one_of("auto", "console", "json"),
    "auto",
    "auto: console on a terminal, else json.",
)
LOG_LEVEL = Setting(
    "AGENTHUB_LOG_LEVEL",
    "choice",
    _one_of("debug", "info", "warning", "error"),
    "info",
    "The least important log lines that are written.",
)
ANTHROPIC_API_KEY = Setting(
    "ANTHROPIC_API_KEY", "secret", str, "", "The key for the model provider. Only workers receive it."
)
ANTHROPIC_BASE_URL = Setting(
    "ANTHROPIC_BASE_URL",
    "address",
    _address("http", "https"),
    "",
    "The address of a Messages API other than Anthropic's, such as a local model server.",
)
OTLP_ENDPOINT = Setting(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "address",
    _address("http", "https"),
    "",
    "Where traces go (OTLP over HTTP). Without it no trace leaves the process.",
)
OTLP_HEADERS = Setting(
    "OTEL_EXPORTER_OTLP_HEADERS",
    "secret list",
    _headers,
    "",
    "What the receiver of traces wants to see, as `name=value`, separated by commas.",
)
SECRETS = Setting(
    "AGENTHUB_SECRETS",
    "secret list",
    _secrets,
    "",
    "Further values that no record, log line, tool result or export may show, separated by commas, or as a JSON "
    "list when one holds a comma. Each has at least 8 characters.",
)

SETTINGS: tuple[Setting[Any], ...] = (
    *(HUB_URL, HUB_KEY),
    *(NATS_URL, DATABASE_URL, HOST, PORT, API_KEYS, ALLOWED_HOSTS, EMBEDDED, DATA_DIR, PG_BIN, WORKERS),
    *(AGENT_TYPE, WORKER_NAME, SLOTS, ALLOW_UNSANDBOXED, SETUP_HOSTS),
    *(PROVIDER, ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, MODEL, *MODELS.values()),
    MODEL_IDLE_S,
    *(LOG_FORMAT, LOG_LEVEL, OTLP_ENDPOINT, OTLP_HEADERS, SECRETS),
)
