import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { attempts as attemptsQuery, isRunning, task as taskQuery, usage } from "../../api/queries";
import type { Attempt, Goal, Task } from "../../api/types";
import { dollars, tokens } from "../../format/numbers";
import { duration } from "../../format/time";
import { useKeys } from "../../keyboard/keys";
import { StateChip } from "../../states/StateMark";
import { Icon } from "../../ui/icons";
import { Loading } from "../../ui/Loading";
import { TabList } from "../../ui/TabList";
import { WhenRead } from "../../ui/WhenRead";
import { type Node, worked } from "../model";
import { Context } from "./Context";
import { LogTail } from "./LogTail";
import { NoteField } from "./NoteField";
import { TaskDiff } from "./TaskDiff";
import { Trace } from "./Trace";
import { Transcript } from "./Transcript";

const TABS = ["Transcript", "Log", "Diff", "Context", "Trace"] as const;
type Tab = (typeof TABS)[number];

interface Props {
  goal: Goal;
  node: Node;
  now: number;
  /** The tab that the address names, in small letters; empty for the one to begin with. */
  shown: string;
  show: (name: string) => void;
  close: () => void;
}

function useChosen(node: Node, goal: Goal) {
  const last = node.tasks.at(-1);
  const [picked, setPicked] = useState("");
  const tried = useQuery(attemptsQuery(goal.goal_id));
  const all = (tried.data ?? []).filter((attempt) => node.tasks.some((task) => task.task_id === attempt.task_id));
  const found = all.find((attempt) => `${attempt.task_id} ${attempt.attempt}` === picked) ?? all.at(-1);
  const task = node.tasks.find((other) => other.task_id === found?.task_id) ?? last;
  return { tried, all, attempt: found, task, picked: found ? `${found.task_id} ${found.attempt}` : "", setPicked };
}

interface Tried {
  goal: Goal;
  node: Node;
  now: number;
  all: readonly Attempt[];
  attempt: Attempt;
  task: Task;
  picked: string;
  setPicked: (name: string) => void;
}

/** Who tried it, how often, for how long and at what cost. */
function Facts({ goal, node, now, all, attempt, task, picked, setPicked }: Tried) {
  const spent = useQuery(usage(goal.goal_id)).data?.items.filter((row) => row.task_id === task.task_id) ?? [];
  const input = spent.reduce((sum, row) => sum + row.input_tokens + row.cache_read_tokens, 0);
  const cached = spent.reduce((sum, row) => sum + row.cache_read_tokens, 0);
  return (
    <p className="facts small figures">
      <span>
        {attempt.agent || task.agent}
        {attempt.worker && ` on ${attempt.worker}`}
      </span>
      {all.length > 1 ? (
        <label>
          {node.gate ? "round" : "attempt"}{" "}
          <select className="inline-select" value={picked} onChange={(event) => setPicked(event.target.value)}>
            {all.map((other, at) => (
              <option key={`${other.task_id} ${other.attempt}`} value={`${other.task_id} ${other.attempt}`}>
                {at + 1} of {all.length}
              </option>
            ))}
          </select>
        </label>
      ) : (
        <span>
          attempt <b>{attempt.attempt}</b> of {task.max_retries + 1}
        </span>
      )}
      <span>
        {duration(
          attempt.ended_at
            ? worked(attempt)
            : attempt.started_at
              ? (now - Date.parse(attempt.started_at)) / 1000
              : 0,
        )}
      </span>
      <span>{dollars(attempt.cost_usd)}</span>
      <span>
        {tokens(attempt.input_tokens + attempt.output_tokens)} tokens
        {input > 0 && `, ${Math.round((100 * cached) / input)}% cached`}
      </span>
    </p>
  );
}

export function TaskPanel({ goal, node, now, shown, show, close }: Props) {
  const { tried, all, attempt, task, picked, setPicked } = useChosen(node, goal);
  // No agent speaks in a run of the tests: what it printed is what there is to read.
  const first: Tab = node.gate === "tests" ? "Log" : "Transcript";
  const tab = TABS.find((name) => name.toLowerCase() === shown) ?? first;
  const setTab = (name: Tab) => show(name === first ? "" : name.toLowerCase());
  const head = useRef<HTMLHeadingElement>(null);
  const detail = useQuery({ ...taskQuery(goal.goal_id, task?.task_id ?? ""), enabled: Boolean(task) });
  useKeys({ escape: close, ...Object.fromEntries(TABS.map((name, at) => [String(at + 1), () => setTab(name)])) });
  useEffect(() => {
    const opener = document.activeElement;
    head.current?.focus({ preventScroll: true });
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
    };
  }, []);
  const running = attempt !== undefined && isRunning(attempt);
  const round = node.rounds.find((other) => other.task_id === task?.task_id);
  return (
    <aside className="task-panel" aria-label={`Task: ${node.title}`} data-panel={node.id}>
      <div className="panel-top">
        <div className="head-line">
          <h2 ref={head} tabIndex={-1} className="grow break">
            {node.title}
          </h2>
          <StateChip state={node.state} />
          <button
            type="button"
            className="button icon-only"
            aria-label="Close the panel"
            aria-keyshortcuts="Escape"
            onClick={close}
          >
            <Icon name="close" />
          </button>
        </div>
        {attempt && task && <Facts {...{ goal, node, now, all, attempt, task, picked, setPicked }} />}
        {task?.reason && <p className="ink-2 break">{task.reason}</p>}
      </div>
      <TabList names={TABS} chosen={tab} choose={setTab} label="Of this task">
        {running && tab === "Transcript" && (
          <span className="following small">
            <i className="dot" />
            Following <span className="kbd">F</span>
          </span>
        )}
      </TabList>
      <div className="panel-body" role="tabpanel" aria-label={tab}>
        {!task && <p className="empty-line">This gate has had no round yet.</p>}
        {task && !attempt && (
          <WhenRead query={tried} what="the attempts" meaning="The task goes on without this list.">
            {() => <p className="empty-line">No attempt was ordered yet. {task.reason}</p>}
          </WhenRead>
        )}
        {task && attempt && tab === "Transcript" && <Transcript key={picked} attempt={attempt} />}
        {task && attempt && tab === "Log" && <LogTail key={picked} attempt={attempt} round={round} />}
        {task && tab === "Diff" && <TaskDiff goalId={goal.goal_id} taskId={task.task_id} />}
        {task &&
          tab === "Context" &&
          (detail.data ? (
            <Context goal={goal} node={node} task={detail.data.task} />
          ) : (
            <Loading what="the task" />
          ))}
        {attempt && tab === "Trace" && <Trace attempt={attempt} goalId={goal.goal_id} />}
      </div>
      {running && task && <NoteField goalId={goal.goal_id} taskId={task.task_id} />}
    </aside>
  );
}
