import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { inbox } from "../api/queries";
import type { Goal } from "../api/types";
import { count, dollars, limit, some } from "../format/numbers";
import { clockOf, duration, secondsSince } from "../format/time";
import { Key } from "../keyboard/Key";
import { useKeys } from "../keyboard/keys";
import { StateChip } from "../states/StateMark";
import { goalState, OVER, QUESTION, STALLED, waitsForApproval } from "../states/state";
import { Confirm } from "../ui/commands/Confirm";
import { useCommand } from "../ui/commands/useCommand";
import { Icon } from "../ui/icons";
import { Progress } from "../ui/Progress";

const DAY_S = 86_400;

function Forecast({ goal, now }: { goal: Goal; now: number }) {
  if (OVER.has(goal.status) || goal.status === "ready_for_review" || !goal.estimated_completion) return null;
  const at = Date.parse(goal.estimated_completion);
  if (at < now) return null;
  const spread = Math.round((goal.estimated_minutes_high - goal.estimated_minutes_low) / 2);
  return (
    <span>
      Ready about <b>{clockOf(at, false)}</b> ± {duration(spread * 60)}
    </span>
  );
}

function Facts({ goal, now, added }: { goal: Goal; now: number; added: number }) {
  const total = goal.tasks_total + goal.gates_to_come;
  const spent = secondsSince(goal.accepted_at, goal.ended_at ? Date.parse(goal.ended_at) : now);
  return (
    <div className="facts figures">
      <span className="fact-progress">
        <Progress goal={{ ...goal, tasks_total: total }} />
        <span>
          <b>{count(goal.tasks_done)}</b> of {count(total)} tasks
          {added > 0 && (
            <span className="ink-3">{` · ${count(total - added)} planned, ${count(added)} added`}</span>
          )}
        </span>
      </span>
      <span>
        {goal.unpriced_calls ? (
          <b>price unknown, {some(goal.unpriced_calls, "call")}</b>
        ) : (
          <>
            <b>{dollars(goal.cost_usd)}</b>
            {goal.max_cost_usd ? ` of ${limit(goal.max_cost_usd)}` : ""}
          </>
        )}
      </span>
      <span>
        <b>{count(goal.llm_calls)}</b> of {count(goal.max_llm_calls)} model calls
      </span>
      <span>
        <b>{duration(spent)}</b> of {duration(goal.constraints?.max_time_s ?? 7 * DAY_S)}
      </span>
      {goal.constraints?.network?.length ? (
        <span title="Hosts that the commands of its agents and tests may reach">
          reaches <b>{goal.constraints.network.join(", ")}</b>
        </span>
      ) : null}
      <Forecast goal={goal} now={now} />
    </div>
  );
}

function Actions({ goal }: { goal: Goal }) {
  const command = useCommand("The command");
  const cancel = useCommand("Cancel");
  if (OVER.has(goal.status)) return null;
  const path = `/goals/${goal.goal_id}`;
  return (
    <>
      {goal.status === "ready_for_review" && (
        <Link className="button primary" to="/review/$goalId" params={{ goalId: goal.goal_id }}>
          Review
        </Link>
      )}
      {waitsForApproval(goal) && (
        <Link className="button primary" to="/plan/$goalId" params={{ goalId: goal.goal_id }}>
          Look at the plan
        </Link>
      )}
      {goal.status === "paused" ? (
        <button
          type="button"
          className="button"
          disabled={command.busy}
          onClick={() => void command.send(`${path}/resume`, {}, { title: "Resumed" })}
        >
          <Icon name="play" />
          Resume
        </button>
      ) : (
        goal.status !== "ready_for_review" && (
          <button
            type="button"
            className="button"
            disabled={command.busy}
            onClick={() =>
              void command.send(
                `${path}/pause`,
                {},
                { title: "Paused: nothing new starts, running work is put aside with its progress" },
              )
            }
          >
            <Icon name="pause" />
            Pause
          </button>
        )
      )}
      <Confirm
        verb="Cancel goal"
        disabled={cancel.busy}
        consequence={`${goal.tasks_running ? `${some(goal.tasks_running, "running task")} ${goal.tasks_running === 1 ? "is" : "are"} stopped and the goal` : "The goal"} ends for good; it cannot be resumed. What has been merged stays on its branch. ${dollars(goal.cost_usd)} were spent.`}
        onConfirm={(reason) =>
          void cancel.send(`${path}/cancel`, { reason }, { title: "Cancelled", tone: "idle" })
        }
      >
        <Icon name="stop" />
        Cancel
      </Confirm>
    </>
  );
}

export function GoalHead({ goal, now, added }: { goal: Goal; now: number; added: number }) {
  const navigate = useNavigate();
  const questions = (useQuery(inbox()).data ?? []).filter((question) => question.goal_id === goal.goal_id);
  const first = questions[0];
  useKeys(first ? { i: () => void navigate({ to: "/inbox", search: { item: first.id } }) } : {});
  return (
    <div className="head">
      <div className="head-line">
        <h1 dir="auto" title={goal.goal}>
          {goal.goal}
        </h1>
        <StateChip state={goalState(goal)} />
        {first && (
          <Link to="/inbox" search={{ item: first.id }} className="chip-link">
            <StateChip state={QUESTION(questions.length)} />
            <Key name="I" />
          </Link>
        )}
        {goal.stalled.length > 0 && (
          <span title={goal.stalled.join("; ")}>
            <StateChip state={STALLED} />
          </span>
        )}
        <span className="grow" />
        <Actions goal={goal} />
      </div>
      <Facts goal={goal} now={now} added={added} />
      {goal.forked_from && (
        <p className="ink-2 forked">
          <Icon name="branch" /> Forked from{" "}
          <Link
            className="link-button"
            to="/goals/$goalId"
            params={{ goalId: goal.forked_from }}
            search={{ tab: "replay", at: String(goal.forked_at_seq) }}
          >
            {goal.forked_from} at #{goal.forked_at_seq}
          </Link>
        </p>
      )}
      {[goal.status === "paused" ? goal.pause_reason : "", ...goal.stalled, ...goal.left_out, ...goal.why]
        .filter(Boolean)
        .map((words, at) => (
          <p key={`${String(at)} ${words}`} className="ink-2 break">
            {words}
          </p>
        ))}
    </div>
  );
}
