"""cargo: the tokens of registries in `credentials.toml` and in the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agenthub_runtime.toml_reading import TomlInvalid, read_toml
from agenthub_worker.environment.private.found import PLACEHOLDER, Private, guarded


def of_cargo(registries: Mapping[str, str], credentials: str, variables: Mapping[str, str]) -> Private:
    """What is known of `registries` (addresses of their indexes by name); cargo sends a token as it is.

    Inside each of them has a token that says nothing, since cargo does not ask without one.
    """
    try:
        told: Any = read_toml(credentials).get("registries", {})
    except TomlInvalid:
        told = {}
    sources = []
    lines = []
    for name, index in registries.items():
        token = variables.get(f"CARGO_REGISTRIES_{name.upper().replace('-', '_')}_TOKEN") or _token(told, name)
        source = guarded(index.rpartition("+")[2], token, whole_host=True)
        if token and source is not None:
            sources.append(source)
            lines.append(f"[registries.{json.dumps(name)}]\ntoken = {json.dumps(PLACEHOLDER)}\n")
    if not sources:
        return Private()
    return Private(
        guarded=tuple(sources),
        files={"cargo/credentials.toml": "".join(lines)},
        variables={"CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS": "cargo:token"},
    )


def _token(told: Any, name: str) -> str:
    entry = told.get(name) if isinstance(told, dict) else None
    token = entry.get("token") if isinstance(entry, dict) else None
    return token if isinstance(token, str) else ""
