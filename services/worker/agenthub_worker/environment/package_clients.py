"""How this machine's own package clients are set up: where they fetch from, what they trust.

No host is named here: each client is asked, or its settings are read, so what a person's own `pip install` reaches
is what a setup reaches. Credentials stay outside: inside an address with a password is called without it, by plain
HTTP, and the proxy adds both the password and TLS.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
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
_CARGO_FIELDS = ("registry", "index", "replace-with")
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_MIRROR = re.compile(r"<mirror>.*?</mirror>", re.S)
_BLOCKED = re.compile(r"<blocked>\s*true\s*</blocked>")
_MIRROR_URL = re.compile(r"<url>\s*([^<\s]+)\s*</url>")
_BETWEEN = re.compile(r"[\s,|]+")


class PackageClients(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients of this machine say.

    `addresses` may hold credentials and never enter a sandbox; `variables`, `folders` and `files` (texts by their
    place in an environment) are for inside.
    """

    addresses: tuple[str, ...]
    variables: Mapping[str, str]
    folders: tuple[Path, ...] = ()
    files: Mapping[str, str] = {}


class _Found:
    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.variables: dict[str, str] = {}
        self.folders: list[Path] = []
        self.files: dict[str, str] = {}

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
    await asyncio.to_thread(_read_files, found, home)
    return PackageClients(
        addresses=tuple(dict.fromkeys(found.addresses)),
        variables=found.variables,
        folders=tuple(dict.fromkeys(found.folders)),
        files=found.files,
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


def _read_files(found: _Found, home: Path) -> None:
    cargo = dict(_cargo_sources(home))
    found.addresses += [value for fields in cargo.values() for value in fields.values() if "://" in value]
    if cargo:
        found.files["cargo/config.toml"] = "\n".join(_of_cargo(cargo))
    for settings in (home / ".m2" / "settings.xml", Path("/etc/maven/settings.xml")):
        mirrors = _MIRROR.findall(_COMMENT.sub("", _text(settings)))
        # A blocked one stands for what must not be reached, with an address that leads to this machine.
        fetched = (mirror for mirror in mirrors if not _BLOCKED.search(mirror))
        found.addresses += [url for mirror in fetched for url in _MIRROR_URL.findall(mirror)]
        if mirrors and "m2/settings.xml" not in found.files:
            found.files["m2/settings.xml"] = f"<settings><mirrors>{''.join(mirrors)}</mirrors></settings>\n"


def _cargo_sources(home: Path) -> Iterator[tuple[tuple[str, str], Mapping[str, str]]]:
    """The tables of cargo's settings that say where packages come from, with those fields alone."""
    for name in ("config", "config.toml"):
        try:
            config = tomllib.loads(_text(home / ".cargo" / name))
        except tomllib.TOMLDecodeError:
            continue
        for table in ("source", "registries"):
            entries = config.get(table)
            for entry, fields in entries.items() if isinstance(entries, dict) else ():
                kept = {field: str(fields[field]) for field in _CARGO_FIELDS if field in fields}
                yield (table, entry), kept


def _of_cargo(sources: Mapping[tuple[str, str], Mapping[str, str]]) -> Iterator[str]:
    for (table, entry), fields in sources.items():
        yield f"[{table}.{json.dumps(entry)}]"
        for field, value in fields.items():
            scheme, _, address = value.rpartition("+")
            shown = f"{scheme}+{_without_credentials(address)}" if scheme else _without_credentials(value)
            yield f"{field} = {json.dumps(shown)}"


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
