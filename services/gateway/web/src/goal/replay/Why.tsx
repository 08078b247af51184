import { useQuery } from "@tanstack/react-query";
import { causes } from "../../api/queries";
import type { Causation } from "../../api/types";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";

interface Step {
  seq: number;
  depth: number;
}

/** The tree as it is read, each event once: what was told already is not told again. */
function walk(causation: Causation): Step[] {
  const known = new Map(causation.causes.map((cause) => [cause.seq, cause]));
  const told = new Set<number>();
  const steps: Step[] = [];
  const waiting: Step[] = [{ seq: causation.of, depth: 0 }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { seq, depth } = next;
    if (told.has(seq)) continue;
    told.add(seq);
    steps.push(next);
    const because = known.get(seq)?.because ?? [];
    waiting.push(...because.toReversed().map((cause) => ({ seq: cause, depth: depth + 1 })));
  }
  return steps;
}

/** Everything that led to an event, back to the words of the goal. */
export function Why({ goalId, seq, open }: { goalId: string; seq: number; open: (sequence: number) => void }) {
  const found = useQuery(causes(goalId, seq));
  if (found.isPending) return <Loading what="the causes" rows={3} />;
  if (found.isError)
    return (
      <Problem
        what="The causes could not be read"
        meaning="Only this list is missing."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  const known = new Map(found.data.causes.map((cause) => [cause.seq, cause]));
  return (
    <div className="why" role="region" aria-label={`Why event ${seq} happened`}>
      <ol className="why-steps">
        {walk(found.data).map((step) => {
          const cause = known.get(step.seq);
          return (
            <li key={step.seq} style={{ paddingInlineStart: `${Math.min(step.depth, 12) * 14}px` }}>
              <button type="button" className="link-button figures" onClick={() => open(step.seq)}>
                #{step.seq}
              </button>{" "}
              <code>{cause?.type}</code> <span dir="auto">{cause?.text}</span>
            </li>
          );
        })}
      </ol>
      {found.data.words.map((words, at) => (
        <p key={`${String(at)} ${words}`} className="ink-2 break" dir="auto">
          “{words}”
        </p>
      ))}
    </div>
  );
}
