import { type ReactNode, useId, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { MOST, TooLong, tooLong } from "../TooLong";

interface Props {
  verb: string;
  consequence: string;
  className?: string;
  disabled?: boolean;
  reason?: boolean;
  /** What is confirmed can be taken back. */
  calm?: boolean;
  children?: ReactNode;
  onConfirm: (reason: string) => void;
}

/** A button that says in words what will happen, and takes a reason, before it does anything. */
export function Confirm({
  verb,
  consequence,
  className = "",
  disabled = false,
  reason = true,
  calm = false,
  children,
  onConfirm,
}: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [words, setWords] = useState("");
  const id = useId();
  return (
    <>
      <button
        type="button"
        className={`button ${className}`}
        disabled={disabled}
        onClick={() => dialog.current?.showModal()}
      >
        {children ?? verb}
      </button>
      {createPortal(
        <dialog ref={dialog} className="confirm" aria-labelledby={`${id}-title`} aria-describedby={`${id}-what`}>
          <form
            method="dialog"
            onSubmit={(event) => {
              event.preventDefault();
              // A form around the button is not sent with this one.
              event.stopPropagation();
              dialog.current?.close();
              onConfirm(words);
            }}
          >
            <h2 id={`${id}-title`}>{verb}</h2>
            <p id={`${id}-what`} className="ink-2">
              {consequence}
            </p>
            {reason && (
              <div className="field">
                <label htmlFor={`${id}-reason`}>Reason, if you want to give one</label>
                <input id={`${id}-reason`} value={words} onChange={(event) => setWords(event.target.value)} />
                <TooLong text={words} most={MOST.reason} />
              </div>
            )}
            <div className="row">
              <button
                type="submit"
                className={`button ${calm ? "primary" : "danger"}`}
                disabled={tooLong(words, MOST.reason)}
              >
                {verb}
              </button>
              <button type="button" className="button plain" onClick={() => dialog.current?.close()}>
                {calm ? "Leave it so" : "Keep it"}
              </button>
            </div>
          </form>
        </dialog>,
        document.body,
      )}
    </>
  );
}
