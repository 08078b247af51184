"""Request bodies, read strictly: nothing unknown is ignored, nothing wrong is guessed."""

from __future__ import annotations

import types
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Iterator
from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec
from litestar import Request

from agenthub_gateway.errors import FieldError, InvalidBody, MalformedBody
from agenthub_gateway.problems import LISTED

T = TypeVar("T", bound=msgspec.Struct)

_SHOWN = 60


def strict_body(kind: type[T], *, optional: bool = False) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """A hook before a handler: refuses a body that is not exactly a `kind`, naming every unknown field."""

    async def check(request: Request[Any, Any, Any]) -> None:
        body = await request.body()
        if not (optional and not body.strip()):
            decode_strictly(body, kind)

    return check


def decode_strictly(body: bytes, kind: type[T]) -> T:
    """Read a body. Raises `MalformedBody` or `InvalidBody`."""
    body = body.removeprefix(BOM_UTF8)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _refused(body, kind)


def _refused(body: bytes, kind: type[T]) -> T:
    """Find every reason for which a body does not fit; only now, because it takes its time."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"The body cannot be read as JSON: {error}") from None
    except RecursionError:
        raise MalformedBody("The body cannot be read as JSON: it is nested too deeply") from None
    if not isinstance(value, dict):
        raise InvalidBody([FieldError("", f"Expected a JSON object, got {_named(value)}")])
    if unknown := list(islice(_unknown_fields(value, kind, ""), LISTED + 1)):
        raise InvalidBody(unknown)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidBody([_field_error(str(error))]) from None


def _unknown_fields(value: Any, kind: Any, path: str) -> Iterator[FieldError]:
    struct = _struct_in(kind)
    if struct is not None and isinstance(value, dict):
        fields = _fields_of(struct)
        for name, item in value.items():
            place = f"{path}.{name}" if path else name
            if name in fields:
                yield from _unknown_fields(item, fields[name], place)
            else:
                yield FieldError(place[:200], _suggestion(name, list(fields)))
    element = _element_of(kind)
    if element is not None and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown_fields(item, element, f"{path}[{number}]")


@cache
def _fields_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(struct)}


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = (
        f": did you mean `{close[0]}`?" if close else f"; known are {', '.join(f'`{field}`' for field in known)}"
    )
    return f"Unknown field `{name[:_SHOWN]}`{hint}"


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _element_of(kind: Any) -> Any:
    for option in _options(kind):
        if get_origin(option) in (tuple, list):
            return get_args(option)[0]
    return None


def _options(kind: Any) -> tuple[Any, ...]:
    if hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _field_error(text: str) -> FieldError:
    """msgspec's words, taken apart: `Expected `str`, got `int` - at `$.goal``."""
    message, _, place = text.partition(" - at `")
    key = place.rstrip("`").removeprefix("$").removeprefix(".")
    if message.startswith("Object missing required field `"):
        name = message.split("`")[1]
        return FieldError(f"{key}.{name}" if key else name, "This field is required")
    return FieldError(key, message)


def _named(value: Any) -> str:
    return {list: "an array", str: "a string", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )
