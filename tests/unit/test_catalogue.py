"""A family of events lists all that it defines."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from agenthub_events import catalogue
from agenthub_events.base import Event
from agenthub_events.catalogue import CLOSES_ATTEMPT, REGISTRY


def defined() -> Iterator[type[Event]]:
    for module in pkgutil.iter_modules(catalogue.__path__, f"{catalogue.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Event) and value.__module__ == module.name:
                yield value


def test_every_event_that_is_defined_can_be_decoded() -> None:
    kinds = {kind for kind in defined() if not kind.__subclasses__()}
    assert len(kinds) > 60
    assert kinds == set(REGISTRY.values())


def test_what_closes_an_attempt_is_known() -> None:
    assert REGISTRY.keys() > CLOSES_ATTEMPT
