import type { Attempt, Gate, Goal, Task } from "../api/types";
import { some } from "../format/numbers";
import { duration, secondsSince, shortMoment } from "../format/time";
import { gateState, OVER, type State, taskState, waitsForApproval } from "../states/state";

/** A node of the graph: a task, or a gate with all its rounds. */
export interface Node {
  id: string;
  title: string;
  gate: string;
  /** The tasks behind it; the last one is what stands now. Empty: a gate without a round yet. */
  tasks: readonly Task[];
  rounds: readonly Gate[];
  state: State;
  added: boolean;
}

export interface Edge {
  from: string;
  to: string;
  kind: "satisfied" | "open" | "repair";
}

export interface Model {
  nodes: readonly Node[];
  edges: readonly Edge[];
  /** Also what the graph does not show any more: the planning. */
  byTask: ReadonlyMap<string, Node>;
  /** Why nothing of the goal is begun, whatever it waits for; empty when it is. */
  held: string;
}

const GATE_TITLES: Record<string, string> = { tests: "Tests", security: "Security audit", review: "Review" };
const GATE_TASK = /^gate-(\w+)-\d+$/;
const REPAIR_TASK = /^(?:debug|fix)-(\w+)-/;
const FINISHED = new Set(["done", "skipped"]);

export const gateTitle = (gate: string): string => GATE_TITLES[gate] ?? gate;
const gateOf = (task: Task): string =>
  task.kind === "gate" ? (GATE_TASK.exec(task.task_id)?.[1] ?? task.task_id) : "";
const gateId = (gate: string): string => `gate:${gate}`;

export function modelOf(goal: Goal, tasks: readonly Task[], rounds: readonly Gate[]): Model {
  const work = tasks.filter((task) => task.kind !== "gate" && (task.kind !== "plan" || tasks.length === 1));
  const nodes = [...work.map(workNode), ...gateNodes(goal, tasks, rounds, work)];
  const planning = tasks.filter((task) => task.kind === "plan" && !work.includes(task)).map(workNode);
  return {
    nodes,
    edges: edgesOf(nodes, mapOf(nodes)),
    byTask: mapOf([...nodes, ...planning]),
    held: heldBy(goal),
  };
}

function heldBy(goal: Goal): string {
  if (waitsForApproval(goal)) return "waits for your approval of the plan";
  if (goal.status === "paused") return "waits: the goal is paused";
  return OVER.has(goal.status) ? "was not begun" : "";
}

function mapOf(nodes: readonly Node[]): Map<string, Node> {
  return new Map(nodes.flatMap((node) => node.tasks.map((task) => [task.task_id, node] as const)));
}

function workNode(task: Task): Node {
  const added = task.origin !== "planner" && task.origin !== "human" && task.kind !== "plan";
  return {
    id: task.task_id,
    title: task.title,
    gate: "",
    tasks: [task],
    rounds: [],
    state: taskState(task),
    added,
  };
}

function gateNodes(goal: Goal, tasks: readonly Task[], rounds: readonly Gate[], work: readonly Task[]): Node[] {
  const asked = [
    ...new Set([...(goal.workflow_generated ? goal.gates : []), ...tasks.map(gateOf).filter(Boolean)]),
  ];
  let before = work.every((task) => FINISHED.has(task.status));
  return asked.map((gate) => {
    const own = tasks.filter((task) => gateOf(task) === gate);
    const its = rounds.filter((round) => round.gate === gate);
    const state = stateOfGate(goal, own.at(-1), its, before);
    before = before && state.word === "Passed";
    return { id: gateId(gate), title: gateTitle(gate), gate, tasks: own, rounds: its, state, added: false };
  });
}

function stateOfGate(goal: Goal, task: Task | undefined, rounds: readonly Gate[], ready: boolean): State {
  if (!task)
    return { word: ready ? "Armed" : "Not armed", shape: ready ? "hexagon-dot" : "hexagon", tone: "idle" };
  if (task.status === "done" && rounds.at(-1)?.verdict === "failed" && !OVER.has(goal.status)) {
    return gateState({ ...task, status: "pending" }, rounds);
  }
  return gateState(task, rounds);
}

function edgesOf(nodes: readonly Node[], byTask: ReadonlyMap<string, Node>): Edge[] {
  const gates = nodes.filter((node) => node.gate);
  const work = nodes.filter((node) => !node.gate);
  const edges = work.flatMap((node) =>
    (node.tasks[0]?.depends_on ?? []).flatMap((id): Edge[] => {
      const from = byTask.get(id);
      return from ? [{ from: from.id, to: node.id, kind: kindOf(from, node.added) }] : [];
    }),
  );
  edges.push(...repairEdges(work, gates, edges));
  const planned = work.filter((node) => !node.added);
  const first = gates[0];
  const leaves = planned.filter((node) => !edges.some((edge) => edge.from === node.id && edge.kind !== "repair"));
  if (first)
    edges.push(...leaves.map((leaf): Edge => ({ from: leaf.id, to: first.id, kind: kindOf(leaf, false) })));
  for (const [at, gate] of gates.entries()) {
    const next = gates[at + 1];
    if (next)
      edges.push({ from: gate.id, to: next.id, kind: gate.state.word === "Passed" ? "satisfied" : "open" });
  }
  return edges;
}

/** Gate → diagnosis → repair → back into the gate; rework comes out of the last gate and goes back to the first. */
function repairEdges(work: readonly Node[], gates: readonly Node[], edges: readonly Edge[]): Edge[] {
  return work
    .filter((node) => node.added)
    .flatMap((node) => {
      const named = REPAIR_TASK.exec(node.id)?.[1];
      const source = gates.find((gate) => gate.gate === named) ?? (named ? undefined : gates.at(-1));
      const target = named ? source : gates[0];
      const found: Edge[] = [];
      if (source && !edges.some((edge) => edge.to === node.id))
        found.push({ from: source.id, to: node.id, kind: "repair" });
      if (target && !edges.some((edge) => edge.from === node.id))
        found.push({ from: node.id, to: target.id, kind: "repair" });
      return found;
    });
}

function kindOf(from: Node, repair: boolean): Edge["kind"] {
  if (repair) return "repair";
  return FINISHED.has(from.tasks.at(-1)?.status ?? "") ? "satisfied" : "open";
}

/** The second line of a node: what it does, or why it does not. */
export function why(node: Node, model: Model, now: number): string {
  const task = node.tasks.at(-1);
  if (node.gate) return whyGate(node, model, task);
  return task ? whyTask(task, model, now) : "";
}

function whyGate(node: Node, model: Model, task: Task | undefined): string {
  const last = node.rounds.at(-1);
  if (task && (task.status === "blocked" || task.status === "dead_lettered")) return task.reason || task.status;
  if (node.state.word === "Running") return `round ${last?.round ?? 1} runs`;
  if (last && node.state.word !== "Armed")
    return `${node.state.word === "Re-arms" ? `round ${last.round}: ` : ""}${verdictWords(last)}`;
  const open = model.edges.filter((edge) => edge.to === node.id && edge.kind === "open");
  return waitsFor(
    model,
    open.map((edge) => model.nodes.find((other) => other.id === edge.from)?.title ?? edge.from),
  );
}

/** `51 of 51, 91.4 %` (which a line does not break), `2 of 48 failed`, or the verdict's own words. */
export function verdictWords(round: Gate): string {
  const all = round.passed + round.failed + round.errors;
  if (round.counted && all) {
    const bad = round.failed + round.errors;
    if (bad) return `${bad} of ${all} failed`;
    return `${round.passed} of ${all}${round.coverage_percent === null ? "" : `, ${round.coverage_percent}\u00a0%`}`;
  }
  if (round.gate === "security" && round.verdict !== "open") {
    return some(round.findings.filter((finding) => !finding.dismissed).length, "finding");
  }
  if (round.gate === "review" && round.verdict === "passed") return "approved";
  return round.summary || round.verdict;
}

function whyTask(task: Task, model: Model, now: number): string {
  const who = task.agent || task.agent_type;
  switch (task.status) {
    case "pending":
      return (
        task.reason ||
        waitsFor(
          model,
          task.depends_on.filter((id) => !isDone(model, id)).map((id) => model.byTask.get(id)?.title ?? id),
        )
      );
    case "enqueued":
      return `in ${task.agent_type}.${task.lane} for ${duration(secondsSince(task.enqueued_at, now))}`;
    case "in_progress":
      return `${who} · ${task.progress_percentage ? `${task.progress_percentage}%` : duration(secondsSince(task.started_at, now))}`;
    case "done":
      // Without an attempt it was done elsewhere, and says where.
      if (!task.attempt && task.reason) return task.reason;
      return `${who} · ${task.attempt > 1 ? some(task.attempt, "attempt") : duration(worked(task))}`;
    case "blocked":
      return "asks you";
    case "parked":
      return task.due ? `until ${shortMoment(task.due, now)}, ${task.reason}` : task.reason;
    default:
      return task.reason || who;
  }
}

function isDone(model: Model, id: string): boolean {
  return FINISHED.has(model.byTask.get(id)?.tasks.at(-1)?.status ?? "");
}

function waitsFor(model: Model, names: readonly string[]): string {
  if (!names.length) return model.held || "next to run";
  const shown = names.slice(0, 2).join(" and ");
  return `waits for ${shown}${names.length > 2 ? ` and ${names.length - 2} more` : ""}`;
}

export function worked(task: Pick<Task | Attempt, "started_at" | "ended_at">): number {
  return task.started_at && task.ended_at ? (Date.parse(task.ended_at) - Date.parse(task.started_at)) / 1000 : 0;
}
