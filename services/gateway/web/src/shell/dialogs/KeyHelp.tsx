import { useEffect, useRef, useState } from "react";
import { MOD, singleKeys } from "../../keyboard/keys";

const KEYS: [string, [string, string][]][] = [
  [
    "Everywhere",
    [
      [`${MOD}K`, "jump to a goal, task or event"],
      ["C", "new goal"],
      ["/", "filter"],
      ["G then I R D F A", "inbox, review, dead letters, fleet, analytics"],
      ["G G", "goals"],
      ["\\", "side bar"],
      ["Esc", "close"],
      [`${MOD}↵`, "primary action"],
      ["?", "these keys"],
    ],
  ],
  [
    "Lists",
    [
      ["J K or ↑ ↓", "move"],
      ["↵", "open"],
      ["E", "mark as seen"],
    ],
  ],
  [
    "Goal",
    [
      ["I", "next question"],
      ["F", "follow the transcript"],
      ["1 – 5", "tabs of the panel"],
      ["V", "graph or table"],
      [".", "next task that did not work"],
    ],
  ],
  [
    "Inbox",
    [
      ["1 – 9", "choose an option"],
      ["T", "transcript"],
      ["O", "graph"],
    ],
  ],
  [
    "Review",
    [
      ["J K", "file"],
      ["V", "viewed"],
      ["M", "comment on the file"],
    ],
  ],
  [
    "Dead letters",
    [
      ["X", "select"],
      ["R", "retry"],
    ],
  ],
];

/** Every key, and whether single letters do anything. */
export function KeyHelp({ open, close }: { open: boolean; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [on, setOn] = useState(singleKeys.on());
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} className="key-help" onClose={close} aria-labelledby="key-help-title">
      <div className="row">
        <h2 id="key-help-title" className="grow">
          Keys
        </h2>
        <button type="button" className="button light" onClick={close}>
          Close
        </button>
      </div>
      <div className="key-columns">
        {KEYS.map(([where, keys]) => (
          <section key={where}>
            <h3>{where}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label className="row">
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => {
            singleKeys.set(event.target.checked);
            setOn(event.target.checked);
          }}
        />
        Single letters are keys
      </label>
    </dialog>
  );
}
