import { useState } from "react";
import type { Place } from "./DiffView";

interface Props {
  place: Place;
  text: string;
  editing: boolean;
  save: (text: string) => void;
  edit: () => void;
  remove: () => void;
}

/** A comment on a line: a draft of this browser until it is sent with *Request changes*. */
export function CommentBox({ place, text, editing, save, edit, remove }: Props) {
  const [words, setWords] = useState(text);
  return (
    <div className="comment">
      <div className="row small">
        <b>You</b>
        <span className="ink-3 grow">line {place.line}</span>
        <span className="tag">becomes rework feedback</span>
      </div>
      {editing ? (
        <>
          <textarea
            ref={(field) => field?.focus()}
            rows={3}
            value={words}
            aria-label={`Comment on line ${place.line} of ${place.path}`}
            onChange={(event) => setWords(event.target.value)}
          />
          <div className="row">
            <button
              type="button"
              className="button small"
              disabled={!words.trim()}
              onClick={() => save(words.trim())}
            >
              Keep comment
            </button>
            <button type="button" className="button small plain" onClick={remove}>
              Remove
            </button>
          </div>
        </>
      ) : (
        <>
          <p className="break" dir="auto">
            {text}
          </p>
          <div className="row">
            <button type="button" className="button small" onClick={edit}>
              Edit
            </button>
            <button type="button" className="button small plain" onClick={remove}>
              Remove
            </button>
          </div>
        </>
      )}
    </div>
  );
}
