import { useId } from "react";
import type { Question } from "../api/types";
import { Key } from "../keyboard/Key";

const WITH_A_KEY = 9;

interface Props {
  question: Question;
  chosen: string;
  choose: (option: string) => void;
}

/** What can be answered by one press, and what follows from each; words that hold for all are said once. */
export function Options({ question, chosen, choose }: Props) {
  const id = useId();
  const follows = question.consequences;
  const alike = question.options.length > 1 && new Set(follows).size === 1 ? follows[0] : undefined;
  if (!question.options.length) return null;
  return (
    <fieldset className="options">
      <legend className="unseen">Options</legend>
      {question.options.map((words, at) => (
        <label key={words} className={chosen === words ? "option chosen" : "option"}>
          <input
            type="radio"
            name={`${id}-option`}
            checked={chosen === words}
            aria-labelledby={`${id}-${at}`}
            aria-describedby={alike ? `${id}-alike` : `${id}-${at}-follows`}
            onChange={() => choose(words)}
          />
          <span className="grow">
            <span id={`${id}-${at}`} className="break name" dir="auto">
              {words}
            </span>
            {!alike && (
              <span id={`${id}-${at}-follows`} className="option-follows break" dir="auto">
                {follows[at]}
              </span>
            )}
          </span>
          {at < WITH_A_KEY && <Key name={String(at + 1)} />}
        </label>
      ))}
      {alike && (
        <p id={`${id}-alike`} className="ink-3">
          Whichever you choose: {alike.charAt(0).toLowerCase() + alike.slice(1)}
        </p>
      )}
    </fieldset>
  );
}
