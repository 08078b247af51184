import { useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import type { Gate, Goal } from "../api/types";
import { count, dollars, some } from "../format/numbers";
import { withEvidence } from "../goal/tabs/Requirements";
import { useDraft } from "../kept/useDraft";
import { Key } from "../keyboard/Key";
import { MOD, useKeys } from "../keyboard/keys";
import { Confirm } from "../ui/commands/Confirm";
import { useCommand } from "../ui/commands/useCommand";
import { useHere } from "../ui/commands/useHere";
import { MOST, TooLong, tooLong } from "../ui/TooLong";
import { type Comment, feedbackOf } from "./comments";
import type { Place } from "./DiffView";
import { LastVerdict } from "./LastVerdict";

interface Props {
  goal: Goal;
  rounds: readonly Gate[];
  comments: readonly Comment[];
  /** Lines on which a comment is still being written. */
  unkept: readonly Place[];
  now: number;
  /** Take away the comments that were sent. */
  clear: (sent: readonly Comment[]) => void;
}

/** Comments that would be left behind. */
function Unkept({ places }: { places: readonly Place[] }) {
  if (!places.length) return null;
  return (
    <p className="small tone-ask tone-text break">
      {some(places.length, "comment")} that you have not kept yet {places.length === 1 ? "is" : "are"} not sent:{" "}
      {places.map((place) => `${place.path}:${place.line}`).join(", ")}
    </p>
  );
}

/** The primary button follows the facts; the other one asks once, naming what is missing. */
export function Verdict({ goal, rounds, comments, unkept, now, clear }: Props) {
  const [words, setWords, forget] = useDraft(`agenthub-verdict-${goal.goal_id}`, "");
  const field = useRef<HTMLTextAreaElement>(null);
  const command = useCommand("The verdict");
  const navigate = useNavigate();
  const ready = goal.status === "ready_for_review";
  const missing = goal.requirements.length - withEvidence(goal, rounds);
  const feedback = feedbackOf(comments, words);
  const long = tooLong(feedback, MOST.text);
  const clean = !feedback && missing <= 0;
  const here = useHere();
  const home = () => {
    if (here()) void navigate({ to: "/goals/$goalId", params: { goalId: goal.goal_id } });
  };
  const path = `/goals/${goal.goal_id}`;
  async function approve() {
    if (command.busy || !ready) return;
    if (
      await command.send(
        `${path}/approve`,
        { ready_seq: goal.ready_seq },
        { title: `Approved “${goal.goal}” at ${goal.head.slice(0, 7)}` },
      )
    )
      home();
  }
  async function change() {
    if (command.busy || !feedback || long) return;
    if (
      await command.send(
        `${path}/rework`,
        { feedback },
        { title: "Changes are asked for; the goal is open again" },
      )
    ) {
      clear(comments);
      // What was typed while this was sent is the next thing to say.
      if ((field.current?.value ?? words) === words) {
        forget();
        home();
      }
    }
  }
  useKeys({ "mod+enter": () => void (clean ? approve() : change()) });
  const drop = [
    comments.length ? `drops ${some(comments.length, "comment")}` : "",
    missing > 0 ? `${some(missing, "requirement")} without evidence` : "",
  ]
    .filter(Boolean)
    .join("; ");
  const money = goal.max_cost_usd ? `${dollars(Math.max(0, goal.max_cost_usd - goal.cost_usd))} and ` : "";
  return (
    <div className="verdict">
      <textarea
        ref={field}
        rows={2}
        value={words}
        aria-label="Anything else?"
        placeholder={
          comments.length
            ? `Anything else? Your ${some(comments.length, "comment")} ${comments.length === 1 ? "is" : "are"} sent with it.`
            : "What should be changed?"
        }
        onChange={(event) => setWords(event.target.value)}
      />
      <TooLong text={feedback} most={MOST.text} />
      <Unkept places={unkept} />
      <div className="row wrap">
        <button
          type="button"
          className={clean ? "button" : "button primary"}
          disabled={command.busy || !feedback || long}
          onClick={() => void change()}
        >
          Request changes {!clean && <Key name={`${MOD}↵`} />}
        </button>
        <span className="grow" />
        {clean || !drop ? (
          <button
            type="button"
            className={clean ? "button primary" : "button"}
            disabled={command.busy || !ready}
            onClick={() => void approve()}
          >
            Approve {clean && <Key name={`${MOD}↵`} />}
          </button>
        ) : (
          <Confirm
            verb="Approve all the same"
            reason={false}
            disabled={command.busy || !ready}
            consequence={`Approving ${drop}.`}
            onConfirm={() => void approve()}
          >
            Approve
          </Confirm>
        )}
      </div>
      {!ready && <LastVerdict goalId={goal.goal_id} now={now} />}
      <p className="small ink-3">
        {ready
          ? `Changes start round ${goal.rework_round + 1} on the same branch; ${money}${count(Math.max(0, goal.max_llm_calls - goal.llm_calls))} model calls are left. Approving completes the goal at ${goal.head.slice(0, 7)}; nothing is pushed anywhere.`
          : "The goal is not ready for a verdict now. Changes can be asked for at any time."}
      </p>
    </div>
  );
}
