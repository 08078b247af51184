import { useNavigate } from "@tanstack/react-router";
import { useCallback, useId, useRef, useState } from "react";
import { createPortal } from "react-dom";
import type { Fork } from "../../api/types";
import { changed, type Draft } from "../../plan/edits";
import { useCommand } from "../../ui/commands/useCommand";
import { Icon } from "../../ui/icons";
import { MOST, TooLong, tooLong } from "../../ui/TooLong";
import { ForkPlan } from "./ForkPlan";

const MODEL = "[!-~]*";

/** What is to be done in the fork; `before` is what would have been done. */
interface Plan {
  seq: number;
  before: readonly Draft[];
  drafts: readonly Draft[];
}

/** A button that opens a form; only the form starts anything, and what is left empty stays as it was. */
export function ForkForm({ goalId, seq, className = "" }: { goalId: string; seq: number; className?: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const command = useCommand("The fork");
  const [model, setModel] = useState("");
  const [prompt, setPrompt] = useState("");
  const [money, setMoney] = useState("");
  const [calls, setCalls] = useState("");
  const [planned, setPlanned] = useState(false);
  const [plan, setPlan] = useState<Plan | null>(null);
  const id = useId();
  const own = planned && plan && changed(plan.drafts, plan.before) > 0 ? plan.drafts : null;
  // A form that was opened at another event begins with the plan of that one.
  const drafts = plan?.seq === seq ? plan.drafts : null;
  const put = useCallback(
    (next: Draft[]) => setPlan((old) => ({ seq, before: old?.seq === seq ? old.before : next, drafts: next })),
    [seq],
  );
  const body: Fork = {
    at_seq: seq,
    ...(own && { plan: own.map((draft) => draft.task) }),
    model,
    prompt,
    max_cost_usd: money ? Number(money) : null,
    max_llm_calls: calls ? Number(calls) : null,
  };
  async function start() {
    await command.send(`/goals/${goalId}/fork`, body, {
      title: `Forked at #${seq}: a new goal goes on from there`,
      onAnswer: (answer) => {
        dialog.current?.close();
        void navigate({ to: "/goals/$goalId", params: { goalId: answer.goal_id } });
      },
    });
  }
  return (
    <>
      <button type="button" className={`button ${className}`} onClick={() => dialog.current?.showModal()}>
        <Icon name="branch" />
        Fork from here
      </button>
      {createPortal(
        <dialog
          ref={dialog}
          className={planned ? "confirm wide" : "confirm"}
          aria-labelledby={`${id}-title`}
          aria-describedby={`${id}-what`}
        >
          <form
            method="dialog"
            onSubmit={(event) => {
              event.preventDefault();
              event.stopPropagation();
              void start();
            }}
          >
            <h2 id={`${id}-title`}>Fork from #{seq}</h2>
            <p id={`${id}-what`} className="ink-2">
              A new goal goes on from here, with plan, results and files as they were, and money of its own. What
              was under way is ordered anew. This goal stays as it is.
            </p>
            <div className="field">
              <label htmlFor={`${id}-model`}>Model for all its work</label>
              <input
                id={`${id}-model`}
                value={model}
                pattern={MODEL}
                placeholder="as before"
                onChange={(event) => setModel(event.target.value)}
              />
              <TooLong text={model} most={MOST.model} />
            </div>
            <div className="field">
              <label htmlFor={`${id}-prompt`}>What every agent is told, beside the goal</label>
              <textarea
                id={`${id}-prompt`}
                rows={3}
                value={prompt}
                placeholder="nothing more"
                onChange={(event) => setPrompt(event.target.value)}
              />
              <TooLong text={prompt} most={MOST.text} />
            </div>
            <div className="field-row two">
              <div className="field">
                <label htmlFor={`${id}-money`}>Limit of money, $</label>
                <input
                  id={`${id}-money`}
                  type="number"
                  min={0.01}
                  max={1000000}
                  step="any"
                  value={money}
                  placeholder="as before"
                  onChange={(event) => setMoney(event.target.value)}
                />
              </div>
              <div className="field">
                <label htmlFor={`${id}-calls`}>Limit of model calls</label>
                <input
                  id={`${id}-calls`}
                  type="number"
                  min={1}
                  max={1000000}
                  value={calls}
                  placeholder="as before"
                  onChange={(event) => setCalls(event.target.value)}
                />
              </div>
            </div>
            <label className="row">
              <input type="checkbox" checked={planned} onChange={(event) => setPlanned(event.target.checked)} />
              Another plan for what had not ended
            </label>
            {planned && <ForkPlan goalId={goalId} seq={seq} drafts={drafts} put={put} />}
            {command.error && (
              <p role="alert" className="tone-bad tone-text">
                {command.error.message}
              </p>
            )}
            <div className="row">
              <button
                type="submit"
                className="button primary"
                disabled={command.busy || tooLong(model, MOST.model) || tooLong(prompt, MOST.text)}
              >
                Fork
              </button>
              <button type="button" className="button plain" onClick={() => dialog.current?.close()}>
                Leave it
              </button>
            </div>
          </form>
        </dialog>,
        document.body,
      )}
    </>
  );
}
