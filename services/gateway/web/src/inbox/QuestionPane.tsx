import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import type { Goal, Question } from "../api/types";
import { duration, secondsSince, shortMoment } from "../format/time";
import { kept } from "../kept/useDraft";
import { useKeys } from "../keyboard/keys";
import { StateChip } from "../states/StateMark";
import { Icon } from "../ui/icons";
import { AnswerForm, type AnswerWords, answerKey } from "./AnswerForm";
import { Aside } from "./Aside";
import { LastSteps } from "./LastSteps";
import { pendingAnswers, usePendingAnswer } from "./pendingAnswers";

interface Props {
  question: Question;
  goal: Goal | undefined;
  now: number;
  done: () => void;
  back: () => void;
}

function Answered({ question, now }: { question: Question; now: number }) {
  const who = question.answered_by === "local" ? "You" : question.answered_by || "Somebody";
  return (
    <div className="panel-box answered">
      <p>
        <b>{who}</b>: {question.action}
        {question.option && `, “${question.option}”`}, {shortMoment(question.answered_at, now)}
      </p>
      {question.answer && (
        <p className="ink-2 break" dir="auto">
          {question.answer}
        </p>
      )}
    </div>
  );
}

/** How it ended, and what this tab was about to say. */
function Closed({ question, now }: { question: Question; now: number }) {
  const pending = usePendingAnswer(question.id);
  // Who was slower need not be told by a refusal.
  useEffect(() => pendingAnswers.takeBack(question.id), [question.id]);
  const mine = pending ? null : kept<AnswerWords>(answerKey(question.id));
  const unsent = [mine?.option, mine?.text.trim()].filter(Boolean).join(": ");
  return (
    <>
      {question.state === "answered" ? (
        <Answered question={question} now={now} />
      ) : (
        <p className="ink-2">Nobody needs the answer any more.</p>
      )}
      {unsent && (
        <p className="ink-2 break" dir="auto">
          Not sent: “{unsent}”
        </p>
      )}
    </>
  );
}

function Reply({
  question,
  task,
  now,
  done,
}: {
  question: Question;
  task: string;
  now: number;
  done: () => void;
}) {
  const before = <LastSteps question={question} task={task} />;
  if (question.state === "open")
    return (
      <AnswerForm question={question} done={done}>
        {before}
      </AnswerForm>
    );
  return (
    <>
      <Closed question={question} now={now} />
      {before}
    </>
  );
}

/** One question: what is asked, by whom, on what evidence; and the answer. */
export function QuestionPane({ question, goal, now, done, back }: Props) {
  const navigate = useNavigate();
  const open = question.state === "open";
  const task = question.about || (question.task_id === "_" ? "" : question.task_id);
  // Who has gone elsewhere meanwhile is not brought back. The form is gone as soon as its answer is read.
  const finish = useRef<(() => void) | null>(null);
  useEffect(() => {
    finish.current = done;
    return () => {
      finish.current = null;
    };
  });
  const toGoal = () =>
    void navigate({
      to: "/goals/$goalId",
      params: { goalId: question.goal_id },
      search: { task: task || undefined },
    });
  useKeys({ t: toGoal, o: () => void navigate({ to: "/goals/$goalId", params: { goalId: question.goal_id } }) });
  return (
    <>
      <div className="question-pane">
        <div className="scrolls question-body">
          <button type="button" className="button plain small only-phone" onClick={back}>
            <Icon name="back" />
            All
          </button>
          <div className="row wrap">
            <StateChip
              state={
                open
                  ? { word: question.task_id === "_" ? "Decision" : "Blocked", shape: "bubble", tone: "ask" }
                  : {
                      word: question.state === "answered" ? "Answered" : "Gone",
                      shape: question.state === "answered" ? "disc" : "ring-slash",
                      tone: question.state === "answered" ? "ok" : "idle",
                    }
              }
            />
            <span className="ink-3 one-line grow" dir="auto">
              {question.title && question.title !== goal?.goal ? `${question.title}, in ` : ""}
              <Link className="link" to="/goals/$goalId" params={{ goalId: question.goal_id }}>
                {goal?.goal ?? question.goal_id}
              </Link>
            </span>
            {open && (
              <span className="tone-ask tone-text figures">
                Waiting {duration(secondsSince(question.asked_at, now))}
              </span>
            )}
          </div>
          <h1 className={question.question.length > 240 ? "break long-question" : "question break"} dir="auto">
            {question.question}
          </h1>
          {question.error && (
            <p className="ink-2 break" dir="auto">
              {question.error}
            </p>
          )}
          <Reply question={question} task={task} now={now} done={() => finish.current?.()} />
        </div>
      </div>
      <Aside question={question} goal={goal} task={task} now={now} openTask={toGoal} />
    </>
  );
}
