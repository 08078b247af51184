"""Hypothesis strategies for the language, made from the types themselves."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from agenthub_events.base import Event
from agenthub_events.catalogue import REGISTRY

TEXTS = st.text(max_size=40)
_WHOLE_NUMBERS = st.integers(-(2**53), 2**53)
_JSON = st.recursive(
    st.none() | st.booleans() | _WHOLE_NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: _WHOLE_NUMBERS,
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    NoneType: st.none(),
    datetime: st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    Any: _JSON,
}


def structs(kind: type[Any], **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Instances of a struct with any values; `fixed` says how to make single fields."""
    hints = typing.get_type_hints(kind)
    fields = msgspec.structs.fields(kind)
    made = {field.name: values(hints[field.name]) for field in fields} | fixed
    required = {field.name: made[field.name] for field in fields if field.required}
    optional = {field.name: made[field.name] for field in fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: kind(**given))


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type that stands in an event."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is Literal:
        return st.sampled_from(args)
    if origin is UnionType or origin is typing.Union:
        return st.one_of(*(values(arg) for arg in args))
    if origin is tuple:
        return st.lists(values(args[0]), max_size=3).map(tuple)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return structs(hint)
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        key, value = args or (str, Any)
        return st.dictionaries(values(key), values(value), max_size=3)
    raise TypeError(f"no strategy for {hint!r}")


def events() -> st.SearchStrategy[Event]:
    """Any event of the catalogue, envelope included."""
    return st.sampled_from(sorted(REGISTRY)).flatmap(lambda name: structs(REGISTRY[name]))
