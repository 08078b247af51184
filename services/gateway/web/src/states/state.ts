import type { Gate, Goal, Task } from "../api/types";
import type { Shape } from "./shapes";

/** grey: nobody must act; run: work goes on; ok: evidence is there; ask, rev: a person is called; bad: it did not work. */
export type Tone = "idle" | "run" | "ok" | "ask" | "rev" | "bad";

export interface State {
  word: string;
  shape: Shape;
  tone: Tone;
  share?: number;
}

const GOALS: Record<string, State> = {
  accepted: { word: "Accepted", shape: "ring-dot", tone: "idle" },
  planning: { word: "Planning", shape: "branch", tone: "run" },
  workflow_generated: { word: "Plan ready", shape: "branch-filled", tone: "idle" },
  running: { word: "Running", shape: "ring-pie", tone: "run" },
  validating: { word: "Validating", shape: "hexagon-half", tone: "run" },
  ready_for_review: { word: "Ready for review", shape: "eye", tone: "rev" },
  completed: { word: "Completed", shape: "disc", tone: "ok" },
  awaiting_human: { word: "Waits for you", shape: "bubble", tone: "ask" },
  paused: { word: "Paused", shape: "ring-bars", tone: "idle" },
  rework: { word: "Rework", shape: "turn", tone: "run" },
  failed: { word: "Failed", shape: "diamond", tone: "bad" },
  cancelled: { word: "Cancelled", shape: "ring-slash", tone: "idle" },
};

const TASKS: Record<string, State> = {
  pending: { word: "Pending", shape: "ring-dashed", tone: "idle" },
  enqueued: { word: "Enqueued", shape: "ring-bar", tone: "idle" },
  in_progress: { word: "In progress", shape: "ring-pie", tone: "run" },
  done: { word: "Done", shape: "disc", tone: "ok" },
  blocked: { word: "Blocked", shape: "bubble", tone: "ask" },
  failed: { word: "Failed", shape: "diamond", tone: "bad" },
  timed_out: { word: "Timed out", shape: "clock", tone: "bad" },
  parked: { word: "Parked", shape: "crescent", tone: "idle" },
  dead_lettered: { word: "Dead-lettered", shape: "envelope", tone: "bad" },
  cancelled: { word: "Cancelled", shape: "ring-slash", tone: "idle" },
  skipped: { word: "Skipped", shape: "wall", tone: "idle" },
};

const GATES = {
  waiting: { word: "Not armed", shape: "hexagon", tone: "idle" },
  armed: { word: "Armed", shape: "hexagon-dot", tone: "idle" },
  started: { word: "Running", shape: "hexagon-half", tone: "run" },
  passed: { word: "Passed", shape: "hexagon-tick", tone: "ok" },
  failed: { word: "Failed", shape: "hexagon-cross", tone: "bad" },
  rearms: { word: "Re-arms", shape: "hexagon-turn", tone: "idle" },
} satisfies Record<string, State>;

const unknown = (word: string): State => ({ word, shape: "ring-dashed", tone: "idle" });

export const STALLED: State = { word: "Stalled", shape: "triangle", tone: "bad" };
export const PLAN_WAITS: State = { word: "Waits for your approval", shape: "eye", tone: "rev" };
export const QUESTION = (questions: number): State => ({
  word: questions === 1 ? "1 question waits for you" : `${questions} questions wait for you`,
  shape: "bubble",
  tone: "ask",
});

export function goalState(goal: Goal): State {
  const found = GOALS[goal.status] ?? unknown(goal.status);
  if (waitsForApproval(goal)) return PLAN_WAITS;
  return found.shape === "ring-pie"
    ? { ...found, share: goal.tasks_total ? goal.tasks_done / goal.tasks_total : 0 }
    : found;
}

/** The plan is ready, and nothing runs before somebody has approved it. */
export function waitsForApproval(goal: Goal): boolean {
  return goal.status === "workflow_generated" && goal.autonomy === "approve_plan" && !goal.plan_approved;
}

export function taskState(task: Task): State {
  if (task.kind === "gate") return gateState(task);
  const found = TASKS[task.status] ?? unknown(task.status);
  return found.shape === "ring-pie" ? { ...found, share: task.progress_percentage / 100 } : found;
}

/** What the task row of a gate says; `rounds` tell that it has failed before and waits for a repair. */
export function gateState(task: Task, rounds: readonly Gate[] = []): State {
  if (
    task.status === "blocked" ||
    task.status === "dead_lettered" ||
    task.status === "cancelled" ||
    task.status === "skipped"
  ) {
    return TASKS[task.status] ?? unknown(task.status);
  }
  if (task.status === "in_progress") return GATES.started;
  const last = rounds.at(-1);
  if (task.status === "done") return last?.verdict === "failed" ? GATES.failed : GATES.passed;
  if (task.status === "failed") return GATES.failed;
  if (last?.verdict === "failed") return GATES.rearms;
  return task.status === "enqueued" ? GATES.armed : GATES.waiting;
}

export function roundState(round: Gate): State {
  if (round.verdict === "passed") return GATES.passed;
  return round.verdict === "failed" ? GATES.failed : GATES.started;
}

export const OVER: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);
