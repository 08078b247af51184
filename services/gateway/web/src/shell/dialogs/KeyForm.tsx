import { useState } from "react";
import { linkRefusal, refusalOf, signIn } from "../../api/session";
import { Icon } from "../../ui/icons";

interface Props {
  /** Whether somebody was signed in on this page, and is not any more. */
  ended: boolean;
  back: () => Promise<void>;
}

/** The hub wants to know who is there. */
export function KeyForm({ ended, back }: Props) {
  const [refusal, setRefusal] = useState(linkRefusal);
  const [busy, setBusy] = useState(false);
  async function send(key: string) {
    setBusy(true);
    const told = await refusalOf(signIn({ key }));
    if (!told) return back();
    setRefusal(told);
    setBusy(false);
  }
  return (
    <main className="key-page" id="main">
      <form
        id="key-form"
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void send(String(new FormData(event.currentTarget).get("key") ?? ""));
        }}
      >
        <span className="key-brand">
          <Icon name="logo" />
          agenthub
        </span>
        <h1>Sign in</h1>
        {ended && (
          <p className="ink-2" role="status">
            Your session has ended. Sign in and you are back where you were; what you typed is still there.
          </p>
        )}
        {refusal && (
          <p className="error" role="alert">
            {refusal}
          </p>
        )}
        <div className="field">
          <label htmlFor="key">Your key, one of AGENTHUB_API_KEYS</label>
          <input id="key" name="key" type="password" autoComplete="current-password" required />
          <p className="hint">This browser stays signed in for a week, or until you sign out.</p>
        </div>
        <button type="submit" className="button primary" disabled={busy}>
          Sign in
        </button>
        <p className="hint">
          Without typing it: <code>AGENTHUB_API_KEY=… agenthub open</code> opens this page with a link that works
          once.
        </p>
      </form>
    </main>
  );
}
