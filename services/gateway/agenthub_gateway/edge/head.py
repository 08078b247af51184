"""HEAD works wherever GET does, and OPTIONS and `Allow` name every method that an address has."""

from __future__ import annotations

from typing import Any, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send

# No address has it, so the router answers with all that there are.
_NO_METHOD = "TRACE"


class AnswersHead:
    """Asks the application as by GET, and lets only the head of the answer through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one connection on."""
        asked = cast(dict[str, Any], scope)
        if asked["type"] != "http":
            await self._app(scope, receive, send)
        elif asked["method"] == "HEAD":
            await self._head(asked, receive, _naming_head(send))
        elif asked["method"] == "OPTIONS":
            await self._app(cast(Scope, {**asked, "method": _NO_METHOD}), receive, _only_methods(send))
        else:
            await self._app(scope, receive, _naming_head(send))

    async def _head(self, asked: dict[str, Any], receive: Receive, send: Send) -> None:
        began = False

        async def gone_after_the_head() -> Any:
            # A live feed would go on for ever: who asked for its head has left.
            return {"type": "http.disconnect"} if began else await receive()

        async def without_body(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        # A copy: the server looks into its own scope to know that no body follows.
        await self._app(cast(Scope, {**asked, "method": "GET"}), gone_after_the_head, without_body)


def _naming_head(send: Send) -> Send:
    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [_with_head(*header) for header in message["headers"]]
        await send(message)

    return named


def _with_head(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name.lower() != b"allow":
        return name, value
    methods = {method.strip() for method in value.split(b",")} | {b"OPTIONS"}
    return name, b", ".join(sorted(methods | {b"HEAD"} if b"GET" in methods else methods))


def _only_methods(send: Send) -> Send:
    refused = False

    async def told(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] == 405:
            refused = True
            allow = [_with_head(*header) for header in message["headers"] if header[0].lower() == b"allow"]
            await send({"type": "http.response.start", "status": 204, "headers": allow})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif not refused:
            await send(message)

    return told
