"""Copies of the judged commit, and runs of its tests in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.environment.provision import settled
from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.evidence.reports import read_report
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.projects.test_environment import Watched
from agenthub_worker.sandbox.bubblewrap import search_path
from agenthub_worker.sandbox.port import Bind
from agenthub_worker.suites.running import run_suites

_AGAIN_WITHIN_S = 20.0


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

    @property
    def limit_s(self) -> float:
        """How long a run of all tests may take."""
        return self._round.workspace.branch.test_limit_s

    async def run(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        gone: Iterable[str] = (),
        paths: Sequence[str] = (),
        options: Sequence[str] = (),
        timeout_s: float | None = None,
        watched: Watched | None = None,
        measured: bool = False,
    ) -> TestReport:
        """Run the tests in a copy with these files, without `gone`; runs side by side need names of their own."""
        path = self._round.workspace.path.with_name(f"{self._round.workspace.path.name}-{name}")
        async with self._checked_out(path):
            await asyncio.to_thread(_put_all, path, files, gone)
            report = await run_suites(
                self._round.workspace.sandbox,
                path,
                self._command,
                timeout_s=self.limit_s if timeout_s is None else timeout_s,
                paths=paths,
                measured=measured,
                options=options,
                watched=watched,
            )
        return report.beside(dict.fromkeys(self._red_before, "failed"))

    async def call_again(self, program: str, calls: bytes, gone: Iterable[str]) -> list[str | None]:
        """Let `program` make these calls in a copy without `gone`; nothing of those that it does not come to."""
        path = self._round.workspace.path.with_name(f"{self._round.workspace.path.name}-unaware")
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-again-"))
        binds = (Bind(folder / "app"), Bind(folder / "answers", writable=True))
        try:
            await asyncio.to_thread(_lay, folder, program, calls)
            async with self._checked_out(path), settled(self._round.workspace.sandbox, path) as place:
                await asyncio.to_thread(_put_all, path, {}, gone)
                await place.run(
                    ["python", f"{folder}/app/main.py", f"{folder}/app/calls.json", f"{folder}/answers/all.jsonl"],
                    workspace=path,
                    timeout_s=_AGAIN_WITHIN_S,
                    env={"PATH": search_path()},
                    binds=binds,
                )
            return await asyncio.to_thread(_answers, folder / "answers" / "all.jsonl")
        finally:
            await asyncio.to_thread(delete_tree, folder)

    @contextlib.asynccontextmanager
    async def _checked_out(self, path: Path) -> AsyncIterator[None]:
        repository = self._round.workspace.repository
        await repository.checkout(self._round.order.commit, path)
        try:
            yield
        finally:
            await repository.discard_workspace(path)


def _lay(folder: Path, program: str, calls: bytes) -> None:
    for name in ("app", "answers"):
        (folder / name).mkdir()
    (folder / "app" / "main.py").write_text(program)
    (folder / "app" / "calls.json").write_bytes(calls)


def _answers(path: Path) -> list[str | None]:
    """What the program has written; the code under trial may have written anything there."""
    found = list[str | None]()
    for line in (read_report(path) or b"").splitlines():
        try:
            found.append(msgspec.json.decode(line, type=str | None))
        except msgspec.DecodeError:
            break
    return found


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
