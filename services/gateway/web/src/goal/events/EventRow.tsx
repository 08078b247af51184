import type { CSSProperties } from "react";
import type { EventDocument } from "../../api/types";
import { moment, utc } from "../../format/time";
import { actorOf, timeOf, toneOf } from "./words";

interface Props {
  event: EventDocument;
  title: string;
  sentence: string;
  fresh: boolean;
  now: number;
  style: CSSProperties | undefined;
  open: () => void;
}

/** One event in one line. */
export function EventRow({ event, title, sentence, fresh, now, style, open }: Props) {
  return (
    <li style={style} className={fresh ? "event-row fresh" : "event-row"} data-sequence={event.sequence}>
      <button
        type="button"
        className="row-link"
        aria-label={`Event ${event.sequence}, ${event.type}`}
        onClick={open}
      />
      <span className="figures ink-3">#{event.sequence}</span>
      <span className="figures ink-3 one-line" title={utc(timeOf(event), event.sequence)}>
        {moment(timeOf(event), now)}
      </span>
      <code className={`one-line tone-${toneOf(event.type)} tone-code`}>{event.type}</code>
      <span className="one-line" dir="auto">
        {title}
      </span>
      <span className="one-line ink-3">{actorOf(event)}</span>
      <span className="one-line ink-2" dir="auto">
        {sentence}
      </span>
    </li>
  );
}
