"""Request bodies, read strictly: nothing unknown is ignored, nothing wrong is guessed."""

from __future__ import annotations

import re
import types
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import islice, zip_longest
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from litestar import Request

from agenthub_events.redaction import SHORTEST_SECRET
from agenthub_gateway.errors import FieldError, InvalidBody, MalformedBody
from agenthub_gateway.problems import LISTED

T = TypeVar("T", bound=msgspec.Struct)

PLACEHOLDER = "-" * SHORTEST_SECRET
"""A text that fits wherever a body has a text, for one that does not."""
_SHOWN = 60
# Elements of a list that are looked at one by one, in the thread that serves everybody.
_LOOKED_AT = 10_000
_UNIONS = (Union, types.UnionType)
# From what is of the right form in a body, and the places of what is not, to what is wrong with the words of it.
Further = Callable[[dict[str, Any], frozenset[str]], Iterable[FieldError]]
_STEP = re.compile(r"\[\d+\]|[^.\[\]]+")


def strict_body(
    kind: type[T], *, optional: bool = False, further: Further | None = None
) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """A hook before a handler: refuses a body that is not exactly a `kind`, naming every place that does not fit.

    `further` says what else is wrong with the rest of a body that does not fit.
    """

    async def check(request: Request[Any, Any, Any]) -> None:
        body = await request.body()
        if not (optional and not body.strip()):
            decode_strictly(body, kind, further)

    return check


def decode_strictly(body: bytes, kind: type[T], further: Further | None = None) -> T:
    """Read a body. Raises `MalformedBody` or `InvalidBody`."""
    body = body.removeprefix(BOM_UTF8)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _refused(body, kind, further)


def _refused(body: bytes, kind: type[T], further: Further | None) -> T:
    """Find every reason for which a body does not fit; only now, because it takes its time."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"The body cannot be read as JSON: {error}") from None
    except RecursionError:
        raise MalformedBody("The body cannot be read as JSON: it is nested too deeply") from None
    if not isinstance(value, dict):
        raise InvalidBody([FieldError("", f"Expected a JSON object, got {_named(value)}")])
    if found := list(islice(_misfits(value, kind, ""), LISTED + 1)):
        raise InvalidBody([*found, *(_of_the_rest(value, found, further) if further else ())])
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidBody([_field_error(str(error), "")]) from None


def _of_the_rest(value: dict[str, Any], found: Sequence[FieldError], further: Further) -> Iterator[FieldError]:
    """What is wrong with the words that are of the right form, as if nothing else were wrong."""
    unfit = frozenset(error.key for error in found)
    for key in unfit:
        _take_out(value, _STEP.findall(key))
    try:
        told = list(further(value, unfit))
    except msgspec.ValidationError:
        return
    yield from (error for error in told if error.key not in unfit)


def _take_out(value: Any, steps: Sequence[str]) -> None:
    """Take what stands there out of a body: a field, the list around it, or an element, which leaves its place."""
    for step, after, last in zip_longest(steps, steps[1:], steps[2:]):
        if isinstance(value, list):
            value[int(step[1:-1])] = PLACEHOLDER
            return
        if not isinstance(value, dict) or step not in value:
            return
        if after is None or (after[0] == "[" and last is not None):
            del value[step]
            return
        value = value[step]


def _misfits(value: Any, kind: Any, path: str) -> Iterator[FieldError]:
    """Every place where a value is not what `kind` wants, in the order in which they stand."""
    struct, element = _struct_in(kind), _element_of(kind)
    if struct is not None and isinstance(value, dict):
        yield from _misfits_of_object(value, struct, path)
    elif element is not None and isinstance(value, list):
        too_many = list(_misfit(value, _of_anything(kind), path))
        yield from too_many
        for number, item in enumerate(() if too_many else value[:_LOOKED_AT]):
            yield from _misfits(item, element, f"{path}[{number}]")
    else:
        yield from _misfit(value, kind, path)


def _misfits_of_object(value: dict[str, Any], struct: type[msgspec.Struct], path: str) -> Iterator[FieldError]:
    fields = _fields_of(struct)
    meant = {_close_to(name, fields) for name in islice((name for name in value if name not in fields), LISTED)}
    for name, item in value.items():
        place = f"{path}.{name}" if path else name
        if name in fields:
            yield from _misfits(item, fields[name], place)
        else:
            yield FieldError(place[:200], _suggestion(name, fields))
    for field in msgspec.structs.fields(struct):
        if field.required and field.encode_name not in meant.union(value):
            place = f"{path}.{field.encode_name}" if path else field.encode_name
            yield FieldError(place, "This field is required")


def _misfit(value: Any, kind: Any, path: str) -> Iterator[FieldError]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield _field_error(str(error), path)


@cache
def _fields_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(struct)}


def _close_to(name: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name[:_SHOWN], known, n=1, cutoff=0.6)), None)


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = _close_to(name, known)
    hint = f": did you mean `{close}`?" if close else f"; known are {', '.join(f'`{field}`' for field in known)}"
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


def _of_anything(kind: Any) -> Any:
    """The list in `kind` with its bounds, whatever its elements are."""
    for option in get_args(kind) if get_origin(kind) in _UNIONS else (kind,):
        if _element_of(option) is not None:
            bounds = getattr(option, "__metadata__", ())
            return Annotated[(list[Any], *bounds)] if bounds else list[Any]
    return list[Any]


def _options(kind: Any) -> tuple[Any, ...]:
    kind = _bare(kind)
    return tuple(map(_bare, get_args(kind))) if get_origin(kind) in _UNIONS else (kind,)


def _bare(kind: Any) -> Any:
    return kind.__origin__ if hasattr(kind, "__metadata__") else kind


def _field_error(text: str, path: str) -> FieldError:
    """msgspec's words of what stands at `path`, taken apart: `Expected `str`, got `int` - at `$.goal``."""
    message, _, place = text.partition(" - at `")
    inner = place.rstrip("`").removeprefix("$")
    key = f"{path}{inner}".removeprefix(".")
    if message.startswith("Object missing required field `"):
        name = message.split("`")[1]
        return FieldError(f"{key}.{name}" if key else name, "This field is required")
    return FieldError(key, message)


def _named(value: Any) -> str:
    return {list: "an array", str: "a string", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )
