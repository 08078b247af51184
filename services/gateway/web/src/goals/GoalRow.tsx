import { Link } from "@tanstack/react-router";
import { memo } from "react";
import type { Goal } from "../api/types";
import { dollars, limit } from "../format/numbers";
import { duration, secondsSince, shortMoment, utc } from "../format/time";
import { Mark, StateWord } from "../states/StateMark";
import { goalState, OVER, STALLED, waitsForApproval } from "../states/state";
import { Icon } from "../ui/icons";
import { Progress } from "../ui/Progress";

const FROM_SHARE = 0.8;
const RED_SHARE = 0.9;

export function Money({ goal }: { goal: Goal }) {
  const share = goal.max_cost_usd ? goal.cost_usd / goal.max_cost_usd : 0;
  if (goal.unpriced_calls && !goal.cost_usd)
    return (
      <span className="ink-3" title={`${goal.unpriced_calls} calls have no known price`}>
        price unknown
      </span>
    );
  return (
    <span className="figures">
      {dollars(goal.cost_usd)}
      {goal.max_cost_usd ? <span className="ink-3"> / {limit(goal.max_cost_usd)}</span> : null}
      {share >= FROM_SHARE && (
        <span className={`tag ${share >= RED_SHARE ? "tone-bad" : "tone-ask"}`}>{Math.round(share * 100)}%</span>
      )}
    </span>
  );
}

function When({ goal, now }: { goal: Goal; now: number }) {
  if (goal.needs_you) {
    const tone = goal.status === "ready_for_review" || waitsForApproval(goal) ? "rev" : "ask";
    return (
      <span className={`tone-${tone} tone-text`} title={utc(goal.updated_at)}>
        Waits {duration(secondsSince(goal.updated_at, now))}
      </span>
    );
  }
  if (OVER.has(goal.status)) return <span title={utc(goal.ended_at)}>{shortMoment(goal.ended_at, now)}</span>;
  if (goal.status === "paused") return <span>Paused {duration(secondsSince(goal.updated_at, now))}</span>;
  if (goal.estimated_completion && Date.parse(goal.estimated_completion) > now) {
    return <span title={utc(goal.estimated_completion)}>ETA {shortMoment(goal.estimated_completion, now)}</span>;
  }
  return <span title={utc(goal.accepted_at)}>for {duration(secondsSince(goal.accepted_at, now))}</span>;
}

interface Props {
  goal: Goal;
  text: string;
  now: number;
}

/** One goal: one link over the whole row. */
export const GoalRow = memo(function GoalRow({ goal, text, now }: Props) {
  // Gates that will judge it are work to come, also before their first round.
  const total =
    goal.tasks_total && !OVER.has(goal.status) ? goal.tasks_total + goal.gates_to_come : goal.tasks_total;
  return (
    <li className="goal-row" data-goal={goal.goal_id}>
      <div className="cell-state">
        <StateWord state={goalState(goal)} />
        {goal.stalled.length > 0 && (
          <span title={goal.stalled.join("; ")}>
            <Mark {...STALLED} />
            <span className="unseen">Stalled</span>
          </span>
        )}
      </div>
      <div className="cell-goal">
        <Link
          to={
            goal.status === "ready_for_review"
              ? "/review/$goalId"
              : waitsForApproval(goal)
                ? "/plan/$goalId"
                : "/goals/$goalId"
          }
          params={{ goalId: goal.goal_id }}
          className="row-link"
          aria-label={`${goal.goal}: ${goalState(goal).word}`}
        />
        <p className="one-line name" title={goal.goal} dir="auto">
          {goal.forked_from && <span className="tag">fork</span>} {goal.goal}
        </p>
        <p className="one-line small ink-2" title={text} dir="auto">
          {goal.forked_from && `of ${goal.forked_from} at #${goal.forked_at_seq} · `}
          {text}
        </p>
      </div>
      <div className="cell-tasks">
        {total ? (
          <>
            <Progress goal={{ ...goal, tasks_total: total }} />
            <span className="figures">
              <b className="plain-figure">{goal.tasks_done}</b>
              <span className="ink-3">/{total}</span>
              <span className="unseen"> tasks done</span>
            </span>
          </>
        ) : (
          <span className="ink-3">–</span>
        )}
      </div>
      <div className="cell-money">
        <Money goal={goal} />
      </div>
      <div className="cell-when ink-2 figures">
        <When goal={goal} now={now} />
      </div>
      <div className="cell-open ink-2">
        <Icon name="chevron" />
      </div>
    </li>
  );
});
