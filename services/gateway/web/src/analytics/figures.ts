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

/** The value below which a share of all lie; null without any. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
}

/** How much of their lead time goals have waited for people; null before one has ended. */
export function waited(found: Analytics): number | null {
  const lead = sum(finished(found), (goal) => goal.lead_s ?? 0);
  return lead ? Math.min(1, sum(finished(found), (goal) => goal.waiting_s) / lead) : null;
}

/** What goals brought by day, without a gap; days as seconds since 1970. */
export interface Days {
  days: number[];
  completed: number[];
  cost: number[];
  working: number[];
  waiting: number[];
  input: number[];
  output: number[];
  leadMedian: (number | null)[];
  leadP90: (number | null)[];
}

export function byDay(found: Analytics): Days {
  const dayOf = (at: string) => Math.floor(Date.parse(at) / 86_400_000);
  const ended = found.goals.filter((goal) => goal.ended_at && goal.status === "completed");
  const first = Math.min(...found.goals.map((goal) => dayOf(goal.accepted_at)));
  const last = Math.max(
    first,
    ...ended.map((goal) => dayOf(goal.ended_at ?? "")),
    ...found.goals.map((goal) => dayOf(goal.accepted_at)),
  );
  const days = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  const begun = (pick: (goal: GoalFigures) => number) =>
    days.map((day) =>
      sum(
        found.goals.filter((goal) => dayOf(goal.accepted_at) === day),
        pick,
      ),
    );
  const leads = (day: number) =>
    finished(found)
      .filter((goal) => dayOf(goal.accepted_at) === day)
      .map((goal) => goal.lead_s ?? 0);
  return {
    days: days.map((day) => day * 86_400),
    completed: days.map((day) => ended.filter((goal) => dayOf(goal.ended_at ?? "") === day).length),
    cost: begun((goal) => goal.cost_usd),
    working: begun((goal) => goal.working_s),
    waiting: begun((goal) => goal.waiting_s),
    input: begun((goal) => goal.input_tokens),
    output: begun((goal) => goal.output_tokens),
    leadMedian: days.map((day) => median(leads(day))),
    leadP90: days.map((day) => quantile(leads(day), 0.9)),
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
