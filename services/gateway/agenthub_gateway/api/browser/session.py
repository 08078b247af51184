"""Signing a browser in and out. What it holds afterwards is a cookie that no script can read."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from msgspec import Meta

from agenthub_gateway.api.access import AnyRequest, PortsParam
from agenthub_gateway.api.payloads.decoding import strict_body
from agenthub_gateway.commands.sessions import COOKIE, COOKIE_OVER_TLS, LINK_LASTS, SESSION_LASTS, session_in
from agenthub_gateway.edge.guard import HOLDER, place_of
from agenthub_gateway.edge.keys import SESSION, Holder
from agenthub_gateway.edge.sign_in import SignIn
from agenthub_gateway.errors import FieldError, InvalidBody, KeyRefused
from agenthub_gateway.web import SIGN_IN

SignInParam = SkipValidation[NamedDependency[SignIn]]
Secret = Annotated[str, Meta(max_length=500)]
_TAGS = ["Session"]
_NOT_KEPT = {"Cache-Control": "no-store"}


class SignInBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two: a configured key, or the token of a one-time link."""

    key: Secret = ""
    link: Secret = ""

    def __repr__(self) -> str:
        return "SignInBody()"


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `way` `none`: nobody that the hub knows; `open`: it has no keys and asks this account for none."""

    way: Literal["none", "open", "key", "session"]
    name: str = ""
    scope: str = ""


class SignInLink(msgspec.Struct, frozen=True, kw_only=True):
    """The path to open in a browser, and for how many seconds; 0 where nobody has to sign in."""

    path: str
    expires_in_s: int


@get(SESSION, tags=_TAGS, summary="Who asks, and whether the hub wants a key")
async def session(*, request: AnyRequest, sign_in: SignInParam) -> Response[SessionView]:
    """Answers everybody, so that a page knows whether to ask for a key before it asks for anything else."""
    holder: Holder | None = request.scope["state"].get(HOLDER)
    if holder is None:
        return _told(SessionView(way="none" if sign_in.keys else "open"))
    way: Literal["key", "session"] = "key" if "authorization" in request.headers else "session"
    return _told(SessionView(way=way, name=holder.name, scope=holder.scope))


@post(
    SESSION,
    status_code=200,
    before_request=strict_body(SignInBody),
    tags=_TAGS,
    summary="Sign a browser in",
)
async def sign_in_here(
    data: JSONBody[SignInBody], *, request: AnyRequest, ports: PortsParam, sign_in: SignInParam
) -> Response[SessionView]:
    """By a key or by a link. The session reaches as far as the key, for a week or until the key is removed."""
    if bool(data.key) == bool(data.link):
        raise InvalidBody([FieldError("key", "Give either `key` or `link`")])
    if data.link:
        holder, token = await sign_in.by_link(data.link)
    else:
        holder, token = await sign_in.by_key(place_of(request.scope), data.key)
    answer = _told(SessionView(way="session", name=holder.name, scope=holder.scope))
    _set_cookie(answer, token, is_tls=_over_tls(request, ports.public_url))
    return answer


@post(
    f"{SESSION}/end",
    status_code=200,
    tags=_TAGS,
    summary="Sign this browser out",
)
async def sign_out(*, request: AnyRequest, sign_in: SignInParam) -> Response[SessionView]:
    """The session is worth nothing from now on, wherever its cookie may be."""
    token = session_in({"cookie": request.headers.get("cookie", "")})
    if token:
        await sign_in.sessions.end(token)
    answer = _told(SessionView(way="none"))
    for name, secure in ((COOKIE, False), (COOKIE_OVER_TLS, True)):
        answer.set_cookie(name, "", max_age=0, path="/", httponly=True, samesite="strict", secure=secure)
    return answer


@post(
    f"{SESSION}/links",
    status_code=200,
    tags=_TAGS,
    summary="Make a one-time link that signs a browser in",
)
async def make_link(*, request: AnyRequest, sign_in: SignInParam) -> Response[SignInLink]:
    """What `agenthub open` opens. Its token stands behind `#`, which browsers send to nobody; it works once.

    A session makes none.
    """
    holder: Holder | None = request.scope["state"].get(HOLDER)
    if holder is None:
        return Response(SignInLink(path="/", expires_in_s=0), status_code=200, headers=_NOT_KEPT)
    if "authorization" not in request.headers:
        # Who has copied its cookie would go on with another session after its owner has signed out.
        raise KeyRefused("A session opens no other one: ask for the link with a key, as `agenthub open` does")
    token = await sign_in.sessions.give("link", holder.proof)
    made = SignInLink(path=f"{SIGN_IN}#{token}", expires_in_s=int(LINK_LASTS.total_seconds()))
    return Response(made, status_code=200, headers=_NOT_KEPT)


def _told(view: SessionView) -> Response[SessionView]:
    return Response(view, status_code=200, headers=_NOT_KEPT)


def _over_tls(request: AnyRequest, public_url: str) -> bool:
    """Whether the browser came over TLS, also when a proxy took it off and the request is plain."""
    public = urlsplit(public_url)
    return request.scope["scheme"] == "https" or (
        public.scheme == "https" and request.headers.get("host", "").lower() == public.netloc.lower()
    )


def _set_cookie(answer: Response[Any], token: str, *, is_tls: bool) -> None:
    answer.set_cookie(
        COOKIE_OVER_TLS if is_tls else COOKIE,
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=is_tls,
    )


HANDLERS: list[Any] = [session, sign_in_here, sign_out, make_link]
