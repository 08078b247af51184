import { useId } from "react";
import type { Goal } from "../api/types";
import type { Draft } from "./edits";

const lines = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The chosen task in full, and which requirement is covered by which task. */
export function PlanAside({
  goal,
  draft,
  number,
  drafts,
  put,
}: {
  goal: Goal;
  draft: Draft | undefined;
  number: number;
  drafts: readonly Draft[];
  put: (draft: Draft) => void;
}) {
  const id = useId();
  const change = (part: Partial<Draft["task"]>) => draft && put({ ...draft, task: { ...draft.task, ...part } });
  const covered = goal.requirements.map((text, at) => ({
    id: `R${at + 1}`,
    text,
    by: drafts.flatMap((other, place) => (other.task.requirement_ids.includes(`R${at + 1}`) ? [place + 1] : [])),
  }));
  return (
    <aside className="plan-aside scrolls" aria-label="Task and requirements">
      {draft && (
        <>
          <div className="pane-head">
            <h2 className="grow one-line">{draft.task.title}</h2>
            <span className="ink-3">task {number}</span>
          </div>
          <div className="padded stack" key={draft.task.key}>
            <div className="field">
              <label htmlFor={`${id}-details`}>What the agent is told</label>
              <textarea
                id={`${id}-details`}
                rows={4}
                value={draft.task.details}
                onChange={(event) => change({ details: event.target.value })}
              />
            </div>
            <div className="field">
              <label htmlFor={`${id}-acceptance`}>Acceptance, one a line</label>
              <textarea
                id={`${id}-acceptance`}
                rows={4}
                defaultValue={draft.task.acceptance.join("\n")}
                onBlur={(event) => change({ acceptance: lines(event.target.value) })}
              />
            </div>
            <div className="field">
              <label htmlFor={`${id}-writes`}>May write, one path a line</label>
              <textarea
                id={`${id}-writes`}
                rows={2}
                className="code"
                defaultValue={draft.task.writes.join("\n")}
                onBlur={(event) => change({ writes: lines(event.target.value) })}
              />
            </div>
            <div className="field">
              <label htmlFor={`${id}-timeout`}>Minutes for an attempt</label>
              <input
                id={`${id}-timeout`}
                type="number"
                min={1}
                value={draft.task.timeout_s ? draft.task.timeout_s / 60 : ""}
                onChange={(event) =>
                  change({ timeout_s: event.target.value ? Number(event.target.value) * 60 : null })
                }
              />
            </div>
          </div>
        </>
      )}
      <div className="pane-head">
        <h2 className="grow">Requirements covered</h2>
        <span className="ink-3 figures">
          {covered.filter((item) => item.by.length).length} of {covered.length}
        </span>
      </div>
      <ol className="padded stack">
        {covered.map((item) => (
          <li key={item.id} className="row">
            <span className="ink-3">{item.id.slice(1)}</span>
            <span className="grow break">{item.text}</span>
            {item.by.length ? (
              <span className="ink-3 figures">{item.by.join(", ")}</span>
            ) : (
              <span className="tag tone-ask">no task names it</span>
            )}
          </li>
        ))}
      </ol>
      {goal.analysis && (
        <>
          <div className="pane-head">
            <h2>The planner says</h2>
          </div>
          <p className="padded ink-2 break" dir="auto">
            {goal.analysis}
          </p>
        </>
      )}
    </aside>
  );
}
