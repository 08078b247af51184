"""Hubs for every test that kills nothing: that of the demo, one with the rehearsal model, one that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.e2e import misbehaviour
from tests.e2e.misbehaviour import MisbehavingModel
from tests.support.demo_run import Demo
from tests.support.otlp import Traces, receiving_traces
from tests.support.running_hub import BLOCKED_SAMPLE, Body, RunningHub, running_hub
from tests.support.scripted_model import scripted_model


@pytest.fixture(scope="session")
def traces() -> Iterator[Traces]:
    """What the hub's services tell of their work."""
    with receiving_traces() as received:
        yield received


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, traces: Traces) -> Demo:
    """One run of `agenthub demo`."""
    return Demo(tmp_path_factory.mktemp("demo"), traces.url)


@pytest.fixture(scope="session")
def demo_hub(demo: Demo, traces: Traces) -> Iterator[RunningHub]:
    """A hub that goes on where the demo stopped, as the demo tells its user to do."""
    workers = "architect+planner=1,coding=2,testing=1,debug+security+review=1"
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": traces.url}
    with running_hub(demo.home, "--workers", workers, env=env) as hub:
        yield hub
        nothing_differs(hub)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub with the rehearsal model, workers for every agent type, and one that only measures.

    Two slots each, so that goals which are played side by side do not wait for each other.
    """
    workers = "architect+planner=1,coding=2,testing=1,debug+security+review=1,noop=1"
    env = {"AGENTHUB_SLOTS": "2"}
    with running_hub(tmp_path_factory.mktemp("hub") / "data", "--workers", workers, env=env) as hub:
        yield hub
        nothing_differs(hub)


@pytest.fixture(scope="session")
def samples(hub: RunningHub) -> dict[str, dict[str, Any]]:
    """The answers to the submissions of the second sample goal and of one that the rehearsal model does not know.

    Both are submitted at once, so that they are played side by side.
    """
    bodies: dict[str, Body] = {
        "price": BLOCKED_SAMPLE,
        "unknown": {"goal": "Translate the Iliad into Basque"},
    }
    answers = {}
    for name, body in bodies.items():
        response = hub.post("/goals", body)
        assert response.status_code == 202, response.text
        answers[name] = response.json()
    return answers


@pytest.fixture(scope="session")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MisbehavingModel]:
    """One worker for everything, and every goal of `misbehaviour` under way at the same time."""
    folder = tmp_path_factory.mktemp("misbehaving") / "data"
    workers = "planner+architect+coding+testing+debug+security+review=1"
    with scripted_model(misbehaviour.SCRIPTS) as model:
        model.faults.add(*misbehaviour.faults())
        env = {**model.environment, "AGENTHUB_SLOTS": "8"}
        with running_hub(folder, "--workers", workers, env=env) as hub:
            goals = {goal: hub.submit(misbehaviour.submission(goal)) for goal in misbehaviour.SCRIPTS}
            yield MisbehavingModel(hub, model, goals)
            nothing_differs(hub)


def nothing_differs(hub: RunningHub) -> None:
    """After all that the tests did to a hub, its read models are those that the log makes."""
    verified = hub.cli("rebuild", "--verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    report = msgspec.json.decode(verified.stdout)
    assert report["differences"] == []
    assert report["rows"] > 0
