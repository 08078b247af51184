import type { EventDocument, TimelineLine } from "../../api/types";
import { count, dollars, some } from "../../format/numbers";
import type { Tone } from "../../states/state";

type Facts = Record<string, unknown>;

const TONES: [RegExp, Tone][] = [
  [/failed|timed_out|dead_lettered|exceeded|stalled|rejected/, "bad"],
  [/blocked|escalated/, "ask"],
  [/ready_for_review/, "rev"],
  [/completed|passed|approved|merge\.done/, "ok"],
  [/started|progressed/, "run"],
];
const NOISE = new Set(["task.progressed", "agent.heartbeat", "llm.called", "budget.reserved", "budget.settled"]);
/** Of what the story does not tell, the facts that a person looks for. */
const FACTS: Record<string, (body: Facts) => string> = {
  "llm.called": (body) =>
    `${body.model}, ${count(Number(body.input_tokens ?? 0))} tokens in, ${count(Number(body.output_tokens ?? 0))} out`,
  "budget.reserved": (body) =>
    `up to ${some(Number(body.calls ?? 0), "call")} and ${dollars(Number(body.cost_usd ?? 0))} set aside`,
  "budget.settled": (body) =>
    `${some(Number(body.calls ?? 0), "call")} and ${dollars(Number(body.cost_usd ?? 0))} used`,
  "seal.recorded": (body) => `${count(Number(body.messages ?? 0))} messages sealed up to #${body.up_to_seq}`,
};
const SAID = ["question", "reason", "summary", "text", "answer", "feedback", "title", "error"];

export const toneOf = (type: string): Tone => TONES.find(([pattern]) => pattern.test(type))?.[1] ?? "idle";
export const isNoise = (type: string): boolean => NOISE.has(type);
export const isError = (type: string): boolean => toneOf(type) === "bad";

/** One line for an event: the story's, where it tells of it, else what the event itself says. */
export function sentence(event: EventDocument, story: ReadonlyMap<number, TimelineLine>): string {
  const told = story.get(event.sequence)?.text;
  if (told) return told;
  const body: Facts = event.event ?? {};
  const facts = FACTS[event.type]?.(body);
  if (facts) return facts;
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
