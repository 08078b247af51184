import type { Goal } from "../api/types";
import { OVER } from "../states/state";

export type Group = "Needs you" | "Running" | "Finished";
export const GROUPS: readonly Group[] = ["Needs you", "Running", "Finished"];

export const VIEWS: Record<string, { name: string; takes: (goal: Goal) => boolean }> = {
  all: { name: "All", takes: () => true },
  needs: { name: "Needs you", takes: (goal) => groupOf(goal) === "Needs you" },
  running: { name: "Running", takes: (goal) => groupOf(goal) === "Running" },
  finished: { name: "Finished", takes: (goal) => groupOf(goal) === "Finished" },
  failed: { name: "Failed", takes: (goal) => goal.status === "failed" },
};

export function groupOf(goal: Goal): Group {
  if (goal.needs_you) return "Needs you";
  return OVER.has(goal.status) ? "Finished" : "Running";
}

/** Whether a goal is meant: a view, or an API word of a state; and every word of the text. */
export function takes(goal: Goal, view: string, words: string): boolean {
  const known = VIEWS[view];
  if (known ? !known.takes(goal) : goal.status !== view) return false;
  const text =
    `${goal.goal} ${goal.summary} ${goal.goal_id} ${goal.repository} ${goal.submitted_by}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Longest wait first where a person is needed, else the newest first. */
export function inOrder(goals: readonly Goal[]): Goal[] {
  return [...goals].sort((a, b) => {
    const group = GROUPS.indexOf(groupOf(a)) - GROUPS.indexOf(groupOf(b));
    if (group) return group;
    if (groupOf(a) === "Needs you") return a.last_seq - b.last_seq;
    if (groupOf(a) === "Finished") return b.last_seq - a.last_seq;
    return b.first_seq - a.first_seq;
  });
}
