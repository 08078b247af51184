"""What a pull or merge request says: the summary, each requirement, and what the result rests on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.context import DeliveryOrder, JudgedGate, WorkContext

TITLE_MAX = 120
_TEXT_MAX = 60_000
_CELL_MAX = 300
_SHOWN_CONFLICTS = 20


def title_of(context: WorkContext) -> str:
    """The goal in one line."""
    line = " ".join(context.goal.split())
    return line if len(line) <= TITLE_MAX else f"{line[: TITLE_MAX - 1]}…"


def description_of(context: WorkContext, order: DeliveryOrder, conflicts: Sequence[str] = ()) -> str:
    """The text of the request, in Markdown; `conflicts` are files that its target has changed as well."""
    parts = [context.goal.strip(), order.summary, _requirements(order), _gates(order.gates)]
    if conflicts:
        named = ", ".join(f"`{path}`" for path in conflicts[:_SHOWN_CONFLICTS])
        parts.append(f"**Conflicts** with what the target has become since the goal began, in {named}.")
    parts.append(f"Made by agenthub, goal `{context.goal_id}`, from `{order.base[:12]}` to `{order.commit[:12]}`.")
    return "\n\n".join(part for part in parts if part)[:_TEXT_MAX]


def _requirements(order: DeliveryOrder) -> str:
    if not order.requirements:
        return ""
    rows = [f"| {_cell(row.text)} | {_listed(row.tasks)} | {_listed(row.gates)} |" for row in order.requirements]
    return "\n".join(["| Requirement | Tasks | Gates |", "|---|---|---|", *rows])


def _gates(gates: Sequence[JudgedGate]) -> str:
    if not gates:
        return ""
    return "\n".join(["| Gate | Verdict | Evidence |", "|---|---|---|", *(_gate(gate) for gate in gates)])


def _gate(gate: JudgedGate) -> str:
    counts = gate.counts
    evidence = [gate.summary]
    if gate.command:
        evidence.append(f"`{gate.command}`")
    if counts is not None:
        evidence.append(
            f"{counts.passed} passed, {counts.failed + counts.errors} failed, {counts.skipped} skipped"
        )
    if gate.coverage_percent is not None:
        evidence.append(f"{gate.coverage_percent:g} % covered")
    if gate.log_ref:
        evidence.append(f"log {gate.log_ref[:12]}")
    verdict = "passed" if gate.passed else "not passed"
    return f"| {gate.gate} | {verdict} | {_cell('; '.join(part for part in evidence if part))} |"


def _listed(ids: Sequence[str]) -> str:
    return _cell(", ".join(ids)) or "none"


def _cell(text: str) -> str:
    """Text that stays in its cell."""
    line = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return line if len(line) <= _CELL_MAX else f"{line[: _CELL_MAX - 1]}…"
