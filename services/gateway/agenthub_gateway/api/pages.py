"""The start page: static files of this package, nothing from elsewhere."""

from __future__ import annotations

from importlib import resources
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from agenthub_gateway.errors import NotFound

_KINDS = {
    "index.html": "text/html",
    "hub.css": "text/css",
    "hub.js": "text/javascript",
    "wire.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_SAFE = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@get("/", include_in_schema=False)
async def start_page() -> Response[bytes]:
    """What needs a person, the goals, and the story of one of them."""
    return _file("index.html")


@get("/static/{name:str}", include_in_schema=False)
async def static_file(name: FromPath[str]) -> Response[bytes]:
    """A file of the start page."""
    return _file(name)


def _file(name: str) -> Response[bytes]:
    if name not in _KINDS:
        raise NotFound(f"There is no file `{name[:60]}`")
    data = resources.files("agenthub_gateway").joinpath("static", name).read_bytes()
    return Response(data, media_type=_KINDS[name], headers=_SAFE)


HANDLERS: list[Any] = [start_page, static_file]
