import { Link } from "@tanstack/react-router";
import type { Goal, Question } from "../api/types";
import { some } from "../format/numbers";
import { clockOf, shortMoment } from "../format/time";
import { StateWord } from "../states/StateMark";
import { goalState, OVER } from "../states/state";

export function NobodyNeedsYou({
  goals,
  answered,
  now,
}: {
  goals: readonly Goal[];
  answered: readonly Question[];
  now: number;
}) {
  const running = goals.filter((goal) => !OVER.has(goal.status));
  const next = running
    .map((goal) => Date.parse(goal.estimated_completion ?? ""))
    .filter((at) => at > now)
    .sort((a, b) => a - b)[0];
  return (
    <main id="main" className="empty" tabIndex={-1}>
      <h1 className="question">Nobody needs you</h1>
      <p className="ink-2">
        {running.length
          ? `${some(running.length, "goal")} go${running.length === 1 ? "es" : ""} on. ${next ? `The next result is due about ${clockOf(next, false)}.` : ""}`
          : "No goal is under way."}{" "}
        Questions of agents and results that wait for a verdict come here.
      </p>
      {running.length > 0 && (
        <ul className="panel-box examples">
          {running.slice(0, 8).map((goal) => (
            <li key={goal.goal_id}>
              <StateWord state={goalState(goal)} />
              <Link to="/goals/$goalId" params={{ goalId: goal.goal_id }} className="one-line grow">
                {goal.goal}
              </Link>
            </li>
          ))}
        </ul>
      )}
      {answered.length > 0 && (
        <>
          <h2 className="example-head">Answered</h2>
          <ul className="panel-box examples">
            {answered.slice(0, 5).map((question) => (
              <li key={question.id}>
                <Link to="/inbox" search={{ item: question.id }} className="one-line grow">
                  {question.question}
                </Link>
                <span className="ink-3">{shortMoment(question.answered_at, now)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      {!goals.length && (
        <div>
          <Link to="/new" className="button primary">
            New goal
          </Link>
        </div>
      )}
    </main>
  );
}
