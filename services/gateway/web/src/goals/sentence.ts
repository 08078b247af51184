import type { Goal, Question } from "../api/types";
import { some } from "../format/numbers";
import { waitsForApproval } from "../states/state";

/** What is to be known of a goal in one line: who waits for whom, or what goes on. */
export function sentence(goal: Goal, questions: readonly Question[]): string {
  const asked = questions.find((question) => question.goal_id === goal.goal_id);
  if (asked) return `${asked.task_id === "_" ? "The hub" : asked.title} asks: ${asked.question}`;
  if (goal.status === "paused") return goal.pause_reason || `Paused by ${goal.paused_by || "the hub"}`;
  if (waitsForApproval(goal))
    return `${some(goal.tasks_total, "task")} and gates are planned; nothing runs before you approve.`;
  if (goal.stalled.length) return `Stands still: ${goal.stalled.join("; ")}`;
  if (goal.summary) return firstLine(goal.summary);
  return underWay(goal);
}

function underWay(goal: Goal): string {
  if (goal.status === "accepted") return "In the log, not planned yet.";
  if (goal.status === "planning") {
    return goal.tasks_running ? "The planner is at work." : "Waits for a planner to begin.";
  }
  if (goal.status === "cancelled") return "Cancelled.";
  const parts = [
    goal.tasks_running ? `${goal.tasks_running} at work` : "",
    goal.tasks_queued ? `${goal.tasks_queued} in the queues` : "",
    goal.tasks_failed ? `${goal.tasks_failed} failed` : "",
    goal.rework_round ? `round ${goal.rework_round} of rework` : "",
  ].filter(Boolean);
  return parts.length ? `${parts.join(", ")}.` : "Nothing runs at this moment.";
}

function firstLine(text: string): string {
  return text.split("\n").find((line) => line.trim()) ?? "";
}
