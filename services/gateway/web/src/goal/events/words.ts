import type { EventDocument, TimelineLine } from "../../api/types";
import type { Tone } from "../../states/state";

const TONES: [RegExp, Tone][] = [
  [/failed|timed_out|dead_lettered|exceeded|stalled|rejected/, "bad"],
  [/blocked|escalated/, "ask"],
  [/ready_for_review/, "rev"],
  [/completed|passed|approved|merge\.done/, "ok"],
  [/started|progressed/, "run"],
];
const NOISE = new Set(["task.progressed", "agent.heartbeat", "llm.called", "budget.reserved", "budget.settled"]);
const SAID = ["question", "reason", "summary", "text", "answer", "feedback", "title", "error"];

export const toneOf = (type: string): Tone => TONES.find(([pattern]) => pattern.test(type))?.[1] ?? "idle";
export const isNoise = (type: string): boolean => NOISE.has(type);
export const isError = (type: string): boolean => toneOf(type) === "bad";

/** One line for an event: the story's, where it tells of it, else what the event itself says. */
export function sentence(event: EventDocument, story: ReadonlyMap<number, TimelineLine>): string {
  const told = story.get(event.sequence)?.text;
  if (told) return told;
  const body = event.event ?? {};
  const result = body.result;
  if (result && typeof result === "object" && "summary" in result) return String(result.summary);
  for (const field of SAID) if (typeof body[field] === "string" && body[field]) return String(body[field]);
  return Object.entries(body)
    .filter(([key, value]) => !ENVELOPE.has(key) && ["string", "number"].includes(typeof value))
    .slice(0, 4)
    .map(([key, value]) => `${key} ${String(value)}`)
    .join(", ");
}

const ENVELOPE = new Set([
  "type",
  "originator_id",
  "originator_version",
  "timestamp",
  "event_id",
  "metadata",
  "task_id",
  "request_hash",
  "context_ref",
  "agent_hash",
]);

export const actorOf = (event: EventDocument): string => {
  const metadata = event.event?.metadata;
  return metadata && typeof metadata === "object" && "actor" in metadata ? String(metadata.actor) : "";
};

export const timeOf = (event: EventDocument): string => String(event.event?.timestamp ?? "");

/** The command of the NATS tools that prints the events of this goal, of one type when only one is shown. */
export function natsCommand(goalId: string, type: string): string {
  return `nats stream view EVENTS --subject 'evt.${goalId}.*.${type || ">"}'`;
}
