import { useQuery } from "@tanstack/react-query";
import { lately, model } from "../api/queries";
import type { Lately, Model } from "../api/types";
import { count, some } from "../format/numbers";
import { brief, shortMoment } from "../format/time";
import { useNow } from "../format/useNow";
import { Mark } from "../states/StateMark";

interface Access {
  name: string;
  types: string[];
  calls: number;
  mean: number;
  p95: number | null;
  parked: number;
  until: string | null;
  reason: string;
}

/** By model: who asks it, what the last hour has brought, and the tasks that wait until it answers again. */
function accessOf(asked: Model, recent: Lately | undefined): Access[] {
  const names = new Set([...Object.values(asked.models), ...(recent?.models ?? []).map((used) => used.model)]);
  return [...names].map((name) => {
    const types = Object.keys(asked.models).filter((type) => asked.models[type] === name);
    const used = recent?.models.find((other) => other.model === name);
    const waiting = (recent?.queues ?? []).filter((queue) => queue.parked && types.includes(queue.agent_type));
    return {
      name,
      types,
      calls: used?.calls ?? 0,
      mean: used?.mean_s ?? 0,
      p95: used?.p95_s ?? null,
      parked: waiting.reduce((sum, queue) => sum + queue.parked, 0),
      until: waiting.flatMap((queue) => queue.parked_until ?? []).sort()[0] ?? null,
      reason: waiting[0]?.reason ?? "",
    };
  });
}

function Row({ access, failed, now }: { access: Access; failed: boolean; now: number }) {
  const { parked, until, reason, calls, mean, p95 } = access;
  const slowest = p95 === null ? "" : `, 95 of 100 within ${brief(p95 * 1_000)}`;
  return (
    <li>
      {failed ? (
        <Mark shape="diamond" tone="bad" />
      ) : (
        <Mark shape={parked ? "crescent" : "disc"} tone={parked ? "idle" : "ok"} />
      )}
      <span className="grow model-words">
        <span className="name">{access.name}</span>
        <br />
        <span className="ink-3 small">
          {calls
            ? `${some(calls, "call")} within the hour, ${brief(mean * 1_000)} each${slowest}`
            : "no call within the hour"}
        </span>
        {parked > 0 && (
          <span className="small">
            <br />
            {some(parked, "task")} parked{until ? ` until ${shortMoment(until, now)}` : ""}: {reason}
          </span>
        )}
        {access.types.length > 0 && (
          <span className="ink-3 small">
            <br />
            {access.types.join(", ")}
          </span>
        )}
      </span>
      <span className="tag">{failed ? "refused" : parked ? "breaker open" : "breaker closed"}</span>
    </li>
  );
}

/** Which models agents ask, and whether these answer. */
export function ModelAccess() {
  const asked = useQuery(model()).data;
  const recent = useQuery(lately()).data;
  const now = useNow();
  if (!asked) return <p className="empty-line">No worker has said which model it asks.</p>;
  const scripted = asked.provider === "rehearsal";
  return (
    <ul className="facts-rows">
      {accessOf(asked, recent).map((access) => (
        <Row key={access.name} access={access} failed={asked.state === "failed"} now={now} />
      ))}
      <li>
        <span className="grow">{scripted ? <span className="tag">scripted model</span> : asked.label}</span>
        <span className="ink-3 break">{asked.found || (asked.state === "not asked" ? "" : asked.state)}</span>
      </li>
      <li>
        <span className="grow">Prices</span>
        <span className="ink-3 break">{asked.prices}</span>
      </li>
      {(recent?.models ?? []).length > 1 && (
        <li>
          <span className="grow">All calls within the hour</span>
          <span className="ink-3 figures">
            {count((recent?.models ?? []).reduce((sum, used) => sum + used.calls, 0))}
          </span>
        </li>
      )}
    </ul>
  );
}
