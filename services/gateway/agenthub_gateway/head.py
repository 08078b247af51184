"""HEAD works wherever GET does: the same answer without its body."""

from __future__ import annotations

from typing import Any, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send


class AnswersHead:
    """Asks the application as by GET, and lets only the head of the answer through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one connection on."""
        asked = cast(dict[str, Any], scope)
        if asked["type"] != "http" or asked["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
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
