import type { Goal } from "../api/types";

/** Done, running, blocked, rest, in this order; the figures beside it are its name. */
export function Progress({ goal }: { goal: Goal }) {
  const total = Math.max(1, goal.tasks_total);
  const muted = goal.status === "failed" || goal.status === "cancelled";
  const width = (part: number) => ({ width: `${(100 * part) / total}%` });
  return (
    <span className="progress" aria-hidden="true">
      <i className={muted ? "i-idle" : "i-ok"} style={width(goal.tasks_done)} />
      <i className="i-run" style={width(goal.tasks_running)} />
      <i className="i-ask" style={width(goal.tasks_blocked)} />
      <i className="i-bad" style={width(muted ? 0 : goal.tasks_failed)} />
    </span>
  );
}
