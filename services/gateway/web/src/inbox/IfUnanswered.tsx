import type { Question } from "../api/types";
import { shortMoment, utc } from "../format/time";

/** When the question is raised again and who hears of it, and what becomes of it in the end. */
export function IfUnanswered({ question, now }: { question: Question; now: number }) {
  if (!question.if_unanswered.length) return null;
  return (
    <section>
      <h2>If nobody answers</h2>
      <dl className="facts-list">
        {question.if_unanswered.map((step) => (
          <div key={step.what} className="fact">
            <dt className="figures" title={utc(step.at)}>
              {step.at ? shortMoment(step.at, now) : "then"}
            </dt>
            <dd className="break" dir="auto">
              {step.what}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
