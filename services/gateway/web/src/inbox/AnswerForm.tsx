import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import type { Answer, Question } from "../api/types";
import { useDraft } from "../kept/useDraft";
import { Key } from "../keyboard/Key";
import { MOD, useKeys } from "../keyboard/keys";
import { Confirm } from "../ui/commands/Confirm";
import { useCommand } from "../ui/commands/useCommand";
import { MOST, TooLong, tooLong } from "../ui/TooLong";
import { EditTask } from "./EditTask";
import { Options } from "./Options";
import { pendingAnswers, usePendingAnswer } from "./pendingAnswers";

const NAMES: Record<Answer["action"], string> = {
  answer: "Answered",
  retry: "Tried again",
  skip: "Skipped",
  edit: "Edited and tried again",
  take_over: "Taken over",
  cancel: "Cancelled",
};

/** What was chosen and typed, as it is kept by `answerKey` until it is sent. */
export interface AnswerWords {
  option: string;
  text: string;
}

export const answerKey = (question: string): string => `agenthub-answer-${question}`;

interface Props {
  question: Question;
  done: () => void;
  children?: ReactNode;
}

/**
 * Nothing is sent before the person presses, and for five seconds after it can be taken back. `children` stand below the
 * evidence.
 */
export function AnswerForm({ question, done, children }: Props) {
  const command = useCommand("The answer");
  const [{ option, text }, put, forget] = useDraft<AnswerWords>(answerKey(question.id), { option: "", text: "" });
  const setOption = (words: string) => put({ option: words, text });
  const setText = (words: string) => put({ option, text: words });
  const pending = usePendingAnswer(question.id);
  const [editing, setEditing] = useState(false);
  const whole = question.task_id === "_" && !question.about;
  const path = `/interventions/${question.id}/answer`;
  const plan = (answer: Answer, words: string) => {
    const title = `${NAMES[answer.action]}: ${words}`.slice(0, 120);
    pendingAnswers.give(question.id, answer, words, async () => {
      if (!(await command.send(path, answer, { title }))) return;
      forget();
      done();
    });
  };
  const takeBack = (given: Answer) => {
    put({ option: given.option, text: given.text });
    pendingAnswers.takeBack(question.id);
  };
  const long = tooLong(text, MOST.text);
  const sayable = Boolean(option || text.trim()) && !long;
  const answer = () => {
    if (sayable) plan({ action: "answer", option, text, edits: null }, option || text);
  };
  const undo = useRef<HTMLButtonElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const given = useRef(pending);
  useLayoutEffect(() => {
    if (given.current === pending) return;
    given.current = pending;
    // What had the focus is not there any more.
    if (document.activeElement === document.body) (undo.current ?? field.current)?.focus();
  }, [pending]);
  useKeys({
    "mod+enter": answer,
    ...Object.fromEntries(
      question.options.slice(0, 9).map((words, at) => [String(at + 1), () => setOption(words)]),
    ),
  });
  if (pending) {
    return (
      <div className="panel-box answered" role="status">
        <p>
          <b>You</b>: {pending.words}
        </p>
        <p className="ink-2">{pending.onItsWay ? "On its way." : "Sent in five seconds."}</p>
        <div className="row">
          <button
            ref={undo}
            type="button"
            className="button"
            aria-disabled={pending.onItsWay}
            onClick={() => pending.onItsWay || takeBack(pending.answer)}
          >
            Undo
          </button>
        </div>
      </div>
    );
  }
  const name = whole ? "goal" : "task";
  const simple = (action: Answer["action"], words: string) =>
    plan({ action, text, option: "", edits: null }, words);
  return (
    <form
      className="answer-form"
      onSubmit={(event) => {
        event.preventDefault();
        answer();
      }}
    >
      <Options question={question} chosen={option} choose={setOption} />
      <textarea
        ref={field}
        rows={3}
        value={text}
        aria-label="Add a note, or answer in your own words"
        placeholder={
          question.options.length ? "Add a note, or answer in your own words" : "Answer in your own words"
        }
        onChange={(event) => setText(event.target.value)}
      />
      <TooLong text={text} most={MOST.text} />
      {question.evidence && (
        <section>
          <h2 className="evidence-head">Evidence</h2>
          <div className="panel-box">
            <pre className="block evidence-text" dir="auto">
              {question.evidence}
            </pre>
          </div>
        </section>
      )}
      {children}
      {editing && (
        <EditTask
          of={question.id}
          cancel={() => setEditing(false)}
          save={(edits) => plan({ action: "edit", text, option: "", edits }, "the edited task")}
        />
      )}
      <div className="answer-feet">
        <div className="foot answer-foot">
          <button type="submit" className="button primary" disabled={command.busy || !sayable}>
            Answer and continue <Key name={`${MOD}↵`} />
          </button>
        </div>
        <div className="foot other-answers">
          {!whole && (
            <button
              type="button"
              className="button"
              disabled={long}
              onClick={() => simple("retry", "retry the task")}
            >
              Retry task
            </button>
          )}
          {!whole && (
            <button
              type="button"
              className="button"
              disabled={long}
              onClick={() => simple("skip", "skip the task")}
            >
              Skip task
            </button>
          )}
          {!whole && (
            <button type="button" className="button" aria-expanded={editing} onClick={() => setEditing(!editing)}>
              Edit task
            </button>
          )}
          <span className="grow" />
          {!whole && (
            <button
              type="button"
              className="button plain"
              disabled={long}
              onClick={() => simple("take_over", "take over")}
            >
              Take over
            </button>
          )}
          <Confirm
            verb={`Cancel ${name}`}
            className="plain danger"
            disabled={long}
            reason={false}
            consequence={
              whole
                ? "The goal ends for good; what has been merged stays on its branch."
                : "The task ends without a result. What depends on it cannot run."
            }
            onConfirm={() => simple("cancel", `cancel the ${name}`)}
          />
        </div>
      </div>
    </form>
  );
}
