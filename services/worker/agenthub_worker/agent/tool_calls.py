"""Runs the model's tool calls: intent recorded, run, workspace saved, receipt recorded; answers control calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.task import KnowledgeRecorded, TaskEnqueued, TaskProposed, TaskStarted
from agenthub_events.catalogue.values import Finding, LeftOut, Plan
from agenthub_events.errors import InvalidPlan
from agenthub_events.redaction import encodable, mapped
from agenthub_events.runs import ToolIntent, ToolReceipt
from agenthub_runtime.repository.errors import WorkspaceRefused
from agenthub_runtime.telemetry.conventions import ERROR_TYPE, OPERATION, TOOL_CALL_ID, TOOL_NAME
from agenthub_runtime.telemetry.instruments import TOOL_SECONDS
from agenthub_runtime.telemetry.tracing import mark_failed
from agenthub_worker.domain.agent_output import AgentOutput, Planned, Reported
from agenthub_worker.domain.gate_judgement import BLOCKS_FROM, severity_rank
from agenthub_worker.domain.outcomes import Blocked
from agenthub_worker.domain.run import INTERRUPTED, NOT_KEPT, Call
from agenthub_worker.errors import ToolRefused
from agenthub_worker.evidence.patch import PATCH_BYTES, file_patches, unread
from agenthub_worker.lease.journal import Journal
from agenthub_worker.lease.lease import AttemptOver, Lease, claim_name
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult
from agenthub_worker.tools.control import (
    AskHuman,
    RecordKnowledge,
    ReportResult,
    RequestTasks,
    SubmitPlan,
)
from agenthub_worker.tools.registry import CONTROL, TOOLS, call_tool, decoded
from agenthub_worker.tools.running import page_chars
from agenthub_worker.workspace.left_out import is_at, left_out_text
from agenthub_worker.workspace.workspace import Workspace

_UNREAD_NAMED = 40
TOOL_FAILED = "tool_error"

PlanRules = Callable[[Plan], None]
"""Accepts a plan, or raises `InvalidPlan` with every reason."""


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """What the agent of a run may do. `needs_verdict`: its report must approve or request changes.

    `scanned` is how many findings of scanners it was told, and may dismiss.
    """

    tools: frozenset[str]
    plan_rules: PlanRules
    needs_verdict: bool = False
    scanned: int = 0


class ToolCalls:
    """The tool calls of one attempt."""

    def __init__(
        self, lease: Lease, journal: Journal, workspace: Workspace, context: ToolContext, permissions: Permissions
    ) -> None:
        self._lease = lease
        self._journal = journal
        self._workspace = workspace
        self._context = context
        self._permissions = permissions
        self._told: set[LeftOut] = set()

    async def run(self, call: Call) -> AgentOutput | None:
        """Run one call. Returns what ends the run; raises `LeaseLost` or `AttemptOver`."""
        await self._lease.look()
        if call.name not in CONTROL or call.name not in self._permissions.tools:
            await self._run_tool(call)
            return None
        try:
            return await self._answer(call, TOOLS[call.name])
        except ToolRefused as refused:
            await self._journal.write(_receipt(call, ToolResult(text=str(refused), is_error=True)))
            return None

    async def make_up_for(self, intent: ToolIntent) -> None:
        """Finish a call whose worker is gone: an event of its own is found or made, a tool is reported as lost."""
        call = Call(turn=intent.turn, tool_use_id=intent.tool_use_id, name=intent.name, input=intent.input)
        if call.name in CONTROL:
            await self._append_once(call)
        else:
            await self._journal.write(_receipt(call, ToolResult(text=INTERRUPTED, is_error=True)))

    async def _run_tool(self, call: Call) -> None:
        lease, journal = self._lease, self._journal
        said = call.input
        if call.masked:
            if call.tool_use_id not in journal.heard:
                await journal.write(_receipt(call, ToolResult(text=NOT_KEPT, is_error=True)))
                return
            said = journal.heard[call.tool_use_id]
        await journal.write(_intent(call))
        lease.ports.crash_point("after-tool-intent")
        result, saved = await self._do(call, said)
        # Names of files stand in what is said about saving them.
        receipt = _receipt(call, self._shown(result))
        if saved:
            receipt = msgspec.structs.replace(
                receipt, commit=self._workspace.commit, bundle_ref=self._workspace.bundle_ref
            )
        await journal.write(receipt)
        lease.ports.crash_point("after-tool-receipt")

    async def _do(self, call: Call, said: Any) -> tuple[ToolResult, bool]:
        """Run a tool and save what it has changed. Programs in the background stand still while files are read."""
        lease, shell = self._lease, self._context.shell
        tool = TOOLS.get(call.name)
        attributes = {OPERATION: "execute_tool", TOOL_NAME: call.name, TOOL_CALL_ID: call.tool_use_id}
        async with contextlib.AsyncExitStack() as stack:
            if shell is not None and not (tool and tool.in_shell):
                await stack.enter_async_context(shell.still())
            work = call_tool(self._context, call.name, said, self._permissions.tools)
            began = lease.ports.clock.monotonic()
            with lease.ports.telemetry.span(f"execute_tool {call.name}", attributes=attributes) as span:
                result = self._shown(await lease.while_held(work))
                if result.is_error:
                    mark_failed(span, result.text, TOOL_FAILED)
                _count(call.name, lease.ports.clock.monotonic() - began, result.is_error)
            lease.ports.crash_point("after-tool-run")
            if shell is not None and tool and tool.in_shell:
                await stack.enter_async_context(shell.still())
            return await self._save(result)

    def _shown(self, result: ToolResult) -> ToolResult:
        secrets = self._lease.secrets
        text = encodable(secrets.masked_where_cut(result.text))
        return msgspec.structs.replace(result, text=text, shown=mapped(result.shown, secrets.masked))

    async def _save(self, result: ToolResult) -> tuple[ToolResult, bool]:
        """Save what a tool has changed. What cannot become a commit is told to the model, which can mend it."""
        if not result.changed_files:
            return result, False
        try:
            saved = await self._workspace.checkpoint(result.wrote)
        except WorkspaceRefused as refused:
            text = f"{result.text}\n\nThe workspace cannot be saved like this: {refused}"
            return ToolResult(text=text, is_error=True), False
        return msgspec.structs.replace(result, text=f"{result.text}{self._of_left_out(result.wrote)}"), saved

    def _of_left_out(self, wrote: str) -> str:
        """What of the workspace will not be in the result: each thing once, and the file of this call always."""
        wanted = [left for left in self._workspace.left_out if left.path == wrote or left not in self._told]
        wanted += [left for left in self._workspace.litter if wrote and is_at(wrote, left)]
        self._told.update(wanted)
        return f"\n\n{left_out_text(wanted)}" if wanted else ""

    async def _answer(self, call: Call, tool: Tool) -> AgentOutput | None:
        given = decoded(tool, call.input)
        if tool.ends_run:
            if isinstance(given, ReportResult) and given.verdict is not None and self._permissions.needs_verdict:
                await self._require_reading()
            return self._end_with(call, given)
        await self._journal.write(_intent(call))
        self._lease.ports.crash_point("after-tool-intent")
        await self._append_once(call)
        return None

    async def _require_reading(self) -> None:
        """Refuse a verdict on a change of which a part was never shown."""
        context, repository = self._context, self._workspace.repository
        patch = await repository.diff(context.base, self._workspace.commit, max_bytes=PATCH_BYTES)
        masked = self._lease.secrets.masked
        # Under the names that the record has of them.
        files = [msgspec.structs.replace(file, path=masked(file.path)) for file in file_patches(patch)]
        missing = unread(files, self._journal.run.shown, page_chars(context))
        if missing:
            more = [f"- and {len(missing) - _UNREAD_NAMED} more files"] if len(missing) > _UNREAD_NAMED else []
            listed = "\n".join([*(f"- {line}" for line in missing[:_UNREAD_NAMED]), *more])
            raise ToolRefused(
                "You have not read the whole change. Read this with `git_diff`, by `path` and `page`, then give"
                f" your verdict:\n{listed}"
            )

    def _end_with(self, call: Call, given: msgspec.Struct) -> AgentOutput:
        match given:
            case ReportResult():
                return self._reported(given)
            case SubmitPlan():
                return self._planned(given)
            case AskHuman():
                raise AttemptOver(_asked(call, given))
        raise ToolRefused(f"`{call.name}` ends no run.")

    def _reported(self, given: ReportResult) -> Reported:
        if self._permissions.needs_verdict and given.status == "done" and given.verdict is None:
            raise ToolRefused("A review ends with a `verdict`: `approve` or `request_changes`.")
        serious = [f for f in given.findings if severity_rank(f.severity) >= severity_rank(BLOCKS_FROM)]
        if given.verdict == "approve" and serious:
            listed = "\n".join(f"- [{f.severity}] {f.file}:{f.line} {f.message[:200]}" for f in serious)
            raise ToolRefused(
                "`approve` does not go with a finding of severity high or critical: request changes, or correct"
                f" the severity.\n{listed}"
            )
        unknown = [str(d.number) for d in given.dismissed if d.number > self._permissions.scanned]
        if unknown:
            raise ToolRefused(
                f"The scanners have no finding with number {', '.join(unknown)}: they found"
                f" {self._permissions.scanned}. Only their findings can be dismissed."
            )
        return Reported(
            done=given.status == "done",
            summary=given.summary,
            tests_run=given.tests_run or "N/A",
            insights=given.insights,
            findings=tuple(
                Finding(
                    message=found.message,
                    file=found.file,
                    line=found.line,
                    severity=found.severity,
                    source=self._lease.order.agent,
                )
                for found in given.findings
            ),
            verdict=given.verdict,
            dismissed={dismissal.number: dismissal.reason for dismissal in given.dismissed},
        )

    def _planned(self, given: SubmitPlan) -> Planned:
        plan = given.plan()
        try:
            self._permissions.plan_rules(plan)
        except InvalidPlan as invalid:
            listed = "\n".join(f"- {reason}" for reason in invalid.reasons)
            raise ToolRefused(f"The plan breaks rules; correct it and submit it again:\n{listed}") from None
        return Planned(plan=plan)

    async def _append_once(self, call: Call) -> None:
        """The event that the call asks for, unless an earlier claim of this attempt has stored it."""
        event, said = self._event_of(call)
        ordinal = f"{self._lease.claim}-{call.tool_use_id}"
        if not self._stored_earlier(event, call.tool_use_id):
            await self._lease.append(event, ordinal)
        self._lease.ports.crash_point("after-event-of-tool")
        await self._journal.write(_receipt(call, ToolResult(text=said)))

    def _event_of(self, call: Call) -> tuple[Event, str]:
        task_id, attempt = self._lease.task_id, self._lease.order.attempt
        match decoded(TOOLS[call.name], call.input):
            case RecordKnowledge(kind=kind, text=text):
                return KnowledgeRecorded(task_id=task_id, kind=kind, text=text), "Recorded."
            case RequestTasks() as asked:
                proposed = asked.plan_tasks()
                event = TaskProposed(task_id=task_id, attempt=attempt, tasks=proposed, reason=asked.reason)
                return event, "Proposed; the orchestrator decides. Go on with your own task."
        raise ToolRefused(f"`{call.name}` makes no event.")

    def _stored_earlier(self, event: Event, tool_use_id: str) -> bool:
        earlier = [recorded.event for recorded in self._lease.earlier if isinstance(recorded.event, Event)]
        order = self._lease.order
        orders = {0, order.instead_of, *(told.instead_of for told in earlier if isinstance(told, TaskEnqueued))}
        claims = [
            claim_name(told.attempt, told.delivery, told.instance, instead_of)
            for told in earlier
            if isinstance(told, TaskStarted) and told.attempt == order.attempt
            for instead_of in orders
        ]
        ids = {self._lease.draft(event, f"{claim}-{tool_use_id}").event_id for claim in claims}
        stored = {told.event_id for told in earlier}
        return not ids.isdisjoint(stored)


def _count(name: str, seconds: float, is_error: bool) -> None:
    # A model may make up names: those of tools alone are told apart.
    labels = {TOOL_NAME: name if name in TOOLS else "unknown", **({ERROR_TYPE: TOOL_FAILED} if is_error else {})}
    TOOL_SECONDS.add(seconds, labels)


def _intent(call: Call) -> ToolIntent:
    return ToolIntent(
        turn=call.turn, tool_use_id=call.tool_use_id, name=call.name, input=dict(_object(call.input))
    )


def _object(given: Any) -> Mapping[str, Any]:
    """A call's input as an object; a model may send anything."""
    return given if isinstance(given, Mapping) else {"input": given}


def _receipt(call: Call, result: ToolResult) -> ToolReceipt:
    return ToolReceipt(
        turn=call.turn,
        tool_use_id=call.tool_use_id,
        name=call.name,
        text=result.text,
        is_error=result.is_error,
        shown=result.shown,
        kept=result.kept,
    )


def _asked(call: Call, asked: AskHuman) -> Blocked:
    if asked.consequences and len(asked.consequences) != len(asked.options):
        raise ToolRefused(
            f"`consequences` has {len(asked.consequences)} entries for {len(asked.options)} options: give one for"
            " each, or none."
        )
    return Blocked(
        question=asked.question,
        options=asked.options,
        consequences=asked.consequences,
        evidence=asked.evidence,
        reason="question",
        tool_use_id=call.tool_use_id,
    )
