import { useId } from "react";
import type { Answer } from "../api/types";
import { useDraft } from "../kept/useDraft";
import { MOST, TooLong, tooLong } from "../ui/TooLong";

type Edits = NonNullable<Answer["edits"]>;

/** What changes in a task before it runs again; what is left empty stays. */
export function EditTask({
  of,
  save,
  cancel,
  verb = "Save and try again",
}: {
  /** What it is about: what is typed is kept by it. */
  of: string;
  save: (edits: Edits) => void;
  cancel: () => void;
  verb?: string;
}) {
  const id = useId();
  const [draft, put] = useDraft(`agenthub-edit-${of}`, { title: "", details: "", minutes: "" });
  const { title, details, minutes } = draft;
  const empty = !title && !details && !minutes;
  const long = tooLong(title, MOST.title) || tooLong(details, MOST.text);
  return (
    <div className="panel-box edit-task stack">
      <div className="field">
        <label htmlFor={`${id}-title`}>New title</label>
        <input
          id={`${id}-title`}
          value={title}
          placeholder="stays as it is"
          onChange={(event) => put({ ...draft, title: event.target.value })}
        />
        <TooLong text={title} most={MOST.title} />
      </div>
      <div className="field">
        <label htmlFor={`${id}-details`}>New details for the agent</label>
        <textarea
          id={`${id}-details`}
          rows={3}
          value={details}
          placeholder="stay as they are"
          onChange={(event) => put({ ...draft, details: event.target.value })}
        />
        <TooLong text={details} most={MOST.text} />
      </div>
      <div className="field">
        <label htmlFor={`${id}-time`}>Minutes for an attempt</label>
        <input
          id={`${id}-time`}
          type="number"
          min={1}
          max={1440}
          value={minutes}
          placeholder="stay as they are"
          onChange={(event) => put({ ...draft, minutes: event.target.value })}
        />
      </div>
      <div className="row">
        <button
          type="button"
          className="button primary"
          disabled={empty || long}
          onClick={() =>
            save({
              title: title || null,
              details: details || null,
              agent: null,
              timeout_s: minutes ? Number(minutes) * 60 : null,
            })
          }
        >
          {verb}
        </button>
        <button type="button" className="button plain" onClick={cancel}>
          Leave it
        </button>
      </div>
    </div>
  );
}
