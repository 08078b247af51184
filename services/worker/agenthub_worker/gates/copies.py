"""Copies of the judged commit, and runs of its tests in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path

from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.evidence.testing import TestReport, run_tests
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.workspace.workspace import TEST_TIMEOUT_S


class Copies:
    """Runs of the tests beside the one that is judged, each in a copy in which nothing has run before.

    `red_before` are ids of tests that failed before the goal.
    """

    def __init__(self, round_: GateRound, command: TestCommand, red_before: Sequence[str]) -> None:
        self._round = round_
        self._command = command
        self._red_before = red_before

    @property
    def takes_paths(self) -> bool:
        """Whether tests can be named."""
        return self._command.takes_paths

    async def run(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        gone: Iterable[str] = (),
        paths: Sequence[str] = (),
        options: Sequence[str] = (),
        timeout_s: float = TEST_TIMEOUT_S,
    ) -> TestReport:
        """Run the tests in a copy with these files, without `gone`; runs side by side need names of their own."""
        path = self._round.workspace.path.with_name(f"{self._round.workspace.path.name}-{name}")
        async with self._checked_out(path):
            await asyncio.to_thread(_put_all, path, files, gone)
            report = await run_tests(
                self._round.workspace.sandbox,
                path,
                self._command,
                timeout_s=timeout_s,
                paths=paths,
                measured=False,
                options=options,
            )
        return report.beside(dict.fromkeys(self._red_before, "failed"))

    @contextlib.asynccontextmanager
    async def _checked_out(self, path: Path) -> AsyncIterator[None]:
        repository = self._round.workspace.repository
        await repository.checkout(self._round.order.commit, path)
        try:
            yield
        finally:
            await repository.discard_workspace(path)


def _put_all(root: Path, files: Mapping[str, bytes], gone: Iterable[str]) -> None:
    """Write and remove files of a checkout in which the commit may have put links anywhere."""
    for path, data in files.items():
        target = _place(root, path)
        target.unlink(missing_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    for path in gone:
        _place(root, path).unlink(missing_ok=True)


def _place(root: Path, path: str) -> Path:
    """Where a path of the repository is, with every folder on the way a real one."""
    at = root
    for part in path.split("/")[:-1]:
        at /= part
        if at.is_symlink() or (at.exists() and not at.is_dir()):
            at.unlink()
        at.mkdir(exist_ok=True)
    return at / path.rsplit("/", 1)[-1]
