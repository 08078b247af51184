import { useQuery } from "@tanstack/react-query";
import { knowledge } from "../api/queries";
import type { Gate, Goal } from "../api/types";
import { moment, utc } from "../format/time";
import { gateTitle, verdictWords } from "../goal/model";
import { Findings } from "../goal/panel/Context";
import { Requirements, withEvidence } from "../goal/tabs/Requirements";
import { Mark } from "../states/StateMark";
import { roundState } from "../states/state";

/** What the result rests on: requirement by requirement, and round by round of each gate. */
export function Evidence({
  goal,
  rounds,
  now,
  open,
}: {
  goal: Goal;
  rounds: readonly Gate[];
  now: number;
  open: (taskId: string) => void;
}) {
  const notes = useQuery(knowledge(goal.goal_id)).data ?? [];
  const ordered = rounds.toSorted((a, b) => a.seq - b.seq);
  const findings = ordered.flatMap((round) => round.findings);
  return (
    <div className="scrolls evidence-pane" role="group" tabIndex={0} aria-label="Evidence">
      <div className="pane-head">
        <h2 className="grow">Requirements</h2>
        <span className="ink-3">
          {withEvidence(goal, rounds)} of {goal.requirements.length} have evidence
        </span>
      </div>
      <Requirements goal={goal} rounds={rounds} open={open} />
      <div className="pane-head">
        <h2 className="grow">Gates</h2>
        <span className="ink-3">run by the system in a clean checkout</span>
      </div>
      <ul className="gate-rounds">
        {ordered.map((round) => (
          <li key={`${round.gate} ${round.round}`}>
            <button type="button" className="row evidence" onClick={() => open(round.task_id)}>
              <Mark {...roundState(round)} />
              <span className="grow">
                {gateTitle(round.gate)}
                {rounds.filter((other) => other.gate === round.gate).length > 1 && `, round ${round.round}`}
              </span>
            </button>
            <span className="ink-3 break" title={utc(round.at, round.seq)}>
              {verdictWords(round)}, {moment(round.at, now)}
            </span>
          </li>
        ))}
        {!ordered.length && <li className="ink-2">No gate has run yet.</li>}
      </ul>
      {findings.length > 0 && (
        <>
          <div className="pane-head">
            <h2>Findings</h2>
          </div>
          <div className="padded">
            <Findings findings={findings} />
          </div>
        </>
      )}
      {notes.length > 0 && (
        <>
          <div className="pane-head">
            <h2>Notes by the agents</h2>
          </div>
          <ul className="padded stack">
            {notes.map((note) => (
              <li key={note.seq} className="ink-2 break" dir="auto">
                {note.text}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
