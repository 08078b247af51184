"""The registry that cargo uses when nobody has told it another one, as cargo and that registry name it."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agenthub_worker.environment.toolchains import answer_of

_FETCH_WITHIN_S = 10
_SETTINGS_BYTES = 64 << 10
# A proxy that is not there: cargo says what it would have fetched.
_NOWHERE = "http://127.0.0.1:9"
_MANIFEST = '[package]\nname = "asked"\nversion = "0.0.0"\nedition = "2018"\n[dependencies]\nunheard = "*"\n'
_NAMED = re.compile(r"`(https?://[^\s`]+/)config\.json`")


class _Registry(msgspec.Struct):
    dl: str = ""


async def default_registry(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The address of its index and that of its downloads; what cargo or the registry does not say is left out."""
    program = shutil.which("cargo", path=environment.get("PATH"))
    if program is None:
        return ()
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-cargo-"))
    try:
        found = _NAMED.search(await _said(program, environment, folder))
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    if found is None:
        return ()
    downloads = await asyncio.to_thread(_downloads_of, found[1])
    return (found[1], downloads) if downloads else (found[1],)


async def _said(program: str, environment: Mapping[str, str], folder: Path) -> str:
    """What cargo says when it cannot fetch a package, in a home of its own."""
    (folder / "src").mkdir()
    (folder / "src" / "lib.rs").touch()
    (folder / "Cargo.toml").write_text(_MANIFEST)
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "CARGO_HTTP_PROXY"), _NOWHERE)
    told = {**environment, **proxies, "CARGO_HOME": str(folder / "home"), "CARGO_NET_RETRY": "0"}
    manifest = str(folder / "Cargo.toml")
    answer = await answer_of([program, "generate-lockfile", "--manifest-path", manifest], told)
    return "" if answer is None else (answer.stdout + answer.stderr).decode("utf-8", "replace")


def _downloads_of(index: str) -> str:
    """Where the settings of a registry say that its packages are; empty when they cannot be had."""
    try:
        with urllib.request.urlopen(f"{index}config.json", timeout=_FETCH_WITHIN_S) as answer:  # noqa: S310 - its scheme was matched
            return msgspec.json.decode(answer.read(_SETTINGS_BYTES), type=_Registry).dl
    except (OSError, ValueError, msgspec.DecodeError):
        return ""
