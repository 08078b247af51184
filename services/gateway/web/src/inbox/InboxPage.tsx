import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { answered, goals, inbox } from "../api/queries";
import type { Goal, Question } from "../api/types";
import { some } from "../format/numbers";
import { duration, secondsSince, shortMoment } from "../format/time";
import { useNow } from "../format/useNow";
import { useKeys } from "../keyboard/keys";
import { moveFocus } from "../keyboard/moveFocus";
import { TopBar } from "../shell/TopBar";
import { Mark } from "../states/StateMark";
import { goalState, waitsForApproval } from "../states/state";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { NobodyNeedsYou } from "./NobodyNeedsYou";
import { QuestionPane } from "./QuestionPane";
import { useHeldFocus } from "./useHeldFocus";

const route = getRouteApi("/inbox");
const ANSWERED_SHOWN = 20;
const PHONE = matchMedia("(max-width: 760px)");

/** Who asks: an agent that is stuck, or the hub about the goal as a whole. */
const isDecision = (question: Question): boolean => question.task_id === "_" && !question.about;

interface RowProps {
  link: ReactNode;
  mark: ReactNode;
  name: string;
  time: string;
  timeTone: string;
  below: ReactNode;
  chosen?: boolean;
  question?: string;
}

/** One line of the list: what it is, how long it waits or when it was answered, and below it what it belongs to. */
function Row({ link, mark, name, time, timeTone, below, chosen, question }: RowProps) {
  return (
    <li className={chosen ? "inbox-item chosen" : "inbox-item"} data-question={question}>
      {link}
      {mark}
      <span className="inbox-words">
        <span className="row">
          <span className="one-line name grow" dir="auto">
            {name}
          </span>
          <span className={`${timeTone} figures`}>{time}</span>
        </span>
        <span className="one-line small ink-3">{below}</span>
      </span>
    </li>
  );
}

const waited = (since: string | null | undefined, now: number): string =>
  duration(secondsSince(since, now)).split(" ").slice(0, 2).join(" ");

interface ItemProps {
  question: Question;
  goal: Goal | undefined;
  chosen: boolean;
  now: number;
}

function Item({ question, goal, chosen, now }: ItemProps) {
  const open = question.state === "open";
  const by = question.answered_by === "local" ? "You" : question.answered_by;
  return (
    <Row
      question={question.id}
      chosen={chosen}
      link={
        <Link
          to="/inbox"
          search={{ item: question.id }}
          className="row-link"
          aria-current={chosen ? "true" : undefined}
          aria-label={question.question}
        />
      }
      mark={
        !open ? (
          <Mark shape="disc" tone="ok" />
        ) : isDecision(question) ? (
          <Mark shape="ring-bars" tone="idle" />
        ) : (
          <Mark shape="bubble" tone="ask" />
        )
      }
      name={question.question}
      time={open ? waited(question.asked_at, now) : shortMoment(question.answered_at, now)}
      timeTone={open ? "tone-ask tone-text" : "ink-3"}
      below={
        open ? (
          <>
            <bdi>{goal?.goal ?? question.goal_id}</bdi>, <bdi>{question.title || "the goal"}</bdi>
          </>
        ) : (
          <>
            <bdi>{by}</bdi>: <bdi>{question.option || question.answer || question.action}</bdi>
          </>
        )
      }
    />
  );
}

function Verdict({ goal, now }: { goal: Goal; now: number }) {
  const state = goalState(goal);
  return (
    <Row
      link={
        <Link
          to={waitsForApproval(goal) ? "/plan/$goalId" : "/review/$goalId"}
          params={{ goalId: goal.goal_id }}
          className="row-link"
          aria-label={`${goal.goal}: ${state.word}`}
        />
      }
      mark={<Mark {...state} />}
      name={goal.goal}
      time={waited(goal.updated_at, now)}
      timeTone="tone-rev tone-text"
      below={`${state.word}, ${some(goal.tasks_done, "task")} done`}
    />
  );
}

function Group({
  name,
  note,
  count,
  children,
}: {
  name: string;
  note?: string;
  count: number;
  children: ReactNode;
}) {
  if (!count) return null;
  return (
    <section aria-label={name}>
      <div className="group-head">
        <h2>{name}</h2>
        <span className="ink-3 figures">{count}</span>
        <span className="grow" />
        {note && <span className="ink-3 small">{note}</span>}
      </div>
      <ul>{children}</ul>
    </section>
  );
}

/**
 * The question that is shown: the one of the address, else the first one, and that one until it is left, whatever comes
 * in above it and whoever answers it meanwhile. Returns how to leave it, too.
 */
function useChosen(questions: readonly Question[], item: string | undefined): [string | undefined, () => void] {
  const [held, hold] = useState<string>();
  const [left, leave] = useState<string>();
  const first = PHONE.matches ? undefined : questions.find((question) => question.id !== left)?.id;
  const next = item ? undefined : (held ?? first);
  if (next !== held) hold(next);
  return [
    item ?? next,
    () => {
      leave(item ?? next);
      hold(undefined);
    },
  ];
}

/** Whoever was about to answer a question when it was withdrawn goes on seeing it. */
function useStillShown(found: Question | undefined, item: string | undefined): Question | undefined {
  const shown = useRef<Question>(undefined);
  useEffect(() => {
    if (found) shown.current = found;
  }, [found]);
  if (found || !item || shown.current?.id !== item) return found;
  return { ...shown.current, state: "withdrawn", if_unanswered: [] };
}

export function InboxPage() {
  const { item } = route.useSearch();
  const navigate = route.useNavigate();
  const now = useNow();
  const open = useQuery(inbox());
  const done = (useQuery(answered()).data ?? [])
    .toSorted((a, b) => b.answered_seq - a.answered_seq)
    .slice(0, ANSWERED_SHOWN);
  const listed = useQuery(goals());
  const all = listed.data ?? [];
  useKeys({ j: () => moveFocus(".inbox-list .row-link", 1), k: () => moveFocus(".inbox-list .row-link", -1) });
  const questions = open.data ?? [];
  const verdicts = all
    .filter((goal) => goal.status === "ready_for_review" || waitsForApproval(goal))
    .toSorted((a, b) => (a.updated_at ?? "").localeCompare(b.updated_at ?? ""));
  const [wanted, leave] = useChosen(questions, item);
  const found = [...questions, ...done].find((question) => question.id === wanted);
  const chosen = useStillShown(found, wanted);
  useHeldFocus(chosen?.id);
  const goalOf = (question: Question) => all.find((goal) => goal.goal_id === question.goal_id);
  const itemOf = (question: Question) => (
    <Item
      key={question.id}
      question={question}
      goal={goalOf(question)}
      chosen={question.id === chosen?.id}
      now={now}
    />
  );
  const blocked = questions.filter((question) => !isDecision(question));
  const decisions = questions.filter(isDecision);
  const next = questions.find((question) => question.id !== chosen?.id);
  const bar = (
    <TopBar
      path={[{ name: "Inbox" }]}
      aside={
        <span className="ink-3 one-line">
          {[
            blocked.length && `${blocked.length} blocked`,
            decisions.length && some(decisions.length, "decision"),
            verdicts.length && some(verdicts.length, "review"),
          ]
            .filter(Boolean)
            .join(", ")}
        </span>
      }
    />
  );
  // Whether nobody is needed is known only by both.
  const unread = [open, ...(questions.length ? [] : [listed])];
  const failed = unread.find((query) => query.isError && !query.data);
  if (unread.some((query) => query.isPending))
    return (
      <>
        {bar}
        <main id="main">
          <Loading what="the inbox" />
        </main>
      </>
    );
  if (failed)
    return (
      <>
        {bar}
        <main id="main">
          <Problem
            what="The inbox could not be read"
            meaning="Questions stay open until somebody answers them."
            error={failed.error}
            retry={() => void failed.refetch()}
          />
        </main>
      </>
    );
  if (!questions.length && !verdicts.length && !chosen)
    return (
      <>
        {bar}
        <NobodyNeedsYou goals={all} answered={done} now={now} />
      </>
    );
  return (
    <>
      {bar}
      <main id="main" className={item ? "inbox has-item" : "inbox"} tabIndex={-1}>
        {!chosen && <h1 className="unseen">Inbox</h1>}
        <nav className="inbox-list scrolls" aria-label="What waits for you">
          <Group name="Blocked" note="Longest wait first" count={blocked.length}>
            {blocked.map(itemOf)}
          </Group>
          <Group name="Decisions" count={decisions.length}>
            {decisions.map(itemOf)}
          </Group>
          <Group name="Review" count={verdicts.length}>
            {verdicts.map((goal) => (
              <Verdict key={goal.goal_id} goal={goal} now={now} />
            ))}
          </Group>
          <Group name="Answered" count={done.length}>
            {done.map(itemOf)}
          </Group>
        </nav>
        {chosen ? (
          <QuestionPane
            key={chosen.id}
            question={chosen}
            goal={goalOf(chosen)}
            now={now}
            done={() => {
              leave();
              void navigate({ search: { item: next?.id } });
            }}
            back={() => void navigate({ search: { item: undefined } })}
          />
        ) : (
          <div className="empty-line inbox-none stack">
            <p>{item ? "This question is not open any more." : "Choose what to look at."}</p>
            {item && (
              <Link to="/inbox" className="link">
                All that waits for you
              </Link>
            )}
          </div>
        )}
      </main>
    </>
  );
}
