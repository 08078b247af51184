"""A small stage for rehearsals: plays one task after the other in a plain folder, with plain tools.

It follows the contract of the tools by their names alone, without sandbox and repository, so that a sample goal
can be checked by itself: what its scripts write, and what really happens when it runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agenthub_events.context import PlanOrder, WorkContext
from agenthub_events.task_ids import kind_of
from agenthub_worker.domain.model import ModelClient, ModelReply, ModelRequest
from agenthub_worker.domain.prompt import first_message, system_prompt

CONTROL = {"report_result", "ask_human", "submit_plan"}
NAMES = [
    "bash",
    "str_replace_based_edit_tool",
    "glob",
    "grep",
    "run_tests",
    "git_diff",
    "report_result",
    "ask_human",
    "request_tasks",
    "record_knowledge",
    "submit_plan",
]
MOST_TURNS = 12


class Ending(msgspec.Struct, frozen=True):
    """How a task ended: the control tool, its input, and every reply on the way."""

    tool: str
    input: dict[str, Any]
    replies: list[ModelReply]


class Stage:
    """One goal in one folder; `play` runs a task to its end. `instead` may answer a tool without running it."""

    def __init__(self, client: ModelClient, folder: Path, goal: str, requirements: tuple[str, ...]) -> None:
        self._client = client
        self._folder = folder
        self._goal = goal
        self._requirements = requirements
        self.instead: Callable[[str], str | None] = lambda _: None

    async def play(
        self,
        task_id: str,
        agent: str,
        *,
        plan: PlanOrder | None = None,
        answers: tuple[str, ...] = (),
    ) -> Ending:
        """Run a task until it reports, submits, or asks with no answer left."""
        left = list(answers)
        messages: list[dict[str, Any]] = [{"role": "user", "content": self._first(task_id, plan)}]
        replies: list[ModelReply] = []
        for _ in range(MOST_TURNS):
            request = ModelRequest(
                model="rehearsal",
                system=system_prompt(agent, agent, "Work."),
                messages=messages,
                tools=[{"name": name, "description": name, "input_schema": {"type": "object"}} for name in NAMES],
            )
            reply = await self._client.complete(request, on_activity=lambda _: None)
            replies.append(reply)
            ended = next((call for call in reply.tool_calls if call["name"] in CONTROL), None)
            if ended is not None and not (ended["name"] == "ask_human" and left):
                return Ending(ended["name"], ended["input"], replies)
            results = [self._result(call, left) for call in reply.tool_calls]
            messages = [
                *messages,
                {"role": "assistant", "content": reply.content},
                {"role": "user", "content": results},
            ]
        raise AssertionError(f"{task_id} did not end within {MOST_TURNS} turns")

    def _first(self, task_id: str, plan: PlanOrder | None) -> str:
        return first_message(
            WorkContext(
                goal_id="g-1",
                goal=self._goal,
                task_id=task_id,
                kind=kind_of(task_id),
                title="A task",
                requirements=self._requirements,
                plan=plan,
            )
        )

    def _result(self, call: Mapping[str, Any], answers: list[str]) -> dict[str, Any]:
        replaced = self.instead(call["name"])
        if replaced is not None:
            text, is_error = replaced, False
        elif call["name"] == "ask_human":
            text, is_error = answers.pop(0), False
        else:
            text, is_error = self._run(call["name"], call["input"])
        return {"type": "tool_result", "tool_use_id": call["id"], "content": text, "is_error": is_error}

    def _run(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        try:
            return self._tool(name, arguments)
        except KeyError as missing:
            return f"{name}: field {missing} is missing", True

    def _tool(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        match name:
            case "bash":
                return self._shell(["bash", "-c", arguments["command"]]), False
            case "str_replace_based_edit_tool":
                return self._edit(arguments)
            case "grep":
                return self._grep(arguments["pattern"], self._folder / arguments["path"]), False
            case "glob":
                return "\n".join(str(path) for path in self._folder.glob(arguments["pattern"])), False
            case "run_tests":
                return self._tests(), False
            case "git_diff":
                files = [path for path in self._folder.rglob("*.py") if path.is_file()]
                return "\n".join(f"+++ b/{path.relative_to(self._folder)}" for path in files), False
            case "record_knowledge":
                return "recorded", False
            case _:
                return f"no tool {name}", True

    def _shell(self, command: list[str]) -> str:
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        ran = subprocess.run(
            command, cwd=self._folder, env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60
        )
        return f"exit code {ran.returncode}\n{ran.stdout}{ran.stderr}"

    def _edit(self, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        path = self._folder / arguments["path"]
        match arguments["command"]:
            case "create":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(arguments["file_text"])
                return "written", False
            case "str_replace":
                text = path.read_text()
                if text.count(arguments["old_str"]) != 1:
                    return "old_str must occur exactly once", True
                path.write_text(text.replace(arguments["old_str"], arguments["new_str"]))
                return "changed", False
            case _:
                lines = path.read_text().splitlines()
                first, last = arguments.get("view_range", [1, len(lines)])
                return "\n".join(f"{n}\t{line}" for n, line in enumerate(lines, 1) if first <= n <= last), False

    def _grep(self, pattern: str, folder: Path) -> str:
        found = [
            f"{path.relative_to(self._folder)}:{number}:{line}"
            for path in sorted(folder.rglob("*.py"))
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if re.search(pattern, line)
        ]
        return "\n".join(found) or "no matches"

    def _tests(self) -> str:
        report = self._folder / ".report.xml"
        coverage = ["--cov=.", "--cov-report=term", "-p", "no:cacheprovider"]
        output = self._shell([sys.executable, "-B", "-m", "pytest", "-q", f"--junitxml={report}", *coverage])
        suite = ET.parse(report).getroot()[0].attrib
        bad, skipped = int(suite["failures"]), int(suite["skipped"])
        passed = int(suite["tests"]) - bad - int(suite["errors"]) - skipped
        failing = "\n".join(re.findall(r"^FAILED (\S+)", output, re.M))
        percent = re.search(r"^TOTAL.* (\d+)%", output, re.M)
        counts = f"{passed} passed, {bad} failed, {suite['errors']} errors, {skipped} skipped"
        head = f"{output.splitlines()[0]}\n{counts}\n"
        covered = f"coverage {percent.group(1)}%\n" if percent else ""
        return (
            f"{head}{covered}failing:\n{failing}\n\n{output[-3000:]}"
            if failing
            else f"{head}{covered}\n{output[-3000:]}"
        )
