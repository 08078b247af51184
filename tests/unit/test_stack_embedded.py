"""What the embedded stack starts, and what its records let be seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.services import ServiceSpec
from agenthub_runtime.embedded.stack import EmbeddedStack, StackPlan, worker_names
from agenthub_runtime.errors import DataDirBusy
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


async def test_a_hub_that_comes_second_leaves_the_first_ones_folder_alone(tmp_path: Path) -> None:
    async def declare(_: Client) -> None:
        """Not reached."""

    data = DataDir(tmp_path / "hub")
    plan = StackPlan(port=0, workers={}, service_command=lambda *_: [], env={}, declare=declare)
    with data.claim():
        second = EmbeddedStack(DataDir(tmp_path / "hub"), plan)
        with pytest.raises(DataDirBusy):
            await second.start()
        await second.stop()
        assert data.jetstream.is_dir()
        assert (data.root / "VERSION.json").exists()
