"""The model of the corpus: mends every goal wrongly first, and rightly when the tests have said so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from agenthub_cli.commands.bench.corpus.project import BugEdit, CorpusProject
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.steps import first_error, read_on, replace, report, stuck
from agenthub_worker.rehearsal.turns import Performance, ToolCall, Turn, call, play

MENDING = {
    "key": "mend",
    "title": "Find the bug, mend it and test it",
    "agent": "coding",
    "complexity": "low",
    "estimate_minutes": 10,
}
_START_S = 60.0


class CorpusModel:
    """A `Scenario` that knows the goals of some projects by their words."""

    def __init__(self, projects: Sequence[CorpusProject]) -> None:
        self._edits = {project.goal: project.edits for project in projects}

    def step(self, conversation: Conversation) -> Turn | None:
        """The next turn; None for a goal of nobody's."""
        edits = self._edits.get(conversation.goal)
        if edits is None:
            return None
        return play(lambda known: _performance(known.kind, edits), conversation)


def _performance(kind: str, edits: Sequence[BugEdit]) -> Performance:
    match kind:
        case "plan":
            analysis = {"summary": "One bug.", "complexity": "low"}
            yield call("submit_plan", text="One task.", analysis=analysis, tasks=[MENDING])
        case "work":
            yield from _mending([replace(edit.path, edit.base, edit.first) for edit in edits])
        case "fix":
            wrong = (edit for edit in edits if edit.first != edit.good)
            yield from _mending([replace(edit.path, edit.first, edit.good) for edit in wrong])
        case "gate":
            read = yield call("git_diff", text="I read the whole change.")
            yield from read_on(read[0])
            yield report("Read.", "Read and approved", verdict="approve")
        case _:
            yield report("I have looked.", "The first fix is wrong")


def _mending(edits: Sequence[ToolCall]) -> Performance:
    done = yield Turn("I change it.", tuple(edits))
    if error := first_error(done):
        yield from stuck("The files are not as they should be.", error)
        return
    yield report("Changed.", "Changed as I think is right")


@contextmanager
def corpus_model(projects: Sequence[CorpusProject]) -> Iterator[Mapping[str, str]]:
    """Serve the model in a thread of its own; gives the settings by which a hub uses it."""
    server = ScriptedModelServer([CorpusModel(projects)], record=False)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="corpus-model")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(_START_S)
        yield {
            "AGENTHUB_PROVIDER": "local",
            "AGENTHUB_MODEL": "scripted",
            "ANTHROPIC_BASE_URL": server.url,
            "ANTHROPIC_API_KEY": "",
            "AGENTHUB_API_KEYS": "",
        }
        asyncio.run_coroutine_threadsafe(server.aclose(), loop).result(_START_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
