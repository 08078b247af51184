"""A look at a repository before any goal rests on it: what its files say of setup, tests and checks."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_events.context import WorkContext
from agenthub_events.errors import InvalidInput
from agenthub_runtime.operations.survey import Survey, Surveyed
from agenthub_runtime.remotes.address import is_remote, parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.repository.errors import RepositoryError
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.history import FileEntry, History
from agenthub_runtime.repository.sources.git_remote import RemoteGit
from agenthub_runtime.repository.sources.source import origin_of
from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.recipe import is_asked
from agenthub_worker.errors import SetupFailed, SetupInvalid
from agenthub_worker.evidence.layout import NoTestCommand, holds_tests
from agenthub_worker.projects.checks import configured_checks
from agenthub_worker.workspace.workspace import given_setup, test_command_of

FETCH_WITHIN_S = 20.0
"""Who waits for the answer fills in a form."""

_LATER = "The repository is large: what its files say is read when the work begins."


class Surveyor:
    """Looks at repositories with what the worker may use; what came from an address last is kept."""

    def __init__(self, access: GitAccess, environments: Environments | None) -> None:
        self._access = access
        self._environments = environments
        self._kept: tuple[tuple[str, str], tempfile.TemporaryDirectory[str]] | None = None
        self._turn = asyncio.Lock()

    async def aclose(self) -> None:
        """Remove what is kept."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await asyncio.to_thread(kept[1].cleanup)

    async def survey(self, body: bytes) -> Mapping[str, object]:
        """The order `survey`, which is told what to look at. Raises `InvalidInput`."""
        try:
            asked = msgspec.json.decode(body, type=Surveyed)
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"Expected a repository to look at: {error}", field="repository") from None
        async with self._turn:
            try:
                async with asyncio.timeout(FETCH_WITHIN_S):
                    found = await self._look(await self._history(asked), asked)
            except TimeoutError:
                raise InvalidInput(_LATER, field="repository") from None
            except (RepositoryError, RemoteRefused, RemoteUnavailable) as error:
                raise InvalidInput(str(error), field="repository") from None
        answer: Mapping[str, object] = msgspec.to_builtins(found)
        return answer

    async def _history(self, asked: Surveyed) -> History:
        if not is_remote(asked.repository):
            return History((await origin_of(Path(asked.repository))).git_dir or Path(asked.repository))
        wanted = (asked.repository, asked.commit)
        if self._kept is None or self._kept[0] != wanted:
            await self.aclose()
            self._kept = (wanted, await self._fetched(asked))
        return History(Path(self._kept[1].name))

    async def _fetched(self, asked: Surveyed) -> tempfile.TemporaryDirectory[str]:
        folder = tempfile.TemporaryDirectory(prefix="agenthub-survey-", ignore_cleanup_errors=True)
        try:
            git = Git(Path(folder.name))
            await git.run("init", "--quiet", "--bare", "--object-format=sha1", "--template=")
            await RemoteGit(parse_remote(asked.repository), self._access).fetch_tree(git, asked.commit)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(folder.cleanup))
            raise
        return folder

    async def _look(self, history: History, asked: Surveyed) -> Survey:
        context = _context(asked)
        files = await history.files(asked.commit)
        command = await test_command_of(history, asked.commit, context)
        given = await given_setup(history, asked.commit, context)
        warnings = [command.reason] if isinstance(command, NoTestCommand) else []
        setup: tuple[tuple[str, ...] | None, str] = (None, "")
        checks = asked.checks
        try:
            inputs = await history.contents([entry for entry in files if is_asked(entry.path, given)])
            if self._environments is not None:
                foreseen = await self._environments.foreseen(inputs, given)
                setup = (foreseen.commands, foreseen.source)
                warnings += foreseen.warnings
            else:
                warnings.append("Without a sandbox nothing is installed: tests have what the worker has.")
            checks = checks or tuple(check.name for check in configured_checks(given.config))
        except (SetupFailed, SetupInvalid) as error:
            warnings.append(str(error))
        return Survey(
            files=len(files),
            test_files=_tests_among(files),
            test_command="" if isinstance(command, NoTestCommand) else command.text,
            setup=setup[0],
            setup_source=setup[1],
            checks=checks,
            warnings=tuple(warnings),
        )


def _context(asked: Surveyed) -> WorkContext:
    """What the work on such a goal would be told of setup and tests."""
    return WorkContext(
        goal_id="",
        goal="",
        task_id="",
        kind="prepare",
        title="",
        repository=asked.repository,
        test_command=asked.test_command,
        setup=asked.setup,
    )


def _tests_among(files: Sequence[FileEntry]) -> int:
    return sum(holds_tests(entry.path) for entry in files)
