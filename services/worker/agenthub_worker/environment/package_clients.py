"""How this machine's own package clients are set up: where they fetch from, what they trust.

No host is named here: each client is asked, or its settings are read, so what a person's own `pip install` reaches
is what a setup reaches. Credentials stay outside: inside an address with a password is called without it, by plain
HTTP, and the proxy adds both the password and TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import zipfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec

from agenthub_runtime.toml_reading import TomlInvalid, read_toml
from agenthub_worker.environment.network.package_sources import PackageSource
from agenthub_worker.environment.private.cargo import of_cargo
from agenthub_worker.environment.private.found import Private, plain
from agenthub_worker.environment.private.maven import of_maven
from agenthub_worker.environment.private.npm import of_npm
from agenthub_worker.environment.toolchains import ASK_WITHIN_S, answer_of

_TRUST_FOLDER = Path("/etc/ssl/certs")
_TRUST = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),
)
_PIP_DEFAULTS = "from pip._internal.models.index import PyPI; print(PyPI.simple_url, PyPI.file_storage_domain)"
_CARGO_FIELDS = ("registry", "index", "replace-with")
_MIRROR_URL = re.compile(r"<url>\s*([^<\s]+)\s*</url>")
_MODEL_OF_MAVEN = "org/apache/maven/model/pom-4.0.0.xml"
_BETWEEN = re.compile(r"[\s,|]+")


class PackageClients(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients of this machine say.

    `addresses` may hold credentials, `guarded` do, and neither ever enters a sandbox; `variables`, `folders` and
    `files` (texts by their place in an environment) are for inside.
    """

    addresses: tuple[str, ...]
    variables: Mapping[str, str]
    folders: tuple[Path, ...] = ()
    files: Mapping[str, str] = {}
    guarded: tuple[PackageSource, ...] = ()


_Ask: TypeAlias = Callable[[Sequence[str]], Awaitable[list[str]]]


class _Found:
    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.variables: dict[str, str] = {}
        self.folders: list[Path] = []
        self.files: dict[str, str] = {}
        self.guarded: list[PackageSource] = []

    def take(self, private: Private) -> None:
        """What a client's settings say of private registries; what is known of a place stays."""
        self.addresses += private.addresses
        self.guarded += private.guarded
        self.files = {**private.files, **self.files}
        self.variables = {**self.variables, **private.variables}

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


async def ask_clients(
    environment: Mapping[str, str], home: Path, *, within_s: float = ASK_WITHIN_S
) -> PackageClients:
    """Ask pip, npm and go, and read the settings of cargo and Maven; clients that are not here say nothing.

    Raises `SetupFailed` where one does not answer: packages would come from elsewhere than it is told.
    """
    found = _Found()
    for name in _TRUST:
        if path := environment.get(name):
            found.trust(name, path)
    found.bind(_TRUST_FOLDER)
    ask = partial(_asked, environment=environment, within_s=within_s)
    await _ask_pip(found, ask)
    npm = await _ask_npm(found, ask)
    answers = await ask(["go", "env", "GOPROXY", "GOSUMDB"])
    for name, line in zip(("GOPROXY", "GOSUMDB"), answers, strict=False):
        found.set(name, line)
    await asyncio.to_thread(_read_files, found, environment, home, npm)
    await asyncio.to_thread(_default_of_maven, found, environment)
    sources = tuple(found.guarded)
    return PackageClients(
        addresses=tuple(dict.fromkeys(found.addresses)),
        variables={name: plain(value, sources) for name, value in found.variables.items()},
        folders=tuple(dict.fromkeys(found.folders)),
        files={place: plain(text, sources) for place, text in found.files.items()},
        guarded=sources,
    )


async def _ask_npm(found: _Found, ask: _Ask) -> Path | None:
    """Where the settings lie that npm reads for everybody."""
    told = {"registry": "", "cafile": "null", "globalconfig": ""}
    for line in filter(None, await ask(["npm", "config", "get", *told])):
        name, separator, value = line.partition("=")
        # Before version 7 it answers the first question alone, without its name.
        told |= {name: value} if separator and name in told else {"registry": line}
    found.set("npm_config_registry", told["registry"])
    if told["cafile"] != "null":
        found.trust("npm_config_cafile", told["cafile"])
    return Path(told["globalconfig"]) if told["globalconfig"] else None


async def _ask_pip(found: _Found, ask: _Ask) -> None:
    for line in await ask(["python3", "-c", _PIP_DEFAULTS]):
        found.addresses += line.split()
    settings: dict[str, str] = {}
    for line in await ask(["python3", "-m", "pip", "config", "list"]):
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


def _read_files(found: _Found, environment: Mapping[str, str], home: Path, npm: Path | None) -> None:
    npmrc = environment.get("npm_config_userconfig") or environment.get("NPM_CONFIG_USERCONFIG")
    own = _text(Path(npmrc) if npmrc else home / ".npmrc")
    # What a person has set comes last and wins.
    found.take(of_npm(f"{_text(npm) if npm else ''}\n{own}", environment))
    cargo = dict(_cargo_sources(home))
    found.addresses += [value for fields in cargo.values() for value in fields.values() if "://" in value]
    if cargo:
        found.files["cargo/config.toml"] = "\n".join(_of_cargo(cargo))
    indexes = {name: fields["index"] for (table, name), fields in cargo.items() if "index" in fields}
    tokens = "\n".join(_text(home / ".cargo" / name) for name in ("credentials.toml", "credentials"))
    found.take(of_cargo(indexes, tokens, environment))
    for settings in (home / ".m2" / "settings.xml", Path("/etc/maven/settings.xml")):
        found.take(of_maven(_text(settings), environment))


def _default_of_maven(found: _Found, environment: Mapping[str, str]) -> None:
    """Where Maven fetches from when nothing says otherwise, as the model says that it brings itself."""
    program = shutil.which("mvn", path=environment.get("PATH"))
    if program is None:
        return
    for jar in Path(program).resolve().parent.parent.glob("lib/maven-model-builder-*.jar"):
        with contextlib.suppress(OSError, KeyError, zipfile.BadZipFile), zipfile.ZipFile(jar) as archive:
            model = archive.read(_MODEL_OF_MAVEN).decode("utf-8", "replace")
            found.addresses += [url for url in _MIRROR_URL.findall(model) if url not in found.addresses]


def _cargo_sources(home: Path) -> Iterator[tuple[tuple[str, str], Mapping[str, str]]]:
    """The tables of cargo's settings that say where packages come from, with those fields alone."""
    for name in ("config", "config.toml"):
        try:
            config = read_toml(_text(home / ".cargo" / name))
        except TomlInvalid:
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


async def _asked(command: Sequence[str], environment: Mapping[str, str], within_s: float) -> list[str]:
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        return []
    answer = await answer_of([program, *command[1:]], environment, within_s=within_s)
    return answer.stdout.decode("utf-8", "replace").split("\n") if answer is not None and answer.code == 0 else []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
