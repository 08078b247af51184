import { useQuery } from "@tanstack/react-query";
import { task as taskQuery, transcript } from "../api/queries";
import type { Attempt, Question } from "../api/types";
import { Step } from "../goal/panel/Transcript";

const SHOWN = 4;
const TELLING = new Set(["said", "tool", "note", "failed"]);

function StepsOf({ attempt }: { attempt: Attempt }) {
  const lines = useQuery(transcript(attempt)).data?.items ?? [];
  const telling = lines.filter((line) => TELLING.has(line.kind) && (line.kind === "tool" || line.text));
  if (!telling.length) return null;
  return (
    <section aria-labelledby="last-steps">
      <h2 className="evidence-head" id="last-steps">
        {telling.length > SHOWN ? `Last ${String(SHOWN)} of ${String(telling.length)} steps` : "Steps so far"}
      </h2>
      <ol className="last-steps">
        {telling.slice(-SHOWN).map((line) => (
          <Step key={`${String(line.seq)}-${line.kind}`} line={line} />
        ))}
      </ol>
    </section>
  );
}

/** What the agent said and did last before it asked. Nothing where no run is recorded, or none any more. */
export function LastSteps({ question, task }: { question: Question; task: string }) {
  const found = useQuery({ ...taskQuery(question.goal_id, task), enabled: task !== "" });
  const attempts = found.data?.attempts ?? [];
  const asked = attempts.find((attempt) => attempt.attempt === question.attempt) ?? attempts.at(-1);
  return asked ? <StepsOf attempt={asked} /> : null;
}
