import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { replayed } from "../../api/queries";
import type { ReplayedGoal } from "../../api/types";
import { some } from "../../format/numbers";
import { added, type Draft, draftsOf, without } from "../../plan/edits";
import { PlanHead } from "../../plan/PlanHead";
import { PlanRow } from "../../plan/PlanRow";
import { Icon } from "../../ui/icons";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";

const ENDED = new Set(["done", "skipped", "cancelled"]);

/** The tasks that had not ended, as the form takes them back. */
export function leftOf(seen: ReplayedGoal): Draft[] {
  const left = new Set(seen.tasks.filter((task) => !ENDED.has(task.status)).map((task) => task.key_name));
  return draftsOf(seen.tasks).filter((draft) => left.has(draft.task.key));
}

interface Props {
  goalId: string;
  seq: number;
  drafts: readonly Draft[] | null;
  put: (drafts: Draft[]) => void;
}

/** A plan in the place of all that had not ended; what had ended stays, and may be built on. */
export function ForkPlan({ goalId, seq, drafts, put }: Props) {
  const seen = useQuery(replayed(goalId, seq));
  const then = seen.data?.seq === seq ? seen.data : undefined;
  useEffect(() => {
    if (then && !drafts) put(leftOf(then));
  }, [then, drafts, put]);
  if (seen.isError)
    return (
      <Problem
        what="The plan could not be read as it was"
        meaning="Without it the fork keeps the plan."
        error={seen.error}
        retry={() => void seen.refetch()}
      />
    );
  if (!drafts) return <Loading what="the plan" />;
  const over = then?.tasks.filter((task) => task.kind === "work" && ENDED.has(task.status)).length ?? 0;
  return (
    <div className="fork-plan scrolls" role="group" tabIndex={0} aria-label="What is left to do">
      <table className="plan-table">
        <PlanHead />
        <tbody>
          {drafts.map((draft, at) => (
            <PlanRow
              key={draft.was?.key ?? draft.task.key}
              draft={draft}
              number={at + 1}
              drafts={drafts}
              chosen={false}
              choose={() => undefined}
              put={(next) => put(drafts.map((other) => (other.task.key === next.task.key ? next : other)))}
              remove={() => put(without(drafts, draft.task.key))}
            />
          ))}
        </tbody>
      </table>
      <p className="row">
        <button type="button" className="button small" onClick={() => put(added(drafts))}>
          <Icon name="plus" />
          Add task
        </button>
        {over > 0 && <span className="ink-3 small">{some(over, "task")} had ended and stay as they are.</span>}
      </p>
    </div>
  );
}
