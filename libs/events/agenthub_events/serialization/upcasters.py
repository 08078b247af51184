"""Old bodies to new ones, one step at a time, before they are decoded.

A new field needs nothing here: it has a default. A changed meaning raises `class_version` of the event and adds
a step `(type, from_version)` whose function takes and returns the decoded body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

VERSION_FIELD = "class_version"

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}


def upcast(
    event_type: str, version: int, body: dict[str, Any], steps: Mapping[tuple[str, int], Upcaster] = UPCASTERS
) -> dict[str, Any]:
    """Bring a body from `version` to the newest that `steps` reach."""
    while step := steps.get((event_type, version)):
        body = step(body)
        version += 1
    return body
