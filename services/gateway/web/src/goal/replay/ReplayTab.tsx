import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { between, events, filesAt, replayed } from "../../api/queries";
import type { Goal, ReplayedGoal } from "../../api/types";
import { count, dollars, some } from "../../format/numbers";
import { utc } from "../../format/time";
import { DiffView } from "../../review/DiffView";
import { StateChip } from "../../states/StateMark";
import { goalState } from "../../states/state";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";
import { GraphView } from "../graph/GraphView";
import { TaskTable } from "../graph/TaskTable";
import { modelOf } from "../model";
import { ForkForm } from "./ForkForm";
import { Handle, Player, Ticks } from "./ReplayBar";
import { differing, WhatChanged } from "./WhatChanged";
import { Why } from "./Why";
import "../../styles/replay.css";

interface Props {
  goal: Goal;
  at: string;
  against: string;
  change: (part: Record<string, string>) => void;
}

const PHONE = matchMedia("(max-width: 760px)");
const nothing = () => undefined;

/** State, spend and graph as they stood. */
function Then({ seen, against }: { seen: ReplayedGoal; against: ReplayedGoal | undefined }) {
  // Nothing has gone on since then.
  const now = Date.parse(seen.at ?? "") || 0;
  const [cursor, setCursor] = useState("");
  const model = useMemo(() => modelOf(seen.goal, seen.tasks, seen.gates), [seen]);
  const ringed = useMemo(
    () => (against ? new Set(differing(against, seen).map((node) => node.id)) : undefined),
    [against, seen],
  );
  const { goal } = seen;
  return (
    <section aria-label={`As of event ${seen.seq}`}>
      <div className="facts figures replay-facts">
        <StateChip state={goalState(goal)} />
        <span>
          <b>{count(goal.tasks_done)}</b> of {count(goal.tasks_total)} tasks
        </span>
        <span>
          {goal.unpriced_calls ? (
            <b>price unknown, {some(goal.unpriced_calls, "call")}</b>
          ) : (
            <b>{dollars(goal.cost_usd)}</b>
          )}
        </span>
        <span>
          <b>{count(goal.llm_calls)}</b> model calls
        </span>
        <span className="ink-3">{utc(seen.at, seen.seq)}</span>
        {against && <span className="ink-3">What stands elsewhere at #{against.seq} is ringed.</span>}
      </div>
      <div className="replay-graph">
        {!model.nodes.length ? (
          <p className="empty-line">There was no plan yet.</p>
        ) : PHONE.matches ? (
          <TaskTable model={model} selected={cursor} now={now} open={setCursor} />
        ) : (
          <GraphView
            model={model}
            selected={cursor}
            now={now}
            select={setCursor}
            open={setCursor}
            measured={nothing}
            ringed={ringed}
          />
        )}
      </div>
    </section>
  );
}

function Files({ goalId, seq, from }: { goalId: string; seq: number; from: number }) {
  const found = useQuery(filesAt(goalId, seq, from));
  return (
    <section aria-label="Files" className="replay-part">
      <h2>
        Files{" "}
        <span className="ink-3 figures">
          {from ? `changed between #${from} and #${seq}` : `as of #${seq}`}
          {found.data ? `, ${some(found.data.files.length, "file")}` : ""}
        </span>
      </h2>
      {found.isPending && <Loading what="the files" />}
      {found.isError && (
        <Problem
          what="The files could not be read"
          meaning="Only this list is missing."
          error={found.error}
          retry={() => void found.refetch()}
        />
      )}
      {found.data &&
        (found.data.files.length ? (
          <DiffView text={found.data.diff} files={found.data.files} />
        ) : (
          <p className="empty-line">Agents had changed nothing.</p>
        ))}
    </section>
  );
}

const word = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value ?? null));

function Between({ goalId, from, to }: { goalId: string; from: number; to: number }) {
  const found = useQuery(between(goalId, from, to));
  if (found.isPending) return <Loading what="what differs" />;
  if (found.isError)
    return (
      <Problem
        what="The two positions could not be compared"
        meaning="Only this list is missing."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  return (
    <section aria-label={`Between event ${from} and event ${to}`} className="replay-part">
      <h2>
        From #{from} to #{to}{" "}
        <span className="ink-3 figures">{some(found.data.changes.length, "value")} changed</span>
      </h2>
      <WhatChanged goalId={goalId} from={from} to={to} />
      <pre className="block replay-story" tabIndex={0}>
        {found.data.story.join("\n") || "Nothing was said."}
      </pre>
      <details>
        <summary className="small">Every value that changed</summary>
        <div className="scrolls replay-changes" tabIndex={0} role="group" aria-label="Values that changed">
          <table>
            <thead>
              <tr>
                <th scope="col">Where</th>
                <th scope="col">What</th>
                <th scope="col">Before</th>
                <th scope="col">After</th>
              </tr>
            </thead>
            <tbody>
              {found.data.changes.map((one) => (
                <tr key={`${one.table} ${one.key} ${one.field}`}>
                  <td className="break">
                    {one.table} {one.key}
                  </td>
                  <td>{one.field}</td>
                  <td className="break">{word(one.before)}</td>
                  <td className="break">{word(one.after)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}

/** The goal as it was at any of its events: nothing here changes anything but the fork, which asks first. */
export function ReplayTab({ goal, at, against, change }: Props) {
  const all = useQuery(events(goal.goal_id)).data ?? [];
  const last = all.at(-1)?.sequence ?? 0;
  const seq = Number(at) || last;
  const other = Number(against) || 0;
  const seen = useQuery(replayed(goal.goal_id, seq));
  const compared = useQuery(replayed(goal.goal_id, other)).data;
  const [asks, setAsks] = useState(false);
  const move = useCallback((to: number) => change({ at: String(to) }), [change]);
  const moveOther = useCallback((to: number) => change({ against: String(to) }), [change]);
  const [from, to] = [Math.min(seq, other), Math.max(seq, other)];
  if (!all.length) return <Loading what="the events" />;
  return (
    <div className="replay">
      <div className="replay-bar">
        <Ticks all={all} />
        <Handle label="As of" all={all} at={seq} move={move} />
        {other > 0 && <Handle label="Against" all={all} at={other} move={moveOther} />}
        <div className="row wrap">
          <Player all={all} at={seq} move={move} />
          <button
            type="button"
            className="button small"
            aria-pressed={other > 0}
            onClick={() => change({ against: other ? "" : String(all[0]?.sequence ?? "") })}
          >
            Compare two positions
          </button>
          <button type="button" className="button small" aria-pressed={asks} onClick={() => setAsks(!asks)}>
            Why
          </button>
          <span className="grow" />
          <ForkForm goalId={goal.goal_id} seq={seq} className="small" />
        </div>
      </div>
      {asks && <Why goalId={goal.goal_id} seq={seq} open={move} />}
      {seen.isPending && <Loading what="the goal as it was" />}
      {seen.isError && (
        <Problem
          what="The goal as it was could not be read"
          meaning="The goal itself is not touched."
          error={seen.error}
          retry={() => void seen.refetch()}
        />
      )}
      {seen.data && (
        <Then seen={seen.data} against={other !== seq && compared?.seq === other ? compared : undefined} />
      )}
      {other > 0 && other !== seq && <Between goalId={goal.goal_id} from={from} to={to} />}
      <Files goalId={goal.goal_id} seq={other > 0 ? to : seq} from={other > 0 && other !== seq ? from : 0} />
    </div>
  );
}
