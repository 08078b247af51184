"""The hub as a client of the Model Context Protocol sees it, with the protocol's own client, both ways in."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from tests.support.running_hub import BLOCKED_SAMPLE, RunningHub

pytestmark = pytest.mark.extra

WATCH_S = 600


async def call(client: Client, tool: str, lines: list[str] | None = None, **arguments: Any) -> dict[str, Any]:
    """What a tool gives back; its progress comes into `lines`."""

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        if lines is not None:
            lines.append(message or "")

    result = await client.call_tool(tool, arguments, progress_callback=heard)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


def over(way: str, hub: RunningHub) -> Client:
    """A client of the hub, by `stdio` or by `http`."""
    if way == "http":
        return Client(f"{hub.url}/mcp")
    env = {"AGENTHUB_URL": hub.url, "AGENTHUB_DATA_DIR": str(hub.data.root)}
    return Client(StdioServerParameters(command=sys.executable, args=["-m", "agenthub_cli.main", "mcp"], env=env))


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_a_goal_is_submitted_watched_answered_reviewed_and_approved(hub: RunningHub, way: str) -> None:
    async with over(way, hub) as client:
        submitted = await call(client, "submit_goal", **BLOCKED_SAMPLE, key=f"mcp-{way}")
        again = await call(client, "submit_goal", **BLOCKED_SAMPLE, key=f"mcp-{way}")
        assert again["goal_id"] == submitted["goal_id"]
        goal_id = submitted["goal_id"]

        before: list[str] = []
        asked = await call(client, "watch_goal", before, goal_id=goal_id, timeout_s=WATCH_S)
        assert asked["goal"]["status"] == "awaiting_human"
        assert before == asked["story"]
        assert before[0].startswith("Human: Submitted goal")
        (question,) = asked["questions"]
        everywhere = await call(client, "list_questions")
        assert question["id"] in [item["id"] for item in everywhere["questions"]]

        option = question["options"][1]
        answered = await call(client, "answer_question", question_id=question["id"], option=option)
        after: list[str] = []
        ready = await call(
            client, "watch_goal", after, goal_id=goal_id, after_sequence=answered["sequence"], timeout_s=WATCH_S
        )
        assert ready["goal"]["status"] == "ready_for_review"
        assert after
        assert not set(before[:1]) & set(after)

        diff = await call(client, "review_diff", goal_id=goal_id)
        assert diff["files"]
        assert not diff["cut"]
        one = await call(client, "review_diff", goal_id=goal_id, path=diff["files"][0]["path"])
        assert one["diff"].count("diff --git ") == 1 < diff["diff"].count("diff --git ")
        shown = await call(client, "show_goal", goal_id=goal_id)
        assert {gate["verdict"] for gate in shown["gates"]} >= {"passed"}
        done = next(task for task in shown["tasks"] if task["attempt"])
        read = await call(client, "read_transcript", goal_id=goal_id, task_id=done["task_id"])
        assert read["items"]

        stale = await client.call_tool("approve_goal", {"goal_id": goal_id, "ready_seq": answered["sequence"]})
        assert stale.is_error
        await call(client, "approve_goal", goal_id=goal_id, ready_seq=shown["goal"]["ready_seq"])
        await hub.wait_for(goal_id, "completed")
        end = await call(client, "watch_goal", goal_id=goal_id)
        assert end["goal"]["status"] == "completed"
