import { useQuery } from "@tanstack/react-query";
import { holds, lately, queues, services, workers } from "../api/queries";
import type { Queue } from "../api/types";
import { count } from "../format/numbers";
import { duration } from "../format/time";
import { useNow } from "../format/useNow";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { PauseQueue, ScaleWorkers } from "./Orders";

const LANES = ["p0", "p1", "p2", "p3"];
const LANE_NAMES: Record<string, string> = { p0: "p0 urgent", p1: "p1 retry", p2: "p2 fresh", p3: "p3 low" };
const PX_A_TASK = 5;
const WIDEST_PX = 60;
const LONG_WAIT_S = 60;

function Lane({ queue }: { queue: Queue | undefined }) {
  const waiting = queue?.waiting ?? 0;
  return (
    <td className="figures">
      {waiting ? (
        <span className="row">
          <i className="depth" style={{ width: `${Math.min(WIDEST_PX, waiting * PX_A_TASK)}px` }} />
          {count(waiting)}
        </span>
      ) : (
        <span className="ink-3">0</span>
      )}
    </td>
  );
}

/** How long the order that came first has waited. */
function Oldest({ lanes }: { lanes: Queue[] }) {
  const now = useNow();
  const first = Math.min(...lanes.flatMap((lane) => (lane.oldest_at ? Date.parse(lane.oldest_at) : [])));
  if (!Number.isFinite(first)) return <td className="ink-3">–</td>;
  const waits = Math.max(0, (now - first) / 1000);
  return <td className={`figures ${waits > LONG_WAIT_S ? "tone-bad" : ""}`}>{duration(waits)}</td>;
}

function Serving({ type, lanes, scalable }: { type: string; lanes: Queue[]; scalable: boolean }) {
  const living = useQuery(workers()).data;
  const serving = Math.max(...lanes.map((lane) => lane.workers));
  const waiting = lanes.reduce((sum, lane) => sum + lane.waiting, 0);
  const own = living?.filter((one) => one.types.length === 1 && one.types[0] === type && !one.draining).length;
  const shown = serving ? (
    <span>{serving}</span>
  ) : (
    <span className={`tag ${waiting ? "tone-bad" : ""}`}>{waiting ? `none: ${waiting} wait` : "none"}</span>
  );
  return (
    <td className="figures">
      {scalable && own !== undefined ? (
        <ScaleWorkers type={type} own={own} serving={serving}>
          {shown}
        </ScaleWorkers>
      ) : (
        shown
      )}
    </td>
  );
}

function Row({ type, lanes, scalable }: { type: string; lanes: Queue[]; scalable: boolean }) {
  const held = useQuery(holds()).data;
  const own = held?.paused.find((hold) => hold.agent_type === type);
  const paused = lanes[0]?.paused;
  const recent = useQuery(lately()).data?.queues.find((queue) => queue.agent_type === type);
  return (
    <tr data-type={type}>
      <td className="name">
        {type} {paused && <span className="tag tone-ask">{paused}</span>}
      </td>
      <Serving type={type} lanes={lanes} scalable={scalable} />
      <td className="figures">{lanes.reduce((sum, lane) => sum + lane.held, 0)}</td>
      {LANES.map((name) => (
        <Lane key={name} queue={lanes.find((lane) => lane.lane === name)} />
      ))}
      <Oldest lanes={lanes} />
      <td className={`figures ${recent?.redelivered ? "" : "ink-3"}`}>{count(recent?.redelivered ?? 0)}</td>
      <td className={`figures ${recent?.ended ? "" : "ink-3"}`}>{count(recent?.ended ?? 0)}</td>
      <td className="ink-3">
        <code>evt.*.*.task.enqueued.{type}.*</code>
      </td>
      <td className="fleet-order">
        <PauseQueue type={type} paused={Boolean(own)} maintenance={Boolean(held?.maintenance)} />
      </td>
    </tr>
  );
}

/** Every queue by agent type; people hold one back here, and change how many workers serve it. */
export function Queues() {
  const found = useQuery(queues());
  const scalable = useQuery(services()).data?.some((one) => one.service === "supervisor") ?? false;
  if (found.isPending) return <Loading what="the queues" />;
  if (found.isError && !found.data)
    return (
      <Problem
        what="The queues could not be read"
        meaning="NATS does not answer the gateway; work waits or goes on without this page."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  const types = Map.groupBy(found.data, (queue) => queue.agent_type);
  return (
    <div className="scrolls" role="group" tabIndex={0} aria-label="Queues">
      <table>
        <thead>
          <tr>
            <th>Agent type</th>
            <th>Workers</th>
            <th>At work</th>
            {LANES.map((lane) => (
              <th key={lane}>{LANE_NAMES[lane]}</th>
            ))}
            <th>Oldest</th>
            <th title="Attempts whose order was given out more than once, within the hour">Redelivered, 1 h</th>
            <th title="Attempts that ended within the hour">Per hour</th>
            <th>Subject</th>
            <th>
              <span className="unseen">Hold back</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {[...types].map(([type, lanes]) => (
            <Row key={type} type={type} lanes={lanes} scalable={scalable} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
