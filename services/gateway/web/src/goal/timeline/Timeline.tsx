import { type CSSProperties, useMemo, useState } from "react";
import type { Attempt } from "../../api/types";
import { clockOf, duration } from "../../format/time";
import { Mark } from "../../states/StateMark";
import { type Model, type Node, why } from "../model";
import { place, type Span, ticks } from "./scale";

interface Props {
  model: Model;
  attempts: readonly Attempt[];
  selected: string;
  now: number;
  over: boolean;
  open: (id: string) => void;
}

const ms = (at: string | null | undefined): number => (at ? Date.parse(at) : 0);
const MARGIN = 0.02;
// So near to the time that it is now, in per cent, no other is readable.
const NEAR = matchMedia("(max-width: 760px)").matches ? 20 : 5;
// A reason keeps at least this much of the row, in percent, however young the goal is.
const LEAST_WHY = 60;
// So much of the width, in per cent, a reason needs beside a bar.
const ROOM = 25;

/** Before the first bar; where there is no room, behind the last one, else on it. */
function placeOfWhy(own: readonly Attempt[], span: Span, now: number): CSSProperties {
  const here = place(now, span);
  if (!own.length) return { right: `${Math.min(LEAST_WHY, 100 - here)}%` };
  const from = place(ms(own[0]?.enqueued_at), span);
  if (from >= ROOM) return { right: `${100 - from}%` };
  if (here <= 100 - ROOM) return { left: `${here}%` };
  return { left: `${from}%`, margin: "0 6px", background: "var(--surface)", borderRadius: 4 };
}

function spanOf(attempts: readonly Attempt[], now: number, over: boolean): Span {
  const from = Math.min(now, ...attempts.map((attempt) => ms(attempt.enqueued_at)).filter(Boolean));
  const ends = attempts.map((attempt) => ms(attempt.ended_at)).filter(Boolean);
  const to = over && ends.length ? Math.max(...ends) : now;
  return { from, to: to + Math.max(1_000, (to - from) * MARGIN) };
}

function Bar({ attempt, span, now }: { attempt: Attempt; span: Span; now: number }) {
  const from = ms(attempt.started_at) || ms(attempt.enqueued_at);
  const to = ms(attempt.ended_at) || now;
  const left = place(from, span);
  const failed = /failed|timed_out|dead/.test(attempt.outcome);
  const asked = attempt.outcome === "agent.blocked";
  const kind = !attempt.started_at
    ? "waits"
    : failed
      ? "failed"
      : asked
        ? "asks"
        : attempt.outcome
          ? "done"
          : "runs";
  const words = `attempt ${attempt.attempt}: ${attempt.outcome || (attempt.started_at ? "running" : "in the queue")}, ${duration((to - from) / 1000)}${attempt.reason ? `, ${attempt.reason}` : ""}`;
  return (
    <i
      className={`bar ${kind}`}
      style={{ left: `${left}%`, width: `max(3px, ${place(to, span) - left}%)` }}
      title={words}
    />
  );
}

/** While a person is asked, and while a gate waits for its repair, time goes by: hatched. */
function Waiting({ node, own, span, now }: { node: Node; own: readonly Attempt[]; span: Span; now: number }) {
  const since = ms(own.at(-1)?.ended_at);
  const asks = node.state.tone === "ask";
  if (!since || !(asks || node.state.word === "Re-arms")) return null;
  const left = place(since, span);
  return (
    <i
      className={`bar ${asks ? "asks" : "waits"}`}
      style={{ left: `${left}%`, width: `${place(now, span) - left}%` }}
      title={asks ? "waits for you" : "waits for the repair"}
    />
  );
}

function Row({
  node,
  own,
  span,
  now,
  words,
  selected,
  open,
}: {
  node: Node;
  own: readonly Attempt[];
  span: Span;
  now: number;
  words: string;
  selected: boolean;
  open: (id: string) => void;
}) {
  const finished = node.state.tone === "ok";
  return (
    <li className={selected ? "time-row selected" : "time-row"}>
      <button
        type="button"
        className="time-name"
        onClick={() => open(node.id)}
        title={node.title}
        aria-label={`${node.title}: ${node.state.word}, ${words}`}
      >
        <Mark {...node.state} />
        <span className="one-line" dir="auto">
          {node.title}
        </span>
      </button>
      <span className="bars" aria-hidden="true">
        {own.map((attempt) => (
          <Bar key={`${attempt.task_id} ${attempt.attempt}`} attempt={attempt} span={span} now={now} />
        ))}
        <Waiting node={node} own={own} span={span} now={now} />
        {!finished && (
          <span className="bar-why tiny ink-3" style={placeOfWhy(own, span, now)}>
            {words}
          </span>
        )}
      </span>
    </li>
  );
}

/** One row a task in the order of the graph, one bar an attempt. */
export function Timeline({ model, attempts, selected, now, over, open }: Props) {
  const [fit, setFit] = useState(false);
  const [hide, setHide] = useState(false);
  const byNode = useMemo(() => {
    const found = new Map<string, Attempt[]>();
    for (const attempt of attempts) {
      const id = model.byTask.get(attempt.task_id)?.id ?? attempt.task_id;
      found.set(id, [...(found.get(id) ?? []), attempt]);
    }
    return found;
  }, [attempts, model]);
  const chosen = fit && selected ? (byNode.get(selected) ?? []) : [];
  const span = spanOf(chosen.length ? chosen : attempts, now, over || chosen.every((attempt) => attempt.ended_at));
  const shown = model.nodes.filter((node) => !hide || node.state.tone !== "ok");
  const at = place(now, span);
  return (
    <section className="timeline" aria-label="Attempts in time">
      <div className="time-head tiny ink-3">
        <span className="time-title one-line" title="Attempts; hatched is waiting">
          Attempts; hatched is waiting
        </span>
        <span className="time-axis" aria-hidden="true">
          {ticks(span)
            .filter((tick) => over || Math.abs(place(tick, span) - at) > NEAR)
            .map((tick) => {
              const short = span.to - span.from > 600_000;
              return (
                <span key={tick} style={{ left: `${place(tick, span)}%` }}>
                  {clockOf(tick, !short)}
                </span>
              );
            })}
          {!over && (
            <b className="time-now" style={{ left: `clamp(32px, ${at}%, calc(100% - 32px))` }}>
              {clockOf(now)}
            </b>
          )}
        </span>
        <span className="time-tools">
          <button
            type="button"
            aria-pressed={fit}
            aria-label="Fit to selected"
            title="Fit to the selected task"
            disabled={!selected}
            onClick={() => setFit(!fit)}
          >
            Fit
          </button>
          <button type="button" aria-pressed={hide} onClick={() => setHide(!hide)}>
            Hide finished
          </button>
        </span>
      </div>
      <ul>
        {!over && (
          <li className="now-line" aria-hidden="true">
            <i style={{ left: `${at}%` }} />
          </li>
        )}
        {shown.map((node) => (
          <Row
            key={node.id}
            node={node}
            own={byNode.get(node.id) ?? []}
            span={span}
            now={now}
            words={why(node, model, now)}
            selected={node.id === selected}
            open={open}
          />
        ))}
      </ul>
    </section>
  );
}
