"""What agents do in their attempts: the transcript, their output, and the logs of gates."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from agenthub_events.errors import ArtifactMissing
from agenthub_events.redaction import as_shown, redact_text
from agenthub_events.runs import RunId
from agenthub_gateway.api.access import says
from agenthub_gateway.api.goal_reads import must_exist
from agenthub_gateway.api.payloads.responses import AttemptList
from agenthub_gateway.api.payloads.transcripts import RunOutput, Transcript, open_kind, transcript_lines
from agenthub_gateway.api.reading import Reading, ReadingParam
from agenthub_gateway.errors import NotFound
from agenthub_runtime.readmodels import list_attempts, list_gates

_TAGS = ["Goals"]
_OUTPUT_MAX = 512 << 10
_ATTEMPT = "/api/v1/goals/{goal_id:str}/tasks/{task_id:str}/attempts/{attempt:int}"


@get(
    "/api/v1/goals/{goal_id:str}/attempts",
    responses=says(AttemptList),
    tags=_TAGS,
    summary="List a goal's attempts",
)
async def attempts(goal_id: FromPath[str], *, reading: ReadingParam) -> Response[bytes]:
    """Every attempt of every task, in the order in which they were enqueued."""
    async with reading.view() as (connection, at):
        await must_exist(connection, goal_id)
        rows = await list_attempts(connection, goal_id)
    return reading.answer(AttemptList(rows), at)


@get(f"{_ATTEMPT}/transcript", responses=says(Transcript), tags=_TAGS, summary="Read an attempt's transcript")
async def transcript(
    goal_id: FromPath[str], task_id: FromPath[str], attempt: FromPath[int], *, reading: ReadingParam
) -> Response[bytes]:
    """What the agent said, every tool call with its result, and notes; the attempt may still run."""
    run = await _known(reading, goal_id, task_id, attempt)
    steps = await reading.ports.runs.read(run)
    kind = open_kind(steps)
    live = await reading.ports.runs.output(run, after=steps[-1].seq) if kind else []
    body = Transcript(
        goal_id=goal_id,
        task_id=task_id,
        attempt=attempt,
        items=transcript_lines(steps, reading.ports.secrets),
        live=_text(b"".join(piece.data for piece in live if piece.kind == kind), reading)[-_OUTPUT_MAX:],
    )
    return reading.answer(body, None)


@get(f"{_ATTEMPT}/output", responses=says(RunOutput), tags=_TAGS, summary="Read an attempt's output")
async def output(
    goal_id: FromPath[str], task_id: FromPath[str], attempt: FromPath[int], *, reading: ReadingParam
) -> Response[bytes]:
    """What tools and model gave out while they worked, of the last day, the newest 512 KiB of it."""
    run = await _known(reading, goal_id, task_id, attempt)
    text = _text(b"".join(piece.data for piece in await reading.ports.runs.output(run)), reading)
    body = RunOutput(
        goal_id=goal_id, task_id=task_id, attempt=attempt, text=text[-_OUTPUT_MAX:], cut=len(text) > _OUTPUT_MAX
    )
    return reading.answer(body, None)


@get(
    "/api/v1/goals/{goal_id:str}/gates/{gate:str}/{number:int}/log",
    responses=says(str, "text/plain"),
    tags=_TAGS,
    summary="Read the log of a gate's round",
)
async def gate_log(
    goal_id: FromPath[str], gate: FromPath[str], number: FromPath[int], *, reading: ReadingParam
) -> Response[bytes]:
    """What the judged command printed, as plain text."""
    async with reading.view() as (connection, at):
        rounds = await list_gates(connection, goal_id)
    found = next((row for row in rounds if row.gate == gate and row.round == number), None)
    if found is None or not found.log_ref:
        raise NotFound(f"Goal `{goal_id[:60]}` has no log of gate `{gate[:40]}`, round {number}")
    try:
        data = await reading.ports.artifacts.get(found.log_ref)
    except ArtifactMissing as error:
        raise NotFound(f"The log of gate `{gate[:40]}`, round {number}, is no longer kept") from error
    safe = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return reading.tagged(_text(data, reading).encode(), at, "text/plain; charset=utf-8", safe)


async def _known(reading: Reading, goal_id: str, task_id: str, attempt: int) -> RunId:
    """Only what the read models know reaches a subject."""
    async with reading.view() as (connection, _):
        rows = await list_attempts(connection, goal_id, task_id)
    if attempt not in {row.attempt for row in rows}:
        raise NotFound(f"Task `{task_id[:60]}` of goal `{goal_id[:60]}` has no attempt {attempt}")
    return RunId(goal_id, task_id, attempt)


def _text(data: bytes, reading: Reading) -> str:
    return redact_text(as_shown(data.decode("utf-8", "replace")), reading.ports.secrets)


HANDLERS: list[Any] = [attempts, transcript, output, gate_log]
