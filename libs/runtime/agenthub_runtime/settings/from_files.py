"""Settings whose values lie in files, as Docker and Kubernetes mount secrets, and addresses without credentials.

`NAME_FILE` names the file that holds what `NAME` would; an empty file leaves the setting unset. The seed of the
bus, its authority and the database's password may stand beside the addresses: here they become a part of them, so
that everything behind knows one form.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from agenthub_runtime.settings.stores import DATABASE_PASSWORD, DATABASE_URL, NATS_CA, NATS_SEED, NATS_URL
from agenthub_runtime.settings.table import SETTINGS

_FILE = "_FILE"
_LARGEST = 1 << 20


def with_values_of_files(env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """`env` with what its files hold in their place and whole addresses; and what is wrong, in sentences."""
    found = dict(env)
    problems: list[str] = []
    for setting in SETTINGS:
        path = found.pop(setting.name + _FILE, "").strip()
        if not path:
            continue
        if env.get(setting.name, "").strip():
            problems.append(f"{setting.name} and {setting.name}{_FILE} are both set: take one away")
            continue
        try:
            found[setting.name] = _content(Path(path))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"{setting.name}{_FILE} names {path[:200]}, which cannot be read: {reason}")
    problems += _completed(found)
    return found, problems


def _completed(found: dict[str, str]) -> list[str]:
    """Put seed, authority and password into the addresses; returns what does not go together."""
    problems = []
    seed, authority, password = (
        found.pop(setting.name, "").strip() for setting in (NATS_SEED, NATS_CA, DATABASE_PASSWORD)
    )
    bus, database = found.get(NATS_URL.name, "").strip(), found.get(DATABASE_URL.name, "").strip()
    try:
        if seed and bus:
            bus = ",".join(_with_secret(address.strip(), seed) for address in bus.split(","))
        if authority and not Path(authority).is_file():
            problems.append(f"{NATS_CA.name} names {authority[:200]}, which is no file")
        if authority and bus:
            bus = ",".join(_with_authority(address.strip(), authority) for address in bus.split(","))
    except ValueError as error:
        problems.append(f"{NATS_URL.name} and {NATS_SEED.name}: {error}")
    try:
        if password and database:
            database = _with_secret(database, password)
    except ValueError as error:
        problems.append(f"{DATABASE_URL.name} and {DATABASE_PASSWORD.name}: {error}")
    if bus:
        found[NATS_URL.name] = bus
    if database:
        found[DATABASE_URL.name] = database
    return problems


def _with_secret(address: str, secret: str) -> str:
    parts = urlsplit(address)
    user, _, place = parts.netloc.rpartition("@")
    if not user or ":" in user:
        raise ValueError("the address names its user, and no secret of its own, as in `scheme://user@host`")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(secret, safe='')}@{place}"))


def _with_authority(address: str, path: str) -> str:
    return urlunsplit(urlsplit(address)._replace(query=urlencode({"ca": path})))


def _content(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("it is larger than 1 MiB")
    try:
        return data.removeprefix(BOM_UTF8).decode().strip()
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8") from None
