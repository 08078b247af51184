import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useRef } from "react";
import { goals, inbox } from "../api/queries";
import type { Goal, Question } from "../api/types";
import { hubNow } from "../format/hubTime";
import { useNow } from "../format/useNow";
import { useStored } from "../kept/useStored";
import { useKeys } from "../keyboard/keys";
import { moveFocus } from "../keyboard/moveFocus";
import { TopBar } from "../shell/TopBar";
import { Icon } from "../ui/icons";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { Digest } from "./Digest";
import { Filters } from "./Filters";
import { FirstRun } from "./FirstRun";
import { GoalRow } from "./GoalRow";
import { GROUPS, inOrder, takes } from "./groups";
import { sentence } from "./sentence";
import { useHeldOrder } from "./useHeldOrder";

const route = getRouteApi("/");
const NOBODY: Question[] = [];

function Rows({ shown, questions, now }: { shown: readonly Goal[]; questions: readonly Question[]; now: number }) {
  const { placed, hold } = useHeldOrder(shown);
  return (
    <div className="goal-table" {...hold}>
      <div className="goal-row goal-head small ink-3" aria-hidden="true">
        <span>State</span>
        <span>Goal</span>
        <span>Tasks done</span>
        <span>Spend / budget</span>
        <span>When</span>
        <span />
      </div>
      {GROUPS.map((group) => {
        const members = placed.filter((item) => item.group === group);
        if (!members.length) return null;
        return (
          <section key={group} aria-label={group}>
            <div className="group-head">
              <h2>{group}</h2>
              <span className="ink-3 figures">{members.length}</span>
            </div>
            <ul>
              {members.map(({ goal }) => (
                <GoalRow key={goal.goal_id} goal={goal} text={sentence(goal, questions)} now={now} />
              ))}
            </ul>
          </section>
        );
      })}
    </div>
  );
}

export function GoalsPage() {
  const { state, q = "" } = route.useSearch();
  const view = state ?? "all";
  const all = useQuery(goals());
  const questions = useQuery(inbox()).data ?? NOBODY;
  const now = useNow();
  const [since, setSince] = useStored("agenthub-seen", hubNow());
  const field = useRef<HTMLInputElement>(null);
  useKeys({
    "/": () => field.current?.focus(),
    e: () => setSince(hubNow()),
    j: () => moveFocus(".row-link", 1),
    k: () => moveFocus(".row-link", -1),
    arrowdown: () => moveFocus(".row-link", 1),
    arrowup: () => moveFocus(".row-link", -1),
  });
  if (all.isPending)
    return (
      <>
        <TopBar path={[{ name: "Goals" }]} />
        <main id="main">
          <Loading what="the goals" />
        </main>
      </>
    );
  if (all.isError && !all.data) {
    return (
      <>
        <TopBar path={[{ name: "Goals" }]} />
        <main id="main">
          <Problem
            what="The goals could not be read"
            meaning="Work goes on; only this list is missing."
            error={all.error}
            retry={() => void all.refetch()}
          />
        </main>
      </>
    );
  }
  if (!all.data.length)
    return (
      <>
        <TopBar path={[{ name: "Goals" }]} />
        <FirstRun />
      </>
    );
  const shown = inOrder(all.data.filter((goal) => takes(goal, view, q)));
  return (
    <>
      <TopBar
        path={[{ name: "Goals" }]}
        action={
          <Link to="/new" className="button primary icon-only" aria-label="New goal">
            <Icon name="plus" />
          </Link>
        }
      />
      <main id="main" tabIndex={-1}>
        <Digest goals={all.data} since={since} now={now} markSeen={() => setSince(hubNow())} />
        <Filters goals={all.data} view={view} words={q} field={field} />
        {shown.length ? (
          <Rows shown={shown} questions={questions} now={now} />
        ) : (
          <div className="empty-line row wrap">
            <span>No goal matches {[state && `state:${state}`, q && `“${q}”`].filter(Boolean).join(" ")}</span>
            <Link to="/" className="button light">
              Clear filter
            </Link>
          </div>
        )}
      </main>
    </>
  );
}
