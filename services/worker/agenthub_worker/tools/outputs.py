"""`more`: the pages of an output that was too long to be shown whole, or of a log that an order names."""

from __future__ import annotations

from typing import Annotated, get_args

import msgspec

from agenthub_events.task_ids import TaskKind
from agenthub_worker.errors import ToolRefused
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult

_BESIDE = 200


class MoreInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`id` is that which the shortened output names; pages count from 1, -1 is the last one."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    page: Annotated[int, msgspec.Meta(ge=-1)] = 1


async def more(context: ToolContext, given: MoreInput) -> ToolResult:
    """One page of a kept text."""
    text = None if context.outputs is None else await context.outputs.read(given.id)
    if text is None:
        raise ToolRefused(f"There is no output with the id {given.id!r}: take one that a shortened output names.")
    room = max(1, context.output_chars - _BESIDE)
    pages = max(1, -(-len(text) // room))
    page = pages if given.page == -1 else given.page
    if not 1 <= page <= pages:
        raise ToolRefused(f"There is no page {given.page}: this output has {pages}.")
    after = f"; go on with page {page + 1}" if page < pages else "; the last one"
    return ToolResult(text=f"[page {page} of {pages}{after}]\n{text[(page - 1) * room : page * room]}")


MORE = Tool(
    name="more",
    description="Show a page of an output that was too long to be shown whole, or of a log, by its `id`.",
    input=MoreInput,
    function=more,
    kinds=frozenset(get_args(TaskKind)),
)
TOOLS = (MORE,)
