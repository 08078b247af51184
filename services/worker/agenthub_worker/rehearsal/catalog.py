"""The sample goals, for the command line and the documentation, and the server that plays them."""

from __future__ import annotations

from agenthub_worker.rehearsal.scenarios import auth_jwt, price_rounding
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.steps import SampleGoal
from agenthub_worker.rehearsal.turns import Scenario

SAMPLE_GOALS: tuple[SampleGoal, ...] = (auth_jwt.SAMPLE, price_rounding.SAMPLE)
SCENARIOS: tuple[Scenario, ...] = (auth_jwt.SCENARIO, price_rounding.SCENARIO)


def rehearsal_server(*, port: int = 0, control: bool = False) -> ScriptedModelServer:
    """A server, not yet started, that plays every sample goal and refuses any other.

    It runs as long as the hub, so it keeps the calls only for those who may ask for them at `/control`.
    """
    samples = [sample.goal for sample in SAMPLE_GOALS]
    return ScriptedModelServer(SCENARIOS, samples=samples, port=port, control=control, record=control)
