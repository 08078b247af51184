import { useEffect, useRef } from "react";
import { useDraft } from "../kept/useDraft";
import type { Place } from "./DiffView";

interface Props {
  /** What its words are kept by while they are written. */
  draft: string;
  place: Place;
  text: string;
  editing: boolean;
  /** Whether it was opened just now, so that one goes on typing in it. */
  fresh: boolean;
  save: (text: string) => void;
  edit: () => void;
  remove: () => void;
}

/** A comment on a line: a draft of this browser until it is sent with *Request changes*. */
export function CommentBox({ draft, place, text, editing, fresh, save, edit, remove }: Props) {
  const [words, setWords, forget] = useDraft(draft, text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const found = field.current;
    if (!editing || !fresh || !found) return;
    found.focus();
    // One goes on behind what stands there.
    found.setSelectionRange(found.value.length, found.value.length);
  }, [editing, fresh]);
  return (
    <div className="comment">
      <div className="row small">
        <b>You</b>
        <span className="ink-3 grow">line {place.line}</span>
        <span className="tag">{editing ? "not kept yet" : "becomes rework feedback"}</span>
      </div>
      {editing ? (
        <>
          <textarea
            ref={field}
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
              onClick={() => {
                forget();
                save(words.trim());
              }}
            >
              Keep comment
            </button>
            <button
              type="button"
              className="button small plain"
              onClick={() => {
                forget();
                remove();
              }}
            >
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
