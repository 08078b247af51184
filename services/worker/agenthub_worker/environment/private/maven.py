"""Maven: mirrors and repositories in `settings.xml`, with the servers that hold their users and passwords."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping

from agenthub_worker.environment.private.found import Private, guarded, plain

FILE = "m2/settings.xml"
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_MIRROR = re.compile(r"<mirror>.*?</mirror>", re.S)
_PLACE = re.compile(r"<(mirror|repository|pluginRepository)>(.*?)</\1>", re.S)
_SERVER = re.compile(r"<server>(.*?)</server>", re.S)
_BLOCKED = re.compile(r"<blocked>\s*true\s*</blocked>")
_VARIABLE = re.compile(r"\$\{env\.(\w+)\}")
_IN_URL = re.compile(r"(?<=://)[^/@<\s]*@")


def of_maven(text: str, variables: Mapping[str, str]) -> Private:
    """What a `settings.xml` says; `${env.NAME}` in it stands for one of `variables`.

    A password that Maven has encrypted cannot be read, and is as none.
    """
    text = _VARIABLE.sub(lambda found: variables.get(found[1], ""), _COMMENT.sub("", text))
    servers = {_of(server, "id"): _authorization(server) for server in _SERVER.findall(text)}
    places = [place for _, place in _PLACE.findall(text)]
    # A blocked one stands for what must not be reached, with an address that leads to this machine.
    addresses = {_of(place, "id"): _of(place, "url") for place in places if not _BLOCKED.search(place)}
    found = [guarded(url, servers[name]) for name, url in addresses.items() if servers.get(name)]
    sources = tuple(source for source in found if source is not None)
    mirrors = "".join(_shown(_MIRROR.findall(text)))
    return Private(
        guarded=sources,
        addresses=tuple(url for url in addresses.values() if url),
        files={FILE: f"<settings><mirrors>{plain(mirrors, sources)}</mirrors></settings>\n"} if mirrors else {},
    )


def _shown(mirrors: list[str]) -> Iterator[str]:
    """Mirrors without the credentials in their addresses, which are then called by plain HTTP."""
    for mirror in mirrors:
        yield _IN_URL.sub("", mirror.replace("https://", "http://") if _IN_URL.search(mirror) else mirror)


def _of(text: str, field: str) -> str:
    found = re.search(rf"<{field}>\s*([^<\s]+)\s*</{field}>", text)
    return found[1] if found else ""


def _authorization(server: str) -> str:
    user, password = _of(server, "username"), _of(server, "password")
    if not user or not password or password.startswith("{"):
        return ""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
