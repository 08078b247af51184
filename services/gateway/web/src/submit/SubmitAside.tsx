import { useQuery } from "@tanstack/react-query";
import { model, workers } from "../api/queries";
import type { GoalCheck, Worker } from "../api/types";
import { CopyButton } from "../ui/CopyButton";
import { WhenRead } from "../ui/WhenRead";
import { commandOf, curlOf, type Draft, sayable } from "./draft";
import { Understood } from "./Found";

function Free({ living }: { living: readonly Worker[] }) {
  const types = [...new Set(living.flatMap((worker) => worker.types))].sort();
  const free = (type: string) =>
    living
      .filter((worker) => worker.types.includes(type))
      .reduce((sum, worker) => sum + Math.max(0, worker.slots - worker.holding.length), 0);
  if (!types.length) return <p className="ink-2">No worker says that it lives; the goal would wait.</p>;
  return (
    <p className="row wrap">
      {types.map((type) => (
        <span key={type} className="tag">
          {type} {free(type)} free
        </span>
      ))}
    </p>
  );
}

/** Who would work on it, and how the same is said elsewhere. */
export function SubmitAside({ draft, found }: { draft: Draft; found: GoalCheck | null }) {
  const asked = useQuery(model()).data;
  const living = useQuery(workers());
  return (
    <aside className="submit-aside scrolls stack" aria-label="Workers, and the same elsewhere">
      <section aria-live="polite" aria-label="Understood">
        <h2>Understood</h2>
        <Understood found={found} />
      </section>
      <section>
        <h2>Who is there</h2>
        <WhenRead query={living} what="the workers" meaning="The goal can be submitted all the same.">
          {(read) => <Free living={read} />}
        </WhenRead>
        {asked?.provider === "rehearsal" && (
          <p className="ink-2">
            A scripted model answers: it knows two sample goals, “Build authentication system with JWT” and “Build
            a price calculator with VAT”, and refuses all others.
          </p>
        )}
      </section>
      <section>
        <div className="row">
          <h2 className="grow">The same by curl</h2>
          <CopyButton text={curlOf(draft)} />
        </div>
        <pre className="block" tabIndex={0}>
          {curlOf(draft)}
        </pre>
      </section>
      <section>
        <div className="row">
          <h2 className="grow">The same by command line</h2>
          {sayable(draft) && <CopyButton text={commandOf(draft)} />}
        </div>
        {sayable(draft) ? (
          <pre className="block" tabIndex={0}>
            {commandOf(draft)}
          </pre>
        ) : (
          <p className="ink-2">The command line always asks for tests and audit; use curl for a goal without.</p>
        )}
      </section>
    </aside>
  );
}
