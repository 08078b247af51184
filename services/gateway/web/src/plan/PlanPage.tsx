import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { read } from "../api/client";
import { goal as goalQuery, graph } from "../api/queries";
import type { Goal, Task } from "../api/types";
import { limit, some } from "../format/numbers";
import { duration } from "../format/time";
import { gateTitle } from "../goal/model";
import { Key } from "../keyboard/Key";
import { MOD, useKeys } from "../keyboard/keys";
import { feed } from "../live/feed";
import { TopBar } from "../shell/TopBar";
import { Mark, StateChip } from "../states/StateMark";
import { goalState, PLAN_WAITS, waitsForApproval } from "../states/state";
import { Confirm } from "../ui/commands/Confirm";
import { useCommand } from "../ui/commands/useCommand";
import { useHere } from "../ui/commands/useHere";
import { Icon } from "../ui/icons";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { added, changed, type Draft, draftsOf, without } from "./edits";
import { PlanAside } from "./PlanAside";
import { PlanHead } from "./PlanHead";
import { PlanRow } from "./PlanRow";
import { usePlanDraft } from "./usePlanDraft";

const route = getRouteApi("/plan/$goalId");

interface Edited {
  goal: Goal;
  tasks: readonly Task[];
  /** Whether an approval is under way, also one that began with the plan before its edits were saved. */
  approving: boolean;
  setApproving: (on: boolean) => void;
  /** Whether the page is still looked at, by whichever editor of it. */
  here: () => boolean;
}

function Editor({ goal, tasks, approving, setApproving, here }: Edited) {
  const [original] = useState(() => draftsOf(tasks));
  const { drafts, setDrafts, forget, outdated } = usePlanDraft(goal, original);
  const latest = useRef(drafts);
  useEffect(() => {
    latest.current = drafts;
  });
  const [chosen, setChosen] = useState(original[0]?.task.key ?? "");
  const command = useCommand("The plan");
  const navigate = useNavigate();
  const busy = command.busy || approving;
  const edits = changed(drafts, original);
  const path = `/goals/${goal.goal_id}/plan`;
  const put = (draft: Draft) =>
    setDrafts(drafts.map((other) => (other.task.key === draft.task.key ? draft : other)));
  const minutes = drafts.reduce((sum, draft) => sum + (draft.task.estimate_minutes ?? 0), 0);
  async function save(): Promise<number> {
    if (!edits) return goal.revision;
    // The plan that comes of it is shown as soon as it is there, and its edits are none any more.
    forget();
    const wanted = { action: "edit", revision: goal.revision, tasks: drafts.map((draft) => draft.task) };
    if (!(await command.send(path, wanted))) {
      setDrafts(latest.current);
      return 0;
    }
    return (await read<Goal>(`/goals/${goal.goal_id}`, undefined, feed.snapshot().position)).revision;
  }
  async function approve() {
    if (busy || !waitsForApproval(goal)) return;
    setApproving(true);
    const revision = await save();
    if (
      revision &&
      (await command.send(
        path,
        { action: "approve", revision },
        { title: `Approved the plan of “${goal.goal}”` },
      )) &&
      here()
    )
      await navigate({ to: "/goals/$goalId", params: { goalId: goal.goal_id } });
    setApproving(false);
  }
  useKeys({ "mod+enter": () => void approve() });
  return (
    <>
      <div className="head">
        <div className="head-line">
          <h1 dir="auto">{goal.goal}</h1>
          <StateChip
            state={{
              ...goalState(goal),
              ...(waitsForApproval(goal) ? { word: "Plan ready", shape: "branch-filled", tone: "idle" } : {}),
            }}
          />
          {waitsForApproval(goal) && <StateChip state={PLAN_WAITS} />}
          <span className="grow" />
          <Confirm
            verb="Cancel goal"
            className="plain"
            consequence="The goal ends for good; nothing of the plan is started."
            onConfirm={(reason) =>
              void command
                .send(`/goals/${goal.goal_id}/cancel`, { reason }, { title: "Cancelled", tone: "idle" })
                .then(async (sent) => {
                  if (sent && here()) await navigate({ to: "/" });
                })
            }
          />
          <button type="button" className="button" onClick={() => setDrafts(added(drafts))}>
            <Icon name="plus" />
            Add task
          </button>
          <div className="plan-decision">
            {edits > 0 && (
              <button type="button" className="button" disabled={busy} onClick={() => void save()}>
                Save edits
              </button>
            )}
            <button
              type="button"
              className="button primary"
              disabled={busy || !waitsForApproval(goal)}
              onClick={() => void approve()}
            >
              Approve plan <Key name={`${MOD}↵`} />
            </button>
          </div>
        </div>
        <div className="facts figures">
          <span>
            <b>{drafts.length}</b> tasks and <b>{goal.gates.length}</b> gates
          </span>
          <span>
            about <b>{duration(minutes * 60)}</b> of work
          </span>
          {goal.max_cost_usd && (
            <span>
              at most <b>{limit(goal.max_cost_usd)}</b>
            </span>
          )}
          <span>{some(goal.max_llm_calls, "model call")} at most</span>
        </div>
        {command.error && (
          <p className="error" role="alert">
            {command.error.message}
          </p>
        )}
        {outdated > 0 && (
          <p className="ink-2" role="status">
            The plan has changed since you edited it: your {some(outdated, "edit")} of the earlier one{" "}
            {outdated === 1 ? "is" : "are"} not in it.
          </p>
        )}
      </div>
      <div className="plan-body">
        <div className="scrolls plan-table-pane" role="group" tabIndex={0} aria-label="Planned tasks">
          <table className="plan-table">
            <PlanHead />
            <tbody>
              {drafts.map((draft, at) => (
                <PlanRow
                  key={draft.task.key}
                  draft={draft}
                  number={at + 1}
                  drafts={drafts}
                  chosen={draft.task.key === chosen}
                  choose={() => setChosen(draft.task.key)}
                  put={put}
                  remove={() => setDrafts(without(drafts, draft.task.key))}
                />
              ))}
              {goal.gates.map((gate, at) => (
                <tr key={gate}>
                  <td>
                    <Mark shape="hexagon" tone="idle" />
                  </td>
                  <td>{gateTitle(gate)}</td>
                  <td className="ink-3">gate</td>
                  <td className="ink-3">{at ? gateTitle(goal.gates[at - 1] ?? "") : "all tasks"}</td>
                  <td colSpan={4} className="ink-3">
                    run by the system, not by the agents
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <p className="empty-line row">
            <Icon name="pen" />
            {edits
              ? `Your ${some(edits, "edit")} become${edits === 1 ? "s" : ""} an event of its own.`
              : "Nothing is edited."}{" "}
            Approval starts what waits for nothing at once.
          </p>
        </div>
        <PlanAside
          goal={goal}
          drafts={drafts}
          draft={drafts.find((draft) => draft.task.key === chosen)}
          number={drafts.findIndex((draft) => draft.task.key === chosen) + 1}
          put={put}
        />
      </div>
    </>
  );
}

export function PlanPage() {
  const { goalId } = route.useParams();
  const [approving, setApproving] = useState(false);
  const here = useHere();
  const found = useQuery(goalQuery(goalId));
  const tasks = useQuery(graph(goalId));
  const error = found.error ?? tasks.error;
  return (
    <>
      <TopBar
        path={[
          { name: "Goals", to: "/" },
          { name: found.data?.goal ?? goalId, to: `/goals/${goalId}` },
          { name: "Plan" },
        ]}
      />
      <main id="main" className="plan-page" tabIndex={-1}>
        {(found.isPending || tasks.isPending) && <Loading what="the plan" />}
        {error && !found.data && (
          <Problem
            what="The plan could not be read"
            meaning="Nothing runs before it is approved."
            error={error}
            retry={() => void found.refetch()}
          />
        )}
        {found.data &&
          tasks.data &&
          (found.data.revision ? (
            <Editor
              // The goal may be read before its tasks are: a plan is edited as it is, never as it was.
              key={`${found.data.revision} ${JSON.stringify(draftsOf(tasks.data.tasks))}`}
              goal={found.data}
              tasks={tasks.data.tasks}
              approving={approving}
              setApproving={setApproving}
              here={here}
            />
          ) : (
            <p className="empty-line">The planner is still at work: the plan will stand here.</p>
          ))}
      </main>
    </>
  );
}
