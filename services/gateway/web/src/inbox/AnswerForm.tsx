import { useEffect, useId, useRef, useState } from "react";
import type { Answer, Question } from "../api/types";
import { Key } from "../keyboard/Key";
import { MOD, useKeys } from "../keyboard/keys";
import { Confirm } from "../ui/Confirm";
import { useCommand } from "../ui/useCommand";
import { EditTask } from "./EditTask";

const UNDO_MS = 5_000;
const NAMES: Record<Answer["action"], string> = {
  answer: "Answered",
  retry: "Tried again",
  skip: "Skipped",
  edit: "Edited and tried again",
  take_over: "Taken over",
  cancel: "Cancelled",
};

interface Pending {
  answer: Answer;
  words: string;
}

/** Nothing is sent before the person presses, and for five seconds after it can be taken back. */
export function AnswerForm({ question, done }: { question: Question; done: () => void }) {
  const command = useCommand("The answer");
  const id = useId();
  const [option, setOption] = useState("");
  const [text, setText] = useState("");
  const [pending, setPending] = useState<Pending | null>(null);
  const [editing, setEditing] = useState(false);
  const send = useRef(command.send);
  send.current = command.send;
  const finish = useRef(done);
  finish.current = done;
  const whole = question.task_id === "_" && !question.about;
  const path = `/interventions/${question.id}/answer`;
  const plan = (answer: Answer, words: string) => setPending({ answer, words });
  const answer = () => {
    if (option || text.trim()) plan({ action: "answer", option, text, edits: null }, option || text);
  };
  useEffect(() => {
    if (!pending) return;
    const timer = setTimeout(async () => {
      const sent = await send.current(path, pending.answer, {
        title: `${NAMES[pending.answer.action]}: ${pending.words}`.slice(0, 120),
      });
      setPending(null);
      if (sent) finish.current();
    }, UNDO_MS);
    return () => clearTimeout(timer);
  }, [pending, path]);
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
        <p className="ink-2">Sent in five seconds.</p>
        <div className="row">
          <button type="button" className="button" disabled={command.busy} onClick={() => setPending(null)}>
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
      {question.options.length > 0 && (
        <fieldset className="options">
          <legend className="unseen">Options</legend>
          {question.options.map((words, at) => (
            <label key={words} className={option === words ? "option chosen" : "option"}>
              <input
                type="radio"
                name={`${id}-option`}
                checked={option === words}
                onChange={() => setOption(words)}
              />
              <span className="grow break name" dir="auto">
                {words}
              </span>
              {at < 9 && <Key name={String(at + 1)} />}
            </label>
          ))}
        </fieldset>
      )}
      <textarea
        rows={3}
        value={text}
        maxLength={16_000}
        aria-label="Add a note, or answer in your own words"
        placeholder={
          question.options.length ? "Add a note, or answer in your own words" : "Answer in your own words"
        }
        onChange={(event) => setText(event.target.value)}
      />
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
      {editing && (
        <EditTask
          cancel={() => setEditing(false)}
          save={(edits) => plan({ action: "edit", text, option: "", edits }, "the edited task")}
        />
      )}
      <div className="foot answer-foot">
        <button type="submit" className="button primary" disabled={command.busy || !(option || text.trim())}>
          Answer and continue <Key name={`${MOD}↵`} />
        </button>
        {!whole && (
          <button type="button" className="button" onClick={() => simple("retry", "retry the task")}>
            Retry task
          </button>
        )}
        {!whole && (
          <button type="button" className="button" onClick={() => simple("skip", "skip the task")}>
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
          <button type="button" className="button plain" onClick={() => simple("take_over", "take over")}>
            Take over
          </button>
        )}
        <Confirm
          verb={`Cancel ${name}`}
          className="plain danger"
          reason={false}
          consequence={
            whole
              ? "The goal ends for good; what has been merged stays on its branch."
              : "The task ends without a result. What depends on it cannot run."
          }
          onConfirm={() => simple("cancel", `cancel the ${name}`)}
        />
      </div>
    </form>
  );
}
