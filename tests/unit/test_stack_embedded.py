"""What the embedded stack starts, and what its records let be seen."""

from __future__ import annotations

from pathlib import Path

from agenthub_runtime.embedded.services import ServiceSpec
from agenthub_runtime.embedded.stack import worker_names
from agenthub_runtime.settings.worker_counts import parse_workers


def test_workers_are_numbered_in_the_order_of_their_types() -> None:
    assert worker_names(parse_workers("architect+planner=1,coding=2,testing=1")) == {
        "Worker-1": "architect,planner",
        "Worker-2": "coding",
        "Worker-3": "coding",
        "Worker-4": "testing",
    }


def test_how_a_service_is_started_does_not_show_its_environment() -> None:
    spec = ServiceSpec(name="gateway", argv=("/bin/true",), env={"NATS_URL": "hush"}, log=Path("/dev/null"))
    assert "hush" not in repr(spec)
