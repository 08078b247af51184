"""Model calls and the ledger of a goal: `evt.<goal>.<task>.llm.called` and `evt.<goal>._.budget.>`."""

from __future__ import annotations

from agenthub_events.base import Event


class LlmCalled(Event, frozen=True, kw_only=True, tag="llm.called"):
    """One answered call to a model. `cost_usd` None: the price is not known, which is not zero."""

    task_id: str
    attempt: int
    turn: int
    model: str
    provider: str
    stop_reason: str
    request_hash: str
    tries: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    latency_ms: int = 0


class BudgetReserved(Event, frozen=True, kw_only=True, tag="budget.reserved"):
    """A slice of the goal's calls and money is set aside for one attempt before it calls a model."""

    task_id: str
    attempt: int
    slice: int
    calls: int
    cost_usd: float = 0.0


class BudgetSettled(Event, frozen=True, kw_only=True, tag="budget.settled"):
    """What a slice was used for; the rest is free again. `unknown_calls` may have been billed unanswered."""

    task_id: str
    attempt: int
    slice: int
    calls: int
    cost_usd: float | None = 0.0
    unknown_calls: int = 0


class BudgetExceeded(Event, frozen=True, kw_only=True, tag="budget.exceeded"):
    """The goal may not spend more; a person decides."""

    limit: str
    value: float
    used: float


EVENTS: tuple[type[Event], ...] = (LlmCalled, BudgetReserved, BudgetSettled, BudgetExceeded)
