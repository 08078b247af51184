"""Where the histories come from: a hub's streams, an exported file, or one that was imported."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agenthub_cli.client.connection import embedded_folder, nats_connection
from agenthub_cli.client.environment import environment
from agenthub_cli.client.goal_names import is_short
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_cli.program import program
from agenthub_events.errors import InvalidSubject
from agenthub_events.subjects import STREAM, check_goal_id
from agenthub_replay.exported import read_export
from agenthub_replay.history import GoalHistory, HistorySource, load
from agenthub_replay.streams import StreamsSource
from agenthub_runtime.embedded.place import default_data_dir
from agenthub_runtime.settings.table import SEAL_KEYS

SUFFIX = ".agenthub.gz"


async def history_of(goal: str, nats_url: str | None, data_dir: Path | None) -> GoalHistory:
    """The history of a goal by its id, or of the file at this path. Raises `AgenthubError`."""
    goal = _in_full(goal)
    file = _file_of(goal, data_dir)
    if file is not None:
        return read_export(file)
    async with source_of(nats_url, data_dir) as source:
        history = await load(source, goal)
    return history.vouched_for(hub_seal_keys(nats_url, data_dir))


def hub_seal_keys(nats_url: str | None, data_dir: Path | None) -> tuple[str, ...]:
    """The public keys that sign the hub's seals: of the settings, and of the folder of an embedded hub."""
    keys = SEAL_KEYS.parse(environment(data_dir).get(SEAL_KEYS.name, "").strip())
    folder = None if nats_url else embedded_folder(data_dir)
    return keys if folder is None else tuple(dict.fromkeys((*keys, *folder.secrets.seal_keys)))


def _in_full(goal: str) -> str:
    """The whole id of a goal that is named by `@last` or the beginning of its id; a file is no goal."""
    if not is_short(goal) or Path(goal).is_file():
        return goal
    return HubClient().goal_id(goal)


def _file_of(goal: str, data_dir: Path | None) -> bytes | None:
    """The content of the file that is named, or was imported for a goal; None when a hub has to be asked."""
    file = Path(goal)
    if file.is_file():
        return file.read_bytes()
    try:
        kept = imported_file(check_goal_id(goal), data_dir)
    except InvalidSubject as error:
        raise CommandFailed(
            f"`{goal}` is neither a file nor the id of a goal", hint=f"`{program()} goal list` shows the ids"
        ) from error
    return kept.read_bytes() if kept.is_file() else None


def imported_file(goal_id: str, data_dir: Path | None) -> Path:
    """Where an imported goal is kept."""
    return (data_dir or default_data_dir()) / "imported" / f"{goal_id}{SUFFIX}"


@asynccontextmanager
async def source_of(nats_url: str | None, data_dir: Path | None) -> AsyncIterator[HistorySource]:
    """The streams of a hub."""
    from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
    from agenthub_runtime.jetstream.fenced_stream import FencedStream
    from agenthub_runtime.jetstream.run_log import STREAM as RUNS

    async with nats_connection(nats_url, data_dir) as nc:
        yield StreamsSource(FencedStream(nc, STREAM), FencedStream(nc, RUNS), JetStreamArtifacts(nc))
