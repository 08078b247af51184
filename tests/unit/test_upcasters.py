"""Old bodies to new ones."""

from __future__ import annotations

from typing import Any

from agenthub_events.catalogue import REGISTRY
from agenthub_events.serialization.upcasters import UPCASTERS, upcast


def test_every_changed_event_has_every_step_to_its_newest_version() -> None:
    wanted = {(name, version) for name, kind in REGISTRY.items() for version in range(1, kind.class_version)}
    assert set(UPCASTERS) == wanted


def test_a_body_takes_the_steps_from_its_version_on() -> None:
    def step(name: str) -> Any:
        return lambda body: {**body, name: True}

    steps = {("a.b", 1): step("one"), ("a.b", 2): step("two"), ("a.c", 1): step("other")}
    assert upcast("a.b", 1, {}, steps) == {"one": True, "two": True}
    assert upcast("a.b", 2, {}, steps) == {"two": True}
    assert upcast("a.b", 3, {}, steps) == {}
