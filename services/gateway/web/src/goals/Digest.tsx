import type { Goal } from "../api/types";
import { dollars } from "../format/numbers";
import { duration, shortMoment } from "../format/time";
import { Key } from "../keyboard/Key";
import { OVER } from "../states/state";
import { groupOf } from "./groups";

interface Props {
  goals: readonly Goal[];
  since: number;
  now: number;
  markSeen: () => void;
}

function Figure({ value, what, tone = "" }: { value: string; what: string; tone?: string }) {
  return (
    <div className={`digest-figure ${tone ? `tone-${tone} tone-figure` : ""}`}>
      <b className="figures">{value}</b>
      <span className="ink-2">{what}</span>
    </div>
  );
}

/** What has happened since the last visit of this browser. */
export function Digest({ goals, since, now, markSeen }: Props) {
  const ended = (status: string) =>
    goals.filter((goal) => goal.status === status && Date.parse(goal.ended_at ?? "") > since).length;
  const needs = goals.filter((goal) => groupOf(goal) === "Needs you").length;
  const failed = ended("failed");
  return (
    <section className="digest" aria-label="While you were away">
      <div className="grow digest-words">
        <h1>While you were away</h1>
        <p className="ink-2">
          Since {shortMoment(new Date(since).toISOString(), now)}, {duration((now - since) / 1000)}
        </p>
      </div>
      <Figure value={String(needs)} what="need you" tone={needs ? "ask" : ""} />
      <Figure
        value={String(goals.filter((goal) => !goal.needs_you && !OVER.has(goal.status)).length)}
        what="in progress"
      />
      <Figure value={String(ended("completed"))} what="completed" />
      <Figure value={String(failed)} what="failed" tone={failed ? "bad" : ""} />
      <Figure value={dollars(goals.reduce((sum, goal) => sum + goal.cost_usd, 0))} what="spent in all" />
      <button type="button" className="button light" onClick={markSeen}>
        Mark as seen <Key name="E" />
      </button>
    </section>
  );
}
