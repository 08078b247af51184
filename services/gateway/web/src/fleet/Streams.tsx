import { useQuery } from "@tanstack/react-query";
import { storage } from "../api/queries";
import type { Storage } from "../api/types";
import { bytes, some } from "../format/numbers";
import { duration } from "../format/time";
import { Problem } from "../ui/Problem";

type Stream = Storage["streams"][number];

const HOLDS: Record<string, string> = {
  EVENTS: "every change",
  RUNS: "steps of agents",
  TIMERS: "what is due later",
  OBJ_ARTIFACTS: "files and logs",
  DEAD_LETTERS: "orders given up by the server",
  SESSIONS: "browsers",
  FLEET: "signs of life",
  SPANS: "traces on their way",
};
const LITTLE_LEFT = 0.1;

function bound({ max_bytes, max_age_s }: Stream): string {
  if (max_bytes !== null) return `at most ${bytes(max_bytes)}`;
  return max_age_s === null ? "kept for ever" : `kept ${duration(max_age_s).replace(/ 00 [sm]$/, "")}`;
}

/** How much room each stream takes, what bounds it, and what the disk has left. */
export function Streams() {
  const found = useQuery(storage());
  if (found.isError && !found.data)
    return (
      <Problem
        what="The sizes could not be read"
        meaning="NATS does not answer the gateway; what is stored stays stored."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  if (!found.data) return null;
  const { streams } = found.data;
  const free = found.data.disk_free ?? null;
  const size = found.data.disk_size ?? null;
  const short = free !== null && size !== null && free < size * LITTLE_LEFT;
  return (
    <ul className="facts-rows">
      {streams.map((stream) => (
        <li key={stream.stream} data-stream={stream.stream}>
          <span className="grow">
            {stream.stream}
            <br />
            <span className="ink-3 small">
              {HOLDS[stream.stream]}, {bound(stream)}
            </span>
          </span>
          <span className="figures stream-size">
            {bytes(stream.bytes)}
            <br />
            <span className="ink-3 small">{some(stream.messages, "message")}</span>
          </span>
        </li>
      ))}
      {free !== null && size !== null && (
        <li>
          <span className="grow">Disk</span>
          <span className={`figures ${short ? "tone-bad tone-text" : "ink-3"}`}>
            {bytes(free)} free of {bytes(size)}
          </span>
        </li>
      )}
    </ul>
  );
}
