import { useQuery } from "@tanstack/react-query";
import { queues, ready, workers } from "../api/queries";
import { count, some } from "../format/numbers";
import { TopBar } from "../shell/TopBar";
import { Mark } from "../states/StateMark";
import { ModelAccess } from "./ModelAccess";
import { Queues } from "./Queues";
import { Streams } from "./Streams";
import { Workers } from "./Workers";

const CHECKS: Record<string, string> = {
  nats: "Event log",
  postgres: "Postgres",
  projection: "Read models",
  orchestrator: "Orchestrator",
};

function Hub() {
  const health = useQuery(ready()).data;
  return (
    <aside className="fleet-aside scrolls" aria-label="Model and hub" tabIndex={0}>
      <div className="pane-head">
        <h2>Model access</h2>
      </div>
      <ModelAccess />
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
      <div className="pane-head">
        <h2>Streams</h2>
      </div>
      <Streams />
    </aside>
  );
}

export function FleetPage() {
  const waiting = useQuery(queues()).data?.reduce((sum, queue) => sum + queue.waiting, 0);
  const living = useQuery(workers()).data;
  return (
    <>
      <TopBar path={[{ name: "Fleet" }]} />
      <main id="main" className="fleet" tabIndex={0}>
        <h1 className="unseen">Fleet</h1>
        <section aria-label="Queues" className="fleet-queues">
          <div className="pane-head">
            <h2>Queues</h2>
            <span className="ink-3">{waiting !== undefined && `${String(waiting)} waiting`}</span>
          </div>
          <Queues />
        </section>
        <section aria-label="Workers" className="fleet-workers">
          <div className="pane-head">
            <h2>Workers</h2>
            <span className="ink-3">
              {living &&
                `${String(living.length)}, ${living.filter((worker) => worker.holding.length).length} busy`}
            </span>
          </div>
          <Workers />
        </section>
        <Hub />
      </main>
    </>
  );
}
