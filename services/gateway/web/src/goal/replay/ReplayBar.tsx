import { useEffect, useMemo, useState } from "react";
import type { EventDocument } from "../../api/types";
import { utc } from "../../format/time";
import { Icon } from "../../ui/icons";
import { isNoise, timeOf, toneOf } from "../events/words";

const SETTLED_MS = 120;
const STEP_MS = 700;
const LANES = 20;

interface HandleProps {
  label: string;
  all: readonly EventDocument[];
  at: number;
  move: (seq: number) => void;
}

/** One position among the events. The page follows once the hand rests. */
export function Handle({ label, all, at, move }: HandleProps) {
  const shown = Math.max(
    0,
    all.findLastIndex((event) => event.sequence <= at),
  );
  const [index, setIndex] = useState(shown);
  useEffect(() => setIndex(shown), [shown]);
  useEffect(() => {
    const seq = all[index]?.sequence;
    if (index === shown || !seq) return;
    const timer = setTimeout(() => move(seq), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [index, shown, all, move]);
  const event = all[index];
  return (
    <label className="replay-handle">
      <span className="ink-3">{label}</span>
      <input
        type="range"
        min={0}
        max={Math.max(0, all.length - 1)}
        value={index}
        aria-valuetext={event ? `event ${event.sequence}, ${event.type}` : ""}
        onChange={(change) => setIndex(Number(change.target.value))}
      />
      <code className="one-line" title={event && utc(timeOf(event), event.sequence)}>
        #{event?.sequence} {event?.type}
      </code>
    </label>
  );
}

/** Every event as a tick: changes of state in the upper lane, the rest below; failures and questions stand out. */
export function Ticks({ all }: { all: readonly EventDocument[] }) {
  const lines = useMemo(
    () =>
      all.map((event, index) => {
        const tone = toneOf(event.type);
        const loud = tone === "bad" || tone === "ask";
        const [from, to] = isNoise(event.type) ? [11, 16] : loud ? [0, LANES] : [4, 10];
        return (
          <line key={event.sequence} x1={index} x2={index} y1={from} y2={to} className={`tick tone-${tone}`} />
        );
      }),
    [all],
  );
  return (
    <svg
      className="replay-ticks"
      viewBox={`0 0 ${Math.max(1, all.length - 1)} ${LANES}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {lines}
    </svg>
  );
}

/** Goes on event by event, at the pace of a reader. */
export function Player({ all, at, move }: Omit<HandleProps, "label">) {
  const [plays, setPlays] = useState(false);
  const index = all.findLastIndex((event) => event.sequence <= at);
  const go = (step: number) => {
    const seq = all[index + step]?.sequence;
    if (seq) move(seq);
  };
  const next = all[index + 1]?.sequence ?? 0;
  useEffect(() => {
    if (!plays) return;
    if (!next) {
      setPlays(false);
      return;
    }
    const timer = setTimeout(() => move(next), STEP_MS);
    return () => clearTimeout(timer);
  }, [plays, next, move]);
  return (
    <span className="row">
      <button
        type="button"
        className="button icon-only small"
        aria-label="The event before"
        disabled={index <= 0}
        onClick={() => go(-1)}
      >
        <Icon name="back" />
      </button>
      <button
        type="button"
        className="button icon-only small"
        aria-label={plays ? "Stop playing" : "Play event by event"}
        disabled={!next && !plays}
        onClick={() => setPlays(!plays)}
      >
        <Icon name={plays ? "pause" : "play"} />
      </button>
      <button
        type="button"
        className="button icon-only small"
        aria-label="The next event"
        disabled={!next}
        onClick={() => go(1)}
      >
        <Icon name="chevron" />
      </button>
    </span>
  );
}
