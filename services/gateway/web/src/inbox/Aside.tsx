import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { graph, task as taskQuery } from "../api/queries";
import type { Goal, Question } from "../api/types";
import { dollars, some } from "../format/numbers";
import { duration } from "../format/time";
import { worked } from "../goal/model";
import { Key } from "../keyboard/Key";
import { Mark } from "../states/StateMark";
import { taskState } from "../states/state";
import { CopyButton } from "../ui/CopyButton";
import { IfUnanswered } from "./IfUnanswered";

const SHOWN = 8;

interface Props {
  question: Question;
  goal: Goal | undefined;
  task: string;
  now: number;
  openTask: () => void;
}

/** Everything that cannot go on without this task, and what goes on meanwhile. */
function WhatWaits({ goalId, task }: { goalId: string; task: string }) {
  const tasks = useQuery(graph(goalId)).data?.tasks ?? [];
  const waiting = new Set([task]);
  for (const other of tasks) if (other.depends_on.some((id) => waiting.has(id))) waiting.add(other.task_id);
  const shown = tasks
    .filter((other) => waiting.has(other.task_id) || ["in_progress", "enqueued"].includes(other.status))
    .slice(0, SHOWN);
  if (!shown.length) return null;
  return (
    <section>
      <h2>What waits</h2>
      <ul className="stack waits">
        {shown.map((other) => (
          <li key={other.task_id} className="row">
            <Mark {...taskState(other)} />
            <span className="break">
              {other.title}{" "}
              <span className="ink-3">
                {other.task_id === task
                  ? taskState(other).word.toLowerCase()
                  : waiting.has(other.task_id)
                    ? "waits for it"
                    : "goes on"}
              </span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function AgentSoFar({ goalId, taskId, question }: { goalId: string; taskId: string; question: Question }) {
  const found = useQuery(taskQuery(goalId, taskId)).data;
  const attempt = found?.attempts.find((other) => other.attempt === question.attempt) ?? found?.attempts.at(-1);
  if (!found || !attempt) return null;
  return (
    <section>
      <h2>The agent so far</h2>
      <dl className="facts-list">
        <dt>Agent</dt>
        <dd className="break">
          {attempt.agent}
          {attempt.worker && ` on ${attempt.worker}`}
        </dd>
        <dt>Attempt</dt>
        <dd>
          {attempt.attempt} of {found.task.max_retries + 1}
          {question.retry_count ? `, ${question.retry_count} retries` : ", no retries"}
        </dd>
        <dt>Time</dt>
        <dd>{duration(worked(attempt))}</dd>
        <dt>Spend</dt>
        <dd>
          {dollars(attempt.cost_usd)}, {some(attempt.llm_calls, "call")}
        </dd>
        {attempt.checkpoint && (
          <>
            <dt>Workspace</dt>
            <dd>
              <code>{attempt.checkpoint.slice(0, 12)}</code>
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}

export function Aside({ question, goal, task, now, openTask }: Props) {
  const command = `agenthub answer ${question.id} ${question.options.length ? "--option 1" : '--text "…"'}`;
  return (
    <aside className="inbox-aside scrolls stack" aria-label="Around this question">
      {task && <WhatWaits goalId={question.goal_id} task={task} />}
      <IfUnanswered question={question} now={now} />
      {task && <AgentSoFar goalId={question.goal_id} taskId={task} question={question} />}
      <div className="row wrap">
        {task && (
          <button type="button" className="button small" onClick={openTask}>
            Open transcript <Key name="T" />
          </button>
        )}
        <Link
          className="button small"
          to="/goals/$goalId"
          params={{ goalId: question.goal_id }}
          title={goal?.goal}
        >
          Graph <Key name="O" />
        </Link>
      </div>
      {question.state === "open" && (
        <section>
          <div className="row">
            <h2 className="grow">Also by</h2>
            <CopyButton text={command} className="small" />
          </div>
          <pre className="block">{command}</pre>
        </section>
      )}
    </aside>
  );
}
