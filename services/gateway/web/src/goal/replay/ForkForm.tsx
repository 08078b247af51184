import { useNavigate } from "@tanstack/react-router";
import { useId, useRef, useState } from "react";
import { createPortal } from "react-dom";
import type { Fork } from "../../api/types";
import { Icon } from "../../ui/icons";
import { useCommand } from "../../ui/useCommand";

const MODEL = "[!-~]*";

/** A button that opens a form; only the form starts anything, and what is left empty stays as it was. */
export function ForkForm({ goalId, seq, className = "" }: { goalId: string; seq: number; className?: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const command = useCommand("The fork");
  const [model, setModel] = useState("");
  const [prompt, setPrompt] = useState("");
  const [money, setMoney] = useState("");
  const [calls, setCalls] = useState("");
  const id = useId();
  const body: Fork = {
    at_seq: seq,
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
        <dialog ref={dialog} className="confirm" aria-labelledby={`${id}-title`} aria-describedby={`${id}-what`}>
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
                maxLength={200}
                placeholder="as before"
                onChange={(event) => setModel(event.target.value)}
              />
            </div>
            <div className="field">
              <label htmlFor={`${id}-prompt`}>What every agent is told, beside the goal</label>
              <textarea
                id={`${id}-prompt`}
                rows={3}
                value={prompt}
                maxLength={16000}
                placeholder="nothing more"
                onChange={(event) => setPrompt(event.target.value)}
              />
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
            {command.error && (
              <p role="alert" className="tone-bad tone-text">
                {command.error.message}
              </p>
            )}
            <div className="row">
              <button type="submit" className="button primary" disabled={command.busy}>
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
