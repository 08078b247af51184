"""The web UI as it was built: its files, and the addresses at which browsers ask for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

import msgspec

FOLDER = "/static/"
SIGN_IN = "/sign-in"
# One page for all of these: what to show is decided in the browser.
PAGES = (
    "/",
    "/new",
    SIGN_IN,
    "/goals/{goal_id:str}",
    "/inbox",
    "/review",
    "/review/{goal_id:str}",
    "/plan/{goal_id:str}",
    "/dead-letters",
    "/fleet",
    "/analytics",
)
_PAGE = re.compile("|".join(re.sub(r"\{\w+:str\}", "[^/]+", page) for page in PAGES))
_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

Encoding = Literal["br", "gzip", ""]
_SUFFIXES: Mapping[Encoding, str] = {"br": ".br", "gzip": ".gz", "": ""}


class WebFile(msgspec.Struct, frozen=True):
    """A file of the bundle, as it is and compressed. `lasting`: its name changes with its bytes."""

    media_type: str
    bodies: dict[Encoding, bytes]
    lasting: bool

    def best(self, accepted: str) -> tuple[Encoding, bytes]:
        """The smallest form that an `Accept-Encoding` allows."""
        named = {part.partition(";")[0].strip() for part in accepted.split(",") if not part.endswith(";q=0")}
        for encoding in ("br", "gzip"):
            if encoding in named and encoding in self.bodies:
                return encoding, self.bodies[encoding]
        return "", self.bodies[""]


def is_page(path: str) -> bool:
    """Whether the web UI answers at this path."""
    return _PAGE.fullmatch(path) is not None


def read_bundle() -> dict[str, WebFile]:
    """Every file by its name below `/static/`; empty when the UI was not built."""
    folder = resources.files("agenthub_gateway").joinpath("ui")
    return dict(_files(folder, "")) if folder.is_dir() else {}


def _files(folder: Traversable, prefix: str) -> list[tuple[str, WebFile]]:
    found: list[tuple[str, WebFile]] = []
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        suffix = f".{entry.name.rpartition('.')[2]}"
        if entry.is_dir():
            found += _files(entry, f"{name}/")
        elif suffix in _KINDS:
            bodies: dict[Encoding, bytes] = {"": entry.read_bytes()}
            for encoding, ending in _SUFFIXES.items():
                packed = folder.joinpath(entry.name + ending)
                if encoding and packed.is_file():
                    bodies[encoding] = packed.read_bytes()
            found.append((name, WebFile(_KINDS[suffix], bodies, name.startswith("assets/"))))
    return found
