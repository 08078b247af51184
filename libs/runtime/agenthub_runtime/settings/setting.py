"""What a setting is, and how its text is read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from agenthub_events.agent_types import AgentType, agent_type_of
from agenthub_events.notifications.recipients import Recipient, parse_recipient
from agenthub_events.redaction import SHORTEST_SECRET
from agenthub_events.rules.network import network_host
from agenthub_events.rules.requirements import parse_duration
from agenthub_runtime.seal_keys import is_seal_key
from agenthub_runtime.settings.api_keys import read_api_key
from agenthub_runtime.settings.worker_counts import parse_workers

T = TypeVar("T")

_LEAST_KEY, _LARGEST_KEY = 24, 64


class Setting(Generic[T]):
    """One setting: its name in the environment, what it holds, its default as text, and what it is for.

    `parse` raises `ValueError` (or `InvalidInput`) with the remedy. `takes_json`: a list may be one of JSON.
    """

    def __init__(
        self, name: str, kind: str, parse: Callable[[str], T], default: str, doc: str, *, takes_json: bool = False
    ) -> None:
        self.takes_json = takes_json
        self.name = name
        self.kind = kind
        self.parse = parse
        self.default = default
        self.doc = doc


def one_of(*choices: str) -> Callable[[str], str]:
    """One of these words, in small letters."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"use one of {', '.join(choices)}")
        return text.lower()

    return parse


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """A whole number in these bounds."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise ValueError(f"use a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def address(*schemes: str) -> Callable[[str], str]:
    """An address with one of these schemes."""

    def parse(text: str) -> str:
        scheme, separator, rest = text.partition("://")
        if not separator or scheme not in schemes or not rest:
            raise ValueError(f"use an address that starts with {' or '.join(f'{name}://' for name in schemes)}")
        if not _readable(text):
            # Nothing of it is shown: what looks like a port may be half a password.
            raise ValueError("its host or port cannot be read; in a password write / as %2F, @ as %40, : as %3A")
        return text

    return parse


def api_address(text: str) -> str:
    """The address of an API, to which paths are added."""
    found = address("http", "https")(text)
    if "?" in found or "#" in found:
        raise ValueError("give the address alone, without what begins with `?` or `#`: paths are added to it")
    return found


def _readable(address: str) -> bool:
    if not address.isprintable() or " " in address:
        return False
    try:
        hosts = urlsplit(address).netloc.rpartition("@")[2].split(",")
        # Both are looked at only when they are asked for; Postgres takes several hosts.
        return all((part := urlsplit(f"//{host}")).port != 0 and part.hostname != "" for host in hosts)
    except ValueError:
        return False


def nats_addresses(text: str) -> str:
    """Addresses of NATS servers, separated by commas."""
    return ",".join(address("nats", "tls")(part.strip()) for part in text.split(","))


def count_of_workers(text: str) -> Mapping[str, int]:
    """Worker processes by agent types."""
    return parse_workers(text)


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0.0 <= found <= 1.0:
        raise ValueError("use a number from 0 to 1")
    return found


def host_and_port(text: str) -> str:
    """An address to listen at, as `host:port`; empty for none."""
    host, _, port = text.rpartition(":")
    is_bare_v6 = ":" in host and not host.startswith("[")
    if text and (not host or is_bare_v6 or not port.isdecimal() or int(port) >= 1 << 16):
        raise ValueError("use host:port, such as 127.0.0.1:9464, or 127.0.0.1:0 for any free port")
    return text


def yes_or_no(text: str) -> bool:
    """Whether something is so."""
    return one_of("true", "false", "1", "0", "yes", "no")(text) in ("true", "1", "yes")


def texts(text: str) -> tuple[str, ...]:
    """Texts separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def host_names(text: str) -> tuple[str, ...]:
    """Names of hosts, without scheme, port and path: as a request's `Host` is compared with them."""
    for name in texts(text):
        if "/" in name or " " in name or (":" in name and not name.startswith("[")):
            raise ValueError(f"`{name[:60]}` is more than the name of a host: write hub.example.org")
    return texts(text)


def network_hosts(text: str) -> tuple[str, ...]:
    """Hosts as `host:port`, separated by commas."""
    return tuple(dict.fromkeys(network_host(entry) for entry in texts(text)))


def seal_key(text: str) -> str:
    """A key of seals, secret or public."""
    if text and not is_seal_key(text):
        raise ValueError("use 64 hexadecimal digits, as `agenthub nats keys env` makes them")
    return text


def seal_keys(text: str) -> tuple[str, ...]:
    """Public keys of seals, separated by commas."""
    return tuple(map(seal_key, texts(text)))


def api_keys(text: str) -> tuple[str, ...]:
    """Keys of the gateway, as `name:secret` or the secret alone."""
    entries = texts(text)
    for place, entry in enumerate(entries, start=1):
        read_api_key(entry, place)
    return entries


def header_values(text: str) -> tuple[str, ...]:
    """The values of `name=value`, separated by commas."""
    return tuple(unquote(entry.partition("=")[2].strip()) for entry in texts(text))


def texts_or_json(text: str) -> tuple[str, ...]:
    """Texts separated by commas, or as a JSON list."""
    if not text.startswith("["):
        return texts(text)
    try:
        return msgspec.json.decode(text, type=tuple[str, ...])
    except msgspec.DecodeError:
        raise ValueError("use a JSON list of texts, or values separated by commas") from None


def recipients(text: str) -> tuple[Recipient, ...]:
    """Recipients of notifications, each once."""
    return tuple(dict.fromkeys(parse_recipient(entry) for entry in texts_or_json(text)))


def mailbox(text: str) -> str:
    """One e-mail address."""
    recipient = parse_recipient(text)
    if recipient.channel != "email":
        raise ValueError("use an e-mail address, such as agenthub@example.org")
    return recipient.address


def webhook_secrets(text: str) -> tuple[str, ...]:
    """Keys of Standard Webhooks."""
    secrets = texts(text)
    for number, secret in enumerate(secrets, 1):
        try:
            size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
        except ValueError:
            size = 0
        if not secret.startswith("whsec_") or not _LEAST_KEY <= size <= _LARGEST_KEY:
            raise ValueError(
                f"secret {number} is none of Standard Webhooks: `whsec_` and {_LEAST_KEY} to {_LARGEST_KEY} random"
                " bytes in base64, as `openssl rand -base64 32` makes them"
            )
    return secrets


def duration(text: str) -> int:
    """Seconds of a duration in words."""
    return parse_duration(text, field="")


def declared_secrets(text: str) -> tuple[str, ...]:
    """Values that nothing may show."""
    values = texts_or_json(text)
    for number, value in enumerate(values, 1):
        if len(value.strip()) < SHORTEST_SECRET:
            raise ValueError(
                f"value {number} has fewer than {SHORTEST_SECRET} characters: ordinary texts would be masked"
            )
    return values


def agent_types(text: str) -> tuple[AgentType, ...]:
    """Agent types in any usual spelling, each once."""
    return tuple(dict.fromkeys(agent_type_of(part) for part in texts(text)))


def folder(text: str) -> Path:
    """A folder, absolute."""
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, OSError):
        raise ValueError("use an absolute path: the folder that this one begins at is not there") from None


def by_host(text: str) -> Mapping[str, str]:
    """Values by host name, as `host=value` separated by commas."""
    found: dict[str, str] = {}
    for number, entry in enumerate(texts(text), 1):
        host, separator, value = entry.partition("=")
        if not separator or not host.strip() or not value.strip() or "/" in host:
            raise ValueError(f"entry {number} has another form than `host=value`, such as `git.example.org=…`")
        found[host.strip().lower()] = value.strip()
    return found
