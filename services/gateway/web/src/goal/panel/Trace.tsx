import { lazy, Suspense } from "react";
import type { Attempt } from "../../api/types";
import { dollars, tokens } from "../../format/numbers";
import { utc } from "../../format/time";
import { CopyButton } from "../../ui/CopyButton";
import { Loading } from "../../ui/Loading";

const TaskTrace = lazy(() => import("../trace/TraceTab").then((module) => ({ default: module.TaskTrace })));

/** Where to look further: the attempt's own places in log, runs and trace. */
export function Trace({ attempt, goalId }: { attempt: Attempt; goalId: string }) {
  const command = `nats stream view RUNS --subject 'run.${goalId}.${attempt.task_id}.${attempt.attempt}.>'`;
  return (
    <div className="scrolls context stack">
      <dl className="facts-list">
        <dt>Worker</dt>
        <dd>
          {attempt.worker || "none yet"} {attempt.instance && <code>{attempt.instance}</code>}
        </dd>
        <dt>Model</dt>
        <dd>
          {attempt.model || "not asked"}, {attempt.llm_calls} calls, {tokens(attempt.input_tokens)} in,{" "}
          {tokens(attempt.output_tokens)} out, {dollars(attempt.cost_usd)}
        </dd>
        <dt>Enqueued</dt>
        <dd>{utc(attempt.enqueued_at, attempt.enqueued_seq) || "–"}</dd>
        <dt>Started</dt>
        <dd>{utc(attempt.started_at, attempt.started_seq) || "–"}</dd>
        <dt>Ended</dt>
        <dd>{utc(attempt.ended_at, attempt.ended_seq) || "–"}</dd>
        <dt>Outcome</dt>
        <dd className="break">
          {attempt.outcome || "open"}
          {attempt.failure_class && `, ${attempt.failure_class}`}
          {attempt.reason && `: ${attempt.reason}`}
        </dd>
        {attempt.resumes > 0 && (
          <>
            <dt>Goes on from</dt>
            <dd>attempt {attempt.resumes}</dd>
          </>
        )}
        {attempt.checkpoint && (
          <>
            <dt>Checkpoint</dt>
            <dd>
              <code>{attempt.checkpoint.slice(0, 12)}</code>
            </dd>
          </>
        )}
        <dt>Agent file</dt>
        <dd>
          <code>
            {attempt.agent} {attempt.agent_hash.slice(0, 12)}
          </code>
        </dd>
      </dl>
      <section>
        <h3>Where the time has gone</h3>
        <Suspense fallback={<Loading what="the trace" />}>
          <TaskTrace
            key={`${attempt.task_id} ${attempt.attempt}`}
            goalId={goalId}
            taskId={attempt.task_id}
            attempt={attempt.attempt}
            running={Boolean(attempt.started_at && !attempt.ended_at)}
          />
        </Suspense>
      </section>
      <section>
        <h3>Every step as it was recorded</h3>
        <div className="row">
          <pre className="block grow">{command}</pre>
          <CopyButton text={command} className="small" />
        </div>
      </section>
    </div>
  );
}
