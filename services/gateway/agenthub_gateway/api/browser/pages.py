"""The web UI: one page and the files of its bundle, nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from agenthub_gateway.api.access import AnyRequest
from agenthub_gateway.errors import NotFound
from agenthub_gateway.web import FOLDER, PAGES, WebFile, read_bundle

_SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}
_A_YEAR = "public, max-age=31536000, immutable"
_ABSENT = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>agenthub</title>
<h1>The web UI was not built</h1><p>This hub was installed with AGENTHUB_SKIP_UI=1. Install it again without that
setting. The command line (<code>agenthub --help</code>) and the <a href="/schema">HTTP API</a> work.</p></html>"""


@get(list(PAGES), include_in_schema=False)
async def page(request: AnyRequest) -> Response[bytes]:
    """The one page; what it shows follows from the address, in the browser."""
    found = _bundle().get("index.html", WebFile("text/html", {"": _ABSENT}, lasting=False))
    return _answer(request, found)


@get("/static/{name:path}", include_in_schema=False)
async def static_file(name: FromPath[str], request: AnyRequest) -> Response[bytes]:
    """A file of the bundle."""
    found = _bundle().get(name.lstrip("/"))
    if found is None:
        raise NotFound(f"There is no file `{FOLDER}{name.lstrip('/')[:60]}`")
    return _answer(request, found)


@cache
def _bundle() -> dict[str, WebFile]:
    return read_bundle()


def _answer(request: AnyRequest, file: WebFile) -> Response[bytes]:
    encoding, body = file.best(request.headers.get("accept-encoding", ""))
    headers = {**_SAFE, "Cache-Control": _A_YEAR if file.lasting else "no-cache"}
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(body, media_type=file.media_type, headers=headers)


HANDLERS: list[Any] = [page, static_file]
