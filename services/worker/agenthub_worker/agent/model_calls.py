"""Asks the model: one reserved, recorded and counted call after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.values import Usage
from agenthub_events.redaction import KnownSecrets, encodable, mapped
from agenthub_events.rules.authors import own
from agenthub_events.rules.budget import Spent
from agenthub_events.runs import Nudge, RunId, Step, TurnFailed, TurnIntent, TurnReply
from agenthub_runtime.telemetry.conventions import (
    AGENT_NAME,
    ERROR_TYPE,
    OPERATION,
    PROVIDER_NAME,
    REQUEST_MODEL,
    TOKEN_TYPE,
)
from agenthub_runtime.telemetry.instruments import MODEL_COST, MODEL_RESTS, MODEL_SECONDS, MODEL_TOKENS
from agenthub_worker.domain.after_fault import (
    AskAgain,
    Rest,
    after_fault,
    after_rests,
    attempts_since_answered,
    faults_in_a_row,
    overloads_in_a_row,
)
from agenthub_worker.domain.model import (
    Block,
    ModelClient,
    ModelFault,
    ModelReply,
    ModelRequest,
    TokenUsage,
    request_hash,
    with_own_ids,
)
from agenthub_worker.domain.next_step import CallModel
from agenthub_worker.domain.outcomes import AttemptOutcome
from agenthub_worker.domain.run import AnsweredCall
from agenthub_worker.lease.budget import AttemptBudget
from agenthub_worker.lease.journal import Journal
from agenthub_worker.lease.lease import AttemptOver, Lease
from agenthub_worker.llm.counts import most_tokens
from agenthub_worker.llm.pricing import cost_usd, worst_case_usd

_REASON_MAX = 1_000
_SIGNED = frozenset({"thinking", "redacted_thinking"})


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What every call of a run has in common. `tools` in the shape of the Messages API."""

    client: ModelClient
    provider: str
    model: str
    system: str
    tools: Sequence[Mapping[str, Any]]
    max_tokens: int


class ModelCalls:
    """The model calls of one attempt."""

    def __init__(self, lease: Lease, journal: Journal, budget: AttemptBudget, brief: ModelConfig) -> None:
        self._lease = lease
        self._journal = journal
        self._budget = budget
        self._brief = brief

    async def ask(self, move: CallModel) -> None:
        """One call and its reply as steps of the run. Raises `LeaseLost` or `AttemptOver`."""
        lease, journal = self._lease, self._journal
        await lease.look()
        await self._pass_on_notes()
        request = self._request()
        worst = self._worst_case(request)
        await self._budget.make_room(self.spent(worst), worst)
        digest = request_hash(request)
        await journal.write(
            TurnIntent(turn=move.turn, tries=move.tries, request_hash=digest, model=self._brief.model)
        )
        lease.ports.crash_point("after-turn-intent")
        began = lease.ports.clock.monotonic()
        try:
            reply = await lease.while_held(self._brief.client.complete(request, on_activity=self._show))
        except ModelFault as fault:
            self._measure(lease.ports.clock.monotonic() - began, fault=fault.kind)
            await journal.write(_failed_step(move, fault, lease.secrets))
            await self._after_fault(fault, move.tries)
            return
        seconds = lease.ports.clock.monotonic() - began
        self._measure(seconds, usage=reply.usage)
        said = with_own_ids(reply.content, journal.run.used_ids, f"{lease.order.attempt}_{move.turn}")
        step, heard = received(self._reply_step(move, digest, reply, seconds, said), lease.secrets)
        journal.heard |= heard
        await journal.write(step)
        lease.ports.crash_point("after-turn-reply")
        await self.count()

    async def count(self) -> None:
        """Put every answered call that the log lacks into it."""
        for answer in self._journal.run.answers:
            if answer.turn not in self._lease.counted_turns:
                await self._lease.append(
                    _called(self._lease, answer), f"{self._lease.claim}-{answer.turn}-{answer.tries}"
                )
                self._lease.counted_turns.add(answer.turn)

    def spent(self, worst_call_usd: float | None) -> Spent:
        """What the attempt has used so far.

        An unanswered call that may be billed counts at its worst price; so does, where a person has set a limit of
        money, an answered one whose usage the server kept to itself.
        """
        run = self._journal.run
        costs = [answer.usage.cost_usd for answer in run.answers]
        kept_secret = costs.count(None)
        unpriced = run.unanswered + kept_secret
        cost: float | None = sum(cost for cost in costs if cost is not None)
        if kept_secret and not self._lease.aggregate.money_limit_set:
            cost = None
        elif unpriced and cost is not None:
            cost = None if worst_call_usd is None else cost + unpriced * worst_call_usd
        return Spent(calls=len(run.answers), unknown_calls=run.unanswered, cost_usd=cost)

    def _request(self) -> ModelRequest:
        brief = self._brief
        return ModelRequest(
            model=brief.model,
            system=brief.system,
            messages=self._journal.run.messages,
            tools=brief.tools,
            max_tokens=brief.max_tokens,
        )

    def _worst_case(self, request: ModelRequest) -> float | None:
        tokens = most_tokens(msgspec.json.encode(request))
        price = worst_case_usd(self._brief.model, tokens, request.max_tokens, self._brief.provider)
        return None if price is None else float(price)

    async def _pass_on_notes(self) -> None:
        for note in self._lease.notes:
            if note.seq not in self._journal.run.notes:
                text = await self._lease.restored_text(note.text)
                await self._journal.write(Nudge(text=text, note_seq=note.seq))

    def _show(self, text: str) -> None:
        self._journal.emit("text", text.encode(errors="replace"))

    def _reply_step(
        self, move: CallModel, digest: str, reply: ModelReply, seconds: float, said: Sequence[Block]
    ) -> TurnReply:
        price = cost_usd(self._brief.model, reply.usage, self._brief.provider)
        tokens = reply.usage or TokenUsage()
        return TurnReply(
            turn=move.turn,
            tries=move.tries,
            request_hash=digest,
            model=reply.model,
            provider=self._brief.provider,
            stop_reason=reply.stop_reason,
            content=tuple(said),
            usage=Usage(
                calls=1,
                input_tokens=tokens.input_tokens,
                output_tokens=tokens.output_tokens,
                cache_read_tokens=tokens.cache_read_tokens,
                cache_write_tokens=tokens.cache_write_tokens,
                cost_usd=None if price is None else float(price),
            ),
            latency_ms=round(seconds * 1000),
        )

    async def _after_fault(self, fault: ModelFault, tries: int) -> None:
        """Wait, so that the same turn is asked again, or end the attempt. Raises `AttemptOver`."""
        run = self._journal.run
        in_a_row = await self._hung_in_a_row() if fault.kind == "hung" else run.same_faults
        match after_fault(fault, tries=tries, in_a_row=in_a_row, answered=len(run.answers)):
            case AskAgain(wait_s=wait):
                await self._lease.while_held(self._lease.ports.pause(wait))
            case Rest(asked_s=asked):
                MODEL_RESTS.add(1, {REQUEST_MODEL: self._brief.model, ERROR_TYPE: fault.kind})
                raise AttemptOver(await self._rest(fault, asked))
            case outcome:
                raise AttemptOver(outcome)

    def _measure(self, seconds: float, *, usage: TokenUsage | None = None, fault: str = "") -> None:
        brief = self._brief
        call = {OPERATION: "chat", PROVIDER_NAME: brief.provider, REQUEST_MODEL: brief.model}
        MODEL_SECONDS.add(seconds, {**call, ERROR_TYPE: fault} if fault else call)
        if usage is None:
            return
        counted = {
            "input": usage.total_input_tokens,
            "output": usage.output_tokens,
            "cache_read": usage.cache_read_tokens,
            "cache_write": usage.cache_write_tokens,
        }
        for kind, tokens in counted.items():
            MODEL_TOKENS.add(tokens, {**call, TOKEN_TYPE: kind})
        price = cost_usd(brief.model, usage, brief.provider)
        if price is not None:
            MODEL_COST.add(float(price), {REQUEST_MODEL: brief.model, AGENT_NAME: self._lease.order.agent})

    async def _hung_in_a_row(self) -> int:
        """How often the server has hung in a row, over all attempts since somebody decided about the task.

        An attempt may be too short for three such calls, and its time over without anybody being asked.
        """
        lease, ports = self._lease, self._lease.ports
        told = await ports.patiently(lambda: ports.events.read(lease.prefix))
        steps: list[Step] = []
        for attempt in attempts_since_answered(recorded.event for recorded in own(told)):
            run_id = RunId(lease.goal_id, lease.task_id, attempt)
            steps += [r.step for r in await ports.patiently(partial(ports.runs.read, run_id))]
        return max(self._journal.run.same_faults, faults_in_a_row(steps, "hung"))

    async def _rest(self, fault: ModelFault, asked_s: float | None) -> AttemptOutcome:
        lease, ports = self._lease, self._lease.ports
        told = await ports.patiently(lambda: ports.events.read(lease.prefix))
        return after_rests(
            fault,
            rests=overloads_in_a_row(recorded.event for recorded in own(told)),
            asked_s=asked_s,
            now=ports.clock.now(),
            spread=ports.ids.uniform(),
        )


def received(reply: TurnReply, secrets: KnownSecrets) -> tuple[TurnReply, dict[str, Any]]:
    """A reply as it is recorded and sent back, and by id the inputs of calls that are not all in there.

    A known secret alone is masked. Thinking is signed by the provider, who refuses it when a byte of it differs,
    so it stays whatever it holds.
    """
    recorded, heard = [], {}
    for block in reply.content:
        kept = block if block.get("type") in _SIGNED else mapped(block, secrets.masked)
        if block.get("type") == "tool_use" and kept != block:
            heard[str(kept.get("id", ""))] = block.get("input")
        recorded.append(kept)
    return msgspec.structs.replace(reply, content=tuple(recorded), masked=tuple(heard)), heard


def _failed_step(move: CallModel, fault: ModelFault, secrets: KnownSecrets) -> TurnFailed:
    return TurnFailed(
        turn=move.turn,
        tries=move.tries,
        may_be_billed=fault.may_be_billed,
        reason=encodable(secrets.masked_where_cut(fault.message))[:_REASON_MAX],
        fault=fault.kind,
    )


def _called(lease: Lease, answer: AnsweredCall) -> LlmCalled:
    usage = answer.usage
    return LlmCalled(
        task_id=lease.task_id,
        attempt=lease.order.attempt,
        turn=answer.turn,
        tries=answer.tries,
        model=answer.model,
        provider=answer.provider,
        stop_reason=answer.stop_reason,
        request_hash=answer.request_hash,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cost_usd=usage.cost_usd,
        latency_ms=answer.latency_ms,
    )
