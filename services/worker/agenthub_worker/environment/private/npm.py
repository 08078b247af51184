"""npm: registries, of scopes too, and the tokens in `.npmrc`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from agenthub_worker.environment.place import PLACE
from agenthub_worker.environment.private.found import Private, guarded, plain

FILE = "npm/npmrc"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_AUTH = re.compile(r"//(?P<place>[^=]+?)/?:(?P<field>_authToken|_auth|username|_password)")


def of_npm(text: str, variables: Mapping[str, str]) -> Private:
    """What an `.npmrc` says; `${NAME}` in it stands for one of `variables`."""
    registries: dict[str, str] = {}
    fields: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if not separator or name.startswith(("#", ";")):
            continue
        value = _VARIABLE.sub(lambda found: variables.get(found[1], ""), value.strip().strip("\"'"))
        name = name.strip()
        if told := _AUTH.fullmatch(name):
            fields.setdefault(told["place"], {})[told["field"]] = value
        elif name == "registry" or name.endswith(":registry"):
            registries[name] = value if value.endswith("/") else f"{value}/"
    schemes: dict[str, str] = {}
    for address in registries.values():
        scheme, _, rest = address.partition("://")
        schemes[rest.split("/")[0]] = scheme
    found = [
        guarded(f"{schemes.get(place.split('/')[0], 'https')}://{place}/", _authorization(told))
        for place, told in fields.items()
    ]
    sources = tuple(source for source in found if source is not None and source.authorization)
    lines = "".join(f"{name}={plain(address, sources)}\n" for name, address in registries.items())
    return Private(
        guarded=sources,
        addresses=tuple(registries.values()),
        files={FILE: lines} if lines else {},
        variables={"npm_config_userconfig": f"{PLACE}/{FILE}"} if lines else {},
    )


def _authorization(fields: Mapping[str, str]) -> str:
    if token := fields.get("_authToken"):
        return f"Bearer {token}"
    if both := fields.get("_auth"):
        return f"Basic {both}"
    try:
        password = base64.b64decode(fields.get("_password", ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    user = fields.get("username", "")
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}" if user and password else ""
