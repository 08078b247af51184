import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { events, replayed } from "../../api/queries";
import type { EventDocument, ReplayedGoal } from "../../api/types";
import { count, dollars } from "../../format/numbers";
import { StateWord } from "../../states/StateMark";
import { isNoise } from "../events/words";
import { modelOf, type Node } from "../model";

interface Change {
  name: string;
  before: ReactNode;
  after: ReactNode;
  by: string;
}

const absent = <span className="ink-3">not there yet</span>;
const shown = (node: Node | undefined): ReactNode => (node ? <StateWord state={node.state} /> : absent);

/** The event that brought a task to where it stands at `to`. */
function lastOf(node: Node, all: readonly EventDocument[], to: number): string {
  const own = new Set(node.tasks.map((task) => task.task_id));
  const found = all.findLast((event) => event.sequence <= to && own.has(event.task_id) && !isNoise(event.type));
  return found ? `#${found.sequence} ${found.type}` : "";
}

const nodesOf = (seen: ReplayedGoal): readonly Node[] => modelOf(seen.goal, seen.tasks, seen.gates).nodes;

/** The nodes of `b` that stand elsewhere in `a`, or are not there yet. */
export function differing(a: ReplayedGoal, b: ReplayedGoal): readonly Node[] {
  const before = new Map(nodesOf(a).map((node) => [node.id, node.state.word]));
  return nodesOf(b).filter((node) => before.get(node.id) !== node.state.word);
}

function changesOf(a: ReplayedGoal, b: ReplayedGoal, all: readonly EventDocument[]): Change[] {
  const before = new Map(nodesOf(a).map((node) => [node.id, node]));
  const nodes = differing(a, b).map((node) => ({
    name: node.title,
    before: shown(before.get(node.id)),
    after: shown(node),
    by: lastOf(node, all, b.seq),
  }));
  const figures: [string, string, string][] = [
    [
      "Tasks done",
      `${a.goal.tasks_done} of ${a.goal.tasks_total}`,
      `${b.goal.tasks_done} of ${b.goal.tasks_total}`,
    ],
    ["Spend", dollars(a.goal.cost_usd), dollars(b.goal.cost_usd)],
    ["Model calls", count(a.goal.llm_calls), count(b.goal.llm_calls)],
  ];
  const other = figures.filter(([, was, is]) => was !== is);
  return [...nodes, ...other.map(([name, was, is]) => ({ name, before: was, after: is, by: "" }))];
}

/** Each task, gate and sum that stands elsewhere at the later of two events. */
export function WhatChanged({ goalId, from, to }: { goalId: string; from: number; to: number }) {
  const a = useQuery(replayed(goalId, from)).data;
  const b = useQuery(replayed(goalId, to)).data;
  const all = useQuery(events(goalId)).data ?? [];
  if (a?.seq !== from || b?.seq !== to) return null;
  const changes = changesOf(a, b, all);
  if (!changes.length) return <p className="empty-line">No task and no gate stands elsewhere.</p>;
  return (
    <div className="scrolls replay-changes" tabIndex={0} role="group" aria-label="What changed">
      <table>
        <thead>
          <tr>
            <th scope="col">Subject</th>
            <th scope="col">At #{from}</th>
            <th scope="col">At #{to}</th>
            <th scope="col">By event</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <tr key={change.name}>
              <td className="break">{change.name}</td>
              <td className="figures">{change.before}</td>
              <td className="figures">{change.after}</td>
              <td>
                <code className="ink-2">{change.by}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
