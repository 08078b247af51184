import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { goals } from "../api/queries";
import { duration, secondsSince } from "../format/time";
import { useNow } from "../format/useNow";
import { useKeys } from "../keyboard/keys";
import { moveFocus } from "../keyboard/moveFocus";
import { TopBar } from "../shell/TopBar";
import { StateWord } from "../states/StateMark";
import { goalState, waitsForApproval } from "../states/state";
import { Icon } from "../ui/icons";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";

/** Results and plans that wait for a verdict. */
export function ReviewList() {
  const all = useQuery(goals());
  const now = useNow();
  useKeys({ j: () => moveFocus(".row-link", 1), k: () => moveFocus(".row-link", -1) });
  const waiting = (all.data ?? [])
    .filter((goal) => goal.status === "ready_for_review" || waitsForApproval(goal))
    .toSorted((a, b) => a.last_seq - b.last_seq);
  return (
    <>
      <TopBar path={[{ name: "Review" }]} aside={<span className="ink-3 figures">{waiting.length || ""}</span>} />
      <main id="main" tabIndex={-1} className={waiting.length ? "" : "empty"}>
        {all.isPending && <Loading what="what waits for a verdict" />}
        {all.isError && !all.data && (
          <Problem
            what="The goals could not be read"
            meaning="Nothing is merged without you."
            error={all.error}
            retry={() => void all.refetch()}
          />
        )}
        {all.data && !waiting.length && (
          <>
            <h1 className="question">Nothing waits for your verdict</h1>
            <p className="ink-2">
              A goal comes here when its tests, audit and review have passed, or when its plan waits for your
              approval.
            </p>
          </>
        )}
        {waiting.length > 0 && <h1 className="unseen">Review</h1>}
        <ul>
          {waiting.map((goal) => (
            <li key={goal.goal_id} className="goal-row review-row">
              <StateWord state={goalState(goal)} />
              <div className="cell-goal">
                <Link
                  className="row-link"
                  to={waitsForApproval(goal) ? "/plan/$goalId" : "/review/$goalId"}
                  params={{ goalId: goal.goal_id }}
                  aria-label={`${goal.goal}: ${goalState(goal).word}`}
                />
                <p className="one-line name" dir="auto">
                  {goal.goal}
                </p>
                <p className="one-line small ink-2">{goal.summary || goal.analysis}</p>
              </div>
              <span className="tone-rev tone-text figures cell-when">
                Waits {duration(secondsSince(goal.updated_at, now))}
              </span>
              <span className="cell-open">
                <Icon name="chevron" />
              </span>
            </li>
          ))}
        </ul>
      </main>
    </>
  );
}
