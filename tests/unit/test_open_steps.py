"""What passes by while an agent works is shown with the step that it belongs to, and never twice."""

from __future__ import annotations

import pytest

from agenthub_events.runs import RecordedStep, Step, ToolIntent, ToolReceipt, TurnFailed, TurnIntent
from agenthub_gateway.api.payloads.transcripts import open_kind

ASKED = TurnIntent(turn=1, tries=1, request_hash="h", model="m")
UNANSWERED = TurnFailed(turn=1, tries=1, may_be_billed=False, reason="overloaded")
BEGAN = ToolIntent(turn=1, tool_use_id="c", name="bash", input={"command": "make"})
ENDED = ToolReceipt(turn=1, tool_use_id="c", name="bash", text="made")


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([], ""),
        ([ASKED], "text"),
        ([ASKED, UNANSWERED], ""),
        ([ASKED, BEGAN], "output"),
        ([BEGAN, ENDED], ""),
    ],
)
def test_only_what_belongs_to_the_open_step_stands_behind_the_recorded_ones(steps: list[Step], kind: str) -> None:
    recorded = [RecordedStep(seq, step, "2026-11-29T08:00:00Z") for seq, step in enumerate(steps, 1)]
    assert open_kind(recorded) == kind
