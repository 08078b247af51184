"""What every answer says of itself: nobody keeps it for others, no browser takes it for another kind of file."""

from __future__ import annotations

from litestar.types import Message, Send

_KEPT_BY_NOBODY = (b"cache-control", b"no-store")
_AS_IT_SAYS = (b"x-content-type-options", b"nosniff")


def guarded(send: Send) -> Send:
    """Sends on; where an answer does not say it itself, it is kept by no cache and read as the kind that it is."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            said = {name.lower() for name, _ in headers}
            message["headers"] = headers + [one for one in (_KEPT_BY_NOBODY, _AS_IT_SAYS) if one[0] not in said]
        await send(message)

    return with_headers
