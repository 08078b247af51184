"""Rounds of the tests gate on small projects, with the environments of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.recipe import NOTHING_GIVEN
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from tests.support.judging import Bench


class Machine:
    """A machine whose environments are built once for all tests that share it."""

    def __init__(self, folder: Path) -> None:
        self.environments = Environments(folder, Bubblewrap(), os.environ, Path.home())

    async def bench(self, folder: Path) -> Bench:
        """One goal; all files are below `folder`."""
        return await Bench.begin(folder, self.environments.sandbox(NOTHING_GIVEN))

    async def passes(self, folder: Path, files: Mapping[str, str], *, command: str = "") -> GateVerdict:
        """The verdict on a new project, which has to be good."""
        bench = await self.bench(folder)
        await bench.commit(files)
        verdict = await bench.judge(test_command=command)
        assert isinstance(verdict, GatePassed), verdict.summary
        return verdict

    async def fails(
        self,
        folder: Path,
        base: Mapping[str, str],
        change: Mapping[str, str],
        *,
        gone: Sequence[str] = (),
        command: str = "",
    ) -> GateVerdict:
        """The verdict on a change of a project (an empty one: a new project), which has to be bad."""
        bench = await self.bench(folder)
        start = await bench.commit(base) if base else ROOT_COMMIT
        await bench.commit(change, gone=gone)
        verdict = await bench.judge(base=start, test_command=command)
        assert isinstance(verdict, GateFailed), verdict.summary
        return verdict
