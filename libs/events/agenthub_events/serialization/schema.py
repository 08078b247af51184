"""JSON Schema of every event, for people and other programs."""

from __future__ import annotations

from typing import Any

import msgspec

from agenthub_events.catalogue import REGISTRY

_REF = "#/$defs/{name}"


def json_schema() -> dict[str, Any]:
    """One JSON Schema document (2020-12): `oneOf` all event types, told apart by `type`."""
    kinds = [REGISTRY[name] for name in sorted(REGISTRY)]
    refs, definitions = msgspec.json.schema_components(kinds, ref_template=_REF)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "agenthub events",
        "oneOf": list(refs),
        "$defs": definitions,
    }
