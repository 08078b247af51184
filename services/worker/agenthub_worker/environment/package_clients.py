"""How this machine's own package clients are set up: where they fetch from, what they trust.

No host is named here: each client is asked, or its settings are read, so what a person's own `pip install` reaches
is what a setup reaches. Credentials stay outside: inside an address with a password is called without it, by plain
HTTP, and the proxy adds both the password and TLS.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from agenthub_runtime.processes.spawn import run

_ASK_WITHIN_S = 20
_TRUST_FOLDER = Path("/etc/ssl/certs")
_TRUST = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),
)
_PIP_DEFAULTS = "from pip._internal.models.index import PyPI; print(PyPI.simple_url, PyPI.file_storage_domain)"
_MIRROR_URL = re.compile(r"<url>\s*([^<\s]+)\s*</url>")
_BETWEEN = re.compile(r"[\s,|]+")


class PackageClients(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients of this machine say.

    `addresses` may hold credentials and never enter a sandbox; `variables` and `folders` are for inside.
    """

    addresses: tuple[str, ...]
    variables: Mapping[str, str]
    folders: tuple[Path, ...] = ()


class _Found:
    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.variables: dict[str, str] = {}
        self.folders: list[Path] = []

    def set(self, name: str, value: str) -> None:
        """Give a variable inside the addresses in `value`, without their credentials."""
        parts = [part for part in _BETWEEN.split(value) if part]
        self.addresses += parts
        if parts:
            self.variables[name] = ("," if name.startswith("GO") else " ").join(map(_without_credentials, parts))

    def trust(self, name: str, path: str) -> None:
        if self.bind(Path(path)):
            self.variables[name] = path

    def bind(self, path: Path) -> bool:
        if path.exists():
            self.folders.append(path)
        return path.exists()


async def ask_clients(environment: Mapping[str, str], home: Path) -> PackageClients:
    """Ask pip, npm and go, and read the settings of cargo and Maven; clients that are not here say nothing."""
    found = _Found()
    for name in _TRUST:
        if path := environment.get(name):
            found.trust(name, path)
    found.bind(_TRUST_FOLDER)
    await _ask_pip(found, environment)
    for line in await _asked(["npm", "config", "get", "registry"], environment):
        found.set("npm_config_registry", line)
    answers = await _asked(["go", "env", "GOPROXY", "GOSUMDB"], environment)
    for name, line in zip(("GOPROXY", "GOSUMDB"), answers, strict=False):
        found.set(name, line)
    found.addresses += await asyncio.to_thread(lambda: list(_in_files(home)))
    return PackageClients(
        addresses=tuple(dict.fromkeys(found.addresses)),
        variables=found.variables,
        folders=tuple(dict.fromkeys(found.folders)),
    )


async def _ask_pip(found: _Found, environment: Mapping[str, str]) -> None:
    for line in await _asked(["python3", "-c", _PIP_DEFAULTS], environment):
        found.addresses += line.split()
    settings: dict[str, str] = {}
    for line in await _asked(["python3", "-m", "pip", "config", "list"], environment):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = value.strip("'\" ").replace("\\n", " ")
    for option in ("index-url", "extra-index-url"):
        found.set(f"PIP_{option.upper().replace('-', '_')}", settings.get(option, ""))
    if "PIP_INDEX_URL" in found.variables:
        found.variables["UV_DEFAULT_INDEX"] = found.variables["PIP_INDEX_URL"]
    if plain := [host for url in found.addresses if (host := _plain_host(url))]:
        found.variables["PIP_TRUSTED_HOST"] = " ".join(plain)
    if path := settings.get("cert"):
        found.trust("PIP_CERT", path)
    local = [part for part in settings.get("find-links", "").split() if found.bind(Path(part))]
    if local:
        found.variables["PIP_FIND_LINKS"] = " ".join(local)


def _without_credentials(address: str) -> str:
    parts = urlsplit(address)
    if not parts.username:
        return address
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(scheme="http", netloc=host).geturl()


def _plain_host(address: str) -> str:
    parts = urlsplit(address)
    return parts.netloc.rpartition("@")[2] if parts.username else ""


def _in_files(home: Path) -> Iterator[str]:
    yield from _cargo_addresses(home)
    for settings in (home / ".m2" / "settings.xml", Path("/etc/maven/settings.xml")):
        yield from _MIRROR_URL.findall(_text(settings))


def _cargo_addresses(home: Path) -> Iterator[str]:
    for name in ("config.toml", "config"):
        try:
            config = tomllib.loads(_text(home / ".cargo" / name))
        except tomllib.TOMLDecodeError:
            continue
        for table in ("source", "registries"):
            entries = config.get(table)
            yield from _registries(entries.values() if isinstance(entries, dict) else ())


def _registries(entries: Iterable[object]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, dict):
            yield from (str(entry[field]) for field in ("registry", "index") if field in entry)


async def _asked(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        return []
    try:
        async with asyncio.timeout(_ASK_WITHIN_S):
            answer = await run([program, *command[1:]], env=dict(environment))
    except (OSError, TimeoutError):
        return []
    return answer.stdout.decode("utf-8", "replace").split("\n") if answer.code == 0 else []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
