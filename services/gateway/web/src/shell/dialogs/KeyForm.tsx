import { apiKey, keepKey } from "../../api/key";

/** The hub wants a key, or another one. */
export function KeyForm() {
  return (
    <main className="key-page" id="main">
      <form
        id="key-form"
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          keepKey(String(new FormData(event.currentTarget).get("key") ?? ""));
        }}
      >
        <h1>This hub asks for a key</h1>
        {apiKey && (
          <p className="error" role="alert">
            The hub does not know the key that you gave.
          </p>
        )}
        <div className="field">
          <label htmlFor="key">One of the keys in AGENTHUB_API_KEYS. It is kept until you close this tab.</label>
          <input id="key" name="key" type="password" autoComplete="off" required />
        </div>
        <div>
          <button type="submit" className="button primary">
            Go on
          </button>
        </div>
        <p className="hint">
          On the command line: <code>AGENTHUB_API_KEY=… agenthub goal list</code>
        </p>
      </form>
    </main>
  );
}
