import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { goals, letters } from "../api/queries";
import type { DeadLetter } from "../api/types";
import { some } from "../format/numbers";
import { shortMoment, utc } from "../format/time";
import { useNow } from "../format/useNow";
import { Key } from "../keyboard/Key";
import { useKeys } from "../keyboard/keys";
import { moveFocus } from "../keyboard/moveFocus";
import { TopBar } from "../shell/TopBar";
import { Mark } from "../states/StateMark";
import { Confirm } from "../ui/commands/Confirm";
import { useCommand } from "../ui/commands/useCommand";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { LetterPane } from "./LetterPane";

const route = getRouteApi("/dead-letters");
const WAYS: Record<string, { name: string; of: (letter: DeadLetter, goalName: string) => string }> = {
  error: { name: "By error", of: (letter) => className(letter) },
  goal: { name: "By goal", of: (_, goalName) => goalName },
  time: { name: "By time", of: (letter) => (letter.at ?? "").slice(0, 10) },
};

/** The class of what went wrong: of work its last cause, of a message why nobody can go on with it. */
function className(letter: DeadLetter): string {
  if (letter.kind === "unreadable") return "Cannot be read";
  if (letter.kind !== "task") return `Is ${letter.kind}`;
  return /attempt/i.test(letter.reason) || letter.causes.length > 1 ? "Ran out of attempts" : "Given up";
}

export function LettersPage() {
  const { by = "error", item } = route.useSearch();
  const navigate = route.useNavigate();
  const found = useQuery(letters());
  const all = useQuery(goals()).data ?? [];
  const now = useNow();
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const command = useCommand("The decision");
  const open = found.data ?? [];
  const [seen, setSeen] = useState<string>();
  const chosen = open.find((letter) => letter.id === item) ?? open.find((letter) => letter.id === seen) ?? open[0];
  // What comes in above does not take the place of the one that somebody looks at.
  if (chosen && chosen.id !== seen) setSeen(chosen.id);
  const nameOf = (letter: DeadLetter) =>
    all.find((goal) => goal.goal_id === letter.goal_id)?.goal ?? letter.goal_id;
  const way = WAYS[by] ?? WAYS.error;
  const groups = Map.groupBy(open, (letter) => way?.of(letter, nameOf(letter)) ?? "");
  const selected = open.filter((letter) => picked.has(letter.id));
  const decidable = (list: readonly DeadLetter[]) => list.filter((letter) => letter.kind === "task");
  const pick = (ids: readonly string[], on: boolean) =>
    setPicked((old) => new Set(on ? [...old, ...ids] : [...old].filter((id) => !ids.includes(id))));
  // Only what the hub has taken is not picked any more: meanwhile a person picks what is decided next.
  async function decide(list: readonly DeadLetter[], send: (letter: DeadLetter) => Promise<boolean>) {
    for (const letter of decidable(list)) if (await send(letter)) pick([letter.id], false);
  }
  const retry = (list: readonly DeadLetter[]) =>
    decide(list, (letter) =>
      command.send(`/dead-letters/${letter.id}/requeue`, {}, { title: `Retried “${letter.title}”` }),
    );
  const discard = (list: readonly DeadLetter[], reason: string) =>
    decide(list, (letter) =>
      command.send(
        `/dead-letters/${letter.id}/discard`,
        { reason },
        { title: `Discarded “${letter.title}”`, tone: "idle" },
      ),
    );
  const target = selected.length ? selected : chosen ? [chosen] : [];
  useKeys({
    j: () => moveFocus(".letter-row .row-link", 1),
    k: () => moveFocus(".letter-row .row-link", -1),
    x: () => chosen && pick([chosen.id], !picked.has(chosen.id)),
    r: () => command.busy || void retry(target),
  });
  const bar = (
    <TopBar path={[{ name: "Dead letters" }]} aside={<span className="ink-3 figures">{open.length || ""}</span>} />
  );
  if (found.isPending)
    return (
      <>
        {bar}
        <main id="main">
          <Loading what="the dead letters" />
        </main>
      </>
    );
  if (found.isError && !found.data)
    return (
      <>
        {bar}
        <main id="main">
          <Problem
            what="The dead letters could not be read"
            meaning="They stay until somebody decides."
            error={found.error}
            retry={() => void found.refetch()}
          />
        </main>
      </>
    );
  if (!chosen)
    return (
      <>
        {bar}
        <main id="main" className="empty" tabIndex={-1}>
          <h1 className="question">No dead letters</h1>
          <p className="ink-2">
            Work that was tried in vain, and messages that nobody can read, would wait here for a decision.
          </p>
        </main>
      </>
    );
  return (
    <>
      {bar}
      <main id="main" className="letters two-panes" tabIndex={-1}>
        <div className="letters-left">
          <div className="filters">
            <div className="segments">
              {Object.entries(WAYS).map(([key, { name }]) => (
                <button
                  key={key}
                  type="button"
                  aria-pressed={key === by}
                  onClick={() => void navigate({ search: (old) => ({ ...old, by: key }), replace: true })}
                >
                  {name}
                </button>
              ))}
            </div>
            <span className="grow" />
            {selected.length > 0 && <span className="ink-3">{selected.length} selected</span>}
            <button
              type="button"
              className="button"
              disabled={command.busy || !decidable(selected).length}
              onClick={() => void retry(selected)}
            >
              Retry <Key name="R" />
            </button>
            <Confirm
              verb="Discard"
              className="danger"
              disabled={command.busy || !decidable(selected).length}
              consequence={`${some(decidable(selected).length, "task")} given up for good; what depends on ${selected.length === 1 ? "it" : "them"} cannot run.`}
              onConfirm={(reason) => void discard(selected, reason)}
            />
          </div>
          <div className="scrolls">
            {[...groups].map(([name, members]) => (
              <section key={name} aria-label={name}>
                <div className="group-head">
                  <input
                    type="checkbox"
                    aria-label={`Select all: ${name}`}
                    checked={members.every((letter) => picked.has(letter.id))}
                    onChange={(event) =>
                      pick(
                        members.map((letter) => letter.id),
                        event.target.checked,
                      )
                    }
                  />
                  <h2>{name}</h2>
                  <span className="ink-3 figures">{members.length}</span>
                  <span className="grow" />
                  {decidable(members).length > 1 && (
                    <button type="button" className="link-button" onClick={() => void retry(members)}>
                      Retry all {decidable(members).length}
                    </button>
                  )}
                </div>
                <ul>
                  {members.map((letter) => (
                    <li
                      key={letter.id}
                      className={letter.id === chosen.id ? "letter-row chosen" : "letter-row"}
                      data-letter={letter.id}
                    >
                      <input
                        type="checkbox"
                        aria-label={`Select ${letter.title || letter.subject}`}
                        checked={picked.has(letter.id)}
                        onChange={(event) => pick([letter.id], event.target.checked)}
                      />
                      <Mark shape="envelope" tone="bad" />
                      <span className="letter-name">
                        <button
                          type="button"
                          className="row-link"
                          aria-label={letter.title || letter.subject}
                          onClick={() =>
                            void navigate({ search: (old) => ({ ...old, item: letter.id }), replace: true })
                          }
                        />
                        <span className="one-line name">{letter.title || letter.subject}</span>
                        <span className="one-line small ink-3">{nameOf(letter)}</span>
                      </span>
                      <span className="one-line ink-2" title={letter.reason}>
                        {letter.reason}
                      </span>
                      <span className="ink-3 figures">
                        {letter.attempt ? some(letter.attempt, "try", "tries") : ""}
                      </span>
                      <span className="ink-3 figures" title={utc(letter.at, letter.seq)}>
                        {shortMoment(letter.at, now)}
                      </span>
                    </li>
                  ))}
                </ul>
              </section>
            ))}
            <p className="empty-line">
              That is all. A dead letter stays here until somebody retries or discards it; its goal says which one
              it waits for.
            </p>
          </div>
        </div>
        <LetterPane
          key={chosen.id}
          letter={chosen}
          goalName={nameOf(chosen)}
          now={now}
          busy={command.busy}
          retry={() => void retry([chosen])}
          discard={(reason) => void discard([chosen], reason)}
          edit={(edits) =>
            void command.send(
              `/dead-letters/${chosen.id}/requeue`,
              { edits },
              { title: `Retried “${chosen.title}” with changes` },
            )
          }
        />
      </main>
    </>
  );
}
