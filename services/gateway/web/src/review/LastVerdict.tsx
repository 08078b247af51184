import { useQuery } from "@tanstack/react-query";
import { verdicts } from "../api/queries";
import { shortMoment } from "../format/time";

/** Who has decided about a result before, and how: whoever was about to do so is told. */
export function LastVerdict({ goalId, now }: { goalId: string; now: number }) {
  const last = useQuery(verdicts(goalId)).data?.at(-1);
  if (!last) return null;
  const { by, feedback, timestamp } = last.event as Record<string, string | undefined>;
  const who = by === "local" || !by ? "You" : by;
  return (
    <p className="small ink-2 break" role="status" dir="auto">
      <b>{who}</b> {last.type === "goal.approved" ? "approved the result" : "asked for changes"},{" "}
      {shortMoment(timestamp, now)}
      {feedback ? `: “${feedback}”` : "."}
    </p>
  );
}
