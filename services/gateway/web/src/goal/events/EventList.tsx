import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, useEffect, useMemo, useRef, useState } from "react";
import { events, story } from "../../api/queries";
import type { EventDocument } from "../../api/types";
import { count } from "../../format/numbers";
import { CopyButton } from "../../ui/CopyButton";
import { Icon } from "../../ui/icons";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";
import { usePrinting } from "../../ui/usePrinting";
import type { Model } from "../model";
import { EventDetail } from "./EventDetail";
import { EventRow } from "./EventRow";
import { isError, isNoise, natsCommand, sentence } from "./words";

const ROW = 25;

export interface EventFilter {
  find: string;
  only: string;
  event: string;
}

interface Props {
  goalId: string;
  model: Model;
  filter: EventFilter;
  now: number;
  change: (filter: Partial<EventFilter>) => void;
}

function wanted(event: EventDocument, filter: EventFilter, title: string, text: string): boolean {
  if (filter.only.includes("errors") && !isError(event.type)) return false;
  if (filter.only.includes("quiet") && isNoise(event.type)) return false;
  const words = `${event.type} ${title} ${text} #${event.sequence}`.toLowerCase();
  return filter.find
    .toLowerCase()
    .split(/\s+/)
    .every((word) => words.includes(word));
}

const toggled = (only: string, name: string): string =>
  (only.includes(name)
    ? only.split(",").filter((part) => part && part !== name)
    : [...only.split(",").filter(Boolean), name]
  ).join(",");

/** The goal's events as they stand in the log, the newest first. */
export function EventList({ goalId, model, filter, now, change }: Props) {
  const found = useQuery(events(goalId));
  const lines = useQuery(story(goalId)).data;
  const [newest, setNewest] = useState(0);
  const pane = useRef<HTMLDivElement>(null);
  const told = useMemo(() => new Map((lines ?? []).map((line) => [line.seq, line])), [lines]);
  const title = (event: EventDocument) =>
    model.byTask.get(event.task_id)?.title ?? (event.task_id === "_" ? "" : event.task_id);
  const shown = (found.data ?? [])
    .filter((event) => wanted(event, filter, title(event), sentence(event, told)))
    .toReversed();
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => pane.current,
    estimateSize: () => ROW,
    overscan: 12,
    getItemKey: (index) => shown[index]?.sequence ?? index,
  });
  const last = found.data?.at(-1)?.sequence ?? 0;
  useEffect(() => {
    const timer = setTimeout(() => setNewest(last), 600);
    return () => clearTimeout(timer);
  }, [last]);
  const printing = usePrinting();
  const chosen = found.data?.find((event) => String(event.sequence) === filter.event);
  const types = new Set(shown.map((event) => event.type));
  const rowOf = (event: EventDocument, style?: CSSProperties) => (
    <EventRow
      key={event.sequence}
      event={event}
      title={title(event)}
      sentence={sentence(event, told)}
      fresh={newest > 0 && event.sequence > newest}
      now={now}
      style={style}
      open={() => change({ event: String(event.sequence) })}
    />
  );
  return (
    <section className="events" aria-label="Events">
      <div className="pane-head events-head">
        <h2>Events</h2>
        <span className="ink-3 figures">{count(found.data?.length ?? 0)}</span>
        <div className="find">
          <Icon name="search" />
          <input
            type="search"
            aria-label="Filter events"
            placeholder="type, task, text"
            value={filter.find}
            onChange={(event) => change({ find: event.target.value })}
          />
        </div>
        <button
          type="button"
          className="tag toggle"
          aria-pressed={filter.only.includes("errors")}
          onClick={() => change({ only: toggled(filter.only, "errors") })}
        >
          errors only
        </button>
        <button
          type="button"
          className="tag toggle"
          aria-pressed={filter.only.includes("quiet")}
          onClick={() => change({ only: toggled(filter.only, "quiet") })}
        >
          hide progress
        </button>
        <span className="grow" />
        <CopyButton
          label="Copy as nats command"
          className="small"
          text={natsCommand(goalId, types.size === 1 ? ([...types][0] ?? "") : "")}
        />
      </div>
      {found.isPending && <Loading what="the events" />}
      {found.isError && (
        <Problem
          what="The events could not be read"
          meaning="Only this list is missing."
          error={found.error}
          retry={() => void found.refetch()}
        />
      )}
      {chosen && (
        <EventDetail
          event={chosen}
          all={found.data ?? []}
          close={() => change({ event: "" })}
          open={(sequence) => change({ event: String(sequence) })}
        />
      )}
      <div ref={pane} className="scrolls event-rows" role="group" tabIndex={0} aria-label="Rows of events">
        <ol style={printing ? undefined : { height: `${rows.getTotalSize()}px` }}>
          {printing
            ? shown.map((event) => rowOf(event))
            : rows.getVirtualItems().map((item) => {
                const event = shown[item.index];
                return event && rowOf(event, { transform: `translateY(${item.start}px)` });
              })}
        </ol>
        {found.data && !shown.length && <p className="empty-line">No event of this goal matches.</p>}
      </div>
    </section>
  );
}
