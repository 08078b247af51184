import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { trace } from "../../api/queries";
import type { Span, Trace } from "../../api/types";
import { count } from "../../format/numbers";
import { brief } from "../../format/time";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";
import { Waterfall } from "./Waterfall";

interface Asked {
  goalId: string;
  taskId?: string;
  running: boolean;
  show: (found: Trace) => React.ReactNode;
}

function Read({ goalId, taskId = "", running, show }: Asked) {
  const found = useQuery(trace(goalId, taskId, running));
  if (found.isPending) return <Loading what="the trace" />;
  if (found.isError)
    return (
      <Problem
        what="The trace could not be read"
        meaning="Work goes on; only this view is missing."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  if (!found.data.are_kept)
    return <p className="empty-line">This hub keeps no traces (AGENTHUB_TRACE_DAYS is 0).</p>;
  if (!found.data.items.length)
    return <p className="empty-line">No trace: it is not there yet, or older than the hub keeps them.</p>;
  return show(found.data);
}

/** Where the time of a goal has gone: its tasks, and on demand what the hub itself did meanwhile. */
export function TraceTab({ goalId, running }: { goalId: string; running: boolean }) {
  const [all, setAll] = useState(false);
  return (
    <Read
      goalId={goalId}
      running={running}
      show={(found) => (
        <div className="stack trace-tab">
          <div className="row">
            <p className="grow small figures ink-2">
              {count(found.total)} spans in {brief(found.duration_ms)}
              {found.is_cut && "; the first of them are shown"}
            </p>
            <button type="button" className="button" aria-pressed={all} onClick={() => setAll(!all)}>
              Decisions and read models
            </button>
          </div>
          <Waterfall spans={found.items} all={all} label="Where the time of this goal has gone" />
        </div>
      )}
    />
  );
}

/** The same of one attempt at a task, with every step of it. */
export function TaskTrace({
  goalId,
  taskId,
  attempt,
  running,
}: {
  goalId: string;
  taskId: string;
  attempt: number;
  running: boolean;
}) {
  return (
    <Read
      goalId={goalId}
      taskId={taskId}
      running={running}
      show={(found) => (
        <Waterfall
          spans={ofAttempt(found.items, attempt)}
          all={true}
          label={`Where the time of attempt ${attempt} has gone`}
        />
      )}
    />
  );
}

/** What names another attempt is left out, with all that stands below it. */
function ofAttempt(spans: readonly Span[], attempt: number): Span[] {
  const kept: Span[] = [];
  let without = Number.POSITIVE_INFINITY;
  for (const span of spans) {
    if (span.depth > without) continue;
    const named = span.attributes["agenthub.attempt"];
    without = named === undefined || named === attempt ? Number.POSITIVE_INFINITY : span.depth;
    if (without === Number.POSITIVE_INFINITY) kept.push(span);
  }
  return kept;
}
