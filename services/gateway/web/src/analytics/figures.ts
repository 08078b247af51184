import type { Analytics, GoalFigures } from "../api/types";

export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) return null;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

export const sum = <T>(items: readonly T[], pick: (item: T) => number): number =>
  items.reduce((all, item) => all + pick(item), 0);

export const finished = (found: Analytics): GoalFigures[] => found.goals.filter((goal) => goal.lead_s !== null);

/** Share of goals that passed a gate in its first round; null without a round. */
export function firstPass(found: Analytics): number | null {
  const judged = sum(found.gates, (gate) => gate.goals);
  return judged ? sum(found.gates, (gate) => gate.passed_first) / judged : null;
}

/** How much longer or shorter goals took than their plan said: 2 is twice as long. */
export function estimateError(found: Analytics): number | null {
  return median(
    finished(found)
      .filter((goal) => goal.estimated_s > 0 && goal.status === "completed")
      .map((goal) => (goal.lead_s ?? 0) / goal.estimated_s),
  );
}

/** Goals completed by day, as seconds since 1970 and counts, without a gap. */
export function byDay(found: Analytics): { days: number[]; completed: number[]; cost: number[] } {
  const dayOf = (at: string) => Math.floor(Date.parse(at) / 86_400_000);
  const ended = found.goals.filter((goal) => goal.ended_at && goal.status === "completed");
  const first = Math.min(...found.goals.map((goal) => dayOf(goal.accepted_at)));
  const last = Math.max(
    first,
    ...ended.map((goal) => dayOf(goal.ended_at ?? "")),
    ...found.goals.map((goal) => dayOf(goal.accepted_at)),
  );
  const days = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  return {
    days: days.map((day) => day * 86_400),
    completed: days.map((day) => ended.filter((goal) => dayOf(goal.ended_at ?? "") === day).length),
    cost: days.map((day) =>
      sum(
        found.goals.filter((goal) => dayOf(goal.accepted_at) === day),
        (goal) => goal.cost_usd,
      ),
    ),
  };
}

const COLUMNS: (keyof GoalFigures)[] = [
  "goal_id",
  "goal",
  "status",
  "accepted_at",
  "ended_at",
  "lead_s",
  "working_s",
  "waiting_s",
  "estimated_s",
  "tasks",
  "rounds",
  "questions",
  "llm_calls",
  "input_tokens",
  "output_tokens",
  "cost_usd",
  "unpriced_calls",
];

/** One line a goal. A text that a spreadsheet would take for a formula gets an apostrophe. */
export function csvOf(goals: readonly GoalFigures[]): string {
  const cell = (value: unknown) => {
    const text = value === null ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [COLUMNS.join(","), ...goals.map((goal) => COLUMNS.map((column) => cell(goal[column])).join(","))].join(
    "\r\n",
  );
}
