import { useState } from "react";
import type { EventDocument } from "../../api/types";
import { CopyButton } from "../../ui/CopyButton";
import { Icon } from "../../ui/icons";
import { ForkForm } from "../replay/ForkForm";
import { Why } from "../replay/Why";

interface Props {
  event: EventDocument;
  all: readonly EventDocument[];
  close: () => void;
  open: (sequence: number) => void;
}

const field = (event: EventDocument, name: string): string => {
  const metadata = event.event?.metadata as Record<string, unknown> | undefined;
  return String(name === "event_id" ? (event.event?.event_id ?? "") : (metadata?.[name] ?? ""));
};

/** An event as it is stored, with what caused it and what it caused. */
export function EventDetail({ event, all, close, open }: Props) {
  const [asked, setAsked] = useState(0);
  const json = JSON.stringify(event.event, null, 2);
  const cause = all.find((other) => field(other, "event_id") === field(event, "causation_id"));
  const effects = all.filter((other) => field(other, "causation_id") === field(event, "event_id"));
  const link = (other: EventDocument) => (
    <button key={other.sequence} type="button" className="link-button" onClick={() => open(other.sequence)}>
      #{other.sequence} {other.type}
    </button>
  );
  return (
    <div className="event-detail">
      <div className="row">
        <h3 className="grow">
          <code>
            #{event.sequence} {event.type}
          </code>
        </h3>
        <button
          type="button"
          className="button small"
          aria-pressed={asked === event.sequence}
          onClick={() => setAsked(asked === event.sequence ? 0 : event.sequence)}
        >
          Why
        </button>
        <ForkForm goalId={event.goal_id} seq={event.sequence} className="small" />
        <CopyButton text={json} label="Copy JSON" className="small" />
        <button type="button" className="button icon-only small" aria-label="Close the event" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <p className="small ink-2 row wrap">
        Cause: {cause ? link(cause) : <span>{field(event, "causation_id") || "none"}</span>}{" "}
        {effects.length > 0 && <>Effects: {effects.map(link)}</>}
      </p>
      {asked === event.sequence && <Why goalId={event.goal_id} seq={event.sequence} open={open} />}
      <pre className="block" tabIndex={0}>
        {json}
      </pre>
    </div>
  );
}
