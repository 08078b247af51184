import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { goals, taskTitle, workers } from "../api/queries";
import type { Worker } from "../api/types";
import { duration, secondsSince } from "../format/time";
import { useNow } from "../format/useNow";
import { StateWord } from "../states/StateMark";
import type { State } from "../states/state";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";

type Held = Worker["holding"][number];

function stateOf(worker: Worker): State {
  if (!worker.holding.length)
    return { word: worker.draining ? "Draining" : "Idle", shape: "ring-dashed", tone: "idle" };
  const share = worker.holding.length / Math.max(1, worker.slots);
  return { word: worker.draining ? "Finishing" : "Working", shape: "ring-pie", tone: "run", share };
}

function Doing({ held }: { held: Held }) {
  const title = useQuery(taskTitle(held.goal_id, held.task_id)).data ?? held.task_id;
  const goal = useQuery(goals()).data?.find((other) => other.goal_id === held.goal_id)?.goal ?? held.goal_id;
  return (
    <p className="one-line" dir="auto" title={`${title}, ${goal}`}>
      <Link
        className="link"
        to="/goals/$goalId"
        params={{ goalId: held.goal_id }}
        search={{ task: held.task_id }}
        title={held.task_id}
      >
        {title}
      </Link>{" "}
      <span className="ink-3">{goal}</span>
    </p>
  );
}

const SANDBOXES: Record<string, string> = { bwrap: "bubblewrap", scripted: "scripted", "": "not said" };

function Sandbox({ name }: { name: string }) {
  if (name !== "none") return <span className={name === "bwrap" ? "" : "ink-3"}>{SANDBOXES[name] ?? name}</span>;
  return (
    <span
      className="tag tone-bad"
      title="Commands of agents run with the rights of the worker: AGENTHUB_ALLOW_UNSANDBOXED is set"
    >
      none
    </span>
  );
}

function Row({ worker, now }: { worker: Worker; now: number }) {
  const each = (show: (held: Held) => React.ReactNode) =>
    worker.holding.map((held) => <div key={held.goal_id + held.task_id}>{show(held)}</div>);
  return (
    <tr data-worker={worker.worker}>
      <td>
        <span className="one-line" title={`${worker.worker}: ${worker.types.join(", ")}`}>
          <span className="name">{worker.worker}</span> <span className="ink-3">{worker.types.join(", ")}</span>
        </span>
      </td>
      <td>
        <StateWord state={stateOf(worker)} />
      </td>
      <td>
        {each((held) => (
          <Doing held={held} />
        ))}
      </td>
      <td>
        {each((held) => (
          <code className="one-line" title={held.now}>
            {held.now || "between two steps"}
          </code>
        ))}
      </td>
      <td className="figures">{each((held) => (held.since ? duration(secondsSince(held.since, now)) : "–"))}</td>
      <td>
        <Sandbox name={worker.sandbox} />
      </td>
    </tr>
  );
}

/** Every worker that lives: what it serves, what it holds, and what that does at this moment. */
export function Workers() {
  const found = useQuery(workers());
  const now = useNow();
  if (found.isPending) return <Loading what="the workers" />;
  if (found.isError && !found.data)
    return (
      <Problem
        what="The workers could not be read"
        meaning="NATS does not answer the gateway; whoever works goes on."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  if (!found.data.length)
    return (
      <p className="empty-line">
        No worker has said within 15 s that it lives: nothing is worked on. <code>agenthub up</code> starts them,
        or <code>agenthub worker</code> on another machine.
      </p>
    );
  return (
    <div className="scrolls" role="group" tabIndex={0} aria-label="Workers">
      <table className="workers">
        <thead>
          <tr>
            <th>Worker</th>
            <th>State</th>
            <th>Doing</th>
            <th>Now</th>
            <th>For</th>
            <th title="What its commands run in">Sandbox</th>
          </tr>
        </thead>
        <tbody>
          {found.data.map((worker) => (
            <Row key={`${worker.worker} ${worker.instance}`} worker={worker} now={now} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
