import type { Gate, Goal } from "../../api/types";
import { Mark } from "../../states/StateMark";
import { roundState } from "../../states/state";
import { verdictWords } from "../model";

interface Cell {
  words: string;
  round: Gate | undefined;
  to: string;
}

function lastOf(rounds: readonly Gate[], gate: string): Gate | undefined {
  return rounds.filter((round) => round.gate === gate).at(-1);
}

function cell(goal: Goal, rounds: readonly Gate[], gate: string, wanted: boolean): Cell {
  if (!goal.gates.includes(gate)) return { words: "not asked", round: undefined, to: "" };
  const round = lastOf(rounds, gate);
  if (!round || !wanted) return { words: "none yet", round: undefined, to: "" };
  if (gate === "review")
    return { words: round.verdict === "passed" ? "met" : "not met", round, to: round.task_id };
  return { words: verdictWords(round), round, to: round.task_id };
}

function Shown({ value, open }: { value: Cell; open: (taskId: string) => void }) {
  if (!value.round) {
    return (
      <span className="row ink-3">
        {value.words === "none yet" && <Mark shape="hexagon" tone="idle" />}
        {value.words}
      </span>
    );
  }
  return (
    <button type="button" className="row evidence" onClick={() => open(value.to)}>
      <Mark {...roundState(value.round)} />
      <span className="break">{value.words}</span>
    </button>
  );
}

/** How many requirements have evidence of a passed gate. */
export function withEvidence(goal: Goal, rounds: readonly Gate[]): number {
  return goal.coverage.filter(
    (item) => item.gates.length && goal.gates.every((gate) => lastOf(rounds, gate)?.verdict === "passed"),
  ).length;
}

/** A row a requirement: the tests, the audit and the review that speak for it. */
export function Requirements({
  goal,
  rounds,
  open,
}: {
  goal: Goal;
  rounds: readonly Gate[];
  open: (taskId: string) => void;
}) {
  const rows = goal.coverage.length
    ? goal.coverage
    : goal.requirements.map((text, at) => ({ requirement_id: `R${at + 1}`, text, tasks: [], gates: [] }));
  if (!rows.length)
    return (
      <p className="empty-line">
        This goal was submitted without a list of requirements; the review judges it by its own words.
      </p>
    );
  const speaks = (gates: readonly string[], gate: string) => gates.some((id) => id.startsWith(`gate-${gate}-`));
  return (
    <table className="matrix">
      <thead>
        <tr>
          <th>Requirement</th>
          <th>Evidence</th>
          <th>Audit</th>
          <th>Review</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const tests = speaks(row.gates, "tests") || lastOf(rounds, "tests") !== undefined;
          return (
            <tr key={row.requirement_id}>
              <td className="break" dir="auto">
                {row.text}
              </td>
              <td>
                <Shown value={cell(goal, rounds, "tests", tests)} open={open} />
              </td>
              <td>
                <Shown value={cell(goal, rounds, "security", true)} open={open} />
              </td>
              <td>
                <Shown value={cell(goal, rounds, "review", true)} open={open} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
