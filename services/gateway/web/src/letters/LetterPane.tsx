import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { task as taskQuery } from "../api/queries";
import type { Answer, DeadLetter } from "../api/types";
import { duration, moment, secondsSince } from "../format/time";
import { EditTask } from "../inbox/EditTask";
import { Key } from "../keyboard/Key";
import { StateChip } from "../states/StateMark";
import { Confirm } from "../ui/commands/Confirm";

interface Props {
  letter: DeadLetter;
  goalName: string;
  now: number;
  busy: boolean;
  retry: () => void;
  discard: (reason: string) => void;
  edit: (edits: NonNullable<Answer["edits"]>) => void;
}

/** One dead letter: why, through which causes, and what was to be done. */
export function LetterPane({ letter, goalName, now, busy, retry, discard, edit }: Props) {
  const [editing, setEditing] = useState(false);
  const work = letter.kind === "task";
  const task = useQuery({ ...taskQuery(letter.goal_id, letter.task_id), enabled: work }).data;
  const payload =
    letter.body ||
    (task
      ? JSON.stringify(
          {
            task_id: letter.task_id,
            agent: task.task.agent,
            details: task.task.details,
            writes: task.task.writes,
            attempts: task.attempts.map(({ attempt, outcome, failure_class, reason }) => ({
              attempt,
              outcome,
              failure_class,
              reason,
            })),
          },
          null,
          2,
        )
      : JSON.stringify(
          { subject: letter.subject, aggregate: letter.aggregate, skipped: letter.skipped },
          null,
          2,
        ));
  return (
    <aside className="letter-pane" aria-label="The chosen dead letter">
      <div className="scrolls grow padded stack">
        <div className="row wrap">
          <StateChip state={{ word: "Dead-lettered", shape: "envelope", tone: "bad" }} />
          <span className="grow" />
          <span className="ink-3 figures">
            {moment(letter.at, now)}, {duration(secondsSince(letter.at, now))} ago
          </span>
        </div>
        <h1 className="letter-title break">{letter.title || letter.subject}</h1>
        <p className="ink-2 break" dir="auto">
          {letter.reason}
        </p>
        <p className="small">
          Of{" "}
          <Link
            className="link"
            to="/goals/$goalId"
            params={{ goalId: letter.goal_id }}
            search={{ task: work ? letter.task_id : undefined }}
          >
            {goalName}
          </Link>
        </p>
        {!work && (
          <p className="block">
            No decision mends this: {letter.aggregate || letter.subject} stays out from event #{letter.seq} on
            {letter.skipped ? `, with ${letter.skipped} later messages` : ""}.
          </p>
        )}
        {letter.causes.length > 0 && (
          <section>
            <h2>Cause chain</h2>
            <ol className="causes">
              {letter.causes.map((cause, at) => (
                <li key={`${String(at)} ${cause}`} className="break">
                  {cause}
                </li>
              ))}
            </ol>
          </section>
        )}
        <section>
          <h2>Payload</h2>
          <pre className="block" tabIndex={0}>
            {payload}
          </pre>
        </section>
        {editing && (
          <EditTask
            of={letter.id}
            verb="Retry with changes"
            save={(edits) => {
              setEditing(false);
              edit(edits);
            }}
            cancel={() => setEditing(false)}
          />
        )}
      </div>
      {work && (
        <div className="foot">
          <button type="button" className="button primary" disabled={busy} onClick={retry}>
            Retry <Key name="R" />
          </button>
          <button
            type="button"
            className="button"
            disabled={busy}
            aria-expanded={editing}
            onClick={() => setEditing(!editing)}
          >
            Edit and retry
          </button>
          <span className="grow" />
          <Confirm
            verb="Discard"
            className="plain danger"
            disabled={busy}
            consequence="The task is given up for good; what depends on it cannot run, and the goal goes on as far as it can."
            onConfirm={discard}
          />
        </div>
      )}
    </aside>
  );
}
