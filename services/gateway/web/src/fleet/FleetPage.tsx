import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { goals, model, queues, ready, workers } from "../api/queries";
import { count, some } from "../format/numbers";
import { TopBar } from "../shell/TopBar";
import { Mark, StateWord } from "../states/StateMark";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { Queues } from "./Queues";

function Workers() {
  const found = useQuery(workers());
  const all = useQuery(goals()).data ?? [];
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
      <table>
        <thead>
          <tr>
            <th>Worker</th>
            <th>Serves</th>
            <th>State</th>
            <th>Doing</th>
          </tr>
        </thead>
        <tbody>
          {found.data.map((worker) => (
            <tr key={`${worker.worker} ${worker.instance}`} data-worker={worker.worker}>
              <td className="name">{worker.worker}</td>
              <td className="ink-2">{worker.types.join(", ")}</td>
              <td>
                <StateWord
                  state={
                    worker.holding.length
                      ? {
                          word: "Working",
                          shape: "ring-pie",
                          tone: "run",
                          share: worker.holding.length / Math.max(1, worker.slots),
                        }
                      : { word: worker.draining ? "Draining" : "Idle", shape: "ring-dashed", tone: "idle" }
                  }
                />
              </td>
              <td>
                {worker.holding.map((held) => (
                  <p key={held.goal_id + held.task_id} className="one-line">
                    <Link
                      className="link"
                      to="/goals/$goalId"
                      params={{ goalId: held.goal_id }}
                      search={{ task: held.task_id }}
                    >
                      {held.task_id}
                    </Link>{" "}
                    <span className="ink-3">
                      {all.find((goal) => goal.goal_id === held.goal_id)?.goal ?? held.goal_id}
                    </span>
                  </p>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const CHECKS: Record<string, string> = {
  nats: "Event log",
  postgres: "Postgres",
  projection: "Read models",
  orchestrator: "Orchestrator",
};

function Hub() {
  const asked = useQuery(model()).data;
  const health = useQuery(ready()).data;
  return (
    <aside className="fleet-aside scrolls" aria-label="Model and hub" tabIndex={0}>
      <div className="pane-head">
        <h2>Model access</h2>
      </div>
      {asked ? (
        <ul className="facts-rows">
          {Object.entries(asked.models).map(([type, name]) => (
            <li key={type}>
              <span className="grow">{type}</span>
              <span className="ink-2">{name}</span>
            </li>
          ))}
          <li>
            <span className="grow">
              {asked.provider === "rehearsal" ? <span className="tag">scripted model</span> : asked.label}
            </span>
            <span className="ink-3 break">{asked.found || asked.state}</span>
          </li>
          <li>
            <span className="grow">Prices</span>
            <span className="ink-3 break">{asked.prices}</span>
          </li>
        </ul>
      ) : (
        <p className="empty-line">No worker has said which model it asks.</p>
      )}
      <div className="pane-head">
        <h2>Log and projections</h2>
      </div>
      <ul className="facts-rows">
        {Object.entries(health?.checks ?? {}).map(([name, check]) => (
          <li key={name}>
            <Mark shape={check.ok ? "disc" : "diamond"} tone={check.ok ? "ok" : "bad"} />
            <span className="grow">{CHECKS[name] ?? name}</span>
            <span className="ink-3 break">{check.ok ? "fine" : check.detail}</span>
          </li>
        ))}
        {health?.sequence !== null && health?.sequence !== undefined && (
          <li>
            <span className="grow">EVENTS</span>
            <span className="ink-3 figures">#{count(health.sequence)}</span>
          </li>
        )}
        {health?.lag !== null && health?.lag !== undefined && (
          <li>
            <span className="grow">Projector</span>
            <span className="ink-3 figures">{some(health.lag, "event")} behind</span>
          </li>
        )}
      </ul>
    </aside>
  );
}

export function FleetPage() {
  const all = useQuery(queues()).data ?? [];
  const living = useQuery(workers()).data ?? [];
  const waiting = all.reduce((sum, queue) => sum + queue.waiting, 0);
  return (
    <>
      <TopBar path={[{ name: "Fleet" }]} />
      <main id="main" className="fleet" tabIndex={0}>
        <h1 className="unseen">Fleet</h1>
        <section aria-label="Queues" className="fleet-queues">
          <div className="pane-head">
            <h2>Queues</h2>
            <span className="ink-3">{waiting} waiting</span>
          </div>
          <Queues />
        </section>
        <section aria-label="Workers" className="fleet-workers">
          <div className="pane-head">
            <h2>Workers</h2>
            <span className="ink-3">
              {living.length}, {living.filter((worker) => worker.holding.length).length} busy
            </span>
          </div>
          <Workers />
        </section>
        <Hub />
      </main>
    </>
  );
}
