"""The secrets of a deployment as files, one a secret: for Compose, Kubernetes and systemd to hand to services.

Which users the bus has, and which variables its servers read, is for `env_file` to say.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence

from agenthub_runtime.bus_users.certificates import Issued, new_authority, new_server
from agenthub_runtime.bus_users.env_file import completed

KEYS_OF_SERVERS = "nats_keys.env"
AUTHORITY, AUTHORITY_KEY = "nats_ca.pem", "nats_ca.key"
SERVER, SERVER_KEY, SERVER_HOSTS = "nats_server.pem", "nats_server.key", "nats_hosts"
HOSTS = ("localhost", "127.0.0.1", "nats-1", "nats-2", "nats-3", "nats", "*.nats", "*.nats.agenthub.svc")
"""Where the servers of compose.yaml and of deploy/kubernetes are reached."""

GIVEN = (
    *("anthropic_api_key", "git_tokens", "smtp_url", "notify", "notify_escalation", "webhook_secrets", "hooks"),
    "masked",
)
"""What only people can fill in: made empty, which leaves the setting unset."""

_SEED, _SEAL = "NATS_SEED_", "AGENTHUB_SEAL_"
_RANDOM = ("db_password", "db_reader_password", "link_key", "grafana_password")
_BYTES = 24
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9][A-Za-z0-9.-]*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")


def completed_files(
    held: Mapping[str, str], hosts: Sequence[str] = (), *, rotate: bool = False
) -> tuple[dict[str, str], tuple[str, ...]]:
    """All files by name, and which of them are new or changed; what is in `held` stays unless `rotate`.

    Passwords of the database are never replaced: the database would not know the new one. `hosts` are further
    names of the servers. Raises `ValueError` for a file that holds something else than its name says, or a host
    that is none.
    """
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"`{host[:80]}` is no name or address of a server")
    made = {
        **_keys(held, rotate=rotate),
        **{name: held.get(name, "").strip() or secrets.token_hex(_BYTES) for name in _RANDOM},
        "api_keys": held.get("api_keys", "").strip() or f"admin:{secrets.token_hex(_BYTES)}",
        **{name: held.get(name, "").strip() for name in GIVEN},
        **_certificates(held, tuple(dict.fromkeys((*HOSTS, *hosts))), rotate=rotate),
    }
    files = {name: f"{text.strip()}\n" if text else "" for name, text in made.items()}
    return files, tuple(name for name, text in files.items() if held.get(name) != text)


def seed_file_of(user: str) -> str:
    """The file with the seed of a user of the bus."""
    return f"nats_seed_{user.replace('-', '_')}"


def _keys(held: Mapping[str, str], *, rotate: bool) -> dict[str, str]:
    lines = [held.get(KEYS_OF_SERVERS, "")]
    for name, text in held.items():
        if name.startswith("nats_seed_") or name in ("seal_key", "seal_keys"):
            lines.append(f"{_variable(name)}={text.strip()}")
    text, _ = completed("\n".join(lines), rotate=rotate)
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    private = {name: value for name, value in found.items() if name.startswith((_SEED, _SEAL))}
    public = "\n".join(f"{name}={value}" for name, value in found.items() if name not in private)
    return {_file(name): value for name, value in private.items()} | {KEYS_OF_SERVERS: public}


def _file(variable: str) -> str:
    return variable.removeprefix("AGENTHUB_").lower()


def _variable(file: str) -> str:
    return f"AGENTHUB_{file.upper()}" if file.startswith("seal_") else file.upper()


def _certificates(held: Mapping[str, str], hosts: tuple[str, ...], *, rotate: bool) -> dict[str, str]:
    authority = Issued(certificate=held.get(AUTHORITY, ""), key=held.get(AUTHORITY_KEY, ""))
    server = Issued(certificate=held.get(SERVER, ""), key=held.get(SERVER_KEY, ""))
    if rotate or not (authority.certificate and authority.key):
        authority, server = new_authority(), Issued(certificate="", key="")
    known = tuple(held.get(SERVER_HOSTS, "").split())
    named = tuple(dict.fromkeys((*hosts, *known)))
    if not (server.certificate and server.key) or set(named) != set(known):
        server = new_server(authority, named)
    return {
        AUTHORITY: authority.certificate,
        AUTHORITY_KEY: authority.key,
        SERVER: server.certificate,
        SERVER_KEY: server.key,
        SERVER_HOSTS: "\n".join(named),
    }
